"""``xinqiao feed``: the versions of a record type after a position, as NDJSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from certs.keys import write_whole
from gateway.access.projection import line
from gateway.audit import Action, append
from gateway.audit.log import seal
from gateway.cli.operator import operator
from gateway.cli.output import always_json, print_json_text
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings
from gateway.signatures.own import sign_export
from gateway.store import Store
from gateway.store.reading import Version, feed_page
from schemas.records import RECORD_TYPES

_PAGE = 1000


@click.command("feed")
@click.argument("record_type", type=click.Choice(sorted(RECORD_TYPES)))
@click.option(
    "--after", default=0, show_default=True, type=click.IntRange(0), help="上次读到的位置 / last position seen"
)
@click.option("--limit", type=click.IntRange(1), help="最多行数 / at most this many")
@click.option(
    "--signature",
    type=click.Path(dir_okay=False, path_type=Path),
    help="把网关对全部输出的签名写入该文件 / write the gateway's signature over all that is printed there (JWS)",
)
@always_json
@click.pass_obj
def feed(settings: Settings, record_type: str, after: int, limit: int | None, signature: Path | None) -> None:
    """Versions of RECORD_TYPE, one JSON object a line, on this machine by its operator. 变更流（本机运维）。

    Every page read is an entry of the audit log, as it is for anybody else.
    """
    with open_home(settings) as store:
        lines = _printed(store, record_type, after, limit)
        if signature is None:
            for _ in lines:
                pass
        else:
            write_whole(signature, sign_export(settings, lines).encode())
        seal(store, utc_now())


def _printed(store: Store, record_type: str, after: int, limit: int | None) -> Iterator[bytes]:
    """Print line by line, and give each line as the bytes that went out."""
    left = limit
    while left is None or left > 0:
        page = _read(store, record_type, after, min(_PAGE, left or _PAGE))
        for version in page:
            yield print_json_text(line(version).decode())
        if not page:
            return
        after = page[-1].seq
        left = None if left is None else left - len(page)


def _read(store: Store, record_type: str, after: int, limit: int) -> list[Version]:
    with store.write() as conn:
        page = feed_page(conn, record_type, after, limit)
        span = {"first_seq": page[0].seq, "last_seq": page[-1].seq} if page else {}
        facts = {"record_type": record_type, "purpose": "运维", "after": after, "records": len(page), **span}
        append(conn, Action.FEED_READ, operator(), facts, utc_now())
    return page
