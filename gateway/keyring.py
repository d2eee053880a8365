"""The key ring: data keys, each wrapped by a key-encryption key (KEK). What lies where, and how it is rotated.

Data keys encrypt what lies at rest; they stand, wrapped, in one small file. KEKs encrypt nothing but data
keys, one file each. So a new KEK re-wraps the small file and touches no record.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from certs.errors import KeyUnusable
from certs.keys import OWNER_ONLY, write_whole
from certs.suites import Suite, suite_named
from connectors.errors import Refused
from gateway.clock import instant
from gateway.passphrases import key_passphrase_at

_SALT_BYTES = 16

SEAL, LIST, LEGACY = "seal", "list", "legacy"
"""What a data key is for: sealing; the digests of the erasure list; opening what was sealed before there was a ring."""


@dataclass(frozen=True)
class DataKey:
    """A data key as it lies in the ring.

    Attributes:
        number: by which sealed bytes name it; 0 is the one key of before there was a ring.
        use: ``SEAL``, ``LIST`` or ``LEGACY``.
        suite: name of the suite of algorithms that it is for.
        kek: generation of the KEK that wraps it.
        wrapped: nonce and ciphertext, hex.
        made_at: instant text.
    """

    number: int
    use: str
    suite: str
    kek: int
    wrapped: str
    made_at: str


@dataclass(frozen=True)
class Ring:
    """The file of data keys.

    Attributes:
        current: number of the data key that seals.
        kek: newest generation of KEK.
        keys: every data key, oldest first.
    """

    current: int
    kek: int
    keys: tuple[DataKey, ...]


@dataclass(frozen=True)
class OpenRing:
    """Data keys, unwrapped, in memory only.

    Attributes:
        current: number of the data key that seals.
        keys: number -> suite and key.
        list_key: of the erasure list.
    """

    current: int
    keys: Mapping[int, tuple[Suite, bytes]]
    list_key: bytes


def ring_path(home: Path) -> Path:
    """Where the wrapped data keys lie."""
    return home / "keys" / "data-keys.json"


def kek_path(home: Path, generation: int) -> Path:
    """Where a KEK lies: its suite and the key on one line, encrypted if the installation has a passphrase."""
    return home / "keys" / f"kek-{generation:04d}.key"


def legacy_path(home: Path) -> Path:
    """Where the one sealing key lay before there was a ring."""
    return home / "keys" / "seal.key"


def create_ring(home: Path, now: datetime, suite: Suite) -> None:
    """Make the first KEK and the first data keys; the key of an older installation is taken into the ring.

    Raises:
        FileExistsError: there is a ring already; replacing it would make everything sealed unreadable.
    """
    with _locked(home):
        if ring_path(home).exists():
            raise FileExistsError(ring_path(home))
        _make_kek(home, 1, suite)
        ring = _with_key(home, Ring(current=0, kek=1, keys=()), SEAL, suite, suite.aead.make_key(), now)
        ring = _with_key(home, ring, LIST, suite, suite.aead.make_key(), now)
        if legacy_path(home).exists():
            ring = _with_key(home, ring, LEGACY, suite_named("international"), legacy_path(home).read_bytes(), now)
        _write(home, ring)
        # Its key is in the ring now; a second copy outside of it would make wrapping worthless.
        legacy_path(home).unlink(missing_ok=True)


def read_ring(home: Path) -> Ring:
    """The ring as it lies there; nothing is unwrapped.

    Raises:
        FileNotFoundError: the home has not been initialised.
    """
    document = json.loads(ring_path(home).read_text("utf-8"))
    return Ring(document["current"], document["kek"], tuple(DataKey(**key) for key in document["keys"]))


def open_ring(home: Path) -> OpenRing:
    """Unwrap every data key; each by the generation of KEK that wraps it.

    Raises:
        FileNotFoundError: the home has not been initialised.
        KeyUnusable: a KEK is missing, open to others, or not the one that wrapped its data keys.
    """
    ring = read_ring(home)
    opened = {key.number: (suite_named(key.suite), _unwrap(home, key)) for key in ring.keys}
    (list_key,) = (opened[key.number][1] for key in ring.keys if key.use == LIST)
    return OpenRing(ring.current, opened, list_key)


def rotate(home: Path, now: datetime, suite: Suite) -> Ring:
    """A new KEK, every data key wrapped by it, and a new data key that seals from now on.

    One file is replaced at the end, so a reader sees the old ring or the new one, and a crash leaves the old one.
    Running processes see the new one at their next seal.
    """
    with _locked(home):
        ring = read_ring(home)
        opened = open_ring(home)
        generation = ring.kek + 1
        _make_kek(home, generation, suite)
        rewrapped = [_wrapped(home, replace(key, kek=generation), opened.keys[key.number][1]) for key in ring.keys]
        ring = Ring(ring.current, generation, tuple(rewrapped))
        ring = _with_key(home, ring, SEAL, suite, suite.aead.make_key(), now)
        _write(home, ring)
        return ring


def retire(home: Path, generation: int) -> None:
    """Destroy the file of a KEK that wraps nothing any more; older copies of the ring cannot be read without it.

    Raises:
        Refused: it wraps a data key, or there is none of this generation.
    """
    with _locked(home):
        ring = read_ring(home)
        if generation >= ring.kek or any(key.kek == generation for key in ring.keys):
            raise Refused(
                f"第 {generation} 代主密钥仍在使用，不能销毁；请先运行 xinqiao keys rotate",
                f"key-encryption key {generation} is in use; run `xinqiao keys rotate` first",
                generation=generation,
            )
        if not kek_path(home, generation).exists():
            raise Refused(
                f"没有第 {generation} 代主密钥文件",
                f"there is no key-encryption key {generation}",
                generation=generation,
            )
        kek_path(home, generation).unlink()


def _with_key(home: Path, ring: Ring, use: str, suite: Suite, key: bytes, now: datetime) -> Ring:
    number = 0 if use == LEGACY else 1 + max((one.number for one in ring.keys), default=0)
    made = _wrapped(home, DataKey(number, use, suite.name, ring.kek, "", instant(now)), key)
    return replace(ring, current=number if use == SEAL else ring.current, keys=(*ring.keys, made))


def _wrapped(home: Path, data_key: DataKey, key: bytes) -> DataKey:
    suite, kek = _kek(home, data_key.kek)
    return replace(data_key, wrapped=suite.aead.seal(kek, key, _said(data_key)).hex())


def _unwrap(home: Path, data_key: DataKey) -> bytes:
    suite, kek = _kek(home, data_key.kek)
    try:
        return suite.aead.open(kek, bytes.fromhex(data_key.wrapped), _said(data_key))
    except InvalidTag as error:
        path = kek_path(home, data_key.kek)
        raise KeyUnusable(
            f"主密钥 {path} 打不开数据密钥 {data_key.number}；请从备份取回同一代的密钥文件。",
            f"{path} does not open data key {data_key.number}; bring back the key file of that generation from a copy",
            path=str(path),
        ) from error


def _said(data_key: DataKey) -> bytes:
    """What is authenticated with a wrapped key, so that no key can be passed off as another."""
    said = asdict(data_key)
    return json.dumps([said[name] for name in ("number", "use", "suite", "kek", "made_at")]).encode()


def _kek(home: Path, generation: int) -> tuple[Suite, bytes]:
    return read_kek(kek_path(home, generation), key_passphrase_at(home))


def read_kek(path: Path, passphrase: bytes | None) -> tuple[Suite, bytes]:
    """The suite and the key of a KEK's file.

    Raises:
        KeyUnusable: missing, open to others, or encrypted and not opened by the passphrase.
    """
    try:
        mode = path.stat().st_mode & 0o777
        name, *said = path.read_text("ascii").split()
    except FileNotFoundError as error:
        raise KeyUnusable(
            f"主密钥文件不存在：{path}；请从备份取回。", f"the key file {path} is missing; bring it back from a copy"
        ) from error
    if mode & 0o077:
        raise KeyUnusable(
            f"主密钥文件 {path} 的权限为 {mode:04o}，应为 0600；请执行 chmod 600，并更换密钥。",
            f"key file {path} has mode {mode:04o}, expected 0600; chmod 600 it and rotate the keys",
            path=str(path),
        )
    suite = suite_named(name)
    if len(said) == 1:
        return suite, bytes.fromhex(said[0])
    salt, wrapped = (bytes.fromhex(part) for part in said[1:])
    try:
        return suite, suite.aead.open(_derived(passphrase or b"", salt, suite), wrapped, name.encode())
    except InvalidTag as error:
        raise KeyUnusable(
            f"主密钥文件 {path} 无法打开；请检查口令（XINQIAO_KEY_PASSPHRASE_FILE）。",
            f"key file {path} cannot be opened; check the passphrase (XINQIAO_KEY_PASSPHRASE_FILE)",
            path=str(path),
        ) from error


def write_kek(path: Path, suite: Suite, key: bytes, passphrase: bytes | None) -> None:
    """Write a KEK's file: in clear ``name hex``, with a passphrase ``name scrypt salt sealed``."""
    said = key.hex()
    if passphrase:
        salt = os.urandom(_SALT_BYTES)
        said = (
            f"scrypt {salt.hex()} {suite.aead.seal(_derived(passphrase, salt, suite), key, suite.name.encode()).hex()}"
        )
    write_whole(path, f"{suite.name} {said}\n".encode(), OWNER_ONLY)


def _derived(passphrase: bytes, salt: bytes, suite: Suite) -> bytes:
    """The key that a passphrase stands for (scrypt, RFC 7914, 2; 32 MiB, a tenth of a second)."""
    return Scrypt(salt=salt, length=suite.aead.key_bytes, n=2**15, r=8, p=1).derive(passphrase)


def _make_kek(home: Path, generation: int, suite: Suite) -> None:
    # A file of this generation without a ring that names it was left by a rotation that was cut off.
    write_kek(kek_path(home, generation), suite, suite.aead.make_key(), key_passphrase_at(home))


def _write(home: Path, ring: Ring) -> None:
    write_whole(ring_path(home), json.dumps(asdict(ring), indent=1).encode() + b"\n", OWNER_ONLY)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One process changes the ring at a time; readers need no lock."""
    (home / "keys").mkdir(parents=True, exist_ok=True)
    with (home / "keys" / ".ring.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
