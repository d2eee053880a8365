"""Encryption of what must not lie open: personal fields beside a record, rows in quarantine, what challengers say.

Envelope encryption: a data key of the ring (``gateway/keyring.py``) encrypts, a key-encryption key wraps the data
keys. Sealed bytes say what they need to be opened:

    ``XQ1`` ‖ suite (1) ‖ number of the data key (4) ‖ salt (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)

All that stands before the nonce, and the context (record key, rejection), is authenticated with them, so that
sealed bytes moved to another record do not open. The key that encrypts is derived from data key and salt; a
sealer has a salt of its own and takes another one long before random nonces could meet (NIST SP 800-38D, 8.3).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import polars as pl
from cryptography.exceptions import InvalidTag

from certs.suites import Suite
from gateway.aead import BY_CODE, NONCE_BYTES, AeadKey, code_of, derive
from gateway.keyring import OpenRing, open_ring, ring_path

_HEADER = struct.Struct(">3sBL8s")
_MAGIC = b"XQ1"
_SALT_BYTES = 8
_RECORD_SALT_BYTES = 32
_SEALS_PER_SALT = 2**28
_LEGACY = 0
_OPENERS_KEPT = 4096
_LOOK_EVERY_S = 0.02
_AT_ONCE = 1_000
"""Sealed under one look at the ring: two or three milliseconds."""


class Sealer:
    """Seals with the newest data key and opens with whichever one the sealed bytes name.

    Safe to share between threads. Keys are unwrapped when the ring has changed, not when a row is sealed; a
    change is seen within a fiftieth of a second, and at once when something is to be opened that needs it.

    Attributes:
        PREFIX_BYTES: by so many of their first bytes sealed bytes tell which data key they are under.
    """

    PREFIX_BYTES = _HEADER.size - _SALT_BYTES

    def __init__(self, keys: Callable[[], OpenRing]) -> None:
        """Args:
        keys: gives the ring as it is now; the same object as long as nothing has changed.
        """
        self._read = keys
        self._ring, self._looked_at = keys(), time.monotonic()
        self._sealing: tuple[OpenRing, bytes, AeadKey] | None = None
        self._left = 0
        self._openers: dict[bytes, AeadKey] = {}

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Encrypt ``plain``; only ``open`` with the same context gives it back."""
        return self.seal_all([plain], [context])[0]

    def seal_all(self, plains: Sequence[bytes], contexts: Sequence[bytes]) -> list[bytes]:
        """``seal`` for each of ``plains`` with the context beside it.

        Raises:
            ValueError: not as many contexts as plains.
        """
        if len(plains) != len(contexts):
            raise ValueError(f"{len(plains)} to seal, but {len(contexts)} contexts")
        sealed: list[bytes] = []
        while len(sealed) < len(plains):
            here = slice(len(sealed), len(sealed) + _AT_ONCE)
            sealed += self._seal_some(plains[here], contexts[here])
        return sealed

    def _seal_some(self, plains: Sequence[bytes], contexts: Sequence[bytes]) -> Iterator[bytes]:
        """As many as the salt at hand may still seal, at least one."""
        header, key, number = self._take(len(plains))
        encrypt, nonces = key.encrypt, os.urandom(NONCE_BYTES * number)
        for place, plain, context in zip(range(0, len(nonces), NONCE_BYTES), plains, contexts, strict=False):
            nonce = nonces[place : place + NONCE_BYTES]
            yield header + nonce + encrypt(nonce, plain, header + context)

    def _take(self, wanted: int) -> tuple[bytes, AeadKey, int]:
        """Header and key to seal with, and how often they may be used now."""
        ring = self._now()
        sealing = self._sealing
        if sealing is None or sealing[0] is not ring or self._left <= 0:
            sealing = self._begin(ring)
        # Another thread may have taken the rest in between; one more than so many does no harm.
        number = max(1, min(wanted, self._left))
        self._left -= number
        return sealing[1], sealing[2], number

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt.

        Raises:
            cryptography.exceptions.InvalidTag: altered, of another context, or by a key that is not in the ring.
        """
        if not sealed.startswith(_MAGIC):
            return _open_legacy(self._now(), sealed, context)
        header, begin = sealed[: _HEADER.size], _HEADER.size + NONCE_BYTES
        try:
            aead = self._openers.get(header) or self._opener(header)
            return aead.decrypt(sealed[_HEADER.size : begin], sealed[begin:], header + context)
        except (InvalidTag, ValueError):
            # One nonce of before the ring in sixteen million begins like a header.
            return _open_legacy(self._now(), sealed, context)

    def key_number(self, sealed: bytes) -> int:
        """Number of the data key under which bytes are sealed; 0 for the one of before there was a ring."""
        return int(_HEADER.unpack_from(sealed)[2]) if sealed.startswith(_MAGIC) else _LEGACY

    @property
    def current(self) -> int:
        """Number of the data key that seals now."""
        return self._look().current

    def keyed_digest(self, said: bytes) -> str:
        """HMAC-SHA-256 of ``said`` under the key of the erasure list, hex: values cannot be tried without the key."""
        return hmac.digest(self._ring.list_key, said, "sha256").hex()

    def _begin(self, ring: OpenRing) -> tuple[OpenRing, bytes, AeadKey]:
        suite, key = ring.keys[ring.current]
        salt = os.urandom(_SALT_BYTES)
        self._left = _SEALS_PER_SALT
        self._sealing = ring, _HEADER.pack(_MAGIC, code_of(suite), ring.current, salt), _derive(suite, key, salt)
        return self._sealing

    def _now(self) -> OpenRing:
        return self._ring if time.monotonic() - self._looked_at < _LOOK_EVERY_S else self._look()

    def _look(self) -> OpenRing:
        self._ring, self._looked_at = self._read(), time.monotonic()
        return self._ring

    def _opener(self, header: bytes) -> AeadKey:
        if len(header) < _HEADER.size:
            raise InvalidTag
        _, code, number, salt = _HEADER.unpack(header)
        # A number that is not known yet is of a ring that another process has just rotated.
        suite, key = self._ring.keys.get(number) or self._look().keys.get(number) or (None, b"")
        if suite is None or BY_CODE.get(code) is not suite:
            raise InvalidTag
        if len(self._openers) >= _OPENERS_KEPT:
            self._openers.clear()
        self._openers[header] = _derive(suite, key, salt)
        return self._openers[header]


def _derive(suite: Suite, key: bytes, salt: bytes) -> AeadKey:
    return derive(suite, key, salt, b"xinqiao sealed " + suite.name.encode())


def _open_legacy(ring: OpenRing, sealed: bytes, context: bytes) -> bytes:
    if _LEGACY not in ring.keys:
        raise InvalidTag
    suite, key = ring.keys[_LEGACY]
    return suite.aead.open(key, sealed, context)


class _Watched:
    """The ring of a home, unwrapped again when its file has changed."""

    def __init__(self, home: Path) -> None:
        self._home, self._path = home, ring_path(home)
        self._seen: tuple[tuple[int, int, int], OpenRing] | None = None

    def __call__(self) -> OpenRing:
        found = self._path.stat()
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if self._seen is None or self._seen[0] != mark:
            self._seen = mark, open_ring(self._home)
        return self._seen[1]


@lru_cache(64)
def load_sealer(home: Path) -> Sealer:
    """The sealer of an installation, one for each process; it follows a rotation by itself.

    Raises:
        FileNotFoundError: the home has not been initialised.
        certs.errors.KeyUnusable: a key-encryption key is missing, open to others or another one.
    """
    return Sealer(_Watched(home))


def new_salts(number: int) -> list[bytes]:
    """Salts for so many records: of each, the 32 random bytes that go into the digests of its personal values."""
    salts = os.urandom(_RECORD_SALT_BYTES * number)
    return [salts[start : start + _RECORD_SALT_BYTES] for start in range(0, len(salts), _RECORD_SALT_BYTES)]


def salted_digest(value: str, salt: bytes) -> str:
    """What a record's payload says about a personal value: SHA-256 over its salt and the value, hex."""
    return hashlib.sha256(salt + value.encode()).hexdigest()


def salted_digests(values: pl.Series, salts: Sequence[bytes]) -> pl.Series:
    """``salted_digest`` of every value under the salt beside it; null stays null.

    Args:
        values: dtype pl.String.

    Returns:
        dtype pl.String, of the same name.
    """
    sha256 = hashlib.sha256
    texts = zip(salts, values.cast(pl.Binary).to_list(), strict=True)
    digests = [None if text is None else sha256(salt + text).digest() for salt, text in texts]
    return pl.Series(values.name, digests, dtype=pl.Binary).bin.encode("hex")
