"""``xinqiao certs``: requests by file: brought, listed, approved, issued, refused, withdrawn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from certs.csr import read_csr
from certs.errors import KeyUnusable
from certs.names import PERSON, Name, SystemName, parse_uri
from gateway import certificates_requests as registry
from gateway.access.duties import Act, demand
from gateway.authorities import open_issuing
from gateway.certificates_publish import pki_files
from gateway.cli.certs_output import csr_option, days_option, out_option, tell, write_issued
from gateway.cli.operator import operator, own_agency, person
from gateway.cli.output import json_option, print_rows, shown
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings

_COLUMNS = (
    ("id", "申请 id"),
    ("uri", "持有者 holder"),
    ("key_sha256", "公钥指纹 key SHA-256"),
    ("status", "状态 status"),
    ("requested_by", "申请人 requested by"),
    ("requested_at", "时间 at"),
    ("ground", "理由 ground"),
)
_STATES = (registry.WAITING, registry.APPROVED, registry.ISSUED, registry.REFUSED, registry.WITHDRAWN)


@click.command(help="提交证书申请 / bring a CSR that a security administrator will decide on")
@click.argument("holder")
@csr_option(required=True)
@click.option("--title", default="", help="名称，首次登记时使用 / title, for the first registration")
@days_option
@json_option
@click.pass_obj
def request(settings: Settings, holder: str, csr: Path, title: str, days: int | None, as_json: bool) -> None:
    """Store the CSR of HOLDER (urn:xinqiao:<agency>:<system>, or a person's with its duty)."""
    try:
        name = parse_uri(holder)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    _may_bring(name)
    with open_home(settings) as store, store.write() as conn:
        made = registry.submit(conn, name, read_csr(csr.read_bytes()), operator(), utc_now(), title, days)
    _show(made, as_json)


@click.command(help="列出证书申请 / list requests for certificates, the oldest first")
@click.option("--status", type=click.Choice(_STATES), help="状态 / status")
@json_option
@click.pass_obj
def requests(settings: Settings, status: str | None, as_json: bool) -> None:
    """Every request, or those in one state."""
    with open_home(settings) as store, store.read() as conn:
        rows = [asdict(one) for one in registry.list_requests(conn, status, own_agency())]
    print_rows(rows, _COLUMNS, as_json)


@click.command(help="批准并签发 / approve a request and issue its certificate")
@click.argument("request_id")
@click.option("--key-sha256", required=True, help="与申请单位核对过的公钥指纹 / fingerprint compared with the agency")
@out_option
@json_option
@click.pass_obj
def approve(settings: Settings, request_id: str, key_sha256: str, out: Path | None, as_json: bool) -> None:
    """Approve; without the issuing key at hand the request stays approved, for ``fulfil``."""
    with open_home(settings) as store, store.write() as conn:
        approved = registry.approve(conn, request_id, key_sha256, operator(), utc_now())
    try:
        _fulfil(settings, request_id, out, as_json)
    except KeyUnusable as error:
        click.echo(shown(f"已批准，签发密钥不可用，待签发 / approved, still to be issued: {error.en}"), err=True)
        _show(approved, as_json)


@click.command(help="签发已批准的申请 / issue the certificate of an approved request")
@click.argument("request_id")
@out_option
@json_option
@click.pass_obj
def fulfil(settings: Settings, request_id: str, out: Path | None, as_json: bool) -> None:
    """Issue what was approved where the issuing key was not at hand."""
    _fulfil(settings, request_id, out, as_json)


@click.command(help="拒绝证书申请 / refuse a request, with the ground")
@click.argument("request_id")
@click.option("--ground", required=True, help="理由 / the ground")
@json_option
@click.pass_obj
def refuse(settings: Settings, request_id: str, ground: str, as_json: bool) -> None:
    """Refuse."""
    with open_home(settings) as store, store.write() as conn:
        refused = registry.refuse(conn, request_id, ground, operator(), utc_now())
    _show(refused, as_json)


@click.command(help="撤回证书申请 / take a request back")
@click.argument("request_id")
@json_option
@click.pass_obj
def withdraw(settings: Settings, request_id: str, as_json: bool) -> None:
    """Take it back."""
    with open_home(settings) as store, store.write() as conn:
        _may_bring(registry.read_request(conn, request_id).name)
        withdrawn = registry.withdraw(conn, request_id, operator(), utc_now())
    _show(withdrawn, as_json)


def _fulfil(settings: Settings, request_id: str, out: Path | None, as_json: bool) -> None:
    authority = open_issuing(settings)
    with open_home(settings) as store, store.write() as conn:
        done, issued = registry.fulfil(conn, authority, request_id, operator(), utc_now())
    written = write_issued(out or pki_files(settings).home / "issued", done.urn, issued)
    tell({"id": done.id, "status": done.status} | written, as_json)


def _may_bring(name: Name) -> None:
    """An agency administrator brings what his own agency's systems ask for; people are the security administrator's."""
    if (signed_in := person()) is not None:
        demand(signed_in, Act.REQUEST_CERTIFICATE, name.agency if isinstance(name, SystemName) else PERSON)


def _show(one: registry.CertificateRequest, as_json: bool) -> None:
    facts = {name: value for name, value in asdict(one).items() if name != "csr" and value is not None}
    tell(facts, as_json)


COMMANDS = (request, requests, approve, fulfil, refuse, withdraw)
