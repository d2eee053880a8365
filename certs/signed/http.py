"""HTTP message signatures (RFC 9421) over requests, and the Content-Digest (RFC 9530) that binds the body.

The signature base is ``http_message_signatures``' work; the algorithms are the suites'. What a signature
must cover and how old it may be is decided here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import http_sf
from cryptography.hazmat.primitives import hashes
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)

from certs.signed.proof import FindKey, KeyHint, Signer, Verified, check_age, instant_of, invalid
from certs.suites import ALGORITHMS, Algorithm, BadSignature, PrivateKey

FORM = "http"
TAG = "xinqiao"
"""The ``tag`` of signatures that are meant for us (RFC 9421, 2.3): others on the same request are others' business."""

REQUIRED = ("@method", "@authority", "@path", "content-digest")
"""What a signature must cover: which act, at which gateway, on which source, with which bytes."""

_MAX_FIELD = 16 * 1024
_MAX_NONCE = 256

DIGESTS: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256,
    "sha-512": hashes.SHA512,
    "sm3": hashes.SM3,
}
"""Algorithms of Content-Digest that are understood; ``sm3`` is registered nowhere."""


@dataclass(frozen=True)
class Fields:
    """The header fields of a message, repeated ones included, in their order."""

    lines: Sequence[tuple[str, str]]

    def items(self) -> Sequence[tuple[str, str]]:
        """Name and value of each line."""
        return self.lines

    def value(self, name: str) -> str:
        """The lines of one name joined (RFC 9110, 5.3), or empty."""
        return ", ".join(value for known, value in self.lines if known.lower() == name.lower())


@dataclass(frozen=True)
class Request:
    """A request as it was sent.

    Attributes:
        method: upper case.
        url: absolute, percent-encoded, as the client addressed it.
        headers: its fields.
    """

    method: str
    url: str
    headers: Fields


def is_signed(headers: Fields) -> bool:
    """Whether there is a signature of any kind on the message."""
    return bool(headers.value("signature") or headers.value("signature-input"))


def verify(request: Request, find: FindKey, now: datetime, max_age: timedelta) -> Verified:
    """Verify the signature that is meant for us. The digest of the body is ``check_digest``'s.

    Args:
        now: UTC, aware.
        max_age: since ``created``.

    Raises:
        SignatureInvalid: missing, malformed, does not cover ``REQUIRED``, is of a key that is not believed, or wrong.
        SignatureStale: too old, of the future, or expired.
    """
    parameters = _parameters(request.headers)
    _check_time(parameters, now, max_age)
    nonce = parameters.get("nonce")
    if not isinstance(nonce, str) or not 0 < len(nonce) <= _MAX_NONCE:
        raise invalid(FORM, "缺少 nonce", "there is no nonce")
    key_id = parameters.get("keyid")
    if not isinstance(key_id, str):
        raise invalid(FORM, "缺少 keyid", "there is no keyid")
    signer = find(KeyHint((key_id.lower().replace(":", ""),)))
    verifier = _Verifier(signature_algorithm=_algorithm(signer.key.algorithm), key_resolver=_Resolver(signer))
    try:
        found = verifier.verify(request, max_age=None, expect_tag=TAG, require_components=REQUIRED)
    except (HTTPMessageSignaturesException, BadSignature) as error:
        raise invalid(FORM, f"{error}", f"{error}", key_id=signer.key_id) from error
    if len(found) != 1:
        raise invalid(FORM, f"标签 {TAG} 的签名应恰有一个", f"expected exactly one signature with the tag {TAG}")
    covered = found[0].covered_components
    base = "\n".join(f"{name}: {value}" for name, value in covered.items())
    names = tuple(name.strip('"') for name in covered if name != '"@signature-params"')
    created = instant_of(int(parameters["created"]))
    return Verified(FORM, signer, names, hashlib.sha256(base.encode()).hexdigest(), created, nonce)


def check_digest(headers: Fields, digest_of: Callable[[str], bytes]) -> None:
    """Hold the body against Content-Digest: every digest of an algorithm we know must be right, and one at least.

    Args:
        digest_of: gives the body's digest by the algorithm's name in ``DIGESTS``.

    Raises:
        SignatureInvalid: none is known, or one is wrong.
    """
    stated = _dictionary(headers, "content-digest")
    known = {name: value for name, (value, _) in stated.items() if name in DIGESTS}
    if not known:
        raise invalid(
            FORM,
            f"Content-Digest 须含 {'、'.join(DIGESTS)} 之一",
            f"Content-Digest must hold one of {', '.join(DIGESTS)}",
        )
    for name, value in known.items():
        if value != digest_of(name):
            raise invalid(
                FORM, f"正文与 Content-Digest（{name}）不符", f"the body has another {name} than Content-Digest says"
            )


def digest_field(name: str, digest: bytes) -> str:
    """A Content-Digest field of one digest."""
    return str(http_sf.ser({name: digest}))


def sign(
    message: Any,
    key: PrivateKey,
    key_id: str,
    covered: Iterable[str],
    created: datetime,
    nonce: str | None = None,
) -> None:
    """Sign a request or an answer in place: its ``Signature-Input`` and ``Signature`` are added.

    Args:
        message: as ``http_message_signatures`` takes it; ``requests.PreparedRequest`` is one.
    """
    signer = _Signer(signature_algorithm=_algorithm(key.algorithm), key_resolver=_Resolver(private=key))
    signer.sign(
        message, key_id=key_id, created=created, nonce=nonce, label=TAG, tag=TAG, covered_component_ids=tuple(covered)
    )


def _parameters(headers: Fields) -> Mapping[str, Any]:
    inputs = _dictionary(headers, "signature-input")
    ours = [parameters for _, parameters in inputs.values() if parameters.get("tag") == TAG]
    if len(ours) != 1:
        raise invalid(
            FORM,
            f'标签为 tag="{TAG}" 的签名应恰有一个，实有 {len(ours)} 个',
            f'expected exactly one signature with tag="{TAG}", found {len(ours)}',
        )
    return dict(ours[0])


def _dictionary(headers: Fields, name: str) -> Mapping[str, tuple[Any, Mapping[str, Any]]]:
    value = headers.value(name)
    if not value or len(value) > _MAX_FIELD:
        raise invalid(FORM, f"缺少标头 {name}", f"header {name} is missing or too long")
    try:
        # RFC 8941 lets the last of two members of one name win; the library refuses them in signatures, so do we.
        return cast("Mapping[str, Any]", http_sf.parse(value.encode(), tltype="dictionary", on_duplicate_key=_refuse))
    except (ValueError, http_sf.StructuredFieldError) as error:
        raise invalid(FORM, f"标头 {name} 无法读取", f"header {name} cannot be read: {error}") from error


def _refuse(key: str, _context: str) -> None:
    raise ValueError(f"{key} is said twice")


def _check_time(parameters: Mapping[str, Any], now: datetime, max_age: timedelta) -> None:
    created, expires = parameters.get("created"), parameters.get("expires")
    made = instant_of(created) if type(created) is int else None
    if made is None:
        raise invalid(FORM, "缺少 created", "there is no created")
    stated = None
    if expires is not None:
        stated = instant_of(expires) if type(expires) is int else None
        if stated is None:
            raise invalid(FORM, "expires 不是时刻", "expires is no instant")
    check_age(made, stated, now, max_age)


class _Digest(ContentDigest):
    """Content-Digest as the message has it: ours may be SM3, which the library does not know."""

    @classmethod
    def prepare(cls, headers: object, body: bytes | None, *, use_existing_digest: bool) -> None:
        """Made before."""


class _Signer(HTTPMessageSigner):
    """The library's signer; the digest stands in the message already."""

    content_digest_class = _Digest


class _Verifier(HTTPMessageVerifier):
    """The library's verifier; time has been judged before, by our own clock."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """Judged by ``_check_time``."""


@dataclass(frozen=True)
class _Resolver(HTTPSignatureKeyResolver):
    signer: Signer | None = None
    private: PrivateKey | None = None

    def resolve_public_key(self, key_id: str) -> Signer | None:
        """The key that was found before."""
        return self.signer

    def resolve_private_key(self, key_id: str) -> PrivateKey | None:
        """The key to sign with."""
        return self.private


def _algorithm(algorithm: Algorithm) -> type[HTTPSignatureAlgorithm]:
    return _ALGORITHMS[algorithm.name]


class _OfSuite(HTTPSignatureAlgorithm):
    """A suite's algorithm as the library calls it."""

    def __init__(self, public_key: Any = None, private_key: Any = None) -> None:
        self.signer, self.private = public_key, private_key

    def sign(self, message: bytes) -> bytes:
        """Sign the signature base."""
        made: bytes = self.private.sign([message])
        return made

    def verify(self, signature: bytes, message: bytes) -> None:
        """Verify over the signature base."""
        try:
            self.signer.key.verify(signature, [message])
        except BadSignature as error:
            raise InvalidSignature("the signature does not belong to this request and key") from error


_ALGORITHMS = {name: type(name, (_OfSuite,), {"algorithm_id": name}) for name in ALGORITHMS}
