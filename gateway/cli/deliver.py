"""``xinqiao deliver``, ``deliveries``, ``replay`` and ``run``: deliveries by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from connectors.registry import source as find_source
from connectors.transports.files import from_upload, keep_signature, signature_beside
from gateway import exchange, pipeline
from gateway import replay as replaying
from gateway.access.duties import Act
from gateway.cli.operator import demand_own, operator, own_agency
from gateway.cli.output import json_option, print_json, print_rows, shown, working
from gateway.clock import utc_now
from gateway.deliveries import vault_of
from gateway.home import open_home
from gateway.settings import Settings
from gateway.store.reading import delivery_listing

_COUNTS = ("received", "accepted", "rejected", "unresolved", "new", "changed", "unchanged", "withdrawn")
RECEIPT_COLUMNS = [
    ("delivery_id", "编号\nid"),
    ("source", "数据源\nsource"),
    ("status", "状态\nstatus"),
    ("rows", "行数 rows¹"),
    ("landed", "入库 landed²"),
    ("unresolved", "未关联\nwaiting"),
]


RECEIPT_CAPTION = "¹ 收到=合格+隔离 received=accepted+rejected  ² 新增/变更/未变/撤回 new/changed/unchanged/withdrawn"


@click.command("deliver")
@click.argument("source")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--signature",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="分离签名 / detached signature, .jws or .p7s; default: FILE.jws or FILE.p7s if it is there",
)
@json_option
@click.pass_obj
def deliver(settings: Settings, source: str, file: Path, signature: Path | None, as_json: bool) -> None:
    """Deliver FILE for SOURCE (agency/source) and print the receipt. 报送一个文件并打印回执。"""
    spec = find_source(source)
    demand_own(Act.DELIVER, spec.source)
    with open_home(settings) as store:
        with file.open("rb") as stream, working("正在接收", "receiving"):
            delivery = from_upload(spec, file.name, stream, vault_of(store), operator(), utc_now())
        if beside := signature or signature_beside(file):
            delivery = replace(delivery, signature=keep_signature(beside, vault_of(store)))
        delivery_id = pipeline.receive(store, delivery, spec)
        with working(f"正在校验并入库 {delivery_id}", f"judging and landing {delivery_id}"):
            receipt = pipeline.deliver(store, delivery_id, spec, utc_now())
        print_receipts([receipt], as_json)


@click.command("run")
@click.argument("source")
@json_option
@click.pass_obj
def run(settings: Settings, source: str, as_json: bool) -> None:
    """Pull SOURCE now and land what it has. 立即采集一个数据源并入库。"""
    spec = find_source(source)
    with open_home(settings) as store:
        with working(f"正在采集 {spec.source}", f"pulling {spec.source}"):
            ids = exchange.receive_source(store, spec, utc_now())
        with working(f"正在校验并入库 {len(ids)} 次交付", f"judging and landing {len(ids)} deliveries"):
            receipts = exchange.land_received(store, spec, ids, utc_now)
        print_receipts(receipts, as_json)


@click.command("replay")
@click.argument("delivery_id")
@json_option
@click.pass_obj
def replay(settings: Settings, delivery_id: str, as_json: bool) -> None:
    """Land the kept rows of DELIVERY_ID again, with today's mapping and rules. 按今天的映射和规则重放。"""
    with open_home(settings) as store:
        with working("正在重放", "replaying"):
            receipt = replaying.replay(store, delivery_id, operator(), utc_now())
        print_receipts([receipt], as_json)


@click.command("deliveries")
@click.option("--source", help="只看一个数据源 / of one source only")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@json_option
@click.pass_obj
def deliveries(settings: Settings, source: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first. 列出交付，新的在前。"""
    with open_home(settings) as store, store.read() as conn:
        rows = delivery_listing(conn, agency=own_agency(), source=source, limit=limit)
    flat = [_flat(row) for row in rows]
    if as_json:
        print_rows(flat, (), as_json)
    else:
        columns = [*RECEIPT_COLUMNS, ("problem", "原因\nproblem")]
        print_rows([row | _gist(row) for row in flat], columns, as_json, RECEIPT_CAPTION)


def print_receipts(receipts: list[dict[str, Any]], as_json: bool) -> None:
    """Receipts as a table or, for programs, whole."""
    if as_json:
        for receipt in receipts:
            print_json(receipt)
        return
    print_rows([receipt | _gist(receipt) for receipt in receipts], RECEIPT_COLUMNS, as_json, RECEIPT_CAPTION)
    for receipt in receipts:
        for finding in receipt.get("findings", []):
            click.echo(shown(f"· [{finding['rule']}] {finding['zh']} / {finding['en']}"))


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    receipt = row["receipt"] or {}
    problem = receipt.get("problem", {})
    return {
        "delivery_id": row["id"],
        "source": row["source"],
        "status": row["status"],
        "kind": row["kind"],
        "received_at": row["received_at"],
        "landed_at": row["landed_at"],
        **{name: receipt.get(name) for name in _COUNTS},
        "problem": problem.get("zh"),
    }


def _gist(row: Mapping[str, Any]) -> dict[str, str]:
    """Counts in two narrow columns, so that a listing fits a terminal."""
    if row.get("received") is None:
        return {"rows": "", "landed": ""}
    return {
        "rows": f"{row['received']}={row['accepted']}+{row['rejected']}",
        "landed": f"{row['new']}/{row['changed']}/{row['unchanged']}/{row['withdrawn']}",
    }
