"""Named suites of algorithms: what signs, verifies, digests and seals, chosen by the setting ``suite``.

Nothing outside this package names an algorithm; it asks the suite.
"""

from __future__ import annotations

from collections.abc import Mapping

from certs.suites import guomi, international
from certs.suites.base import Aead, Algorithm, BadSignature, PrivateKey, PublicKey, Suite
from certs.suites.keys import certificate_key, key_of, read_private_key, read_public_key, read_public_pem, spki_of

SUITES: Mapping[str, Suite] = {suite.name: suite for suite in (international.SUITE, guomi.SUITE)}
"""By name: ``international`` and ``guomi`` 国密."""

ALGORITHMS: Mapping[str, Algorithm] = {a.name: a for suite in SUITES.values() for a in suite.algorithms}
"""Every signature algorithm, by its own name."""


def suite_named(name: str) -> Suite:
    """The suite of this name.

    Raises:
        ValueError: there is none; the message says which there are.
    """
    if name not in SUITES:
        raise ValueError(f"suite: expected one of {', '.join(SUITES)}, got {name!r}")
    return SUITES[name]


__all__ = [
    "ALGORITHMS",
    "SUITES",
    "Aead",
    "Algorithm",
    "BadSignature",
    "PrivateKey",
    "PublicKey",
    "Suite",
    "certificate_key",
    "key_of",
    "read_private_key",
    "read_public_key",
    "read_public_pem",
    "spki_of",
    "suite_named",
]
