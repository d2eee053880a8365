"""``xinqiao certs expiries``: the expiry board, for people and for monitoring."""

from __future__ import annotations

import click

from gateway.cli.operator import own_agency
from gateway.cli.output import json_option, print_rows
from gateway.clock import utc_now
from gateway.expiry import board, stopping
from gateway.home import open_home
from gateway.settings import Settings

_COLUMNS = (
    ("on", "停止日 day"),
    ("days_left", "剩余天数 days left"),
    ("kind", "类别 kind"),
    ("name", "名称 name"),
    ("is_replaced", "已有替代 replaced"),
    ("stops", "届时 what stops"),
    ("id", "编号 id"),
)


@click.command(help="到期一览：哪一天什么停止工作 / what stops working on which day")
@click.option("--days", default=90, show_default=True, type=click.IntRange(0, 36_500), help="天数 / days ahead")
@click.option(
    "--fail-within",
    type=click.IntRange(0, 36_500),
    help="此天数内有未替代的到期则以 1 退出 / exit with 1 if something not replaced stops within so many days",
)
@json_option
@click.pass_context
def expiries(ctx: click.Context, days: int, fail_within: int | None, as_json: bool) -> None:
    """Certificates, authorities, revocation lists, signing keys and grants, the next first."""
    settings, now = ctx.find_object(Settings), utc_now()
    if settings is None:
        raise AssertionError("the root command gives the settings")
    with open_home(settings) as store, store.read() as conn:
        found = board(conn, settings, now, max(days, fail_within or 0), own_agency())
    rows = [one.told(now) for one in found]
    print_rows(rows if as_json else [_shown(row) for row in rows], _COLUMNS, as_json)
    if fail_within is not None and stopping(found, now, fail_within):
        ctx.exit(1)


def _shown(row: dict[str, object]) -> dict[str, object]:
    return row | {"is_replaced": "✓" if row["is_replaced"] else "", "stops": f"{row['stops_zh']} / {row['stops_en']}"}


COMMANDS = (expiries,)
