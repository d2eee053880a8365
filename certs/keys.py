"""Private keys: made, kept in files only their owner can read or in a token, opened. Nothing else writes a key."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from certs.errors import KeyUnusable

# Owner may read and write; nobody else may do anything.
OWNER_ONLY = 0o600


def make_key() -> ec.EllipticCurvePrivateKey:
    """Make an ECDSA P-256 key, the algorithm of every certificate issued here (RFC 5480, 2.1.1.1)."""
    return ec.generate_private_key(ec.SECP256R1())


def save_key(path: Path, key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> None:
    """Write a key as PKCS#8 PEM, mode 0600 from its first byte on, encrypted if a passphrase is given.

    The file appears whole or not at all; an older file of that name is replaced.
    """
    write_whole(path, private_pem(key, passphrase), OWNER_ONLY)


def load_key(path: Path, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """Read a key that ``save_key`` wrote.

    Raises:
        KeyUnusable: as ``read_private_key``, or not a P-256 key.
    """
    key = read_private_key(path, passphrase)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyUnusable(
            f"私钥文件 {path} 不是 ECDSA P-256 密钥。", f"key file {path} is not an ECDSA P-256 key", path=str(path)
        )
    return key


def read_private_key(path: Path, passphrase: bytes | None = None) -> PrivateKeyTypes:
    """Read a private key of whatever kind, PEM.

    Raises:
        KeyUnusable: missing, readable by others, damaged, or the passphrase does not open it.
    """
    pem = read_key_file(path)
    # A passphrase is for the installation; a key that was saved without one opens without one.
    secret = passphrase if is_encrypted(pem) else None
    try:
        return serialization.load_pem_private_key(pem, secret)
    except (ValueError, TypeError) as error:
        raise KeyUnusable(
            f"私钥文件 {path} 无法打开：{error}；请检查口令。",
            f"key file {path} cannot be opened: {error}; check the passphrase",
            path=str(path),
        ) from error


def read_key_file(path: Path) -> bytes:
    """The content of a private key's file, which nobody but its owner may read.

    Raises:
        KeyUnusable: missing, or readable by others.
    """
    if not path.exists():
        raise KeyUnusable(f"私钥文件不存在：{path}", f"the key file does not exist: {path}", path=str(path))
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise KeyUnusable(
            f"私钥文件 {path} 的权限为 {mode:04o}，应为 0600；请执行 chmod 600，并视该密钥为可能泄露。",
            f"key file {path} has mode {mode:04o}, expected 0600; chmod 600 it and consider the key exposed",
            path=str(path),
        )
    return path.read_bytes()


def open_key(path: Path, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """A key from its file, or from the token that the URI in the ``.uri`` file beside it names.

    Args:
        passphrase: of the file, or the PIN of the token.

    Raises:
        KeyUnusable: as ``load_key`` and ``certs.hsm.open_token_key``.
    """
    uri = path.with_suffix(".uri")
    if uri.exists():
        from certs.hsm import open_token_key  # the PKCS#11 library is loaded only where there is a token

        return open_token_key(uri.read_text("utf-8"), passphrase)
    return load_key(path, passphrase)


def protect_key(path: Path, was: bytes | None, passphrase: bytes | None) -> None:
    """Write the key of a PEM file anew under another passphrase, or under none.

    Raises:
        KeyUnusable: as ``read_private_key``, with ``was``.
    """
    write_whole(path, private_pem(read_private_key(path, was), passphrase), OWNER_ONLY)


def is_encrypted(pem: bytes) -> bool:
    """Whether a PEM private key needs a passphrase."""
    return b"ENCRYPTED" in pem


def private_pem(key: PrivateKeyTypes, passphrase: bytes | None) -> bytes:
    """A key as PKCS #8 PEM; with a passphrase encrypted under a key derived from it (PBES2, RFC 8018)."""
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


_BESIDE = "."


def is_unfinished(path: Path) -> bool:
    """Whether a file is one that ``write_pieces`` is writing, or was when it was killed: it has no name yet."""
    return path.name.startswith(_BESIDE)


def write_whole(path: Path, content: bytes, mode: int = 0o644, *, syncs_folder: bool = True) -> None:
    """Write a file so that a reader sees the old content or the new, never a part: write beside it, sync, rename.

    Args:
        syncs_folder: without it a power cut may still undo the new name; for callers who sync the folder themselves,
            or to whom that does not matter.
    """
    write_pieces(path, [content], mode, syncs_folder=syncs_folder)


def write_pieces(path: Path, pieces: Iterable[bytes], mode: int = 0o644, *, syncs_folder: bool = True) -> None:
    """The same for content that is made while it is written; if making it fails, nothing is left."""
    made = list(itertools.takewhile(lambda folder: not folder.exists(), path.parents))
    if made:
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f"{_BESIDE}{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    if syncs_folder:
        for folder in (path.parent, *(folder.parent for folder in made)):
            _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    # certs stands alone, so this is not the one of the layer above.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
