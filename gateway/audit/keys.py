"""The log's signing key: made once, kept owner-only, its public half beside it for everyone."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.notes import NoteError, Signer, Verifier, parse_vkey
from gateway.settings import Settings

_OWNER_ONLY = 0o600


def create_log_key(settings: Settings) -> Verifier:
    """Make the log's Ed25519 key in ``home/keys``: ``log.key`` (PKCS #8 PEM, 0600) and ``log.vkey``.

    Raises:
        FileExistsError: there is one already; another key would orphan every checkpoint that was signed.
        NoteError: ``settings.log_origin`` cannot name a log.
    """
    origin = settings.log_origin
    if not origin or "+" in origin or any(character.isspace() for character in origin):
        raise NoteError(f"log_origin: expected a name without blanks and plus signs, got {origin!r}")
    signer = Signer(origin, Ed25519PrivateKey.generate())
    pem = signer.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = _key_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Owner-only from the first byte on, and never over an older key.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
        file.write(pem)
        os.fsync(file.fileno())
    verifier = signer.verifier()
    vkey_path(settings).write_text(verifier.text() + "\n", "utf-8")
    return verifier


def load_signer(settings: Settings) -> Signer:
    """The key that signs checkpoints.

    Raises:
        FileNotFoundError: the home has not been initialised.
        NoteError: the file holds another kind of key.
    """
    key = serialization.load_pem_private_key(_key_path(settings).read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise NoteError(f"{_key_path(settings)}: expected an Ed25519 key")
    return Signer(settings.log_origin, key)


def load_verifier(settings: Settings) -> Verifier:
    """The public key as this installation publishes it.

    Raises:
        FileNotFoundError: the home has not been initialised.
        NoteError: the file is not a vkey.
    """
    return parse_vkey(vkey_path(settings).read_text("utf-8"))


def vkey_path(settings: Settings) -> Path:
    """Where the public key lies."""
    return settings.home / "keys" / "log.vkey"


def _key_path(settings: Settings) -> Path:
    return settings.home / "keys" / "log.key"
