"""``xinqiao audit hold``, ``release``, ``holds``, ``retention``, ``export`` and ``verify-export``."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from connectors.errors import Refused
from gateway.audit.actions import Action
from gateway.audit.export import Exported, export, verify_export
from gateway.audit.holds import DELIVERY, ENTITY, EVERYTHING, SOURCE, list_holds, place, release
from gateway.audit.keys import vkey_path
from gateway.audit.log import seal
from gateway.audit.tables import append
from gateway.cli.audit_proofs import FILE, checked, chosen_policy, policy_options, read_vkey, vkey_option
from gateway.cli.codes import checked_uscc
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_json, print_rows, working
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.retention import FLOOR_DAYS, removable, remove
from gateway.settings import Settings

_HOLDS = (
    ("id", "保全 hold"),
    ("scope", "范围 scope"),
    ("value", "对象 what"),
    ("reason", "理由 reason"),
    ("placed_by", "设置人 by"),
    ("placed_at", "自 since"),
    ("released_at", "解除 released"),
)


@click.command("hold")
@click.option("--entity", "uscc", help="主体代码 / USCC: every delivery that said something about it")
@click.option("--source", help="数据源 / a source")
@click.option("--delivery", help="交付编号 / a delivery")
@click.option("--everything", is_flag=True, help="全部 / everything")
@click.option("--reason", required=True, help="理由 / why")
@click.pass_obj
def hold(
    settings: Settings, uscc: str | None, source: str | None, delivery: str | None, everything: bool, reason: str
) -> None:
    """Put something under legal hold: until released it is neither removed nor erased. 法律保全。"""
    chosen = [
        (scope, value)
        for scope, value in (
            (ENTITY, checked_uscc(uscc) if uscc else ""),
            (SOURCE, source or ""),
            (DELIVERY, delivery or ""),
        )
        if value
    ] + ([(EVERYTHING, "")] if everything else [])
    if len(chosen) != 1:
        raise click.UsageError("须且仅须一项 / exactly one of --entity, --source, --delivery, --everything")
    now = utc_now()
    with open_home(settings) as store:
        with store.write() as conn:
            placed = place(conn, *chosen[0], reason, operator(), now)
        seal(store, now)
    click.echo(placed.id)


@click.command("release")
@click.argument("hold_id")
@click.option("--reason", required=True, help="理由 / why")
@click.pass_obj
def release_hold(settings: Settings, hold_id: str, reason: str) -> None:
    """Release the legal hold HOLD_ID. 解除法律保全。"""
    now = utc_now()
    with open_home(settings) as store:
        with store.write() as conn:
            release(conn, hold_id, reason, operator(), now)
        seal(store, now)


@click.command("holds")
@json_option
@click.pass_obj
def holds(settings: Settings, as_json: bool) -> None:
    """Every legal hold, released ones too. 列出法律保全。"""
    with open_home(settings) as store, store.read() as conn:
        print_rows([asdict(one) for one in list_holds(conn)], _HOLDS, as_json)


@click.command("retention")
@click.option("--days", default=FLOOR_DAYS, show_default=True, type=int, help="留存天数 / days that files are kept")
@click.option("--remove", "is_removing", is_flag=True, help="实际清除 / remove them; without it they are only counted")
@json_option
@click.pass_obj
def retention(settings: Settings, days: int, is_removing: bool, as_json: bool) -> None:
    """Received files that were kept for DAYS and that nobody holds or needs. Entries and versions stay. 到期清除。"""
    now = utc_now()
    with open_home(settings) as store:
        if is_removing:
            with working("正在清除", "removing"):
                removal = remove(store, days, operator(), now)
            seal(store, now)
        else:
            with store.read() as conn:
                removal = removable(conn, days, now)
    counted = {"before": removal.before, "files": len(removal.files), "bytes": removal.size, "held": len(removal.held)}
    if as_json:
        print_json({**counted, "removed": is_removing})
        return
    done = "已清除 / removed" if is_removing else "可清除 / may be removed"
    click.echo(f"{done}: {counted['files']} 个文件 files, {counted['bytes']:,} bytes; 保全中 held: {counted['held']}")


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--entity", "uscc", help="只含该主体 / only entries about this USCC")
@click.option("--first", default=0, show_default=True, type=click.IntRange(0), help="起始序号 / first index")
@click.option("--last", type=click.IntRange(0), help="末尾序号 / last index; default: the newest")
@click.pass_obj
def export_log(settings: Settings, file: Path, uscc: str | None, first: int, last: int | None) -> None:
    """Write entries with their proofs and a checkpoint into FILE, which verifies offline. 导出条目及证明。"""
    if file.exists():
        raise Refused(f"{file} 已存在", f"{file} exists already")
    code, now, count = checked_uscc(uscc) if uscc else None, utc_now(), 0
    with open_home(settings) as store:
        # The entry comes first: what was taken out of the log stands in it, whatever becomes of the file.
        with store.write() as conn:
            facts = {name: value for name, value in (("first", first), ("last", last)) if value is not None}
            append(conn, Action.LOG_EXPORTED, operator(), facts, now, [code] if code else [])
        seal(store, now)
        descriptor, beside = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as written, working("正在导出", "exporting"):
                for line in export(store, code, first, last):
                    written.write(line)
                    count += 1
            Path(beside).replace(file)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    click.echo(f"已导出 / exported: {count - 1} 条 entries → {file}")


@click.command("verify-export")
@click.argument("file", type=FILE)
@vkey_option
@policy_options
@json_option
@click.pass_obj
def verify_export_file(
    settings: Settings,
    file: Path,
    vkey_file: Path | None,
    policy_file: Path | None,
    witness_files: tuple[Path, ...],
    required: int | None,
    as_json: bool,
) -> None:
    """Verify offline what `export` wrote. 离线校验导出文件。"""
    verifier = read_vkey(vkey_file or vkey_path(settings))
    policy = chosen_policy(policy_file, witness_files, required)

    def check() -> Exported:
        with file.open(encoding="utf-8") as lines:
            return verify_export(lines, verifier.text(), policy)

    found = checked(check, "导出文件无效", "the export is not proven", as_json)
    if as_json:
        print_json({"ok": True, **asdict(found)})
        return
    click.echo(f"有效 / proven: {found.entries} 条 entries of {found.size}")
    if found.complete_range:
        first, last = found.complete_range
        click.echo(f"其间无缺 / every entry from {first} to {last}")
    sys.stdout.flush()
