"""JWS in compact form (RFC 7515), detached from its payload (appendix F), unencoded if it says so (RFC 7797).

Ours and not a library's because a file of any size is verified in pieces and SM2 is no registered algorithm;
the tests hold it against an independent JOSE library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from certs.signed.proof import FindKey, KeyHint, Verified, hint_of_certificate, instant_of, invalid, wrong
from certs.suites import BadSignature, PrivateKey

FORM = "jws"
_MAX_TEXT = 64 * 1024
# RFC 9864 deprecates the name that RFC 8037 gave; most signers still write it.
_ALSO = {"Ed25519": {"EdDSA", "Ed25519"}}
# Base64 without padding in the middle: pieces of a multiple of three.
_PIECE = 3 * 64 * 1024


def encode(octets: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Bytes out of base64url without padding.

    Raises:
        ValueError: another alphabet, padding, or bits left over.
    """
    if "=" in text or "+" in text or "/" in text:
        raise ValueError("expected base64url without padding")
    octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encode(octets) != text:
        raise ValueError("bits are left over")
    return octets


def sign(key: PrivateKey, payload: Iterable[bytes], header: Mapping[str, Any], *, is_unencoded: bool = False) -> str:
    """Sign a payload, detached.

    Args:
        payload: in pieces, read once.
        header: protected header; ``alg`` (and ``b64``, ``crit`` for an unencoded payload) are added.
        is_unencoded: sign the bytes themselves and not their base64 (RFC 7797): for files.

    Returns:
        ``header..signature``.
    """
    extra = {"b64": False, "crit": ["b64"]} if is_unencoded else {}
    said = json.dumps({"alg": key.algorithm.jws, **header, **extra}, ensure_ascii=False, separators=(",", ":"))
    protected = encode(said.encode())
    return f"{protected}..{encode(key.sign(_signing_input(protected, payload, is_unencoded)))}"


def chain_header(chain_der: Sequence[bytes]) -> dict[str, Any]:
    """The members that name a signer's certificate and bring its chain (RFC 7515, 4.1.6 and 4.1.8)."""
    return {
        "x5t#S256": encode(hashlib.sha256(chain_der[0]).digest()),
        "x5c": [base64.b64encode(der).decode() for der in chain_der],
    }


def header_of(text: str) -> dict[str, Any]:
    """The protected header of a compact JWS, unverified: for finding the key.

    Raises:
        SignatureInvalid: not a detached compact JWS.
    """
    return _split(text)[1]


def verify(text: str, payload: Callable[[], Iterable[bytes]], find: FindKey) -> Verified:
    """Verify a detached compact JWS over a payload.

    Args:
        payload: gives the payload from its beginning, in pieces.

    Raises:
        SignatureInvalid: malformed, of a key that is not believed, or wrong.
    """
    protected, header, signature = _split(text)
    is_unencoded = _is_unencoded(header)
    signer = find(_hint(header))
    name = signer.key.algorithm.jws
    if header.get("alg") not in _ALSO.get(name, {name}):
        raise invalid(
            FORM,
            f"声明的算法 {header.get('alg')!r} 与密钥的算法 {name} 不符",
            f"alg says {header.get('alg')!r}, the key is for {name}",
        )
    seen = hashlib.sha256()
    try:
        signer.key.verify(signature, _tee(_signing_input(protected, payload(), is_unencoded), seen.update))
    except BadSignature as error:
        raise wrong(FORM, signer) from error
    created = header.get("iat")
    return Verified(
        FORM,
        signer,
        ("protected header", "payload"),
        seen.hexdigest(),
        instant_of(created) if isinstance(created, int) and not isinstance(created, bool) else None,
    )


def _split(text: str) -> tuple[str, dict[str, Any], bytes]:
    parts = text.strip().split(".") if len(text) <= _MAX_TEXT else []
    if len(parts) != 3 or parts[1]:
        raise invalid(
            FORM, "应为分离的紧凑 JWS（header..signature）", "expected a detached compact JWS (header..signature)"
        )
    try:
        header = json.loads(decode(parts[0]), object_pairs_hook=_distinct)
        signature = decode(parts[2])
    except (ValueError, binascii.Error, RecursionError) as error:
        raise invalid(FORM, f"无法读取：{error}", f"it cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise invalid(FORM, "保护头不是 JSON 对象", "the protected header is no JSON object")
    return parts[0], header, signature


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 7515, 4: of two members of one name one reader takes the first and another the last.
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a member is said twice")
    return dict(pairs)


def _is_unencoded(header: Mapping[str, Any]) -> bool:
    # RFC 7515, 4.1.11: what is critical must be understood; RFC 7797, 6: b64 must be named critical.
    critical, encoded = header.get("crit", []), header.get("b64", True)
    if "crit" in header and critical != ["b64"]:
        raise invalid(FORM, f"不理解 crit {critical!r}", f"crit {critical!r} is not understood")
    if not isinstance(encoded, bool) or ("b64" in header) != ("crit" in header):
        raise invalid(FORM, "b64 应为布尔值并列入 crit", "b64 must be a boolean and named in crit")
    return not encoded


def _hint(header: Mapping[str, Any]) -> KeyHint:
    ids = []
    if isinstance(kid := header.get("kid"), str):
        ids.append(kid.lower().replace(":", ""))
    try:
        if isinstance(thumb := header.get("x5t#S256"), str):
            ids.append(decode(thumb).hex())
        certificates = header.get("x5c")
        if isinstance(certificates, list) and certificates and isinstance(certificates[0], str):
            return hint_of_certificate(base64.b64decode(certificates[0], validate=True), *ids)
    except (ValueError, binascii.Error) as error:
        raise invalid(FORM, f"证书引用无法读取：{error}", f"its certificate cannot be read: {error}") from error
    return KeyHint(tuple(ids))


def _signing_input(protected: str, payload: Iterable[bytes], is_unencoded: bool) -> Iterator[bytes]:
    return chain([protected.encode() + b"."], payload if is_unencoded else _encoded(payload))


def _encoded(payload: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in payload:
        held += piece
        whole = len(held) - len(held) % 3 if len(held) >= _PIECE else 0
        if whole:
            yield encode(held[:whole]).encode()
            held = held[whole:]
    yield encode(held).encode()


def _tee(chunks: Iterable[bytes], also: Callable[[bytes], object]) -> Iterator[bytes]:
    for piece in chunks:
        also(piece)
        yield piece
