"""Ceremonies: a root that is only ever used away from the gateway, and issuing authorities that follow each other.

The gateway makes the key of an issuing authority and a CSR (``request_issuing``); somewhere else, on a machine
without a network, the root signs it (``sign_issuing``); the certificate comes back and takes over
(``install_issuing``). The authority before stays trusted, with its key for lists and OCSP answers, until its last
certificate has ended (``retire``). Nothing here knows which certificates exist; the registry does.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certs import profiles
from certs.authority import ROOT_CRL_LIFETIME, key_id, read_certificate, sign_certificate, subject
from certs.checks import Place, violations
from certs.csr import check_csr, key_sha256, read_csr
from certs.errors import AuthorityExists, AuthorityMissing, CrlUnusable, ProfileViolated, RequestRefused
from certs.keys import make_key, open_key, save_key, write_whole
from certs.layout import Files, Root
from certs.revocation import CrlEntry, build_crl, crl_number, parse_crl, reason_of


def request_issuing(
    home: Path, name: str, passphrase: bytes | None, token: str | None = None
) -> x509.CertificateSigningRequest:
    """Make the key of the next issuing authority, in ``home/next`` or in a token, and the CSR for the root.

    Args:
        name: common name; each authority of a root needs its own, or their lists cannot be told apart.
        token: PKCS#11 URI of a key that the token makes.

    Raises:
        AuthorityExists: a request is open already; its key would be lost.
        KeyUnusable: the token makes no key.
    """
    files = Files(home / "next")
    if files.csr.exists():
        raise AuthorityExists(
            f"{files.csr} 已有待签的请求；请先完成或移走。",
            f"a request is open already at {files.csr}; finish it or move it away",
            path=str(files.csr),
        )
    if token is None:
        key = make_key()
        save_key(files.issuing_key, key, passphrase)
    else:
        from certs.hsm import make_token_key  # the PKCS#11 library is loaded only where there is a token

        key = make_token_key(token, passphrase)
        write_whole(files.issuing_key.with_suffix(".uri"), f"{token.strip()}\n".encode())
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject(name)).sign(key, hashes.SHA256())
    write_whole(files.csr, csr.public_bytes(Encoding.PEM))
    return csr


def sign_issuing(folder: Path, csr: bytes, compared: str, now: datetime, passphrase: bytes | None) -> x509.Certificate:
    """With the root's key, sign the CSR of an issuing authority.

    Args:
        folder: of the root.
        compared: fingerprint of the key as it was noted at the gateway (``certs.csr.key_sha256``).

    Raises:
        AuthorityMissing: no root in the folder.
        KeyUnusable: its key cannot be opened.
        RequestRefused: no CSR, no common name, or another key than the one noted.
    """
    root, asked = read_certificate(Root(folder).certificate), read_csr(csr)
    public = check_csr(asked)
    names = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or asked.subject == root.subject:
        raise RequestRefused(
            "签发机构的请求应恰有一个通用名，且不同于根机构。",
            "the CSR of an issuing authority has one common name, which is not the root's",
        )
    if compared.replace(":", "").replace(" ", "").lower() != key_sha256(public):
        raise RequestRefused(
            f"公钥指纹不符：请求为 {key_sha256(public)}，记录为 {compared}。",
            f"the key differs: the CSR is over {key_sha256(public)}, noted was {compared}",
        )
    key = open_key(Root(folder).key, passphrase)
    made = sign_certificate(profiles.ISSUING, subject(str(names[0].value)), public, root, key, now)
    write_whole(Root(folder).signed / f"{key_id(made)}.pem", made.public_bytes(Encoding.PEM))
    return made


def next_root_crl(
    folder: Path, now: datetime, passphrase: bytes | None, revoke: Sequence[tuple[x509.Certificate, str]] = ()
) -> x509.CertificateRevocationList:
    """With the root's key, make the next list over issuing authorities; what was revoked stays revoked.

    Args:
        revoke: authorities to be revoked from now on, each with a reason of ``certs.revocation.REASONS``.

    Raises:
        AuthorityMissing, KeyUnusable: no root in the folder, or its key cannot be opened.
        CrlUnusable: the list before cannot be read.
    """
    files = Root(folder)
    root, before = read_certificate(files.certificate), files.crl.read_bytes()
    known = parse_crl(before, root)
    moment = now.replace(microsecond=0)
    entries = {one.serial_number: CrlEntry(one.serial_number, one.revocation_date_utc, reason_of(one)) for one in known}
    entries |= {c.serial_number: CrlEntry(c.serial_number, moment, reason) for c, reason in revoke}
    made = build_crl(
        root, open_key(files.key, passphrase), entries.values(), crl_number(known) + 1, moment, now + ROOT_CRL_LIFETIME
    )
    write_whole(files.crl, made.public_bytes(Encoding.PEM))
    return made


def install_issuing(
    home: Path, issuing: bytes, root: bytes, root_crl: bytes, now: datetime
) -> tuple[x509.Certificate, x509.Certificate]:
    """Let the requested authority take over; the one before stays trusted, below ``previous``.

    Every file is written whole and the certificate last. Cut off in between, it is simply run again.

    Returns:
        the new issuing authority and its root.

    Args:
        issuing, root, root_crl: what came back from the ceremony, PEM.

    Raises:
        AuthorityMissing: no request is open.
        RequestRefused: the certificate is not over the requested key, not of this root, or the root is another
            than the one that is trusted here.
        ProfileViolated: it breaks a rule of its profile.
        CrlUnusable: the list is not the root's, is older than the one here, or names the new authority.
    """
    files, pending = Files(home), Files(home / "next")
    if not pending.csr.exists():
        raise AuthorityMissing(
            f"{pending.csr} 不存在：请先执行 xinqiao ca request。",
            f"{pending.csr} does not exist; run xinqiao ca request first",
            path=str(pending.csr),
        )
    made, anchor = (x509.load_pem_x509_certificate(pem) for pem in (issuing, root))
    _check_installable(files, pending, made, anchor, now)
    check_root_crl(files, root_crl, anchor, made, now)
    if files.issuing.exists():
        _keep_previous(files)
    write_whole(files.root_crl, root_crl)
    write_whole(files.root, anchor.public_bytes(Encoding.PEM))
    _trust(files, [anchor, made])
    _take_over(files, pending)
    write_whole(files.issuing, made.public_bytes(Encoding.PEM))
    shutil.rmtree(pending.home)
    return made, anchor


def install_root_crl(home: Path, root_crl: bytes, now: datetime) -> x509.CertificateRevocationList:
    """Put a new list of the root in place; whom it names is taken out of the trust file.

    Raises:
        AuthorityMissing: no root here.
        CrlUnusable: not the root's, or older than the one here.
    """
    files = Files(home)
    anchor = read_certificate(files.root)
    made = check_root_crl(files, root_crl, anchor, None, now)
    write_whole(files.root_crl, made.public_bytes(Encoding.PEM))
    revoked = {one.serial_number for one in made}
    kept = [c for c in _trusted(files) if c.issuer != anchor.subject or c.serial_number not in revoked]
    write_whole(files.trust, b"".join(c.public_bytes(Encoding.PEM) for c in kept))
    return made


def retire(home: Path, identifier: str) -> None:
    """Stop trusting a previous authority; its files move to ``retired``, where its key may be destroyed.

    Raises:
        AuthorityMissing: there is no previous authority of this key identifier.
    """
    files = Files(home)
    folder = home / "previous" / identifier
    if identifier not in [one.home.name for one in files.previous]:
        raise AuthorityMissing(
            f"没有密钥标识为 {identifier} 的先前机构。",
            f"there is no previous authority {identifier}",
            path=str(folder),
        )
    old = read_certificate(Files(folder).issuing)
    kept = [c for c in _trusted(files) if c != old]
    write_whole(files.trust, b"".join(c.public_bytes(Encoding.PEM) for c in kept))
    (home / "retired").mkdir(exist_ok=True)
    folder.rename(home / "retired" / identifier)


def check_root_crl(
    files: Files, content: bytes, root: x509.Certificate, issuing: x509.Certificate | None, now: datetime
) -> x509.CertificateRevocationList:
    """A list of the root that may replace the one here.

    Raises:
        CrlUnusable: not the root's, ended, older than the one here, or it names ``issuing``.
    """
    crl = parse_crl(content, root)
    here = parse_crl(files.root_crl.read_bytes(), root) if files.root_crl.exists() else None
    problem = ""
    if crl.next_update_utc is None or crl.next_update_utc < now:
        problem = "it has ended"
    elif here is not None and crl_number(crl) < crl_number(here):
        problem = f"its number {crl_number(crl)} is below {crl_number(here)}, the one here"
    elif issuing is not None and crl.get_revoked_certificate_by_serial_number(issuing.serial_number):
        problem = "it revokes the new authority"
    if problem:
        raise CrlUnusable(f"根机构吊销列表不可用：{problem}。", f"the root's revocation list is unusable: {problem}")
    return crl


def _check_installable(
    files: Files, pending: Files, made: x509.Certificate, root: x509.Certificate, now: datetime
) -> None:
    if made.public_key() != read_csr(pending.csr.read_bytes()).public_key():
        raise RequestRefused("证书的公钥不是所请求的公钥。", "the certificate is not over the key that was requested")
    if files.root.exists() and read_certificate(files.root) != root:
        raise RequestRefused(
            "根机构与此处信任的不同。", "the root is another than the one that is trusted here; it cannot be changed so"
        )
    try:
        made.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise RequestRefused(
            f"证书不是由该根机构签发的：{error}。", f"the certificate was not signed by that root: {error}"
        ) from error
    for certificate, place in ((made, Place(now, 0)), (root, Place(now, 1))):
        if broken := violations(certificate, place):
            raise ProfileViolated(certificate.subject.rfc4514_string(), broken)


def _keep_previous(files: Files) -> None:
    """Copy what the authority before needs to sign lists and answers; its certificate last, when all is there."""
    old = Files(files.home / "previous" / key_id(read_certificate(files.issuing)))
    if old.issuing.exists():
        return
    old.home.mkdir(parents=True, exist_ok=True, mode=0o750)
    key = files.issuing_key
    for name in (
        key.name,
        key.with_suffix(".uri").name,
        files.crl.name,
        files.responder.name,
        files.responder_key.name,
    ):
        if (files.home / name).exists():
            shutil.copy2(files.home / name, old.home / name)
            if name in (files.responder.name, files.responder_key.name):
                (files.home / name).unlink()
    write_whole(old.root, files.root.read_bytes())
    write_whole(old.issuing, files.issuing.read_bytes())


def _take_over(files: Files, pending: Files) -> None:
    """The pending key in place of the one before, in a file or in a token; never both."""
    in_file, in_token = files.issuing_key, files.issuing_key.with_suffix(".uri")
    if pending.issuing_key.exists():
        write_whole(in_file, pending.issuing_key.read_bytes(), 0o600)
        in_token.unlink(missing_ok=True)
    else:
        write_whole(in_token, pending.issuing_key.with_suffix(".uri").read_bytes())
        in_file.unlink(missing_ok=True)


def _trust(files: Files, added: Sequence[x509.Certificate]) -> None:
    known = _trusted(files)
    all_of_them = known + [c for c in added if c not in known]
    write_whole(files.trust, b"".join(c.public_bytes(Encoding.PEM) for c in all_of_them))


def _trusted(files: Files) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(files.trust.read_bytes()) if files.trust.exists() else []
