"""Sealers with a key that a test chooses, without files."""

from __future__ import annotations

from gateway.aead import AES_256_GCM, Algorithm
from gateway.keyring import OpenRing
from gateway.sealing import Sealer


def sealer_of(key: bytes, algorithm: Algorithm = AES_256_GCM) -> Sealer:
    """A sealer whose ring holds this one data key."""
    ring = OpenRing(1, {1: (algorithm, key)}, key)
    return Sealer(lambda: ring)
