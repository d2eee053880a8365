"""External authorities: whom else we believe, for which agencies, and who says what they have revoked.

One YAML file per authority in ``pki/external/``; docs/operations/external-authorities.md describes it.
A file that cannot be used takes that authority out and no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509
from cryptography.x509.verification import Store

from certs.answers import Source, judged
from certs.errors import ExternalUnusable
from certs.fetching import Address
from certs.lists import CrlFile, CrlUrl
from certs.names import PART
from certs.responders import OcspUrl
from certs.revocation import Standing, Status

FOLDER = "external"
# Lists that were fetched; beside the descriptions, never one of them.
KEPT = "fetched"
REFRESH_MINUTES = 15
_KEYS = frozenset({"agencies", "authorities", "revocation", "refresh_minutes", "grace_hours"})


@dataclass(frozen=True, eq=False)
class External:
    """One authority that is not ours.

    Attributes:
        name: of its file, without ``.yml``; stands in audit entries and listings.
        agencies: whose systems it may name.
        roots: self-signed anchors.
        intermediates: authorities between a root and an end entity; others are not tried.
        sources: who says what is revoked, in the order in which they are asked.
        grace: how long good counts after the answer that said so has ended; zero unless configured.
    """

    name: str
    agencies: tuple[str, ...]
    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    sources: tuple[Source, ...]
    grace: timedelta = timedelta()

    @cached_property
    def store(self) -> Store:
        """The anchors as the path validation wants them."""
        return Store(list(self.roots))

    def standing(self, path: Sequence[x509.Certificate], now: datetime) -> Standing:
        """How a path stands: every certificate below the root must be said to be good.

        For each of them the first source counts that says good or revoked; if none does, it is unknown.

        Args:
            path: proven, end entity first, root last.
        """
        grace = ""
        for certificate, issuer in pairwise(path):
            found = self._ask(certificate, issuer, now)
            if found.status is not Status.GOOD:
                return found
            grace = grace or found.grace
        return Standing(Status.GOOD, grace=grace and f"{self.name}: {grace}")

    def _ask(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Standing:
        problems, forgiven = [], None
        for source in self.sources:
            found = judged(source.answer(certificate, issuer, now), source.name, self.grace, now)
            if found.status is Status.REVOKED or (found.status is Status.GOOD and not found.grace):
                return found
            if found.status is Status.GOOD:
                forgiven = forgiven or found
            problems.append(found.reason)
        return forgiven or Standing(Status.UNKNOWN, f"{self.name}: " + "; ".join(p for p in problems if p))


def read_externals(folder: Path) -> tuple[tuple[External, ...], tuple[ExternalUnusable, ...]]:
    """Every authority that a folder describes, by name, and what is wrong with the descriptions that cannot be used."""
    externals: list[External] = []
    problems: list[ExternalUnusable] = []
    for path in sorted(folder.glob("*.yml")) if folder.is_dir() else ():
        try:
            external = read_external(path)
            _demand_apart(external, externals, path)
        except ExternalUnusable as error:
            problems.append(error)
        else:
            externals.append(external)
    return tuple(externals), tuple(problems)


def read_external(path: Path) -> External:
    """Read one description.

    Raises:
        ExternalUnusable: names the file, the key, what is expected and what stands there.
    """
    said = _mapping(path)
    if unknown := sorted(set(said) - _KEYS):
        raise _unusable(path, f"unknown keys {unknown}; known: {sorted(_KEYS)}")
    certificates = _authorities(path, said.get("authorities"))
    roots = tuple(c for c in certificates if c.issuer == c.subject)
    if not roots:
        raise _unusable(path, f"authorities: no self-signed certificate in {said['authorities']}")
    refresh = _number(path, "refresh_minutes", said.get("refresh_minutes", REFRESH_MINUTES), least=1)
    return External(
        name=path.stem,
        agencies=_agencies(path, said.get("agencies")),
        roots=roots,
        intermediates=tuple(c for c in certificates if c not in roots),
        sources=_sources(path, said.get("revocation"), refresh * 60.0, certificates),
        grace=timedelta(hours=_number(path, "grace_hours", said.get("grace_hours", 0), least=0)),
    )


def _mapping(path: Path) -> dict[str, Any]:
    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(said, dict):
        raise _unusable(path, f"expected keys and values, got {said!r}")
    return said


def _agencies(path: Path, said: object) -> tuple[str, ...]:
    if isinstance(said, list) and said and all(isinstance(a, str) and PART.fullmatch(a) for a in said):
        return tuple(said)
    raise _unusable(path, f"agencies: expected a list of agency codes, got {said!r}")


def _authorities(path: Path, said: object) -> tuple[x509.Certificate, ...]:
    file = _beside(path, "authorities", said)
    try:
        return tuple(x509.load_pem_x509_certificates(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise _unusable(path, f"authorities: {said}: {error}") from error


def _sources(
    path: Path, said: object, refresh_seconds: float, authorities: Sequence[x509.Certificate]
) -> tuple[Source, ...]:
    """Without any of them every certificate would be unknown, which nobody configures on purpose."""
    if not isinstance(said, list) or not said:
        raise _unusable(path, f"revocation: expected a list of crl: and ocsp: entries, got {said!r}")
    return tuple(_source(path, entry, refresh_seconds, authorities) for entry in said)


def _source(path: Path, said: object, refresh_seconds: float, authorities: Sequence[x509.Certificate]) -> Source:
    match said:
        case {"crl": str(place), **rest} if not rest.keys() - {"ca"}:
            if "://" not in place:
                return CrlFile(_beside(path, "crl", place), f"crl {place}")
            kept = path.parent / KEPT / f"{path.stem}-{hashlib.sha256(place.encode()).hexdigest()[:16]}.crl"
            return CrlUrl(_address(path, place, rest), kept, refresh_seconds, authorities)
        case {"ocsp": str(place), **rest} if not rest.keys() - {"ca"}:
            return OcspUrl(_address(path, place, rest), refresh_seconds)
    raise _unusable(path, f"revocation: expected {{crl: file or URL}} or {{ocsp: URL}}, with ca: or not, got {said!r}")


def _address(path: Path, url: str, rest: dict[Any, Any]) -> Address:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _unusable(path, f"revocation: expected an http or https URL, got {url!r}")
    return Address(url, _beside(path, "ca", rest["ca"]) if "ca" in rest else None)


def _beside(path: Path, key: str, said: object) -> Path:
    """A file of the same folder; a description names no others."""
    if isinstance(said, str) and said not in ("", ".", "..") and Path(said).name == said:
        return path.parent / said
    raise _unusable(path, f"{key}: expected the name of a file beside {path.name}, got {said!r}")


def _number(path: Path, key: str, said: object, least: int) -> float:
    if isinstance(said, int | float) and not isinstance(said, bool) and least <= said <= 24 * 366:
        return float(said)
    raise _unusable(path, f"{key}: expected a number from {least}, got {said!r}")


def _demand_apart(external: External, others: Sequence[External], path: Path) -> None:
    """One anchor, one description: otherwise which agencies it may name depends on which is read first."""
    for other in others:
        if set(external.roots) & set(other.roots):
            raise _unusable(path, f"authorities: has a root of {other.name}.yml; put their agencies into one file")


def _unusable(path: Path, problem: str) -> ExternalUnusable:
    return ExternalUnusable(
        f"外部机构文件 {path} 不可用：{problem}；在改正之前不信任该机构。",
        f"the external authority's file {path} is unusable: {problem}; it is not believed until that is mended",
        path=str(path),
        problem=problem,
    )
