"""``xinqiao audit``: verify the log, verify a receipt, ask who read what about whom."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connectors.errors import Refused
from gateway.audit.actions import action_of
from gateway.audit.keys import load_verifier, vkey_path
from gateway.audit.log import current_checkpoint
from gateway.audit.merkle import ProofError
from gateway.audit.notes import Verifier, parse_vkey
from gateway.audit.proofs import verify_receipt
from gateway.audit.reading import Listed, list_entries, what_did, who_changed, who_read
from gateway.audit.verify import VerifyReport
from gateway.audit.verify import verify as verify_everything
from gateway.cli.output import json_option, print_json, print_rows, shown
from gateway.home import open_home
from gateway.settings import Settings
from schemas.identifiers import uscc as uscc_rules

_COLUMNS = (
    ("index", "序号 index"),
    ("at", "时间 at"),
    ("act", "行为 act"),
    ("actor", "操作者 actor"),
    ("types", "记录类型 types"),
    ("purpose", "用途 purpose"),
)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

_vkey = click.option("--vkey", "vkey_file", type=_FILE, help="公钥文件 / the log's public key")


@click.group("audit")
def audit() -> None:
    """透明日志：校验与查询 / The transparency log: verify it, and ask it."""


@audit.command("verify")
@click.option(
    "--against",
    type=_FILE,
    help="先前保存的检查点 / a checkpoint kept from earlier; the log must begin with it",
)
@_vkey
@json_option
@click.pass_obj
def verify(settings: Settings, against: Path | None, vkey_file: Path | None, as_json: bool) -> None:
    """Recompute everything from nothing; exit 1 and name the first bad entry if anything was altered. 全面校验。"""
    key = _read_vkey(vkey_file) if vkey_file else None
    kept = against.read_text("utf-8") if against else None
    with open_home(settings) as store:
        report = verify_everything(store, key, kept, _progress if sys.stderr.isatty() else _silent)
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(report)
    if not report.ok:
        sys.exit(1)


@audit.command("verify-receipt")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@_vkey
@json_option
@click.pass_obj
def verify_receipt_file(settings: Settings, file: Path, vkey_file: Path | None, as_json: bool) -> None:
    """Verify the receipt in FILE offline, with nothing but the log's public key. 离线校验回执。"""
    verifier = _read_vkey(vkey_file or vkey_path(settings))
    try:
        with click.open_file(str(file), encoding="utf-8") as opened:
            receipt = json.load(opened)
        if not isinstance(receipt, dict):
            raise ProofError("a receipt is a JSON object")
        proven = verify_receipt(receipt, verifier.text())
    except (ProofError, ValueError) as error:
        if as_json:
            print_json({"ok": False, "problem": str(error)})
        else:
            click.echo(shown(f"回执无效 / the receipt is not proven: {error}"))
        sys.exit(1)
    if as_json:
        print_json({"ok": True, **asdict(proven)})
        return
    act = action_of(str(proven.entry["action"]))
    click.echo(f"回执有效 / proven: 条目 entry {proven.index} of {proven.size} ({act.zh} / {act.en})")
    if proven.unproven:
        click.echo(shown(f"未列入日志的字段 / said, but not in the log: {', '.join(proven.unproven)}"))


@audit.command("who-read")
@click.argument("uscc")
@json_option
@click.pass_obj
def who_read_about(settings: Settings, uscc: str, as_json: bool) -> None:
    """Who read anything about the entity USCC, when, and for what purpose. 谁读过该主体。"""
    with open_home(settings) as store, store.read() as conn:
        _print_entries(who_read(conn, _checked(uscc)), as_json)


@audit.command("who-changed")
@click.argument("uscc")
@json_option
@click.pass_obj
def who_changed_about(settings: Settings, uscc: str, as_json: bool) -> None:
    """Which deliveries and acts changed something about the entity USCC. 谁改过该主体。"""
    with open_home(settings) as store, store.read() as conn:
        _print_entries(who_changed(conn, _checked(uscc)), as_json)


@audit.command("what-did")
@click.argument("actor")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="最多条数 / at most this many")
@json_option
@click.pass_obj
def what_actor_did(settings: Settings, actor: str, limit: int, as_json: bool) -> None:
    """The newest acts of ACTOR, a system's URN or a person. 某系统做过什么。"""
    with open_home(settings) as store, store.read() as conn:
        _print_entries(what_did(conn, actor, limit), as_json)


@audit.command("entries")
@click.option("--after", default=-1, type=click.IntRange(-1), help="从此序号之后 / after this index")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="最多条数 / at most this many")
@json_option
@click.pass_obj
def entries(settings: Settings, after: int, limit: int, as_json: bool) -> None:
    """The entries of the log in their order. 按序列出日志条目。"""
    with open_home(settings) as store, store.read() as conn:
        _print_entries(list_entries(conn, after, limit), as_json)


@audit.command("checkpoint")
@json_option
@click.pass_obj
def checkpoint(settings: Settings, as_json: bool) -> None:
    """The newest signed checkpoint, to be kept by an auditor. 最新检查点。"""
    with open_home(settings) as store:
        newest = current_checkpoint(store)
    if newest is None:
        raise Refused("日志尚未封存", "nothing has been sealed yet")
    if as_json:
        shown = {"origin": newest.origin, "size": newest.size, "root": newest.root.hex(), "note": newest.note}
        print_json({**shown, "vkey": load_verifier(settings).text()})
    else:
        click.echo(newest.note, nl=False)


def _read_vkey(path: Path) -> Verifier:
    try:
        return parse_vkey(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        # NoteError is a ValueError; so is text that is not UTF-8.
        raise Refused(f"{path} 不是日志公钥：{error}", f"{path} is not a log's public key: {error}") from error


def _checked(text: str) -> str:
    code = uscc_rules.normalize(text)
    if faults := uscc_rules.validate(code):
        raise Refused(faults[0].zh, faults[0].en, rules=[fault.rule for fault in faults])
    return code


def _print_entries(found: Sequence[Listed], as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(asdict(one))
        return
    print_rows([_row(one) for one in found], _COLUMNS, as_json=False)


def _row(one: Listed) -> dict[str, Any]:
    act = action_of(one.action)
    return {
        "index": "待封存 unsealed" if one.index is None else one.index,
        "at": one.at,
        "act": f"{act.zh} {act.value}",
        "actor": one.actor,
        "types": ", ".join(one.record_types),
        "purpose": one.purpose,
    }


def _print_report(report: VerifyReport) -> None:
    counted = (
        f"{report.entries} 条 entries, {report.checked_versions} 个版本 versions, 待封存 unsealed {report.unsealed}"
    )
    if report.ok:
        click.echo(f"日志完好 / verified: {counted}; root {report.root}")
        return
    click.echo(f"日志不符 / not as the log says: {counted}; 问题 problems {report.problem_count}")
    click.echo(f"首个错误 / first bad: {report.first_bad}")
    for problem in report.problems:
        place = "" if problem.entry is None else f"[{problem.entry}] "
        click.echo(shown(f"  {place}{problem.where}: {problem.zh} / {problem.en}"))


def _progress(what: str, so_far: int) -> None:
    click.echo(f"\r{what} {so_far:,}", err=True, nl=False)


def _silent(what: str, so_far: int) -> None:
    """A program that reads our output needs no progress."""
