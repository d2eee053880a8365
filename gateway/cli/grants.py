"""``xinqiao grants``: list, give and withdraw grants; see, approve and refuse applications."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import click

from connectors.registry import sources as registered
from gateway.access import applications as apps
from gateway.access import clocks, deciding
from gateway.access import quotas as quotas_
from gateway.access.giving import give as give_grant
from gateway.access.giving import new_grant
from gateway.access.giving import withdraw as withdraw_grant
from gateway.access.grants import WHOLE, list_grants, read_grant
from gateway.cli.operator import acting, operator, own_agency, person
from gateway.cli.output import json_option, print_rows
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings
from gateway.working_days import load_working_days
from schemas.china_time import CHINA
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
    ("missing", "待谁审批 waits for"),
    ("due_on", "期限 due on"),
    ("status", "状态 status"),
    ("reason", "理由 reason"),
)
_QUOTA_COLUMNS = (
    ("system", "系统 system"),
    ("requests", "每周期请求 requests"),
    ("period_s", "周期（秒） period"),
    ("records", "每日记录 records"),
    ("used", "已用 used"),
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
        found = list_grants(conn, system_urn=system, agency=own_agency() or agency, record_type=record_type)
    print_rows([_row(asdict(one)) for one in found], _GRANT_COLUMNS, as_json)


def _scope(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what a grant is about, the same for giving one and for applying."""
    for option in reversed(
        (
            click.option("--columns", help="字段，逗号分隔；默认全部 / fields, comma between; default all"),
            click.option("--unmasked", help="不掩码的受限或个人信息字段 / restricted and personal fields in clear"),
            click.option("--purpose", required=True, help="用途 / purpose"),
            click.option("--legal-basis", required=True, help="法律依据 / legal basis"),
            click.option("--region", "regions", multiple=True, help="区划代码前缀，可重复 / region prefix, repeatable"),
            click.option("--source", "sources", multiple=True, help="仅此数据源，可重复 / of this source, repeatable"),
            click.option(
                "--percent", default=100, show_default=True, help="记录比例 / share of the records, in percent"
            ),
            click.option("--from", "valid_from", type=_Day(), help="期起，默认今天 / first day, default today"),
            click.option("--until", "valid_until", type=_Day(), help="期止，默认一年 / last day, default one year"),
        )
    ):
        command = option(command)
    return command


def _wish(record_type: str, asked: Mapping[str, Any], now: datetime) -> apps.Wish:
    begins = asked["valid_from"] or now.astimezone(CHINA).date()
    return apps.Wish(
        record_type=record_type,
        columns=_names(asked["columns"]) or WHOLE,
        unmasked=_names(asked["unmasked"]),
        purpose=asked["purpose"],
        legal_basis=asked["legal_basis"],
        region_prefixes=asked["regions"],
        sources=asked["sources"],
        percent=asked["percent"],
        valid_from=begins,
        valid_until=asked["valid_until"] or begins + timedelta(days=_DEFAULT_DAYS),
    )


@grants.command(help="授权一个系统；三员分立前由本机运维使用 / give a system a grant, until the duties are separated")
@click.argument("system")
@click.argument("record_types", nargs=-1, required=True, type=click.Choice(sorted(RECORD_TYPES)))
@_scope
@json_option
@click.pass_obj
def give(settings: Settings, /, system: str, record_types: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Give SYSTEM (urn:xinqiao:<agency>:<system>) a grant for each of RECORD_TYPES, all or none."""
    now = utc_now()
    wishes = [asdict(_wish(record_type, asked, now)) for record_type in record_types]
    wanted = [new_grant(system_urn=system, given_by=operator(), now=now, **wish) for wish in wishes]
    with open_home(settings) as store, store.write() as conn:
        for grant in wanted:
            give_grant(conn, grant, now)
    print_rows([_row(asdict(one)) for one in wanted], _GRANT_COLUMNS, as_json)


@grants.command(help="为系统申请授权或变更授权 / apply for a grant, or for the change of one, for a system")
@click.argument("system")
@click.argument("record_type", type=click.Choice(sorted(RECORD_TYPES)))
@click.option("--replaces", help="要变更的授权 / the grant that it would change")
@_scope
@json_option
@click.pass_obj
def apply(
    settings: Settings, /, system: str, record_type: str, replaces: str | None, as_json: bool, **asked: Any
) -> None:
    """Apply for SYSTEM; who has a seat in the application has thereby said yes."""
    now = utc_now()
    with open_home(settings) as store:
        deciding.registered_system(store, system)
        with store.write() as conn:
            made = deciding.apply_for(
                conn, system, _wish(record_type, asked, now), registered().values(), acting(), now, replaces
            )
    _tell(settings, [made], as_json)


@grants.command(help="撤回授权，立即生效 / withdraw a grant, at once")
@click.argument("grant_id")
@click.option("--reason", default="", help="理由 / reason, for the audit log")
@json_option
@click.pass_obj
def withdraw(settings: Settings, grant_id: str, reason: str, as_json: bool) -> None:
    """End GRANT_ID; the next read under it is refused."""
    with open_home(settings) as store, store.write() as conn:
        if (signed_in := person()) is not None:
            deciding.demand_concerned(signed_in, read_grant(conn, grant_id))
        ended = withdraw_grant(conn, grant_id, operator(), utc_now(), reason)
    print_rows([_row(asdict(ended))], _GRANT_COLUMNS, as_json)


@grants.command(help="列出申请 / list the applications")
@click.option("--status", type=click.Choice(("waiting", "granted", "refused", "retracted")), help="状态 / state")
@json_option
@click.pass_obj
def applications(settings: Settings, status: str | None, as_json: bool) -> None:
    """Every application, in the order made, with the deadline of those that wait."""
    with open_home(settings) as store, store.read() as conn:
        found = apps.list_applications(conn, concerning=own_agency(), status=status)
    _tell(settings, found, as_json)


@grants.command(help="列出逾期未办的申请，并记入日志 / list the applications that are late, and tell the log")
@json_option
@click.pass_obj
def overdue(settings: Settings, as_json: bool) -> None:
    """Applications whose last day has passed; the log is told once of each."""
    now = utc_now()
    with open_home(settings) as store:
        clocks.escalate(store, now)
        with store.read() as conn:
            late = clocks.overdue(conn, load_working_days(settings.home), now)
    found = [one for one in late if (agency := own_agency()) is None or apps.concerns(one, agency)]
    _tell(settings, found, as_json)


@grants.command(help="同意申请 / approve an application")
@click.argument("application_id")
@json_option
@click.pass_obj
def approve(settings: Settings, application_id: str, as_json: bool) -> None:
    """Say yes to APPLICATION_ID for one's own seat; the last yes gives the grant."""
    with open_home(settings) as store, store.write() as conn:
        done = deciding.approve(conn, application_id, acting(), utc_now())
    _tell(settings, [done], as_json)


@grants.command(help="拒绝申请 / refuse an application")
@click.argument("application_id")
@click.option("--reason", required=True, help="理由 / reason")
@json_option
@click.pass_obj
def refuse(settings: Settings, application_id: str, reason: str, as_json: bool) -> None:
    """Refuse APPLICATION_ID with a reason."""
    with open_home(settings) as store, store.write() as conn:
        done = deciding.refuse(conn, application_id, acting(), reason, utc_now())
    _tell(settings, [done], as_json)


@grants.command(help="设置系统的配额，0 为不限 / give a system a quota of its own; 0 = no limit")
@click.argument("system")
@click.option("--requests", default=0, type=click.IntRange(0), help="每周期请求数 / reads per period")
@click.option(
    "--period", "period_s", default=60, show_default=True, type=click.IntRange(1, 86_400), help="秒 / seconds"
)
@click.option("--records", default=0, type=click.IntRange(0), help="每日记录数 / records per day")
@json_option
@click.pass_obj
def quota(settings: Settings, system: str, requests: int, period_s: int, records: int, as_json: bool) -> None:
    """Limit SYSTEM; every worker process goes by it within two seconds."""
    wanted = quotas_.Quota(requests, period_s, records)
    with open_home(settings) as store:
        deciding.registered_system(store, system)
        with store.write() as conn:
            quotas_.set_quota(conn, system, wanted, operator(), utc_now())
    print_rows([{"system": system, **asdict(wanted)}], _QUOTA_COLUMNS[:-1], as_json)


@grants.command(help="列出各系统的配额与用量 / list the quotas of systems with what is used")
@json_option
@click.pass_obj
def quotas(settings: Settings, as_json: bool) -> None:
    """Every registered system, with its own quota or the default."""
    with open_home(settings) as store, store.read() as conn:
        found = quotas_.list_quotas(conn, own_agency(), settings, utc_now())
    print_rows(found, _QUOTA_COLUMNS, as_json)


def _tell(settings: Settings, found: Sequence[apps.Application], as_json: bool) -> None:
    calendar, now = load_working_days(settings.home), utc_now()
    rows = []
    for one in found:
        clock = clocks.clock(one, calendar, now)
        row = _row(asdict(one)) | {"missing": list(one.missing), "clock": clock}
        rows.append(row if as_json else row | {"due_on": _due(clock)})
    print_rows(rows, _APPLICATION_COLUMNS, as_json)


def _due(clock: dict[str, Any] | None) -> str:
    if clock is None:
        return ""
    late = " 已逾期 overdue" if clock["overdue"] else ""
    years = "、".join(map(str, clock["provisional"]))
    return f"{clock['due_on']}{late}" + (f"（{years} 年放假安排未公布 / {years} not announced yet）" if years else "")


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
