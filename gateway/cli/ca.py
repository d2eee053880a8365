"""``xinqiao ca``: ceremonies of the root, which needs no installation, and what follows from them at the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import func, select

from certs import ceremony
from certs.authority import key_id, make_root, read_authority, read_certificate
from certs.csr import key_sha256
from certs.keys import write_whole
from certs.layout import Root
from certs.revocation import REVOCATION_REASONS, crl_number
from connectors.errors import Refused
from gateway.audit import Action, append
from gateway.audit.log import seal
from gateway.authorities import authority_files, open_issuing
from gateway.certificates import GOOD
from gateway.certificates_publish import pki_files, publish_crls, record_authority, renew_responder
from gateway.certificates_tables import certificates
from gateway.cli.certs_output import tell
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_rows
from gateway.clock import instant, utc_now
from gateway.home import open_home
from gateway.keyring import ring_path
from gateway.passphrases import ca_passphrase
from gateway.settings import Settings
from gateway.store import Store

_COLUMNS = (
    ("key_id", "密钥标识 key id"),
    ("role", "角色 role"),
    ("subject", "名称 name"),
    ("not_after", "有效期至 not after"),
    ("unexpired", "未到期证书 unexpired certificates"),
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_root_option = click.option("--root", "folder", type=_FOLDER, required=True, help="根机构目录 / folder of the root")


@click.group(help="证书机构：根机构仪式、更换签发机构 / authorities: ceremonies of the root, change of the issuing one")
def ca() -> None:
    """Group of the commands on authorities; ``ctx.obj`` is the ``Settings``."""


@ca.command(help="离线：建立根机构 / offline: make a root")
@_root_option
@click.option("--name", default="Xinqiao", show_default=True, help="名称 / name")
@json_option
@click.pass_obj
def root(settings: Settings, folder: Path, name: str, as_json: bool) -> None:
    """Make a root with an empty revocation list; its key is encrypted under XINQIAO_CA_PASSPHRASE_FILE's."""
    made = make_root(folder, utc_now(), name, ca_passphrase(settings))
    tell({"root": str(Root(folder).certificate), "sha256": made.fingerprint(hashes.SHA256()).hex()}, as_json)


@ca.command(help="网关：生成签发密钥与请求 / at the gateway: make the next issuing key and its CSR")
@click.option("--name", help="名称，默认带日期 / common name; default carries the day")
@click.option("--token", help="由令牌生成密钥的 PKCS#11 URI / PKCS#11 URI of a key that a token makes")
@json_option
@click.pass_obj
def request(settings: Settings, name: str | None, token: str | None, as_json: bool) -> None:
    """Write ``pki/next/issuing.csr``; note the fingerprint, the root's keeper compares it."""
    now = utc_now()
    home = pki_files(settings).home
    csr = ceremony.request_issuing(home, name or f"Xinqiao Issuing CA {now:%Y%m%d}", ca_passphrase(settings), token)
    facts = {"subject": csr.subject.rfc4514_string(), "key_sha256": key_sha256(csr.public_key())}
    _log(settings, Action.AUTHORITY_REQUESTED, facts)
    tell({"csr": str(home / "next" / "issuing.csr")} | facts, as_json)


@ca.command(help="离线：签发签发机构证书 / offline: sign the CSR of an issuing authority")
@_root_option
@click.option("--csr", type=_FILE, required=True, help="请求 / the CSR")
@click.option("--key-sha256", required=True, help="在网关处记下的公钥指纹 / fingerprint noted at the gateway")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="证书文件 / where to write it"
)
@json_option
@click.pass_obj
def sign(settings: Settings, folder: Path, csr: Path, key_sha256: str, out: Path, as_json: bool) -> None:
    """Sign; what comes back to the gateway is this file, ``root.pem`` and ``root.crl.pem``."""
    made = ceremony.sign_issuing(folder, csr.read_bytes(), key_sha256, utc_now(), ca_passphrase(settings))
    write_whole(out, made.public_bytes(Encoding.PEM))
    tell({"certificate": str(out), "key_id": key_id(made), "not_after": instant(made.not_valid_after_utc)}, as_json)


@ca.command("root-crl", help="离线：签发根机构吊销列表 / offline: make the root's next revocation list")
@_root_option
@click.option(
    "--revoke", "revoked", multiple=True, type=_FILE, help="要吊销的签发机构证书 / issuing authority to revoke"
)
@click.option("--reason", type=click.Choice(REVOCATION_REASONS), default="unspecified", show_default=True)
@json_option
@click.pass_obj
def root_crl(settings: Settings, folder: Path, revoked: tuple[Path, ...], reason: str, as_json: bool) -> None:
    """Make the next list, once a year and whenever an issuing authority is to be revoked."""
    named = [(read_certificate(path), reason) for path in revoked]
    made = ceremony.next_root_crl(folder, utc_now(), ca_passphrase(settings), named)
    tell({"crl": str(Root(folder).crl), "crl_number": crl_number(made), "revoked": len(made)}, as_json)


@ca.command(help="网关：启用签发机构 / at the gateway: let the signed authority take over")
@click.option("--certificate", type=_FILE, required=True, help="签发机构证书 / what ca sign wrote")
@click.option("--root", "root_pem", type=_FILE, required=True, help="根机构证书 / root.pem")
@click.option("--root-crl", "root_list", type=_FILE, required=True, help="根机构吊销列表 / root.crl.pem")
@json_option
@click.pass_obj
def install(settings: Settings, certificate: Path, root_pem: Path, root_list: Path, as_json: bool) -> None:
    """Take over; the authority before stays trusted until it is retired. Before ``init`` it is the first one."""
    now, home = utc_now(), pki_files(settings).home
    made, _ = ceremony.install_issuing(
        home, certificate.read_bytes(), root_pem.read_bytes(), root_list.read_bytes(), now
    )
    if ring_path(settings.home).exists():
        with open_home(settings) as store:
            record_authority(store, open_issuing(settings), operator(), now)
            publish_crls(store, now)
            seal(store, now)
    tell({"key_id": key_id(made), "subject": made.subject.rfc4514_string()}, as_json)


@ca.command("install-root-crl", help="网关：更新根机构吊销列表 / at the gateway: put the root's new list in place")
@click.argument("file", type=_FILE)
@json_option
@click.pass_obj
def install_root_crl(settings: Settings, file: Path, as_json: bool) -> None:
    """Put it in place; an issuing authority that it names is not trusted any more, from the next request on."""
    made = ceremony.install_root_crl(pki_files(settings).home, file.read_bytes(), utc_now())
    facts = {"crl_number": crl_number(made), "revoked": len(made)}
    _log(settings, Action.ROOT_LIST_INSTALLED, facts)
    tell(facts, as_json)


@ca.command("list", help="列出证书机构 / list root and issuing authorities")
@json_option
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """The root, the authority that issues, and those it followed with how many of their certificates still count."""
    now = utc_now()
    with open_home(settings) as store:
        issuers = [(read_authority(files.home), files.home.name) for files in authority_files(settings)]
        rows = [_row(read_certificate(pki_files(settings).root), "root", None)]
        rows += [
            _row(one, "previous" if name == key_id(one) else "issuing", _unexpired(store, key_id(one), instant(now)))
            for one, name in issuers
        ]
    print_rows(rows, _COLUMNS, as_json)


@ca.command(help="网关：停用先前的签发机构 / at the gateway: stop trusting a previous authority")
@click.argument("identifier")
@click.option("--force", is_flag=True, help="仍有未到期证书时亦停用 / also while certificates of it are good")
@json_option
@click.pass_obj
def retire(settings: Settings, identifier: str, force: bool, as_json: bool) -> None:
    """Take it out of the trust file; refused while good certificates of it have not ended."""
    now = utc_now()
    with open_home(settings) as store:
        left = _unexpired(store, identifier, instant(now))
        if left and not force:
            raise Refused(
                f"机构 {identifier} 仍有 {left} 张有效证书未到期；请先更新，或使用 --force。",
                f"authority {identifier} has {left} good certificates that have not ended; renew them, or --force",
                left=left,
            )
        ceremony.retire(pki_files(settings).home, identifier)
    _log(settings, Action.AUTHORITY_RETIRED, {"key_id": identifier, "unexpired": left})
    tell({"key_id": identifier, "status": "retired"}, as_json)


@ca.command(help="网关：委托 OCSP 应答 / at the gateway: delegate OCSP answers to a key of their own")
@json_option
@click.pass_obj
def responder(settings: Settings, as_json: bool) -> None:
    """Issue the responder a certificate for 90 days; then OCSP is answered without the issuing key."""
    now = utc_now()
    with open_home(settings) as store:
        made = renew_responder(store, open_issuing(settings), operator(), now)
        seal(store, now)
    tell({"certificate": str(pki_files(settings).responder), "not_after": instant(made.not_valid_after_utc)}, as_json)


def _row(certificate: x509.Certificate, role: str, unexpired: int | None) -> dict[str, object]:
    return {
        "key_id": key_id(certificate),
        "role": role,
        "subject": certificate.subject.rfc4514_string(),
        "not_after": instant(certificate.not_valid_after_utc),
        "unexpired": unexpired,
    }


def _unexpired(store: Store, identifier: str, now: str) -> int:
    c = certificates.c
    # What stops with the trust in an authority is who comes in; a server's certificate is judged by others.
    of_it = (c.issuer_key_id == identifier, c.status == GOOD, c.not_after > now, c.profile.in_(("system", "person")))
    with store.read() as conn:
        return conn.scalar(select(func.count()).select_from(certificates).where(*of_it)) or 0


def _log(settings: Settings, action: Action, facts: Mapping[str, object]) -> None:
    """An entry, where there is a log already: a ceremony may come before ``xinqiao init``, which then records it."""
    if ring_path(settings.home).exists():
        with open_home(settings) as store:
            with store.write() as conn:
                append(conn, action, operator(), dict(facts), utc_now())
            seal(store, utc_now())
