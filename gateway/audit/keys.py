"""The log's signing key: made once, kept owner-only, its public half beside it for everyone."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.keys import private_pem, read_private_key
from gateway.audit.notes import NoteError, Signer, Verifier, check_name, parse_vkey
from gateway.passphrases import key_passphrase
from gateway.settings import Settings

_OWNER_ONLY = 0o600


def create_log_key(settings: Settings) -> Verifier:
    """Make the log's Ed25519 key in ``home/keys``: ``log.key`` (PKCS #8 PEM, 0600) and ``log.vkey``.

    Raises:
        FileExistsError: there is one already; another key would orphan every checkpoint that was signed.
        NoteError: ``settings.log_origin`` cannot name a log.
    """
    check_name(settings.log_origin)
    signer = Signer(settings.log_origin, make_key(_key_path(settings), key_passphrase(settings)))
    verifier = signer.verifier()
    vkey_path(settings).write_text(verifier.text() + "\n", "utf-8")
    return verifier


def make_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Make an Ed25519 key and write it as PKCS #8 PEM, mode 0600, encrypted if there is a passphrase.

    Raises:
        FileExistsError: there is one already.
    """
    key = Ed25519PrivateKey.generate()
    pem = private_pem(key, passphrase)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Owner-only from the first byte on, and never over an older key.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
        file.write(pem)
        os.fsync(file.fileno())
    return key


def load_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read a key that `make_key` wrote.

    Raises:
        certs.errors.KeyUnusable: missing, open to others, damaged, or not opened by the passphrase.
        NoteError: the file holds another kind of key.
    """
    key = read_private_key(path, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise NoteError(f"{path}: expected an Ed25519 key")
    return key


def load_signer(settings: Settings) -> Signer:
    """The key that signs checkpoints; read again when its file or the published key has changed.

    Raises:
        certs.errors.KeyUnusable: missing, open to others, damaged, or not opened by the passphrase.
        FileNotFoundError: there is no published key.
        NoteError: the file holds another kind of key, or not the one whose public half is published.
    """
    path = _key_path(settings)
    return _signer(settings.log_origin, path, key_passphrase(settings), load_verifier(settings), _stamp(path))


def load_verifier(settings: Settings) -> Verifier:
    """The public key as this installation publishes it; read again when its file has changed.

    Raises:
        FileNotFoundError: the home has not been initialised.
        NoteError: the file is not a vkey.
    """
    path = vkey_path(settings)
    return _verifier(path, _stamp(path))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs when a file was written, replaced or opened to others; None if it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_ctime_ns


@lru_cache(maxsize=8)
def _verifier(path: Path, _stamp: tuple[int, int, int] | None) -> Verifier:
    return parse_vkey(path.read_text("utf-8"))


@lru_cache(maxsize=8)
def _signer(
    origin: str, path: Path, passphrase: bytes | None, published: Verifier, _stamp: tuple[int, int, int] | None
) -> Signer:
    signer = Signer(origin, load_key(path, passphrase))
    if signer.verifier() != published:
        raise NoteError(f"{path}: it does not belong to the published key {published.text()}")
    return signer


def vkey_path(settings: Settings) -> Path:
    """Where the public key lies."""
    return settings.home / "keys" / "log.vkey"


def _key_path(settings: Settings) -> Path:
    return settings.home / "keys" / "log.key"
