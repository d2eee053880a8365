"""What the demo prints: steps while they happen, tables when they are done. Chinese first."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gateway.audit.log import current_checkpoint
from gateway.audit.verify import VerifyReport
from gateway.demo.exchanges import Exchange
from gateway.home import open_home
from gateway.settings import Settings

_HEADINGS = {
    "received": "收到",
    "accepted": "合格",
    "rejected": "隔离",
    "unresolved": "未关联",
    "new": "新增",
    "changed": "变更",
    "withdrawn": "撤回",
}


_SHOWN = 5
_TELLING = (
    "name",
    "document_no",
    "certificate_no",
    "licence_no",
    "customs_code",
    "sampling_no",
    "complaint_no",
    "item_name",
    "case_name",
    "product_name",
    "facts",
    "honour_name",
    "credit_level_code",
    "result_code",
    "status_code",
)
"""Fields that tell a person what a record is about, the most telling first."""


class Show:
    """Prints to the terminal, or nowhere when only the summary is wanted."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, zh: str, en: str) -> Iterator[None]:
        """One step of setting up: said when it begins, timed when it is done."""
        begun = time.monotonic()
        self._console.print(f"[bold]▸ {zh}[/] · {en} …", highlight=False)
        yield
        self._console.print(f"  [green]✓[/] {time.monotonic() - begun:.1f} s", highlight=False)

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[Mapping[str, str]], None]]:
        """A bar that follows the DAG runs; gives the function to tell their states to."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._console.print(
            "[bold]▸ 每个数据源一次真实的 DAG 运行[/] · a real DAG run for every source", highlight=False
        )
        printed: set[str] = set()
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("排队 queued", total=total)

            def told(states: Mapping[str, str]) -> None:
                ended = [source for source, state in states.items() if state in ("success", "failed")]
                working = sorted(source for source, state in states.items() if state == "running")
                bar.update(task, completed=len(ended), description="、".join(working[:2]) or "等待 waiting")
                for source in ended:
                    if source not in printed:
                        printed.add(source)
                        mark = "[green]✓[/]" if states[source] == "success" else "[red]✗[/]"
                        bar.console.print(f"  {mark} {source}", highlight=False)

            yield told

    def exchanges(self, exchanges: Sequence[Exchange]) -> None:
        """The table of deliveries, a line per source."""
        table = Table("数据源\nsource", title="交付 deliveries")
        for name, zh in _HEADINGS.items():
            table.add_column(f"{zh}\n{name}", justify="right")
        table.add_column("秒\ns", justify="right")
        for exchange in exchanges:
            counts = [str(exchange.counts[name]) for name in _HEADINGS]
            style = None if exchange.state == "success" else "red"
            table.add_row(exchange.source, *counts, f"{exchange.seconds:.1f}", style=style)
        totals = [str(sum(exchange.counts[name] for exchange in exchanges)) for name in _HEADINGS]
        table.add_section()
        table.add_row("合计 total", *totals, "")
        self._console.print(table)

    def tasks(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        """The tasks of one run: on which worker each ended, at which try, after how long."""
        table = Table("任务 task", "分段 part", "节点 worker", "结果 state", "第几次 try", "秒 s", title="任务 tasks")
        for task in tasks:
            part = "" if task["map_index"] < 0 else str(task["map_index"])
            seconds = f"{task['duration']:.1f}" if task["duration"] else ""
            table.add_row(
                task["task_id"], part, task["hostname"] or "", task["state"], str(task["try_number"]), seconds
            )
        self._console.print(table)

    def picture(self, picture: Mapping[str, Any]) -> None:
        """One entity as its agencies together know it."""
        title = f"主体 entity {picture['uscc']} {picture['name']}"
        table = Table("记录类型 record type", "来源 source", "内容 what it says", title=title)
        for record_type, records in sorted(picture["records"].items()):
            for record in records:
                table.add_row(record_type, record["source"], Text(_gist(record["record"])))
        self._console.print(table)
        agencies = Counter(r["source"].split("/")[0] for records in picture["records"].values() for r in records)
        self._console.print(f"  {len(agencies)} 个部门 agencies: {'、'.join(sorted(agencies))}", highlight=False)

    def refusals(self, refusals: Sequence[Mapping[str, Any]]) -> None:
        """Reads that were refused, each with its reason."""
        table = Table("状态 status", "代码 code", "原因 reason", title="被拒的读取 refused reads")
        for refusal in refusals:
            table.add_row(str(refusal["status"]), refusal["code"], Text(f"{refusal['zh']}\n{refusal['en']}"))
        self._console.print(table)

    def feed(self, record_type: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """A feed read to its end: the first few versions and the last few."""
        title = f"变更流 feed {record_type}: {len(lines)} 个版本 versions"
        table = Table("位置 seq", "操作 op", "版本 version", "主体 entity", "来源 source", title=title)
        for part in (lines[:_SHOWN], lines[-_SHOWN:]):
            for line in part:
                entity = line["uscc"] or "未关联 unresolved"
                table.add_row(str(line["seq"]), line["op"], str(line["version"]), entity, line["source"])
            table.add_section()
        self._console.print(table)

    def audit(self, report: VerifyReport, settings: Settings) -> None:
        """The verdict on the log, and the checkpoint that anybody can check it by."""
        mark = "[green]✓ 审计日志可验证 the audit log verifies[/]" if report.ok else f"[red]✗ {report.first_bad}[/]"
        self._console.print(f"{mark}: {report.entries} 条 entries, {report.checked_versions} 个版本 versions")
        with open_home(settings) as store:
            checkpoint = current_checkpoint(store)
        if checkpoint is not None:
            root = checkpoint.root.hex()
            self._console.print(f"  检查点 checkpoint: {checkpoint.size} · {root}", highlight=False)

    def kept(self, lines: Mapping[str, str]) -> None:
        """Addresses and commands for a demo that is left running."""
        for name, value in lines.items():
            self._console.print(f"  {name}: {value}", highlight=False, soft_wrap=True)


def _gist(record: Mapping[str, Any]) -> str:
    """The few fields of a record that tell a person what it is about."""
    said = [str(record[name]) for name in _TELLING if record.get(name)]
    return " · ".join(said[:3])
