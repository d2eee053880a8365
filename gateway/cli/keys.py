"""``xinqiao keys``: the keys under which personal data lie at rest; list, rotate, seal again, destroy old ones."""

from __future__ import annotations

import click

from certs.suites import suite_named
from gateway.audit import Action, append
from gateway.audit.log import seal
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_rows, working
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.keyring import Ring, read_ring, retire, rotate
from gateway.resealing import BATCH
from gateway.resealing import reseal as seal_again
from gateway.settings import Settings
from gateway.store import Store

_COLUMNS = (
    ("number", "数据密钥 data key"),
    ("use", "用途 use"),
    ("suite", "算法套件 suite"),
    ("kek", "主密钥代 KEK generation"),
    ("made_at", "生成于 made at"),
    ("current", "当前 current"),
)


@click.group(help="静态加密的密钥 / keys at rest")
def keys() -> None:
    """Group of the key commands; ``ctx.obj`` is the ``Settings``."""


@keys.command("list", help="列出数据密钥及其主密钥代 / list data keys and the generation that wraps each")
@json_option
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Every data key, oldest first; no key material is shown."""
    with open_home(settings):
        _print(read_ring(settings.home), as_json)


@keys.command("rotate", help="更换密钥，不停机 / new KEK and data key, without down-time")
@json_option
@click.pass_obj
def rotate_(settings: Settings, as_json: bool) -> None:
    """Re-wrap every data key under a new KEK and seal with a new data key from now on; records are not touched.

    Both are for the algorithms of the setting ``suite``.
    """
    with open_home(settings) as store:
        with store.write() as conn:
            before = read_ring(settings.home)
            facts: dict[str, object] = {"kek": before.kek + 1, "suite": settings.suite}
            # Before the commit, so that an entry that cannot be written leaves the keys as they were.
            append(conn, Action.KEYS_ROTATED, operator(), facts, utc_now())
            made = rotate(settings.home, utc_now(), suite_named(settings.suite))
        seal(store, utc_now())
    _print(made, as_json)


@keys.command(help="用最新密钥重新加密，分批进行 / seal again under the newest key, in batches")
@click.option(
    "--batch", default=BATCH, show_default=True, type=click.IntRange(1, 100_000), help="每批行数 / rows a batch"
)
@json_option
@click.pass_obj
def reseal(settings: Settings, batch: int, as_json: bool) -> None:
    """Seal anew whatever lies under older data keys; reading and landing go on."""
    with open_home(settings) as store, working("正在重新加密", "sealing again"):
        done = seal_again(store, operator(), utc_now(), batch)
    print_rows([{"resealed": done}], [("resealed", "已重新加密的行 rows sealed again")], as_json)


@keys.command("retire", help="销毁不再使用的旧主密钥 / destroy an old KEK that wraps nothing any more")
@click.argument("generation", type=click.IntRange(1))
@json_option
@click.pass_obj
def retire_(settings: Settings, generation: int, as_json: bool) -> None:
    """Destroy KEK GENERATION; copies of the key ring that it wraps become unreadable for ever."""
    with open_home(settings) as store:
        _retire(store, generation)
    print_rows([{"retired": generation}], [("retired", "已销毁 destroyed")], as_json)


def _retire(store: Store, generation: int) -> None:
    with store.write() as conn:
        facts: dict[str, object] = {"kek": generation}
        append(conn, Action.KEYS_RETIRED, operator(), facts, utc_now())
        retire(store.settings.home, generation)
    seal(store, utc_now())


def _print(ring: Ring, as_json: bool) -> None:
    rows = [
        {
            "number": key.number,
            "use": key.use,
            "suite": key.suite,
            "kek": key.kek,
            "made_at": key.made_at,
            "current": key.number == ring.current,
        }
        for key in ring.keys
    ]
    print_rows(
        rows if as_json else [row | {"current": "✓" if row["current"] else ""} for row in rows], _COLUMNS, as_json
    )
