"""``xinqiao sources`` and ``xinqiao new-source``: which sources there are, and the skeleton of a new one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from connectors.connections import Connections
from connectors.errors import Refused
from connectors.registry import AGENCIES
from connectors.registry import sources as all_sources
from connectors.skeleton import write_skeleton
from connectors.spec import SourceSpec
from gateway.cli.output import json_option, print_rows
from gateway.settings import Settings
from schemas.records import RECORD_TYPES

_NAME = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
_COLUMNS = (
    ("source", "数据源 source"),
    ("title_zh", "名称 title"),
    ("record_type", "记录类型 record type"),
    ("transport", "方式 transport"),
    ("delivery", "交付 delivery"),
    ("schedule", "计划 schedule"),
    ("connected", "已配置 connected"),
)


@click.command("sources")
@json_option
@click.pass_obj
def sources(settings: Settings, as_json: bool) -> None:
    """List the sources and whether connections.yml knows their endpoints. 列出数据源。"""
    endpoints = Connections.load(settings.home).endpoints
    print_rows((_row(spec, spec.endpoint in endpoints) for spec in all_sources().values()), _COLUMNS, as_json)


def _row(spec: SourceSpec, connected: bool) -> dict[str, Any]:
    return {
        "source": spec.source,
        "agency": spec.agency,
        "title_zh": spec.title_zh,
        "title_en": spec.title_en,
        "record_type": spec.record_type,
        "transport": spec.transport,
        "delivery": spec.delivery,
        "schedule": spec.schedule,
        "endpoint": spec.endpoint,
        "connected": connected,
        "forms": [form.name for form in spec.forms],
        "share_type": spec.catalogue.share_type,
        "authority": spec.authority,
    }


@click.command("new-source")
@click.argument("source")
@click.option(
    "--transport", required=True, type=click.Choice(["soap", "rest", "files", "tables"]), help="接入方式 / transport"
)
@click.option("--record-type", required=True, type=click.Choice(sorted(RECORD_TYPES)), help="记录类型 / record type")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=AGENCIES.parents[1],
    help="项目目录 / root of the project",
)
def new_source(source: str, transport: str, record_type: str, root: Path) -> None:
    """Write the skeleton of SOURCE (AGENCY/SOURCE) and a golden sample that fails until it is real. 新建数据源。"""
    if not _NAME.fullmatch(source):
        raise Refused(
            f"“{source}”应形如 agency/source，小写字母、数字和下划线。",
            f"{source!r} must look like agency/source, in lower-case letters, digits and underscores.",
        )
    for file in write_skeleton(root, source, transport, record_type):
        click.echo(str(file))
    click.echo("下一步：填写 source.yml，换上真实样例，运行 tests/connectors/test_agencies.py")
    click.echo("next: fill in source.yml, put in a real sample, run tests/connectors/test_agencies.py")
