"""Verifying RFC 3161 time-stamps over checkpoints: a third party says that the log was so by then."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from gateway.audit.merkle import ProofError

CHECKPOINT_FILE, TOKEN_FILE = "timestamp.checkpoint", "timestamp.tsr"
"""Files of the log: the checkpoint that was stamped last, and the answer of the authority."""


def verify_stamp(note: str, token: bytes, roots: bytes, nonce: int | None = None) -> datetime:
    """Verify a time-stamp over a checkpoint's note.

    Args:
        note: the signed note as it was stamped.
        token: the answer of the authority, DER (RFC 3161, 2.4.2).
        roots: PEM of the authorities that are believed; those that are not self-signed are intermediates.
        nonce: that of the request, where it is known.

    Returns:
        the authority's time, UTC.

    Raises:
        ProofError: not a good time-stamp of this note by one of these authorities.
    """
    try:
        certificates = x509.load_pem_x509_certificates(roots)
        own = [one for one in certificates if one.issuer == one.subject]
        others = [one for one in certificates if one.issuer != one.subject]
        verifier = VerifierBuilder(roots=own, intermediates=others, nonce=nonce).build()
        answer = decode_timestamp_response(token)
        verifier.verify_message(answer, note.encode())
    except (VerificationError, ValueError) as error:
        raise ProofError(f"time-stamp: {error}") from error
    return answer.tst_info.gen_time
