"""``xinqiao certs external`` and ``register``: authorities that are not ours, and systems that use them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import click

from certs.answers import Source
from certs.external import FOLDER, External, read_externals
from certs.names import SystemName
from connectors.errors import Refused
from gateway import certificates_holders as holders
from gateway.certificates_files import pki_files
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_json, print_rows
from gateway.clock import instant, utc_now
from gateway.home import open_home
from gateway.settings import Settings

_COLUMNS = (
    ("authority", "外部机构 authority"),
    ("agencies", "可代表的部门 agencies"),
    ("source", "吊销信息来源 revocation source"),
    ("state", "状态 state"),
    ("until", "有效至 until"),
    ("grace_hours", "宽限 grace (h)"),
    ("problem", "问题 problem"),
)


@click.command(help="列出外部机构及其吊销信息 / list external authorities and how current their revocation is")
@json_option
@click.pass_obj
def external(settings: Settings, as_json: bool) -> None:
    """One line for each source of each authority; one for each description that cannot be used."""
    externals, problems = read_externals(pki_files(settings).home / FOLDER)
    rows = [row for found in externals for row in _rows(found, utc_now())]
    rows += [{"authority": p.details["path"], "state": "unusable", "problem": p.details["problem"]} for p in problems]
    print_rows(rows, _COLUMNS, as_json)


@click.command(help="登记系统（持外部机构证书）/ register a system that brings a certificate of an external authority")
@click.option("--agency", required=True, help="机构代码 / agency")
@click.option("--system", required=True, help="系统代码 / system of the agency")
@click.option("--title", default="", help="名称 / title")
@json_option
@click.pass_obj
def register(settings: Settings, agency: str, system: str, title: str, as_json: bool) -> None:
    """Enter it in the registry, active; no certificate is made."""
    try:
        name = SystemName(agency, system)
    except ValueError as error:
        raise Refused(f"系统名称无效：{error}。", f"not a name of a system: {error}") from error
    store = open_home(settings)
    with store.write() as conn:
        holders.register(conn, name, title or name.urn, operator(), utc_now())
    told = {"urn": name.urn, "status": holders.ACTIVE}
    print_json(told) if as_json else click.echo(f"已登记 / registered: {name.urn}")


COMMANDS = (external, register)


def _rows(found: External, now: datetime) -> Iterator[dict[str, Any]]:
    for source in found.sources:
        until, problem = source.at_hand((*found.roots, *found.intermediates))
        yield {
            "authority": found.name,
            "agencies": list(found.agencies),
            "source": source.name,
            "state": _state(source, until, found.grace, now),
            "until": instant(until) if until else None,
            "grace_hours": found.grace / timedelta(hours=1),
            "problem": problem,
        }


def _state(source: Source, until: datetime | None, grace: timedelta, now: datetime) -> str:
    """``current``, ``grace``, ``ended``, ``missing``; ``asked`` for a responder, which is asked each time."""
    if until is None:
        return "asked" if source.is_asked else "missing"
    if now <= until:
        return "current"
    return "grace" if now <= until + grace else "ended"
