"""``xinqiao challenges``: what readers say is wrong; list, and decide on behalf of the providing agency."""

from __future__ import annotations

import click

from gateway.access.challenges import Ruling, list_challenges, rule, source_of
from gateway.access.duties import Act
from gateway.cli.operator import demand_own, operator, own_agency
from gateway.cli.output import json_option, print_rows
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings

_COLUMNS = (
    ("id", "校核 id"),
    ("record_type", "记录类型 record type"),
    ("seq", "版本 seq"),
    ("field", "字段 field"),
    ("agency", "处理单位 decides"),
    ("system_urn", "提出系统 raised by"),
    ("due_on", "期限 due"),
    ("status", "状态 status"),
    ("overdue", "逾期 overdue"),
    ("reason", "理由 reason"),
)


@click.group(help="校核纠错 / challenges of values")
def challenges() -> None:
    """Group of the challenge commands; ``ctx.obj`` is the ``Settings``."""


@challenges.command("list", help="列出校核 / list challenges")
@click.option("--agency", help="处理单位 / the agency that decides")
@click.option("--status", type=click.Choice(("open", "upheld", "rejected")), help="状态 / state")
@click.option("--overdue", is_flag=True, help="只看逾期未办 / only those over their clock")
@json_option
@click.pass_obj
def list_(settings: Settings, agency: str | None, status: str | None, overdue: bool, as_json: bool) -> None:
    """Every challenge in the order opened; what was believed and why stays sealed."""
    with open_home(settings) as store, store.read() as conn:
        found = list_challenges(conn, utc_now(), agency=own_agency() or agency, status=status, overdue=overdue)
    shown = [one | {"overdue": one["overdue"] if as_json else "✗" * one["overdue"]} for one in found]
    print_rows(shown, _COLUMNS, as_json)


@challenges.command(help="代提供单位处理 / decide on behalf of the providing agency")
@click.argument("challenge_id")
@click.argument("decision", type=click.Choice(("upheld", "rejected")))
@click.option("--reason", required=True, help="理由 / reason")
@click.option(
    "--corrected", help="正确的值，默认为提出方所主张的值 / right value; default: what the challenger believes"
)
@click.option("--empty", is_flag=True, help="该字段应为空 / the field is to hold nothing")
@json_option
@click.pass_obj
def decide(
    settings: Settings,
    challenge_id: str,
    decision: str,
    reason: str,
    corrected: str | None,
    empty: bool,
    as_json: bool,
) -> None:
    """Decide CHALLENGE_ID; upheld, the corrected record lands and every system that had read the old one is told."""
    now = utc_now()
    with open_home(settings) as store:
        with store.read() as conn:
            demand_own(Act.DECIDE_CHALLENGE, source_of(conn, challenge_id))
        rule(store, challenge_id, Ruling(decision, reason, corrected, empty), operator(), now)
        with store.read() as conn:
            done = [one for one in list_challenges(conn, now) if one["id"] == challenge_id]
    print_rows(done, _COLUMNS, as_json)
