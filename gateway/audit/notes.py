"""Signed notes and checkpoints as C2SP defines them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

Texts and signatures only; where keys lie is in `gateway.audit.keys`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.audit.merkle import HASH_BYTES

LOG_KEY = b"\x01"
"""Signature type of Ed25519 in key identifiers and encoded keys (signed-note, "Signature types")."""

WITNESS_KEY = b"\x04"
"""Signature type of timestamped Ed25519 cosignatures (tlog-cosignature)."""

KEY_ID_BYTES = 4

MAX_NOTE_BYTES = 64 * 1024
"""Longest note that is read; room for far more than the 16 signatures every verifier must accept."""


_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
"""Decimal without leading zeroes, within 63 bits."""


class NoteError(ValueError):
    """A note is malformed, or not signed by the key that is trusted."""


@dataclass(frozen=True)
class Verifier:
    """A name with its public key, as an auditor keeps it.

    Attributes:
        name: of the log or witness, without blanks and plus signs.
        public_key: 32 bytes, Ed25519.
        kind: `LOG_KEY` or `WITNESS_KEY`, one byte.
    """

    name: str
    public_key: bytes
    kind: bytes = LOG_KEY

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256(name || 0x0A || kind || public key)."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.public_key).digest()[:KEY_ID_BYTES]

    def text(self) -> str:
        """The key as one line, ``name+id+key``: the *vkey* that is handed to auditors."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(self.kind + self.public_key)}"


def check_name(name: str) -> None:
    """Refuse a name that cannot stand in a signature line.

    Raises:
        NoteError: empty, or with a blank, control character or plus sign in it.
    """
    if not name or "+" in name or any(character.isspace() or character < " " for character in name):
        raise NoteError(f"expected a name without blanks and plus signs, got {name!r}")


def parse_vkey(text: str, kind: bytes = LOG_KEY) -> Verifier:
    """Read a *vkey* line.

    Args:
        kind: the signature type that is expected.

    Raises:
        NoteError: not a vkey, not Ed25519 of this type, or the id does not belong to name and key.
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise NoteError(f"expected name+id+key, got {text.strip()!r}")
    name, key_id, encoded = parts
    check_name(name)
    key = _unbase64(encoded)
    if key[:1] != kind or len(key) != 33:
        raise NoteError(f"vkey {name}: expected an Ed25519 key of type {kind.hex()}")
    verifier = Verifier(name, key[1:], kind)
    if verifier.key_id.hex() != key_id:
        raise NoteError(f"vkey {name}: expected id {verifier.key_id.hex()}, got {key_id}")
    return verifier


@dataclass(frozen=True)
class Signer:
    """A name with its private key."""

    name: str
    key: Ed25519PrivateKey

    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The note: ``text``, an empty line, and one signature line.

        Raises:
            NoteError: the text does not end in a newline.
        """
        if not text.endswith("\n"):
            raise NoteError("the text of a note ends in a newline")
        return f"{text}\n{signature_line(self.verifier(), self.key.sign(text.encode()))}"


def signature_line(verifier: Verifier, signature: bytes) -> str:
    """One signature line with its line feed."""
    return f"— {verifier.name} {_base64(verifier.key_id + signature)}\n"


def open_note(note: str, verifier: Verifier) -> str:
    """The text of a note that carries a good signature of ``verifier``.

    Lines of other keys (witnesses) are left alone.

    Raises:
        NoteError: malformed, not signed by this key, or the signature is false.
    """
    text, signatures = split_note(note)
    found = [signature for name, signature in signatures if is_by(verifier, name, signature)]
    if not found:
        raise NoteError(f"not signed by {verifier.name} with key {verifier.key_id.hex()}")
    for signature in found:
        verify_bytes(verifier, signature[KEY_ID_BYTES:], text.encode())
    return text


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """A note's text, and its signatures: name and bytes (key id first), in order. Nothing is verified.

    Raises:
        NoteError: malformed (signed-note, "Format").
    """
    if len(note) > MAX_NOTE_BYTES:
        raise NoteError(f"a note has at most {MAX_NOTE_BYTES} bytes, got {len(note)}")
    if any(character < " " and character != "\n" for character in note):
        raise NoteError("a note has no control characters other than line feeds")
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteError("not a signed note: no signature lines")
    # Not splitlines(): to that, several other characters end a line too.
    return f"{text}\n", [parse_signature(line) for line in lines[:-1].split("\n")]


def parse_signature(line: str) -> tuple[str, bytes]:
    """Name and bytes (key id first) of one signature line, without its line feed.

    Raises:
        NoteError: not a signature line.
    """
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not parts[1]:
        raise NoteError(f"not a signature line: {line!r}")
    name, signature = parts[1], _unbase64(parts[2])
    if len(signature) <= KEY_ID_BYTES:
        raise NoteError(f"signature of {name}: too short")
    return name, signature


def is_by(verifier: Verifier, name: str, signature: bytes) -> bool:
    """Whether a signature names this key; both name and id must, or it is somebody else's."""
    return name == verifier.name and signature[:KEY_ID_BYTES] == verifier.key_id


def verify_bytes(verifier: Verifier, signature: bytes, signed: bytes) -> None:
    """Verify 64 bytes of Ed25519 signature.

    Raises:
        NoteError: it is false.
    """
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public_key).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise NoteError(f"the signature of {verifier.name} is false") from error


@dataclass(frozen=True)
class Checkpoint:
    """What the log commits itself to: how many entries, and the root over them.

    Attributes:
        origin: name of the log.
        size: number of entries.
        root: RFC 6962 root over their leaf hashes.
        note: the signed note (tlog-checkpoint) it was read from or written as.
    """

    origin: str
    size: int
    root: bytes
    note: str


def sign_checkpoint(signer: Signer, size: int, root: bytes) -> Checkpoint:
    """Sign size and root; the origin is the signer's name."""
    text = f"{signer.name}\n{size}\n{_base64(root)}\n"
    return Checkpoint(signer.name, size, root, signer.sign(text))


def open_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """Read a checkpoint whose signature and origin are those of ``verifier``.

    Raises:
        NoteError: not a checkpoint, another log's, or not signed by this key.
    """
    checkpoint = parse_checkpoint(note)
    if checkpoint.origin != verifier.name:
        raise NoteError(f"checkpoint of another log: expected {verifier.name}, got {checkpoint.origin}")
    open_note(note, verifier)
    return checkpoint


def parse_checkpoint(note: str) -> Checkpoint:
    """Read a checkpoint without verifying any signature: to learn whose it says it is, and nothing more.

    Raises:
        NoteError: not a checkpoint.
    """
    lines = split_note(note)[0][:-1].split("\n")
    if len(lines) < 3 or "" in lines or not _SIZE.fullmatch(lines[1]):
        raise NoteError("not a checkpoint: expected origin, size and root")
    root = _unbase64(lines[2])
    if len(root) != HASH_BYTES:
        raise NoteError(f"root of the checkpoint: expected {HASH_BYTES} bytes, got {len(root)}")
    return Checkpoint(lines[0], int(lines[1]), root, note)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"not base64: {text!r}") from error
