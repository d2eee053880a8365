"""``xinqiao demo``: the main job, end to end, in a new home."""

from __future__ import annotations

import signal
import sys
from typing import Any

import click
from rich.console import Console

from gateway.cli.output import print_json
from gateway.clock import utc_now
from gateway.demo.show import Show
from gateway.demo.story import Stage, new_home, running, tell
from gateway.settings import Settings


@click.command("demo")
@click.option("--keep", is_flag=True, help="完成后保持运行 / leave everything up and print the addresses")
@click.option("--json", "as_json", is_flag=True, help="最后一行输出 JSON 摘要 / end with one JSON summary line")
@click.option("--seed", default=7, show_default=True, help="沙箱随机种子 / seed of the sandbox")
@click.option("--size", default=300, show_default=True, type=click.IntRange(60, 100_000), help="主体数 / entities")
@click.option("--distributed", is_flag=True, help="两个工作节点、PostgreSQL、Redis / two workers, PostgreSQL and Redis")
@click.option(
    "--rows", default=200_000, show_default=True, type=click.IntRange(10_000), help="--distributed 每份行数 / rows"
)
@click.pass_obj
def demo(settings: Settings, keep: bool, as_json: bool, seed: int, size: int, distributed: bool, rows: int) -> None:
    """Run every source through Airflow, read the result over mutual TLS, verify the log. 完整演示。"""
    own = new_home(settings, utc_now())
    show = Show(Console(width=None if sys.stdout.isatty() else 120))
    # Ended by a signal, the demo still stops every process it started.
    signal.signal(signal.SIGTERM, _end)
    if distributed:
        summary = _distributed(own, rows, show)
    else:
        with running(own, seed, size, show) as stage:
            summary = tell(stage, show)
            if keep:
                _keep(stage, show)
    if as_json:
        print_json(summary)
    sys.exit(0 if summary["ok"] else 1)


def _distributed(settings: Settings, rows: int, show: Show) -> dict[str, Any]:
    from gateway.demo import distributed  # brings a PostgreSQL of its own, which only a development environment has

    with distributed.running(settings, rows, show) as field:
        return distributed.tell(field, rows, show)


def _end(number: int, _frame: object) -> None:
    # Told twice, it must not leave off stopping half-way.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _keep(stage: Stage, show: Show) -> None:
    show.kept(
        {
            "网关 gateway": stage.gateway.url,
            "Airflow": f"{stage.airflow.url} (demo / {stage.airflow.password})",
            "XINQIAO_HOME": str(stage.settings.home),
            "消费方证书 consumer certificate": str(stage.settings.home / "clients" / "credit_platform.archive.pem"),
            "停止 stop": "Ctrl-C",
        }
    )
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo("正在停止 / stopping")
