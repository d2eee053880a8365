"""The files of private keys of an installation: which there are, whether they lie in clear, and how that is changed.

What wraps personal data is ``gateway/keyring.py``'s; here its KEKs are files among the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from certs.errors import KeyUnusable
from certs.keys import is_encrypted, protect_key, read_private_key
from gateway.certificates_files import pki_files
from gateway.keyring import read_kek, write_kek
from gateway.notifications.notifier import key_file as notifier_key
from gateway.passphrases import ca_passphrase, key_passphrase
from gateway.settings import Settings
from gateway.signatures.own import SIGNING, read_signing_key, write_signing_key

CLEAR, ENCRYPTED, TOKEN = "clear", "encrypted", "token"
"""How a key is kept: in a file as it is, in a file under a passphrase, in a PKCS#11 token."""


@dataclass(frozen=True)
class KeyFile:
    """One private key of an installation.

    Attributes:
        path: of the file; of a key in a token the file with its URI.
        kept: ``CLEAR``, ``ENCRYPTED`` or ``TOKEN``.
        is_authority: opened by the passphrase of the issuing key, not by that of the gateway's keys.
    """

    path: Path
    kept: str
    is_authority: bool


def key_files(settings: Settings) -> list[KeyFile]:
    """Every private key that the installation itself uses; not those it made for others (``issued/``)."""
    return [
        *(KeyFile(path, _kept(path), is_authority=False) for path in _own(settings)),
        *(KeyFile(path, _kept(path), is_authority=True) for path in _of_authorities(settings)),
    ]


def protect(settings: Settings, was_key: bytes | None, was_ca: bytes | None) -> list[KeyFile]:
    """Write every key anew under the passphrases of the settings; without one it lies in clear.

    A key that ``was_key`` or ``was_ca`` does not open, because an earlier run was cut off after it, is tried with
    the new passphrase, so it may simply be run again.

    Raises:
        certs.errors.KeyUnusable: a key opens with neither; those before it are changed already.
    """
    for file in key_files(settings):
        if file.kept == TOKEN:
            continue
        passphrase = ca_passphrase(settings) if file.is_authority else key_passphrase(settings)
        _protect(file.path, was_ca if file.is_authority else was_key, passphrase)
    return key_files(settings)


def _protect(path: Path, was: bytes | None, passphrase: bytes | None) -> None:
    opens = passphrase if _opens(path, passphrase) else was
    if path.name.startswith("kek-"):
        write_kek(path, *read_kek(path, opens), passphrase)
    elif path.name.startswith(SIGNING):
        write_signing_key(path, read_signing_key(path, opens), passphrase)
    else:
        protect_key(path, opens, passphrase)


def _opens(path: Path, passphrase: bytes | None) -> bool:
    try:
        if path.name.startswith("kek-"):
            read_kek(path, passphrase)
        elif path.name.startswith(SIGNING):
            read_signing_key(path, passphrase)
        else:
            read_private_key(path, passphrase)
    except KeyUnusable:
        return False
    return True


def _own(settings: Settings) -> Iterator[Path]:
    files = pki_files(settings)
    yield from sorted((settings.home / "keys").glob("*.key"))
    keys = (files.gateway_key, files.responder_key, notifier_key(settings))
    yield from (path for path in keys if path.exists())


def _of_authorities(settings: Settings) -> Iterator[Path]:
    files = pki_files(settings)
    for authority in (files, *files.previous):
        yield from (
            path for path in (authority.issuing_key.with_suffix(".uri"), authority.issuing_key) if path.exists()
        )
    if files.root_key.exists():
        yield files.root_key


def _kept(path: Path) -> str:
    if path.suffix == ".uri":
        return TOKEN
    content = path.read_bytes()
    return ENCRYPTED if is_encrypted(content) or b" scrypt " in content else CLEAR
