"""``xinqiao erase``: erase one person's data; asked for by one person, approved by another."""

from __future__ import annotations

import sys

import click

from gateway.certificates_holders import administrators
from gateway.cli.operator import operator, own_agency
from gateway.cli.output import json_option, print_rows, working
from gateway.clock import utc_now
from gateway.erasure import erasing, requests
from gateway.home import open_home
from gateway.sealing import load_sealer
from gateway.settings import Settings
from schemas.columnar import contract
from schemas.records import RECORD_TYPES

_COLUMNS = (
    ("id", "申请 id"),
    ("record_type", "记录类型 record type"),
    ("fields", "字段 fields"),
    ("status", "状态 status"),
    ("asked_by", "申请人 asked by"),
    ("decided_by", "批准人 decided by"),
    ("counts", "结果 counts"),
    ("ground", "依据 ground"),
)
_PERSONAL = sorted(name for name in RECORD_TYPES if contract(name).personal)


@click.group(help="删除个人信息 / erase one person's data")
def erase() -> None:
    """Group of the erasure commands; ``ctx.obj`` is the ``Settings``."""


@erase.command(help="申请删除，须由另一人批准 / ask; another person must approve")
@click.argument("record_type", type=click.Choice(_PERSONAL))
@click.option("--key", "record_key", help="记录编号 / record_key of one record, hex")
@click.option("--uscc", help="某主体的记录 / records of one entity")
@click.option(
    "--by", "names", multiple=True, help="按此字段的值查找，值由标准输入给出 / look by this field; value is asked for"
)
@click.option("--field", "fields", multiple=True, help="属于此人的字段，默认全部 / the person's fields, default all")
@click.option("--ground", required=True, help="依据 / why: law, request of the person")
@json_option
@click.pass_obj
def request(
    settings: Settings,
    record_type: str,
    record_key: str | None,
    uscc: str | None,
    names: tuple[str, ...],
    fields: tuple[str, ...],
    ground: str,
    as_json: bool,
) -> None:
    """Ask for an erasure. Values are read from standard input, one a line: a command line is remembered by shells."""
    values = {name: _value(name) for name in names}
    wanted = requests.Wanted(record_type, ground, record_key, uscc, values, fields)
    with open_home(settings) as store, store.write() as conn:
        made = requests.ask(conn, load_sealer(settings.home), wanted, operator(), utc_now())
    print_rows([made], _COLUMNS, as_json)


@erase.command(help="批准并删除 / approve, and erase")
@click.argument("erasure_id")
@json_option
@click.pass_obj
def approve(settings: Settings, erasure_id: str, as_json: bool) -> None:
    """Approve ERASURE_ID, which somebody else asked for; it is done at once."""
    with open_home(settings) as store, working("正在删除", "erasing"):
        done = erasing.approve(store, erasure_id, operator(), utc_now())
    print_rows([done], _COLUMNS, as_json)


@erase.command(help="拒绝申请 / refuse")
@click.argument("erasure_id")
@click.option("--reason", required=True, help="理由 / reason")
@json_option
@click.pass_obj
def refuse(settings: Settings, erasure_id: str, reason: str, as_json: bool) -> None:
    """Refuse ERASURE_ID with a reason."""
    with open_home(settings) as store, store.write() as conn:
        done = requests.refuse(conn, erasure_id, reason, operator(), utc_now())
    print_rows([done], _COLUMNS, as_json)


@erase.command("list", help="列出申请 / list what was asked for")
@click.option("--status", type=click.Choice(("waiting", "erasing", "done", "refused")), help="状态 / state")
@json_option
@click.pass_obj
def list_(settings: Settings, status: str | None, as_json: bool) -> None:
    """Requests in the order asked, without values; an agency's administrator sees what his agency asked."""
    agency = own_agency()
    with open_home(settings) as store, store.read() as conn:
        found = requests.list_erasures(conn, status, administrators(conn, agency) if agency else None)
    print_rows(found, _COLUMNS, as_json)


def _value(name: str) -> str:
    if sys.stdin.isatty():
        value: str = click.prompt(name, hide_input=True, err=True)
        return value
    return sys.stdin.readline().rstrip("\n")
