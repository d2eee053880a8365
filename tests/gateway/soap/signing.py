"""SOAP messages signed as other people's software does it: zeep's WS-Security, with xmlsec underneath."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import xmlsec
from lxml import etree
from zeep.wsse.signature import BinarySignature
from zeep.wsse.utils import WSU, get_security_header

from tests.gateway.api.installation import System


class WithTimestamp(BinarySignature):  # type: ignore[misc]  # zeep ships no types
    """Adds a Timestamp, which zeep leaves to its user, and signs it with the Body."""

    now: datetime | None = None
    lifetime = timedelta(minutes=5)

    @classmethod
    def of(cls, system: System, now: datetime | None = None, **algorithms: Any) -> WithTimestamp:
        """Signing as a system, at the real time unless another is given."""
        return cls.with_files(system.key, system.certificate, now, **algorithms)

    @classmethod
    def with_files(cls, key: Path, certificate: Path, now: datetime | None = None, **algorithms: Any) -> WithTimestamp:
        """Signing with a key and the certificate over it, both PEM."""
        chosen = {"signature_method": xmlsec.Transform.ECDSA_SHA256, "digest_method": xmlsec.Transform.SHA256}
        made = cls(str(key), str(certificate), **(chosen | algorithms))
        made.now = now
        return made

    def apply(self, envelope: etree._Element, headers: dict[str, str]) -> tuple[etree._Element, dict[str, str]]:
        """Sign the envelope in place."""
        now = self.now or datetime.now(UTC)
        times = [WSU.Created(f"{now:%Y-%m-%dT%H:%M:%SZ}"), WSU.Expires(f"{now + self.lifetime:%Y-%m-%dT%H:%M:%SZ}")]
        get_security_header(envelope).append(WSU.Timestamp(*times))
        signed: tuple[etree._Element, dict[str, str]] = super().apply(envelope, headers)
        return signed

    def verify(self, envelope: etree._Element) -> etree._Element:
        """Our answers are not signed."""
        return envelope
