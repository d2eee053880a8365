"""A detached CMS signature beside a file (RFC 5652, 5): what ``openssl cms -sign -binary`` writes.

One signer; signed attributes if there are any are what the signature is over. SM2 as in GM/T 0010 with
the content types of CMS, since OpenSSL has no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from asn1crypto import cms, pem

from certs.signed.proof import FindKey, KeyHint, Signer, Verified, check, hint_of_certificate, invalid, wrong
from certs.suites import Algorithm, BadSignature
from certs.suites.base import hashed
from certs.suites.encoding import raw_signature

FORM = "cms"
_MAX_BYTES = 256 * 1024
_DATA = "data"
# What products write as the signature algorithm beside the registered one: the key's, or the curve's without a digest.
_ALSO_SM2 = ("1.2.156.10197.1.301.1", "1.2.156.10197.1.301", "1.2.840.10045.2.1")

# asn1crypto raises these while a structure is walked.
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)


def verify(encoded: bytes, content: Callable[[], Iterable[bytes]], find: FindKey) -> Verified:
    """Verify a detached CMS signature over a file.

    Args:
        encoded: DER or PEM.
        content: gives the file from its beginning, in pieces.

    Raises:
        SignatureInvalid: malformed, of a key that is not believed, or wrong.
    """
    try:
        signed = _read(encoded)
        info = _one_signer(signed)
        signer = find(_hint(signed, info))
        algorithm = signer.key.algorithm
        _check_algorithms(info, algorithm)
        signature = _raw(info["signature"].native, signer)
        if not info["signed_attrs"]:
            return _over_content(signature, content, signer)
        return _over_attributes(info, signature, hashed(content(), algorithm.digest()), signer)
    except _UNREADABLE as error:
        raise invalid(FORM, f"不是可读的 CMS：{error}", f"it is no readable CMS: {error}") from error


def _read(encoded: bytes) -> Any:
    if len(encoded) > _MAX_BYTES:
        raise ValueError(f"larger than {_MAX_BYTES} bytes")
    if pem.detect(encoded):
        _, _, encoded = pem.unarmor(encoded)
    content = cms.ContentInfo.load(encoded, strict=True)
    if content["content_type"].native != "signed_data":
        raise ValueError("no SignedData")
    signed = content["content"]
    if signed["encap_content_info"]["content"].native is not None:
        raise ValueError("the content is inside; expected a detached signature")
    return signed


def _one_signer(signed: Any) -> Any:
    infos = signed["signer_infos"]
    if len(infos) != 1:
        raise ValueError(f"expected one signer, found {len(infos)}")
    return infos[0]


def _hint(signed: Any, info: Any) -> KeyHint:
    sid = info["sid"]
    serial = ""
    if sid.name == "issuer_and_serial_number":
        serial = f"{sid.chosen['serial_number'].native:040x}"
    for choice in signed["certificates"]:
        if choice.name == "certificate" and _is_of(sid, choice.chosen):
            return hint_of_certificate(choice.chosen.dump(), *filter(None, [serial]))
    return KeyHint(tuple(filter(None, [serial])))


def _is_of(sid: Any, certificate: Any) -> bool:
    if sid.name == "issuer_and_serial_number":
        named = sid.chosen
        return bool(
            named["serial_number"].native == certificate.serial_number and named["issuer"] == certificate.issuer
        )
    return bool(sid.chosen.native == certificate.key_identifier)


def _check_algorithms(info: Any, algorithm: Algorithm) -> None:
    digest, signature = info["digest_algorithm"]["algorithm"].dotted, info["signature_algorithm"]["algorithm"].dotted
    also = _ALSO_SM2 if algorithm.name == "sm2-sm3" else ()
    if digest != algorithm.cms_digest or signature not in (algorithm.cms, *also):
        raise ValueError(f"digest {digest} and signature {signature} are not those of {algorithm.name}")


def _raw(signature: bytes, signer: Signer) -> bytes:
    if not signer.key.algorithm.is_der:
        return signature
    try:
        return raw_signature(signature)
    except BadSignature as error:
        raise wrong(FORM, signer) from error


def _over_content(signature: bytes, content: Callable[[], Iterable[bytes]], signer: Signer) -> Verified:
    try:
        signer.key.verify(signature, content())
    except BadSignature as error:
        raise wrong(FORM, signer) from error
    return Verified(FORM, signer, ("content",), hashed(content(), signer.key.algorithm.digest()).hex())


def _over_attributes(info: Any, signature: bytes, digest: bytes, signer: Signer) -> Verified:
    attributes: dict[str, Any] = {}
    for attribute in info["signed_attrs"]:
        kind = attribute["type"].dotted
        # RFC 5652, 11: each of them once and with one value.
        if kind in attributes:
            raise ValueError(f"attribute {kind} is said twice")
        attributes[kind] = attribute["values"]
    content_type, stated = attributes["1.2.840.113549.1.9.3"], attributes["1.2.840.113549.1.9.4"]
    if [value.native for value in content_type] != [_DATA]:
        raise ValueError("the content type is not data")
    if [value.native for value in stated] != [digest]:
        raise wrong(FORM, signer)
    # RFC 5652, 5.4: the signature is over the attributes with the tag of a SET, in DER.
    signed = info["signed_attrs"].untag().dump(force=True)
    check(FORM, signer, signature, signed)
    return Verified(
        FORM, signer, ("signed attributes", "content"), hashlib.sha256(signed).hexdigest(), _signing_time(attributes)
    )


def _signing_time(attributes: dict[str, Any]) -> datetime | None:
    values = attributes.get("1.2.840.113549.1.9.5")
    found = values[0].native if values is not None and len(values) == 1 else None
    return found if isinstance(found, datetime) else None
