"""``xinqiao duties``: who holds which duty; register people and systems; keep the duties apart, and undo that."""

from __future__ import annotations

import click

from certs.names import DUTIES, Name, PersonName, SystemName
from gateway import certificates_holders as holders
from gateway.access import separation
from gateway.access.duties import TITLES
from gateway.cli.operator import operator, person
from gateway.cli.output import json_option, print_json, print_rows
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings

_COLUMNS = (("duty", "职责 duty"), ("title", "名称 title"), ("person", "人员 person"))


@click.group(help="三员：谁任何职，登记，分立 / the duties: who holds which, register, separate")
def duties() -> None:
    """Group of the commands about duties; ``ctx.obj`` is the ``Settings``."""


@duties.command("list", help="列出各职责由谁担任 / list who holds which duty")
@json_option
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Active people with a good certificate, per duty, and whether the duties are separated."""
    with open_home(settings) as store, store.read() as conn:
        held, apart = separation.holders(conn, utc_now()), separation.is_separated(conn)
    if as_json:
        return print_json({"separated": apart, "holders": {duty: held.get(duty, []) for duty in DUTIES}})
    rows = [
        {"duty": duty, "title": " / ".join(TITLES[duty]), "person": "、".join(held.get(duty, []))} for duty in DUTIES
    ]
    state = (
        "三员已分立 / the duties are separated"
        if apart
        else "尚未分立，由本机运维代行 / not separated: the operator acts"
    )
    return print_rows(rows, _COLUMNS, as_json=False, caption=state)


@duties.command(help="登记人员或系统，尚不发证 / register a person or a system; it has no certificate yet")
@click.option("--person", "name", default="", help="人员代码 / person")
@click.option("--duty", type=click.Choice(DUTIES), help="人员职责 / duty of the person")
@click.option("--agency", default="", help="机构代码 / agency")
@click.option("--system", default="", help="系统代码 / system of the agency")
@click.option("--title", default="", help="名称 / title")
@click.pass_obj
def register(settings: Settings, name: str, duty: str | None, agency: str, system: str, title: str) -> None:
    """Enter a holder; the security administrator issues the certificate, so that it takes two."""
    if bool(name) == bool(system):
        raise click.UsageError("请给出 --person 与 --duty，或 --agency 与 --system / give a person or a system")
    try:
        holder: Name = PersonName(name, duty or "", agency) if name else SystemName(agency, system)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with open_home(settings) as store, store.write() as conn:
        holders.register(conn, holder, title or holder.urn, operator(), utc_now())
    click.echo(f"已登记 {holder.urn} / registered")


@duties.command(help="三员分立：此后管理操作须出示人员证书 / separate: administration takes a person's certificate")
@json_option
@click.pass_obj
def separate(settings: Settings, as_json: bool) -> None:
    """Keep the duties apart from now on; the operator of this machine loses their rights."""
    with open_home(settings) as store, store.write() as conn:
        held = separation.separate(conn, operator(), utc_now())
    if as_json:
        return print_json({"separated": True, "holders": held})
    return click.echo("三员已分立 / the duties are separated")


@duties.command(help="恢复本机运维权限，须两人 / give the operator his rights back; it takes two of the three")
@click.option("--reason", required=True, help="理由 / reason, for the audit log")
@click.pass_obj
def reopen(settings: Settings, reason: str) -> None:
    """Ask for it, or confirm what another of the three asked for."""
    signed_in = person()
    if signed_in is None:
        raise click.UsageError("须出示三员之一的证书 / show the certificate of one of the three")
    with open_home(settings) as store, store.write() as conn:
        done = separation.reopen(conn, signed_in, reason, utc_now())
    said = "已恢复 / reopened" if done else "已提请，待另一职责的人员确认 / asked for; another duty must confirm"
    click.echo(said)
