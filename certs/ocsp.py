"""An OCSP responder (RFC 6960): bytes of a request in, bytes of a signed answer out. No network here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from certs.errors import UNREADABLE
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


def respond(
    request: bytes,
    issuer: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    standing: Callable[[int], Standing],
    now: datetime,
) -> bytes:
    """Answer how one certificate stands, signed by its issuer itself (RFC 6960, 2.2).

    Args:
        request: DER of an OCSPRequest for one certificate; a nonce is given back (RFC 9654).
        standing: how a serial number of this issuer stands.

    Returns:
        DER of an OCSPResponse; always one, also for what cannot be read (``malformedRequest``)
        and for certificates of other issuers (``unauthorized``, RFC 6960, 2.3).
    """
    if len(request) > MAX_REQUEST_BYTES:
        return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    try:
        asked = ocsp.load_der_ocsp_request(request)
        algorithm = _HASHES.get(asked.hash_algorithm.name)
        nonce = _nonce(asked)
    except UNREADABLE:
        return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    if algorithm is None or not _is_about(asked, issuer, algorithm):
        return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    found = standing(asked.serial_number)
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
        .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
        .certificates([issuer])
    )
    if nonce is not None:
        builder = builder.add_extension(nonce, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


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
