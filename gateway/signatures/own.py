"""The gateway's own signature: on receipts, grants and exports, verifiable by whoever trusts its root.

The key is of the suite that the settings name; its certificate comes from the issuing authority and carries, alone
among all that it issues, the usage ``contentCommitment``. So no system can sign a receipt with its own certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import Authority
from certs.errors import UNREADABLE, KeyUnusable
from certs.keys import OWNER_ONLY, read_key_file, write_whole
from certs.signed import jws
from certs.signed.proof import KeyHint, SignatureKeyRefused, Signer, Verified
from certs.signers import issue_signer
from certs.suites import PrivateKey, key_of, read_private_key, suite_named
from certs.verify import serial_text
from gateway import certificates
from gateway.passphrases import key_passphrase
from gateway.settings import Settings
from gateway.store import Store
from schemas.canonical import canonical_json

MEMBER = "jws"
"""Member of a signed document that holds the signature over all the others."""

HOLDER = "gateway"
SIGNING = "signing-"
"""How the files of signing keys begin; the suite follows."""
# A key is replaced this long before its certificate ends, by the next ``xinqiao init``.
_OVERLAP = timedelta(days=60)


@dataclass(frozen=True)
class OwnKey:
    """What the gateway signs with.

    Attributes:
        key: signs.
        chain: DER certificates, its own first, without the root.
    """

    key: PrivateKey
    chain: tuple[bytes, ...]

    @cached_property
    def header(self) -> dict[str, Any]:
        """The members of a JWS header that name the key and bring its chain."""
        serial = serial_text(x509.load_der_x509_certificate(self.chain[0]).serial_number)
        return {"kid": serial, **jws.chain_header(self.chain)}


def prepare_own_key(store: Store, authority: Authority, actor: str, now: datetime) -> None:
    """Make the signing key of the suite and its certificate, if there is none or its certificate ends soon."""
    key_path, chain_path = _paths(store.settings)
    if key_path.exists() and _ends(chain_path) > now + _OVERLAP:
        return
    key = suite_named(store.settings.suite).make_key()
    issued = issue_signer(authority, key.public, now)
    with store.write() as conn:
        certificates.record(conn, issued, "signer", HOLDER, actor, now)
    write_signing_key(key_path, key, key_passphrase(store.settings))
    write_whole(chain_path, issued.pem)


def read_signing_key(path: Path, passphrase: bytes | None) -> PrivateKey:
    """A signing key of whatever suite out of its file.

    Raises:
        KeyUnusable: missing, open to others, damaged, or not opened by the passphrase.
    """
    return read_private_key(read_key_file(path), passphrase)


def write_signing_key(path: Path, key: PrivateKey, passphrase: bytes | None) -> None:
    """Write it, mode 0600, encrypted if there is a passphrase."""
    write_whole(path, key.pem(passphrase), OWNER_ONLY)


def own_key(settings: Settings) -> OwnKey:
    """The key of the suite that the settings name.

    Raises:
        KeyUnusable: there is none yet, it is damaged, or the passphrase does not open it.
    """
    key_path, chain_path = _paths(settings)
    try:
        stamps = (key_path.stat().st_mtime_ns, chain_path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise KeyUnusable(
            f"没有签名密钥 {error.filename}；请执行 xinqiao init。",
            f"there is no signing key {error.filename}; run `xinqiao init`",
            path=str(error.filename),
        ) from error
    return _load(key_path, chain_path, key_passphrase(settings), stamps)


def signed(settings: Settings, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with the gateway's signature over its canonical JSON (RFC 8785) in :data:`MEMBER`.

    Numbers that are not whole, such as the share that was expected of a refused delivery, become text: what is
    signed has one form for every reader.
    """
    own = own_key(settings)
    told: dict[str, Any] = _exact(document)
    return {**told, MEMBER: jws.sign(own.key, [canonical_json(told)], own.header)}


def _exact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _exact(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(member) for member in value]
    return repr(value) if isinstance(value, float) else value


def sign_export(settings: Settings, pieces: Iterable[bytes]) -> str:
    """A detached JWS over bytes that leave the gateway, consumed as they go."""
    own = own_key(settings)
    return jws.sign(own.key, pieces, own.header, is_unencoded=True)


def verify_document(document: Mapping[str, Any], root: x509.Certificate) -> Verified:
    """Verify the gateway's signature on a document, offline.

    Raises:
        SignatureInvalid: there is none, it is wrong, or its certificate does not come from this root.
    """
    said = {name: value for name, value in document.items() if name != MEMBER}
    return verify_export(str(document.get(MEMBER, "")), canonical_json(said), root)


def verify_export(signature: str, content: bytes, root: x509.Certificate) -> Verified:
    """Verify the gateway's detached signature over bytes, offline.

    Raises:
        SignatureInvalid: as ``verify_document``.
    """
    chain = _stated_chain(jws.header_of(signature))

    def find(_: KeyHint) -> Signer:
        return _of_gateway(chain, root)

    return jws.verify(signature, lambda: [content], find)


def _stated_chain(header: Mapping[str, Any]) -> Sequence[x509.Certificate]:
    certificates_of = header.get("x5c")
    try:
        stated = [f"-----BEGIN CERTIFICATE-----\n{one}\n-----END CERTIFICATE-----\n" for one in certificates_of or []]
        return x509.load_pem_x509_certificates("".join(stated).encode()) if stated else []
    except UNREADABLE as error:
        raise _not_ours(str(error)) from error


def _of_gateway(chain: Sequence[x509.Certificate], root: x509.Certificate) -> Signer:
    if not chain:
        raise _not_ours("no certificate came along")
    path = [*chain, *([] if chain[-1] == root else [root])]
    try:
        for below, above in zip(path, path[1:], strict=False):
            below.verify_directly_issued_by(above)
            basic = above.extensions.get_extension_for_class(x509.BasicConstraints).value
            if not basic.ca:
                raise _not_ours(f"{above.subject.rfc4514_string()} is no authority")
        usage = chain[0].extensions.get_extension_for_class(x509.KeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound, TypeError, *UNREADABLE) as error:
        raise _not_ours(str(error) or type(error).__name__) from error
    if not usage.content_commitment:
        raise _not_ours("its certificate is not one for signing what the gateway says")
    return Signer(key_of(chain[0]), serial_text(chain[0].serial_number), HOLDER, "")


def _not_ours(why: str) -> SignatureKeyRefused:
    return SignatureKeyRefused(
        f"不是本网关的签名：{why}。", f"this is no signature of the gateway that the root stands for: {why}"
    )


def _paths(settings: Settings) -> tuple[Path, Path]:
    name = f"{SIGNING}{settings.suite}"
    return settings.home / "keys" / f"{name}.key", settings.home / "pki" / f"{name}.pem"


def _ends(chain_path: Path) -> datetime:
    return x509.load_pem_x509_certificates(chain_path.read_bytes())[0].not_valid_after_utc


@lru_cache(maxsize=8)
def _load(key_path: Path, chain_path: Path, passphrase: bytes | None, _stamps: tuple[int, int]) -> OwnKey:
    chain = x509.load_pem_x509_certificates(chain_path.read_bytes())
    key = read_signing_key(key_path, passphrase)
    if key.public.spki() != key_of(chain[0]).spki():
        raise KeyUnusable(
            f"签名密钥 {key_path} 与证书 {chain_path} 不符；请放入成对的文件，或移走两者后执行 xinqiao init。",
            f"the signing key {key_path} does not fit {chain_path}; put both of a pair there, "
            "or move both away and run `xinqiao init`",
            path=str(key_path),
        )
    return OwnKey(key, tuple(one.public_bytes(Encoding.DER) for one in chain))
