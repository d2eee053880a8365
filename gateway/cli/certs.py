"""``xinqiao certs``: issue, list and show; its other commands stand in ``certs_acts`` and ``certs_requests``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from certs.csr import read_csr
from certs.names import DUTIES, Name, PersonName, SystemName
from connectors.errors import Refused
from gateway import certificates as registry
from gateway import certificates_holders as holders
from gateway.authorities import open_issuing
from gateway.certificates_publish import pki_files
from gateway.cli import certs_acts, certs_expiries, certs_external, certs_requests
from gateway.cli.certs_output import csr_option, days_option, out_option, serial_of, tell, write_issued
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_rows
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings

_COLUMNS = (
    ("serial", "序列号 serial"),
    ("profile", "类别 kind"),
    ("urn", "持有者 holder"),
    ("status", "状态 status"),
    ("reason", "原因 reason"),
    ("not_after", "有效期至 not after"),
)


@click.group(help="证书：签发、暂停、吊销与吊销列表 / certificates: issue, suspend, revoke, lists")
def certs() -> None:
    """Group of the certificate commands; ``ctx.obj`` is the ``Settings``."""


@certs.command(help="签发证书 / issue a certificate to a system, a person or a server")
@click.option("--agency", default="", help="机构代码 / agency")
@click.option("--system", default="", help="系统代码 / system of the agency")
@click.option("--person", default="", help="人员代码 / person")
@click.option("--duty", type=click.Choice(DUTIES), help="人员职责 / duty of the person")
@click.option("--server", "hosts", multiple=True, help="服务器主机名或 IP，可重复 / host name or IP, repeatable")
@click.option("--title", default="", help="名称，首次登记时使用 / title, for the first registration")
@csr_option(required=False)
@days_option
@out_option
@json_option
@click.pass_obj
def issue(
    settings: Settings,
    agency: str,
    system: str,
    person: str,
    duty: str | None,
    hosts: tuple[str, ...],
    title: str,
    csr: Path | None,
    days: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Register the holder if it is new, issue, and write the certificate (and the key, if made here)."""
    now, actor = utc_now(), operator()
    name = _holder(agency, system, person, duty, hosts)
    request = read_csr(csr.read_bytes()) if csr else None
    lifetime = timedelta(days=days) if days else None
    authority = open_issuing(settings)
    with open_home(settings) as store, store.write() as conn:
        if name is None:
            issued = registry.issue_server_certificate(conn, authority, hosts, actor, now, request, lifetime)
        else:
            if holders.holder_status(conn, name.urn) is None:
                holders.register(conn, name, title or name.urn, actor, now)
            issued = registry.issue_certificate(conn, authority, name, actor, now, request, lifetime)
    folder = out or pki_files(settings).home / "issued"
    tell(write_issued(folder, hosts[0] if name is None else name.urn, issued), as_json)


@certs.command("list", help="列出证书 / list certificates")
@click.option("--urn", help="只列此持有者 / only of this holder")
@json_option
@click.pass_obj
def list_certificates(settings: Settings, urn: str | None, as_json: bool) -> None:
    """List what the registry knows, the newest first."""
    with open_home(settings) as store, store.read() as conn:
        rows = [{key: row[key] for key, _ in _COLUMNS} for row in registry.certificate_rows(conn, urn)]
    print_rows(rows, _COLUMNS, as_json)


@certs.command(help="显示一张证书 / show one certificate")
@click.argument("serial")
@json_option
@click.pass_obj
def show(settings: Settings, serial: str, as_json: bool) -> None:
    """Show everything the registry knows of one certificate, with its PEM."""
    with open_home(settings) as store, store.read() as conn:
        row = registry.certificate_row(conn, serial_of(serial))
    if row is None:
        raise Refused(f"没有序列号为 {serial} 的证书。", f"there is no certificate with serial {serial}", serial=serial)
    tell(dict(row), as_json)


def _holder(agency: str, system: str, person: str, duty: str | None, hosts: tuple[str, ...]) -> Name | None:
    """Whose certificate is asked for; None for a server's."""
    if [bool(system), bool(person), bool(hosts)].count(True) != 1:
        raise click.UsageError(
            "请给出 --agency 与 --system，或 --person 与 --duty，或 --server / "
            "give --agency and --system, or --person and --duty, or --server"
        )
    try:
        if person:
            return PersonName(person, duty or "", agency)
        return SystemName(agency, system) if system else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error


for command in (*certs_acts.COMMANDS, *certs_requests.COMMANDS, *certs_external.COMMANDS, *certs_expiries.COMMANDS):
    certs.add_command(command)
