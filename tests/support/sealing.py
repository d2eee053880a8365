"""Sealers with a key that a test chooses, without files."""

from __future__ import annotations

from certs.suites import Suite, suite_named
from gateway.keyring import OpenRing
from gateway.sealing import Sealer

INTERNATIONAL = suite_named("international")


def sealer_of(key: bytes, suite: Suite = INTERNATIONAL) -> Sealer:
    """A sealer whose ring holds this one data key."""
    ring = OpenRing(1, {1: (suite, key)}, key)
    return Sealer(lambda: ring)
