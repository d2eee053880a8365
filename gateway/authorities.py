"""The authorities of an installation: the one that issues, those it followed, and who answers OCSP for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from cryptography import x509

from certs.authority import Authority, key_id, open_authority, read_authority, read_certificate
from certs.errors import AuthorityMissing
from certs.keys import open_key
from certs.layout import Files
from certs.ocsp import Responder
from gateway.certificates_files import pki_files
from gateway.passphrases import ca_passphrase, key_passphrase
from gateway.settings import Settings


def authority_files(settings: Settings) -> Sequence[Files]:
    """Files of every issuing authority whose certificates count: the one that issues first."""
    files = pki_files(settings)
    return [files, *files.previous]


def open_issuing(settings: Settings) -> Authority:
    """The issuing authority, with its key.

    Raises:
        certs.errors.AuthorityMissing: there is none.
        certs.errors.KeyUnusable: its key is not to be opened here.
    """
    opened = open_authority(pki_files(settings).home, ca_passphrase(settings))
    return replace(opened, public_url=settings.public_url.rstrip("/"))


def files_of(settings: Settings, identifier: str) -> Files:
    """Files of the issuing authority of a key identifier.

    Raises:
        AuthorityMissing: there is none.
    """
    for files in authority_files(settings):
        if key_id(read_authority(files.home)) == identifier:
            return files
    raise AuthorityMissing(
        f"没有密钥标识为 {identifier} 的签发机构。", f"there is no issuing authority {identifier}", key_id=identifier
    )


def responders(settings: Settings, now: datetime) -> list[Responder]:
    """Who answers OCSP for each authority: its delegated responder while that counts, else the authority itself."""
    return [_responder(settings, files, now) for files in authority_files(settings)]


def _responder(settings: Settings, files: Files, now: datetime) -> Responder:
    issuer = read_authority(files.home)
    if files.responder.exists():
        delegated = read_certificate(files.responder)
        if delegated.not_valid_before_utc <= now <= delegated.not_valid_after_utc and _is_by(delegated, issuer):
            return Responder(issuer, delegated, partial(open_key, files.responder_key, key_passphrase(settings)))
    return Responder(issuer, issuer, partial(open_key, files.issuing_key, ca_passphrase(settings)))


def _is_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    return named is not None and named.hex() == key_id(issuer)
