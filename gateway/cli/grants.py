"""``xinqiao grants``: list, give and withdraw grants; see, approve and refuse applications."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import click

from gateway.access import applications as apps
from gateway.access.giving import give as give_grant
from gateway.access.giving import new_grant
from gateway.access.giving import withdraw as withdraw_grant
from gateway.access.grants import WHOLE, Grant, list_grants
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_json, print_rows
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings
from gateway.working_days import SHANGHAI
from schemas.records import RECORD_TYPES

_GRANT_COLUMNS = (
    ("id", "授权 id"),
    ("system_urn", "系统 system"),
    ("record_type", "记录类型 record type"),
    ("columns", "字段 columns"),
    ("purpose", "用途 purpose"),
    ("valid_from", "自 from"),
    ("valid_until", "至 until"),
    ("status", "状态 status"),
)
_APPLICATION_COLUMNS = (
    ("id", "申请 id"),
    ("system_urn", "系统 system"),
    ("record_type", "记录类型 record type"),
    ("purpose", "用途 purpose"),
    ("share_type", "共享类型 share type"),
    ("providers", "审批单位 decided by"),
    ("status", "状态 status"),
    ("reason", "理由 reason"),
)
_DEFAULT_DAYS = 365


class _Day(click.ParamType[date]):
    """A calendar day, ISO 8601."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read the day; the answer to a wrong one names the form."""
        if isinstance(value, date):
            return value
        text = str(value)
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            self.fail(f"应为 YYYY-MM-DD / expected YYYY-MM-DD, got {text!r}", param, ctx)
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            self.fail(f"{text}: {error}", param, ctx)


@click.group(help="授权与申请 / grants and applications")
def grants() -> None:
    """Group of the grant commands; ``ctx.obj`` is the ``Settings``."""


@grants.command("list", help="列出授权 / list the grants")
@click.option("--system", help="系统 URN / urn:xinqiao:<agency>:<system>")
@click.option("--agency", help="机构 / agency")
@click.option("--type", "record_type", type=click.Choice(sorted(RECORD_TYPES)), help="记录类型 / record type")
@json_option
@click.pass_obj
def list_(settings: Settings, system: str | None, agency: str | None, record_type: str | None, as_json: bool) -> None:
    """Every grant, in the order given."""
    with open_home(settings) as store, store.read() as conn:
        found = list_grants(conn, system_urn=system, agency=agency, record_type=record_type)
    print_rows([_row(asdict(one)) for one in found], _GRANT_COLUMNS, as_json)


@grants.command(help="授权一个系统 / give a system a grant")
@click.argument("system")
@click.argument("record_types", nargs=-1, required=True, type=click.Choice(sorted(RECORD_TYPES)))
@click.option("--columns", help="字段，逗号分隔；默认全部 / fields, comma between; default all")
@click.option("--unmasked", help="不掩码的个人信息字段 / personal fields shown in clear")
@click.option("--purpose", required=True, help="用途 / purpose")
@click.option("--legal-basis", required=True, help="法律依据 / legal basis")
@click.option("--region", "regions", multiple=True, help="行政区划代码前缀，可重复 / region prefix, repeatable")
@click.option("--from", "valid_from", type=_Day(), help="期起，默认今天 / first day, default today")
@click.option("--until", "valid_until", type=_Day(), help="期止，默认一年 / last day, default one year")
@json_option
@click.pass_obj
def give(
    settings: Settings,
    system: str,
    record_types: tuple[str, ...],
    columns: str | None,
    unmasked: str | None,
    purpose: str,
    legal_basis: str,
    regions: tuple[str, ...],
    valid_from: date | None,
    valid_until: date | None,
    as_json: bool,
) -> None:
    """Give SYSTEM (urn:xinqiao:<agency>:<system>) a grant for each of RECORD_TYPES, all or none."""
    now = utc_now()
    begins = valid_from or now.astimezone(SHANGHAI).date()
    wanted = [
        new_grant(
            system_urn=system,
            record_type=record_type,
            columns=_names(columns) or WHOLE,
            unmasked=_names(unmasked),
            purpose=purpose,
            legal_basis=legal_basis,
            region_prefixes=regions,
            valid_from=begins,
            valid_until=valid_until or begins + timedelta(days=_DEFAULT_DAYS),
            given_by=operator(),
            now=now,
        )
        for record_type in record_types
    ]
    _give_all(settings, wanted, now)
    print_rows([_row(asdict(one)) for one in wanted], _GRANT_COLUMNS, as_json)


@grants.command(help="撤回授权，立即生效 / withdraw a grant, at once")
@click.argument("grant_id")
@json_option
@click.pass_obj
def withdraw(settings: Settings, grant_id: str, as_json: bool) -> None:
    """End GRANT_ID; the next read under it is refused."""
    with open_home(settings) as store, store.write() as conn:
        ended = withdraw_grant(conn, grant_id, operator(), utc_now())
    print_rows([_row(asdict(ended))], _GRANT_COLUMNS, as_json)


@grants.command(help="列出申请 / list the applications")
@click.option("--status", type=click.Choice(("waiting", "granted", "refused")), help="状态 / state")
@json_option
@click.pass_obj
def applications(settings: Settings, status: str | None, as_json: bool) -> None:
    """Every application, in the order made."""
    with open_home(settings) as store, store.read() as conn:
        found = apps.list_applications(conn, status=status)
    print_rows([_row(asdict(one)) for one in found], _APPLICATION_COLUMNS, as_json)


@grants.command(help="同意申请 / approve an application")
@click.argument("application_id")
@click.option("--agency", help="代表哪个提供单位；默认全部 / on behalf of which provider; default all that are missing")
@json_option
@click.pass_obj
def approve(settings: Settings, application_id: str, agency: str | None, as_json: bool) -> None:
    """Approve APPLICATION_ID; the last approval gives the grant."""
    with open_home(settings) as store, store.write() as conn:
        done = apps.approve(conn, application_id, agency, operator(), utc_now())
    _tell(done, as_json)


@grants.command(help="拒绝申请 / refuse an application")
@click.argument("application_id")
@click.option("--reason", required=True, help="理由 / reason")
@click.option("--agency", help="代表哪个提供单位 / on behalf of which provider")
@json_option
@click.pass_obj
def refuse(settings: Settings, application_id: str, reason: str, agency: str | None, as_json: bool) -> None:
    """Refuse APPLICATION_ID with a reason."""
    with open_home(settings) as store, store.write() as conn:
        done = apps.refuse(conn, application_id, agency, operator(), reason, utc_now())
    _tell(done, as_json)


def _give_all(settings: Settings, wanted: list[Grant], now: datetime) -> None:
    with open_home(settings) as store, store.write() as conn:
        for grant in wanted:
            give_grant(conn, grant, now)


def _tell(application: apps.Application, as_json: bool) -> None:
    if as_json:
        print_json(_row(asdict(application)))
    else:
        print_rows([_row(asdict(application))], _APPLICATION_COLUMNS, as_json=False)


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
