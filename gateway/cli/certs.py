"""``xinqiao certs``: issue, list, show, suspend, lift and revoke certificates; publish the revocation list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import click
from cryptography import x509

from certs.authority import Authority, Issued, open_authority, read_csr
from certs.keys import save_key, write_whole
from certs.names import DUTIES, Name, PersonName, SystemName
from certs.revocation import HOLD, REASONS
from certs.verify import serial_text
from connectors.errors import Refused
from gateway import certificates as registry
from gateway.certificates_publish import pki_files, publish_crl
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_json, print_rows
from gateway.clock import instant, utc_now
from gateway.home import open_home
from gateway.settings import Settings
from gateway.store import Store

_COLUMNS = (
    ("serial", "序列号 serial"),
    ("profile", "类别 kind"),
    ("urn", "持有者 holder"),
    ("status", "状态 status"),
    ("reason", "原因 reason"),
    ("not_after", "有效期至 not after"),
)

_passphrase = click.option(
    "--passphrase",
    envvar="XINQIAO_CA_PASSPHRASE",
    help="签发机构私钥口令，建议用环境变量 / passphrase of the issuing key, better in XINQIAO_CA_PASSPHRASE",
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
@click.option("--csr", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="证书请求 / CSR, PEM or DER")
@click.option("--days", type=click.IntRange(1), help="有效天数 / days of validity, at most the profile's")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="输出目录 / folder for the files")
@_passphrase
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
    passphrase: str | None,
    as_json: bool,
) -> None:
    """Register the holder if it is new, issue, and write the certificate (and the key, if made here)."""
    now, actor = utc_now(), operator()
    name = _name(agency, system, person, duty, hosts)
    authority = _authority(settings, passphrase)
    request = read_csr(csr.read_bytes()) if csr else None
    lifetime = timedelta(days=days) if days else None
    with open_home(settings) as store, store.write() as conn:
        if name is None:
            issued = registry.issue_server_certificate(conn, authority, hosts, actor, now, request, lifetime)
        else:
            if registry.holder_status(conn, name.urn) is None:
                registry.register(conn, name, title or name.urn, actor, now)
            issued = registry.issue_certificate(conn, authority, name, actor, now, request, lifetime)
    stem = hosts[0] if name is None else name.urn.removeprefix("urn:xinqiao:").replace(":", ".")
    _tell(_write(out or pki_files(settings).home / "issued", stem, issued), as_json)


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
        row = registry.certificate_row(conn, _serial(serial))
    if row is None:
        raise Refused(f"没有序列号为 {serial} 的证书。", f"there is no certificate with serial {serial}", serial=serial)
    _tell(dict(row), as_json)


@certs.command(help="吊销证书（不可恢复）并发布吊销列表 / revoke for good and publish the list")
@click.argument("serial")
@click.option("--reason", type=click.Choice(sorted(set(REASONS) - {HOLD})), default="unspecified", show_default=True)
@_passphrase
@json_option
@click.pass_obj
def revoke(settings: Settings, serial: str, reason: str, passphrase: str | None, as_json: bool) -> None:
    """Revoke; it counts from the holder's next request on, also on open connections."""
    with open_home(settings) as store:
        with store.write() as conn:
            registry.revoke(conn, _serial(serial), reason, operator(), utc_now())
        _publish(store, passphrase, as_json, serial=_serial(serial), status=registry.REVOKED, reason=reason)


@certs.command(help="暂停证书 / suspend a certificate until it is lifted")
@click.argument("serial")
@_passphrase
@json_option
@click.pass_obj
def suspend(settings: Settings, serial: str, passphrase: str | None, as_json: bool) -> None:
    """Suspend (certificateHold)."""
    with open_home(settings) as store:
        with store.write() as conn:
            registry.suspend(conn, _serial(serial), operator(), utc_now())
        _publish(store, passphrase, as_json, serial=_serial(serial), status=registry.SUSPENDED)


@certs.command(help="恢复暂停的证书 / lift a suspension")
@click.argument("serial")
@_passphrase
@json_option
@click.pass_obj
def lift(settings: Settings, serial: str, passphrase: str | None, as_json: bool) -> None:
    """Make a suspended certificate good again."""
    with open_home(settings) as store:
        with store.write() as conn:
            registry.lift(conn, _serial(serial), operator(), utc_now())
        _publish(store, passphrase, as_json, serial=_serial(serial), status=registry.GOOD)


@certs.command(help="发布新的吊销列表 / publish a new revocation list")
@_passphrase
@json_option
@click.pass_obj
def crl(settings: Settings, passphrase: str | None, as_json: bool) -> None:
    """Make the next list from the registry and write its files."""
    with open_home(settings) as store:
        _publish(store, passphrase, as_json)


def _name(agency: str, system: str, person: str, duty: str | None, hosts: tuple[str, ...]) -> Name | None:
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


def _serial(text: str) -> str:
    """A serial as people type or paste it (``0A:1B:…``, capitals, without leading zeros) in the registry's form."""
    try:
        return serial_text(int(text.replace(":", ""), 16))
    except ValueError as error:
        raise click.UsageError(f"序列号应为十六进制 / expected a hexadecimal serial, got {text!r}") from error


def _authority(settings: Settings, passphrase: str | None) -> Authority:
    return open_authority(pki_files(settings).home, passphrase.encode() if passphrase else None)


def _write(folder: Path, stem: str, issued: Issued) -> dict[str, object]:
    serial = serial_text(issued.certificate.serial_number)
    # The serial keeps a renewed certificate from replacing the one that is still in use.
    certificate = folder / f"{stem}-{serial[:8]}.pem"
    write_whole(certificate, issued.pem)
    written: dict[str, object] = {"serial": serial, "certificate": str(certificate)}
    if issued.key is not None:
        key = certificate.with_suffix(".key")
        save_key(key, issued.key)
        written["key"] = str(key)
    return written | {"not_after": instant(issued.certificate.not_valid_after_utc)}


def _publish(store: Store, passphrase: str | None, as_json: bool, **told: object) -> None:
    published = publish_crl(store, _authority(store.settings, passphrase), utc_now())
    number = published.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    files = {"crl": str(pki_files(store.settings).crl), "crl_number": number, "revoked": len(published)}
    _tell(told | files, as_json)


def _tell(facts: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        return print_json(facts)
    for name, value in facts.items():
        click.echo(f"{name}: {value}")
    return None
