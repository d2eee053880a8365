"""Asking another authority's OCSP responder (RFC 6960), and believing only what its authority signed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from certs.answers import SKEW, Answer, unknown
from certs.checks import SIGNATURE_ALGORITHMS, Place, critical_extensions, key_strength, signature_algorithm
from certs.errors import UNREADABLE, Unanswered
from certs.extensions import value_of
from certs.fetching import Address, fetch
from certs.revocation import REASONS, Status

log = structlog.get_logger(__name__)

NONCE_BYTES = 32  # RFC 9654, 2.1
MAX_ANSWERS = 4096
MAX_ANSWER_BYTES = 64 * 1024
RETRY_SECONDS = 10.0


@dataclass(frozen=True)
class _Known:
    """An answer and when the responder is to be asked again; both by our own clock."""

    answer: Answer
    due_at: float


class OcspUrl:
    """A responder. Safe to share between threads; what it says counts until its own end, and is asked again sooner.

    Answers are kept in this process only: after a restart the responder must answer first.
    """

    is_asked = True

    def __init__(self, address: Address, refresh_seconds: float) -> None:
        self.name = address.url
        self._address, self._refresh = address, refresh_seconds
        self._lock = threading.Lock()
        self._known: dict[tuple[x509.Certificate, int], _Known] = {}
        self._silent_until, self._problem = 0.0, ""

    def at_hand(self, authorities: Sequence[x509.Certificate]) -> tuple[datetime | None, str]:
        """Nothing for all certificates."""
        return None, ""

    def answer(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer:
        """What the responder says; what it said before while that is fresh, or while it is silent."""
        key = (issuer, certificate.serial_number)
        with self._lock:
            known, is_silent = self._known.get(key), time.monotonic() < self._silent_until
        if known is not None and (is_silent or time.monotonic() < known.due_at and not _has_ended(known.answer, now)):
            return known.answer
        if is_silent:
            return unknown(self._problem)
        try:
            answer = ask(self._address, certificate, issuer, now)
        except Unanswered as error:
            return self._note_silence(error, known)
        if answer.status is not Status.UNKNOWN:
            self._remember(key, answer)
        return answer

    def _note_silence(self, error: Unanswered, known: _Known | None) -> Answer:
        log.warning("ocsp responder did not answer", url=self.name, error=error.en)
        with self._lock:
            self._silent_until, self._problem = time.monotonic() + RETRY_SECONDS, error.en
        return known.answer if known is not None else unknown(error.en)

    def _remember(self, key: tuple[x509.Certificate, int], answer: Answer) -> None:
        with self._lock:
            if len(self._known) >= MAX_ANSWERS:
                self._known.clear()
            self._known[key] = _Known(answer, time.monotonic() + self._refresh)


def ask(address: Address, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer:
    """Ask a responder about one certificate, once.

    Raises:
        Unanswered: it does not answer; what it answers, however wrong, is an ``Answer``.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    # SHA-1 only names the issuer here, as every responder understands it (RFC 6960, 4.3); nothing rests on it.
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303 - see above
    request = builder.add_extension(x509.OCSPNonce(nonce), critical=False).build()
    content = fetch(address, request.public_bytes(serialization.Encoding.DER), "application/ocsp-request")
    return read_answer(content, request, issuer, now)


def read_answer(content: bytes, request: ocsp.OCSPRequest, issuer: x509.Certificate, now: datetime) -> Answer:
    """What an answer says of the certificate that was asked about (RFC 6960, 3.2); unknown whenever it may not be used.

    Args:
        content: DER of an OCSPResponse.
        request: with the nonce that was sent.
    """
    if len(content) > MAX_ANSWER_BYTES:
        return unknown(f"an OCSP answer of {len(content)} bytes")
    try:
        response = ocsp.load_der_ocsp_response(content)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return unknown(f"OCSP status {response.response_status.name}")
        if problem := _unusable(response, request, issuer, now):
            return unknown(problem)
        return _said(response)
    except UNREADABLE as error:
        return unknown(f"the OCSP answer cannot be read: {error}")


def _unusable(response: ocsp.OCSPResponse, request: ocsp.OCSPRequest, issuer: x509.Certificate, now: datetime) -> str:
    """Why nothing may rest on an answer, or nothing."""
    if len(list(response.responses)) != 1 or not _is_about(response, request):
        return "the OCSP answer is not about the certificate that was asked about"
    if problem := _not_fresh(response, request, now):
        return problem
    extensions = [*response.extensions, *response.single_extensions]
    if critical := [e.oid.dotted_string for e in extensions if e.critical and e.oid != x509.OCSPNonce.oid]:
        return f"the OCSP answer has unknown critical extensions {critical}"
    return _not_authorised(response, issuer, now)


def _is_about(response: ocsp.OCSPResponse, request: ocsp.OCSPRequest) -> bool:
    asked = request.serial_number, request.issuer_name_hash, request.issuer_key_hash, request.hash_algorithm.name
    told = response.serial_number, response.issuer_name_hash, response.issuer_key_hash, response.hash_algorithm.name
    return asked == told


def _not_fresh(response: ocsp.OCSPResponse, request: ocsp.OCSPRequest, now: datetime) -> str:
    """RFC 6960, 3.2, items 5 and 6. Without a nextUpdate it says only how things stood at that moment."""
    sent, given = value_of(request.extensions, x509.OCSPNonce), value_of(response.extensions, x509.OCSPNonce)
    if given is not None and given != sent:
        return "the OCSP answer carries another nonce"
    if response.this_update_utc > now + SKEW:
        return f"the OCSP answer is of {response.this_update_utc}, which has not come yet"
    if response.next_update_utc is None and response.this_update_utc < now - SKEW:
        return f"the OCSP answer is of {response.this_update_utc} and has no end"
    return ""


def _not_authorised(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> str:
    """RFC 6960, 4.2.2.2: signed by the issuer itself, or by whom it named for this with a certificate of its own."""
    signer = next((c for c in (issuer, *response.certificates) if _has_signed(c, response)), None)
    if signer is None:
        return "the OCSP answer is signed by nobody known"
    if signer == issuer:
        return ""
    return _not_delegated(signer, issuer, now)


def _not_delegated(signer: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str:
    try:
        signer.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return "the OCSP answer is signed by a stranger"
    purposes = value_of(signer.extensions, x509.ExtendedKeyUsage) or ()
    if ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
        return "the OCSP answer is signed by a certificate that is not for it (id-kp-OCSPSigning)"
    if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
        return "the OCSP responder's certificate is not valid now"
    # Whoever answers for others must not have to be asked about itself: without this its revocation goes unseen.
    if value_of(signer.extensions, x509.OCSPNoCheck) is None:
        return "the OCSP responder's certificate lacks id-pkix-ocsp-nocheck, and nobody says whether it is revoked"
    rules = (check(signer, Place(now)) for check in (signature_algorithm, key_strength, critical_extensions))
    return next((f"the OCSP responder's certificate: {broken.en}" for broken in rules if broken), "")


def _has_signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    oid, algorithm, key = response.signature_algorithm_oid, response.signature_hash_algorithm, signer.public_key()
    if oid not in SIGNATURE_ALGORITHMS or oid == SignatureAlgorithmOID.RSASSA_PSS:
        return False
    signature, signed = response.signature, response.tbs_response_bytes
    try:
        match key:
            case rsa.RSAPublicKey() if algorithm is not None:
                key.verify(signature, signed, padding.PKCS1v15(), algorithm)
            case ec.EllipticCurvePublicKey() if algorithm is not None:
                key.verify(signature, signed, ec.ECDSA(algorithm))
            case ed25519.Ed25519PublicKey():
                key.verify(signature, signed)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _said(response: ocsp.OCSPResponse) -> Answer:
    until = response.next_update_utc or response.this_update_utc + SKEW
    if response.certificate_status is ocsp.OCSPCertStatus.GOOD:
        return Answer(Status.GOOD, until=until)
    if response.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        flag = response.revocation_reason
        reason = next((name for name, known in REASONS.items() if known is flag), "unspecified")
        return Answer(Status.REVOKED, reason, response.revocation_time_utc, until)
    return unknown("the OCSP responder does not know the certificate")


def _has_ended(answer: Answer, now: datetime) -> bool:
    return answer.until is not None and answer.until < now
