"""``xinqiao quarantine``: rows with faults, what is wrong with each, and what to do about it."""

from __future__ import annotations

import click

from gateway import quarantine as rows_aside
from gateway import replay
from gateway.access.duties import Act
from gateway.audit import Action, append
from gateway.cli.deliver import print_receipts
from gateway.cli.operator import demand_own, operator, own_agency
from gateway.cli.output import always_json, json_option, print_json, print_rows, shown
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings
from gateway.store import Store


@click.group("quarantine", invoke_without_command=True)
@click.pass_context
def quarantine(ctx: click.Context) -> None:
    """Quarantined rows. 隔离行。"""
    if ctx.invoked_subcommand is None:
        ctx.invoke(listing)


@quarantine.command("list")
@click.option("--source", help="只看一个数据源 / of one source only")
@click.option("--delivery", "delivery_id", help="只看一次交付 / of one delivery only")
@click.option("--status", default="open", show_default=True, help="open, corrected, replayed, dismissed, all")
@click.option("--after", default=0, help="从此编号之后 / continue after this id")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
@click.pass_obj
def listing(
    settings: Settings,
    source: str | None,
    delivery_id: str | None,
    status: str,
    after: int,
    limit: int,
    as_json: bool,
) -> None:
    """List rows with every fault. 列出隔离行及其全部问题。"""
    with open_home(settings) as store, store.read() as conn:
        found = rows_aside.listing(
            conn,
            source=source,
            agency=own_agency(),
            delivery_id=delivery_id,
            status=None if status == "all" else status,
            after=after,
            limit=limit,
        )
    if as_json:
        print_rows(found, (), as_json)
    for row in () if as_json else found:
        # Not a table: the sentences are what matters, and they are long.
        place = f"#{row['id']} {row['source']} {row['part']} 第 {row['line']} 行 [{row['status']}]"
        click.secho(shown(place), bold=True)
        for fault in row["faults"]:
            click.echo(shown(f"  {fault['heading'] or fault['field']} [{fault['rule']}]"))
            click.echo(shown(f"    {fault['zh']}\n    {fault['en']}"))
            if fault["candidates"]:
                click.echo(shown(f"    候选 candidates: {'、'.join(fault['candidates'][:5])}"))


@quarantine.command("show")
@click.argument("rejection_id", type=int)
@always_json
@click.pass_obj
def show(settings: Settings, rejection_id: int) -> None:
    """One row as sent and as mapped, as JSON; that it was opened is an entry of the log. 一行的原文与映射结果。"""
    with open_home(settings) as store, store.write() as conn:
        rejection = rows_aside.open_rejection(conn, store, rejection_id)
        demand_own(Act.QUARANTINE, rejection.row.source)
        facts = {"rejection": rejection_id, "delivery_id": rejection.row.delivery_id, "opened": True}
        append(conn, Action.QUARANTINE_READ, operator(), facts, utc_now())
    row = rejection.row
    print_json(
        {
            "id": row.id,
            "delivery_id": row.delivery_id,
            "line": row.line,
            "status": row.status,
            "sent": rejection.sent,
            "mapped": rejection.mapped,
            "faults": row.faults,
        }
    )


@quarantine.command("correct")
@click.argument("rejection_id", type=int)
@click.argument("values", nargs=-1, required=True, metavar="FIELD=TEXT...")
@json_option
@click.pass_obj
def correct(settings: Settings, rejection_id: int, values: tuple[str, ...], as_json: bool) -> None:
    """Land a row with corrected values. 更正后入库，例如 uscc=91330100799655058B。"""
    pairs = dict(value.partition("=")[::2] for value in values)
    with open_home(settings) as store:
        _demand_own(store, rejection_id)
        corrected = {name: text or None for name, text in pairs.items()}
        print_receipts([replay.correct(store, rejection_id, corrected, operator(), utc_now())], as_json)


@quarantine.command("dismiss")
@click.argument("rejection_id", type=int)
@click.option("--reason", required=True, help="理由 / why it is not landed, for the audit log")
@click.pass_obj
def dismiss(settings: Settings, rejection_id: int, reason: str) -> None:
    """Close a row without landing it. 不入库并注明理由。"""
    with open_home(settings) as store:
        _demand_own(store, rejection_id)
        rows_aside.dismiss(store, rejection_id, reason, operator(), utc_now())
    click.echo(f"已驳回 {rejection_id} / dismissed")


def _demand_own(store: Store, rejection_id: int) -> None:
    with store.read() as conn:
        demand_own(Act.QUARANTINE, rows_aside.open_rejection(conn, store, rejection_id).row.source)
