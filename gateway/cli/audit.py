"""``xinqiao audit``: verify the log, verify a receipt, ask who read what about whom."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connectors.errors import Refused
from gateway.audit.actions import action_of
from gateway.audit.keys import load_verifier
from gateway.audit.log import current_checkpoint
from gateway.audit.reading import Listed, list_entries, what_did, who_changed, who_read
from gateway.audit.timestamps import stamp
from gateway.audit.verify import VerifyReport
from gateway.audit.verify import verify as verify_everything
from gateway.audit.witnessing import collect, last_asked
from gateway.cli.audit_keeping import export_log, hold, holds, release_hold, retention, verify_export_file
from gateway.cli.audit_proofs import (
    FILE,
    consistency,
    own_policy,
    prove,
    read_vkey,
    tell_nothing,
    tell_progress,
    verify_consistency_file,
    verify_log,
    verify_receipt_file,
    vkey_option,
)
from gateway.cli.audit_signatures import verify_signature
from gateway.cli.codes import checked_uscc
from gateway.cli.output import json_option, print_json, print_rows, shown
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings

_COLUMNS = (
    ("index", "序号 index"),
    ("at", "时间 at"),
    ("act", "行为 act"),
    ("actor", "操作者 actor"),
    ("types", "记录类型 types"),
    ("purpose", "用途 purpose"),
)

_WITNESSES = (
    ("witness", "见证方 witness"),
    ("size", "检查点 size"),
    ("outcome", "结果 outcome"),
    ("at", "时间 at"),
    ("detail", "说明 detail"),
)


@click.group("audit")
def audit() -> None:
    """透明日志：校验与查询 / The transparency log: verify it, and ask it."""


for _command in (
    prove,
    consistency,
    verify_receipt_file,
    verify_consistency_file,
    verify_log,
    verify_signature,
    hold,
    release_hold,
    holds,
    retention,
    export_log,
    verify_export_file,
):
    audit.add_command(_command)


@audit.command("verify")
@click.option(
    "--against",
    type=FILE,
    help="先前保存的检查点 / a checkpoint kept from earlier; the log must begin with it",
)
@vkey_option
@json_option
@click.pass_obj
def verify(settings: Settings, against: Path | None, vkey_file: Path | None, as_json: bool) -> None:
    """Recompute everything from nothing; exit 1 and name the first bad entry if anything was altered. 全面校验。"""
    key = read_vkey(vkey_file) if vkey_file else None
    kept = against.read_text("utf-8") if against else None
    with open_home(settings) as store:
        report = verify_everything(store, key, kept, tell_progress if sys.stderr.isatty() else tell_nothing)
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(report)
    if not report.ok:
        sys.exit(1)


@audit.command("who-read")
@click.argument("uscc")
@json_option
@click.pass_obj
def who_read_about(settings: Settings, uscc: str, as_json: bool) -> None:
    """Who read anything about the entity USCC, when, and for what purpose. 谁读过该主体。"""
    with open_home(settings) as store, store.read() as conn:
        _print_entries(who_read(conn, checked_uscc(uscc)), as_json)


@audit.command("who-changed")
@click.argument("uscc")
@json_option
@click.pass_obj
def who_changed_about(settings: Settings, uscc: str, as_json: bool) -> None:
    """Which deliveries and acts changed something about the entity USCC. 谁改过该主体。"""
    with open_home(settings) as store, store.read() as conn:
        _print_entries(who_changed(conn, checked_uscc(uscc)), as_json)


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


@audit.command("cosign")
@json_option
@click.pass_obj
def cosign(settings: Settings, as_json: bool) -> None:
    """Ask the witnesses in witnesses.policy now; exit 1 if one contradicts this log. 立即请见证方会签。"""
    policy = own_policy(settings)
    with open_home(settings) as store:
        asked = collect(store, policy, utc_now())
    rows = [{name: value for name, value in asdict(one).items() if name != "lines"} for one in asked]
    print_rows(rows, _WITNESSES, as_json)
    if any(one.outcome == "contradicted" for one in asked):
        sys.exit(1)


@audit.command("timestamp")
@click.pass_obj
def timestamp(settings: Settings) -> None:
    """Have the newest checkpoint stamped by XINQIAO_TSA_URL now (RFC 3161). 立即加盖时间戳。"""
    with open_home(settings) as store:
        stamped = stamp(store)
    if stamped is None:
        raise Refused("日志尚未封存", "nothing has been sealed yet")
    click.echo(f"已加盖 / stamped: {stamped.size} 条 entries, {stamped.at:%Y-%m-%d %H:%M:%S} UTC")


@audit.command("witnesses")
@json_option
@click.pass_obj
def witnesses(settings: Settings, as_json: bool) -> None:
    """What came of asking each witness last. 见证方最近一次的答复。"""
    print_rows(last_asked(settings), _WITNESSES, as_json)


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
