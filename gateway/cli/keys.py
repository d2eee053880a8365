"""``xinqiao keys``: the keys under which personal data lie at rest; list, rotate, seal again, destroy old ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from certs.suites import suite_named
from gateway.audit import Action, append
from gateway.audit.log import seal
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_rows, working
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.key_files import KeyFile, key_files, protect
from gateway.keyring import Ring, read_ring, retire, rotate
from gateway.passphrases import read_passphrase_file
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

_FILE_COLUMNS = (("path", "文件 file"), ("kept", "保存方式 kept"))
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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


@keys.command("files", help="列出私钥文件及其保存方式 / list the files of private keys and how each is kept")
@json_option
@click.pass_obj
def files(settings: Settings, as_json: bool) -> None:
    """Every private key of the installation: in clear, encrypted, or in a token."""
    with open_home(settings):
        _print_files(key_files(settings), as_json)


@keys.command("protect", help="按当前口令重新加密私钥文件 / encrypt the key files under the passphrases now set")
@click.option("--was-file", type=_FILE, help="原口令文件，默认原为明文 / what opened them; default: in clear")
@click.option("--was-ca-file", type=_FILE, help="签发密钥原口令文件 / that of the issuing key; default: as the others")
@json_option
@click.pass_obj
def protect_(settings: Settings, was_file: Path | None, was_ca_file: Path | None, as_json: bool) -> None:
    """Write every key file anew; a running gateway needs the new passphrase at its next start."""
    was = read_passphrase_file(was_file) if was_file else None
    was_ca = read_passphrase_file(was_ca_file) if was_ca_file else was
    with open_home(settings) as store:
        done = protect(settings, was, was_ca)
        facts: dict[str, object] = {"files": {file.path.name: file.kept for file in done}}
        with store.write() as conn:
            append(conn, Action.KEYS_PROTECTED, operator(), facts, utc_now())
        seal(store, utc_now())
    _print_files(done, as_json)


def _print_files(found: Sequence[KeyFile], as_json: bool) -> None:
    print_rows([{"path": str(file.path), "kept": file.kept} for file in found], _FILE_COLUMNS, as_json)


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
