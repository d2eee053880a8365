"""``xinqiao feed``: the versions of a record type after a position, as NDJSON."""

from __future__ import annotations

import click

from gateway.cli.output import print_json
from gateway.home import open_home
from gateway.settings import Settings
from gateway.store.reading import feed_page
from schemas.records import RECORD_TYPES

_PAGE = 1000


@click.command("feed")
@click.argument("record_type", type=click.Choice(sorted(RECORD_TYPES)))
@click.option(
    "--after", default=0, show_default=True, type=click.IntRange(0), help="上次读到的位置 / last position seen"
)
@click.option("--limit", type=click.IntRange(1), help="最多行数 / at most this many")
@click.pass_obj
def feed(settings: Settings, record_type: str, after: int, limit: int | None) -> None:
    """Versions of RECORD_TYPE, one JSON object a line, on this machine by its operator. 变更流（本机运维）。"""
    store = open_home(settings)
    left = limit
    try:
        while left is None or left > 0:
            with store.read() as conn:
                page = feed_page(conn, record_type, after, min(_PAGE, left or _PAGE))
            for version in page:
                print_json(
                    {
                        "seq": version.seq,
                        "op": version.op,
                        "record_key": version.record_key,
                        "uscc": version.uscc,
                        "version": version.version,
                        "source": version.source,
                        "landed_at": version.landed_at,
                        "record": version.payload.decode(),
                    }
                )
            if not page:
                break
            after = page[-1].seq
            left = None if left is None else left - len(page)
    finally:
        store.close()
