"""Encryption of what must not lie open: personal fields beside a record, rows in quarantine.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce; the sealed bytes are
``nonce ‖ ciphertext ‖ tag``. The context (record key, rejection) is authenticated with
them, so that sealed bytes moved to another record do not open.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


@dataclass(frozen=True)
class Sealer:
    """Seals and opens with the installation's key."""

    key: bytes

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Encrypt ``plain``; only ``open`` with the same context gives it back."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.key).encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt.

        Raises:
            cryptography.exceptions.InvalidTag: altered, of another context, or another key.
        """
        return AESGCM(self.key).decrypt(sealed[:_NONCE], sealed[_NONCE:], context)


def new_salt() -> bytes:
    """The 32 random bytes that go into the digests of one record's personal values."""
    return os.urandom(32)


def salted_digest(value: str, salt: bytes) -> str:
    """What a record's payload says about a personal value: SHA-256 over its salt and the value, hex."""
    return hashlib.sha256(salt + value.encode()).hexdigest()


def create_seal_key(path: Path) -> None:
    """Write a new random key readable by its owner alone.

    Raises:
        FileExistsError: there is one already; replacing it would make everything sealed unreadable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(32))


def load_sealer(home: Path) -> Sealer:
    """The sealer of an installation.

    Raises:
        FileNotFoundError: the home has not been initialised.
    """
    return Sealer(seal_key_path(home).read_bytes())


def seal_key_path(home: Path) -> Path:
    """Where the key lies."""
    return home / "keys" / "seal.key"
