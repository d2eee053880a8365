"""Cosignatures: what a witness says of a checkpoint (c2sp.org/tlog-cosignature, cosignature/v1). Texts only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.notes import (
    KEY_ID_BYTES,
    WITNESS_KEY,
    NoteError,
    Verifier,
    is_by,
    parse_signature,
    signature_line,
    split_note,
    verify_bytes,
)

_TIMESTAMP_BYTES = 8
_MAX_TIMESTAMP = 2**63 - 1


@dataclass(frozen=True)
class Cosigner:
    """A witness' name with its private key."""

    name: str
    key: Ed25519PrivateKey

    def verifier(self) -> Verifier:
        """The public half, as auditors and logs keep it."""
        return Verifier(self.name, self.key.public_key().public_bytes_raw(), WITNESS_KEY)

    def cosign(self, text: str, now: datetime) -> str:
        """The signature line over a checkpoint's text: of all trees of this log that I have seen, this is the largest.

        Args:
            text: of the note, with its last line feed.
        """
        timestamp = int(now.timestamp())
        signature = self.key.sign(_signed(text, timestamp))
        return signature_line(self.verifier(), timestamp.to_bytes(_TIMESTAMP_BYTES) + signature)


def cosignatures(note: str, witnesses: Iterable[Verifier]) -> dict[Verifier, datetime]:
    """Which of these witnesses cosigned a checkpoint, and when by their clocks.

    Signatures of others are left alone.

    Raises:
        NoteError: malformed, or a signature that names one of them is false.
    """
    text, signatures = split_note(note)
    found = {}
    for witness in witnesses:
        for name, signature in signatures:
            if is_by(witness, name, signature):
                found[witness] = _verify(witness, signature[KEY_ID_BYTES:], text)
    return found


def good_lines(text: str, lines: str, witness: Verifier) -> str:
    """Those of the signature lines that are good cosignatures of ``witness``; whatever else stands there is dropped.

    Args:
        text: of the checkpoint's note.
        lines: as a witness answers; it is not trusted.
    """
    good = []
    for line in lines.split("\n"):
        try:
            name, signature = parse_signature(line)
            if is_by(witness, name, signature):
                _verify(witness, signature[KEY_ID_BYTES:], text)
                good.append(f"{line}\n")
        except NoteError:
            continue
    return "".join(good)


def _verify(witness: Verifier, signature: bytes, text: str) -> datetime:
    timestamp = int.from_bytes(signature[:_TIMESTAMP_BYTES])
    if len(signature) <= _TIMESTAMP_BYTES or timestamp > _MAX_TIMESTAMP:
        raise NoteError(f"cosignature of {witness.name}: expected a time and a signature")
    verify_bytes(witness, signature[_TIMESTAMP_BYTES:], _signed(text, timestamp))
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise NoteError(f"cosignature of {witness.name}: {timestamp} is no time") from error


def _signed(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()
