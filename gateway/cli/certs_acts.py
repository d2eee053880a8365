"""``xinqiao certs``: acts on what was issued: revoke, suspend, lift, for certificates and for who holds them."""

from __future__ import annotations

import click

from certs.authority import hosts_of, read_certificate
from certs.errors import KeyUnusable
from certs.revocation import REVOCATION_REASONS, crl_number
from certs.verify import serial_text
from gateway import certificates as registry
from gateway import certificates_holders as registered
from gateway.authorities import open_issuing
from gateway.certificates_publish import pki_files, publish_crls, renew_gateway
from gateway.cli.certs_output import serial_of, tell
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_rows, shown
from gateway.clock import instant, utc_now
from gateway.home import open_home
from gateway.settings import Settings
from gateway.store import Store

_HOLDER_COLUMNS = (
    ("urn", "持有者 holder"),
    ("title", "名称 title"),
    ("agency", "部门 agency"),
    ("duty", "职责 duty"),
    ("status", "状态 status"),
    ("created_at", "登记 registered"),
)


@click.command(help="吊销证书（不可恢复）并发布吊销列表 / revoke for good and publish the list")
@click.argument("serial")
@click.option("--reason", type=click.Choice(REVOCATION_REASONS), default="unspecified", show_default=True)
@json_option
@click.pass_obj
def revoke(settings: Settings, serial: str, reason: str, as_json: bool) -> None:
    """Revoke; it counts from the holder's next request on, also on open connections."""
    with open_home(settings) as store:
        with store.write() as conn:
            registry.revoke(conn, serial_of(serial), reason, operator(), utc_now())
        _published(store, as_json, serial=serial_of(serial), status=registry.REVOKED, reason=reason)


@click.command(help="暂停证书 / suspend a certificate until it is lifted")
@click.argument("serial")
@json_option
@click.pass_obj
def suspend(settings: Settings, serial: str, as_json: bool) -> None:
    """Suspend (certificateHold)."""
    with open_home(settings) as store:
        with store.write() as conn:
            registry.suspend(conn, serial_of(serial), operator(), utc_now())
        _published(store, as_json, serial=serial_of(serial), status=registry.SUSPENDED)


@click.command(help="恢复暂停的证书 / lift a suspension")
@click.argument("serial")
@json_option
@click.pass_obj
def lift(settings: Settings, serial: str, as_json: bool) -> None:
    """Make a suspended certificate good again."""
    with open_home(settings) as store:
        with store.write() as conn:
            registry.lift(conn, serial_of(serial), operator(), utc_now())
        _published(store, as_json, serial=serial_of(serial), status=registry.GOOD)


@click.command(help="发布新的吊销列表 / publish a new revocation list")
@json_option
@click.pass_obj
def crl(settings: Settings, as_json: bool) -> None:
    """Make the next list from the registry and write its files."""
    with open_home(settings) as store:
        _publish(store, as_json)


@click.command(help="列出系统与人员 / list systems and people with their status")
@json_option
@click.pass_obj
def holders(settings: Settings, as_json: bool) -> None:
    """Everybody who may hold certificates."""
    with open_home(settings) as store, store.read() as conn:
        rows = registered.holder_rows(conn)
    print_rows(rows, _HOLDER_COLUMNS, as_json)


@click.command("suspend-holder", help="暂停系统或人员 / suspend a system or person, whatever certificates it holds")
@click.argument("urn")
@json_option
@click.pass_obj
def suspend_holder(settings: Settings, urn: str, as_json: bool) -> None:
    """Close the door; it counts from the holder's next request on, also on open connections."""
    with open_home(settings) as store, store.write() as conn:
        registered.suspend_holder(conn, urn, operator(), utc_now())
    tell({"urn": urn, "status": registered.SUSPENDED}, as_json)


@click.command("resume-holder", help="恢复系统或人员 / open the door to a suspended system or person again")
@click.argument("urn")
@json_option
@click.pass_obj
def resume_holder(settings: Settings, urn: str, as_json: bool) -> None:
    """Open the door again."""
    with open_home(settings) as store, store.write() as conn:
        registered.resume_holder(conn, urn, operator(), utc_now())
    tell({"urn": urn, "status": registered.ACTIVE}, as_json)


@click.command(help="更新网关自身的证书，不停机 / renew the gateway's own certificate, without a restart")
@click.option(
    "--server", "hosts", multiple=True, help="主机名或 IP，默认沿用 / host name or IP; default: as it has now"
)
@json_option
@click.pass_obj
def gateway(settings: Settings, hosts: tuple[str, ...], as_json: bool) -> None:
    """A new key and certificate for the gateway's server; a running one takes them up within a second."""
    files = pki_files(settings)
    names = hosts or hosts_of(read_certificate(files.gateway))
    with open_home(settings) as store:
        renew_gateway(store, open_issuing(settings), names, operator(), utc_now())
    made = read_certificate(files.gateway)
    facts = {"serial": serial_text(made.serial_number), "hosts": list(names)}
    tell(facts | {"certificate": str(files.gateway), "not_after": instant(made.not_valid_after_utc)}, as_json)


def _published(store: Store, as_json: bool, **told: object) -> None:
    """Publish after an act that counts already; a key that is not at hand must not make it look undone."""
    try:
        _publish(store, as_json, **told)
    except KeyUnusable as error:
        click.echo(shown(f"吊销列表待签发 / the act counts, its list is still to be published: {error.en}"), err=True)
        tell(told, as_json)


def _publish(store: Store, as_json: bool, **told: object) -> None:
    lists = publish_crls(store, utc_now())
    facts = {
        "crl": str(pki_files(store.settings).crl),
        "crl_number": crl_number(lists[0]),
        "revoked": sum(len(one) for one in lists),
    }
    tell(told | facts, as_json)


COMMANDS = (revoke, suspend, lift, crl, gateway, holders, suspend_holder, resume_holder)
