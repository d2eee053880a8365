"""Signed notes and checkpoints as C2SP defines them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

Texts and signatures only; where keys lie is in `gateway.audit.keys`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.audit.merkle import HASH_BYTES

_ED25519 = b"\x01"
"""Signature type of Ed25519 in key identifiers and encoded keys (signed-note, "Signature types")."""

_KEY_ID_BYTES = 4


class NoteError(ValueError):
    """A note is malformed, or not signed by the key that is trusted."""


@dataclass(frozen=True)
class Verifier:
    """A name with its public key, as an auditor keeps it.

    Attributes:
        name: of the log, without blanks and plus signs.
        public_key: 32 bytes, Ed25519.
    """

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256(name || 0x0A || 0x01 || public key)."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:_KEY_ID_BYTES]

    def text(self) -> str:
        """The key as one line, ``name+id+key``: the *vkey* that is handed to auditors."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.public_key)}"


def parse_vkey(text: str) -> Verifier:
    """Read a *vkey* line.

    Raises:
        NoteError: not a vkey, not Ed25519, or the id does not belong to name and key.
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise NoteError(f"expected name+id+key, got {text.strip()!r}")
    name, key_id, encoded = parts
    key = _unbase64(encoded)
    if key[:1] != _ED25519 or len(key) != 33:
        raise NoteError(f"vkey {name}: expected an Ed25519 key")
    verifier = Verifier(name, key[1:])
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
        signature = self.verifier().key_id + self.key.sign(text.encode())
        return f"{text}\n— {self.name} {_base64(signature)}\n"


def open_note(note: str, verifier: Verifier) -> str:
    """The text of a note that carries a good signature of ``verifier``.

    Lines of other keys (witnesses) are left alone.

    Raises:
        NoteError: malformed, not signed by this key, or the signature is false.
    """
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteError("not a signed note: no signature lines")
    text += "\n"
    for line in lines.splitlines():
        name, signature = _signature(line)
        if name == verifier.name and signature[:_KEY_ID_BYTES] == verifier.key_id:
            try:
                Ed25519PublicKey.from_public_bytes(verifier.public_key).verify(signature[_KEY_ID_BYTES:], text.encode())
            except InvalidSignature as error:
                raise NoteError(f"the signature of {name} is false") from error
            return text
    raise NoteError(f"not signed by {verifier.name} with key {verifier.key_id.hex()}")


def _signature(line: str) -> tuple[str, bytes]:
    dash, name, encoded = (line.split(" ") + ["", ""])[:3]
    if dash != "—" or not name:
        raise NoteError(f"not a signature line: {line!r}")
    return name, _unbase64(encoded)


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
    lines = open_note(note, verifier).splitlines()
    if len(lines) < 3 or not (lines[1].isascii() and lines[1].isdigit()) or str(int(lines[1])) != lines[1]:
        raise NoteError("not a checkpoint: expected origin, size and root")
    if lines[0] != verifier.name:
        raise NoteError(f"checkpoint of another log: expected {verifier.name}, got {lines[0]}")
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
