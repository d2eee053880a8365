"""``xinqiao notifications``: what systems are told; list, push what is due, get a certificate to push with."""

from __future__ import annotations

import click
from cryptography.hazmat.primitives import hashes

from certs.authority import open_authority
from gateway.access.challenges import note_overdue
from gateway.certificates_files import pki_files
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_rows, working
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.notifications import dispatch as dispatching
from gateway.notifications.endpoints import load_endpoints
from gateway.notifications.notifier import enrol as get_certificate
from gateway.notifications.outbox import list_notifications
from gateway.passphrases import ca_passphrase
from gateway.settings import Settings

_COLUMNS = (
    ("id", "通知 id"),
    ("system_urn", "系统 system"),
    ("kind", "种类 kind"),
    ("record_type", "记录类型 record type"),
    ("status", "状态 status"),
    ("attempts", "次数 attempts"),
    ("next_at", "下次 next"),
    ("error", "上次错误 last error"),
)
_STATES = ("waiting", "delivered", "acknowledged", "given_up")


@click.group(help="通知 / notifications to systems")
def notifications() -> None:
    """Group of the notification commands; ``ctx.obj`` is the ``Settings``."""


@notifications.command("list", help="列出通知 / list notifications, newest first")
@click.option("--system", help="系统 URN / of one system")
@click.option("--status", type=click.Choice(_STATES), help="状态 / state")
@json_option
@click.pass_obj
def list_(settings: Settings, system: str | None, status: str | None, as_json: bool) -> None:
    """Notifications without what they say of records."""
    with open_home(settings) as store, store.read() as conn:
        print_rows(list_notifications(conn, system, status), _COLUMNS, as_json)


@notifications.command(help="推送到期的通知 / push what is due")
@json_option
@click.pass_obj
def dispatch(settings: Settings, as_json: bool) -> None:
    """Push to every system that has an endpoint; also note which challenges have run over their clock."""
    with open_home(settings) as store, working("正在推送", "pushing"):
        late = note_overdue(store, utc_now())
        counts = dispatching.dispatch(store, utc_now)
    columns = (
        ("delivered", "送达 delivered"),
        ("failed", "待重试 failed"),
        ("given_up", "放弃 given up"),
        ("overdue", "新逾期校核 newly overdue"),
    )
    print_rows([{**counts, "overdue": len(late)}], columns, as_json)


@notifications.command(help="列出推送地址 / list the endpoints of notifications.yml")
@json_option
@click.pass_obj
def endpoints(settings: Settings, as_json: bool) -> None:
    """Read and check ``notifications.yml``."""
    with open_home(settings):
        found = load_endpoints(settings.home).values()
    rows = [{"system": one.urn, "url": one.url, "certificate_sha256": one.fingerprint} for one in found]
    columns = (("system", "系统 system"), ("url", "地址 url"), ("certificate_sha256", "证书 certificate"))
    print_rows(rows, columns, as_json)


@notifications.command(help="签发推送所用的证书 / issue the certificate that is pushed with")
@json_option
@click.pass_obj
def enrol(settings: Settings, as_json: bool) -> None:
    """Issue a certificate for ``urn:xinqiao:gateway:notifier``; again before it ends."""
    with open_home(settings) as store:
        authority = open_authority(pki_files(settings).home, ca_passphrase(settings))
        made = get_certificate(store, authority, operator(), utc_now())
    fingerprint, ends = made.fingerprint(hashes.SHA256()).hex(), made.not_valid_after_utc.isoformat()
    columns = (("certificate_sha256", "证书 certificate"), ("not_after", "至 until"))
    print_rows([{"certificate_sha256": fingerprint, "not_after": ends}], columns, as_json)
