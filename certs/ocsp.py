"""An OCSP responder (RFC 6960): bytes of a request in, bytes of a signed answer out. No network here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from certs.errors import UNREADABLE, KeyUnusable
from certs.revocation import REASONS, Standing, Status

# How long an answer may be kept; suspension acts at once inside the gateway and within this time outside.
VALID_FOR = timedelta(minutes=5)
MAX_REQUEST_BYTES = 4096

_ANSWERS = {
    Status.GOOD: ocsp.OCSPCertStatus.GOOD,
    Status.REVOKED: ocsp.OCSPCertStatus.REVOKED,
    Status.UNKNOWN: ocsp.OCSPCertStatus.UNKNOWN,
}
# SHA-1 here only names the issuer, as every OCSP client does by default (RFC 6960, 4.3); nothing rests on it.
_HASHES: dict[str, hashes.HashAlgorithm] = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}  # noqa: S303 - see above


@dataclass(frozen=True)
class Responder:
    """Who answers for one issuing authority.

    Attributes:
        issuer: about whose certificates.
        certificate: of who signs: the issuer itself, or one that it delegated this to (RFC 6960, 4.2.2.2).
        open_key: gives the private key; asked only when an answer is signed.
    """

    issuer: x509.Certificate
    certificate: x509.Certificate
    open_key: Callable[[], ec.EllipticCurvePrivateKey]


def respond(
    request: bytes,
    responders: Sequence[Responder],
    standing: Callable[[x509.Certificate, int], Standing],
    now: datetime,
) -> bytes:
    """Answer how one certificate stands, signed by its issuer or by whom that delegated it to (RFC 6960, 2.2).

    Args:
        request: DER of an OCSPRequest for one certificate; a nonce is given back (RFC 9654).
        responders: one for each authority that is answered for.
        standing: how a serial number of an issuer stands.

    Returns:
        DER of an OCSPResponse; always one, also for what cannot be read (``malformedRequest``),
        for certificates of other issuers (``unauthorized``) and while the key is not at hand (``tryLater``; 2.3).
    """
    if len(request) > MAX_REQUEST_BYTES:
        return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    try:
        asked = ocsp.load_der_ocsp_request(request)
        algorithm, serial = _HASHES.get(asked.hash_algorithm.name), asked.serial_number
        nonce = _nonce(asked)
    except UNREADABLE:
        return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    if serial < 0:
        # No certificate has such a serial number (RFC 5280, 4.1.2.2), and an answer cannot name it.
        return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    ours = next((r for r in responders if algorithm is not None and _is_about(asked, r.issuer, algorithm)), None)
    if algorithm is None or ours is None:
        return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    found = standing(ours.issuer, serial)
    is_revoked = found.status is Status.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.serial_number,
            algorithm,
            _ANSWERS[found.status],
            now,
            now + VALID_FOR,
            found.since if is_revoked else None,
            REASONS.get(found.reason) if is_revoked else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, ours.certificate)
        .certificates([ours.certificate])
    )
    if nonce is not None:
        builder = builder.add_extension(nonce, critical=False)
    try:
        signed = builder.sign(ours.open_key(), hashes.SHA256())
    except KeyUnusable:
        return _refusal(ocsp.OCSPResponseStatus.TRY_LATER)
    return signed.public_bytes(serialization.Encoding.DER)


def _is_about(asked: ocsp.OCSPRequest, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> bool:
    """Whether the request names our issuer, by the hashes of its name and of its key (RFC 6960, 4.1.1)."""
    point = issuer.public_key().public_bytes(  # the value of the BIT STRING, without tag and length
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    ours = _digest(issuer.subject.public_bytes(), algorithm), _digest(point, algorithm)
    return (asked.issuer_name_hash, asked.issuer_key_hash) == ours


def _digest(content: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    return digest.finalize()


def _nonce(asked: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    try:
        return asked.extensions.get_extension_for_class(x509.OCSPNonce).value
    except x509.ExtensionNotFound:
        return None


def _refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)
