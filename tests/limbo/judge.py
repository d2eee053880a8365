"""What our verifier says of one case of x509-limbo: steps 1 to 4 of ``certs/verify.py``.

The suite is about servers, our verifier about clients. So the purpose that the end entity must state is the one of
the case, and two things are left out, because no case can have them: the name of this exchange in the certificate
(step 5 and the rule ``exchange_name``) and the registry (step 6). The names of servers are not matched here: where
the gateway is a client, OpenSSL does that. The suite's untrusted intermediates stand for those in the trust file.
"""

from __future__ import annotations

import ipaddress
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from certs.checks import CHECKS, Place, exchange_name
from certs.errors import UNREADABLE, ChainBroken
from certs.external import External
from certs.lists import CrlFile
from certs.revocation import Status
from certs.verify import MAX_AUTHORITIES, find_path

Case = Mapping[str, Any]
"""One element of ``testcases``, as limbo-schema.json describes it."""

SUCCESS, FAILURE, HANG = "SUCCESS", "FAILURE", "HANG"
NO_SERVER_NAME = "the certificate does not name the server of the case"
_RULES = tuple(check for check in CHECKS if check is not exchange_name)
_NOISE = re.compile(r"validation failed: |candidates exhausted: |\(encountered.*|[(\[{<\"].*|\d[\d.]*|b'.*")


@dataclass(frozen=True)
class Outcome:
    """What we say and at which step; ``why`` is empty when it is accepted and the server's name is in it."""

    ours: str
    why: str = ""


@dataclass(frozen=True)
class _Read:
    """A case with its certificates read."""

    end_entity: x509.Certificate
    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    purpose: x509.ObjectIdentifier
    now: datetime
    depth: int


def judge(case: Case) -> Outcome:
    """Judge a case; whatever is in it, this gives an outcome and raises nothing of its own."""
    try:
        read = _read(case)
        why = _refused(read, case["crls"])
        if why is None:
            return Outcome(SUCCESS, "" if _names_the_server(case, read) else NO_SERVER_NAME)
    except UNREADABLE as error:
        why = f"malformed: {error}"
    return Outcome(FAILURE, _NOISE.sub("", why).strip(" :,"))


def _read(case: Case) -> _Read:
    depth, time = case["max_chain_depth"], case["validation_time"]
    is_server = case["validation_kind"] == "SERVER"
    return _Read(
        _certificate(case["peer_certificate"]),
        tuple(map(_certificate, case["trusted_certs"])),
        tuple(map(_certificate, case["untrusted_intermediates"])),
        ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH,
        (datetime.fromisoformat(time) if time else datetime.now(UTC)).replace(microsecond=0),
        MAX_AUTHORITIES if depth is None else min(depth, MAX_AUTHORITIES),
    )


def _refused(read: _Read, crls: Sequence[str]) -> str | None:
    """Step and reason of the refusal, or None."""
    if not read.end_entity.not_valid_before_utc <= read.now <= read.end_entity.not_valid_after_utc:
        return "time"
    try:
        path = find_path(read.end_entity, Store(list(read.roots)), read.intermediates, read.now, read.depth)
    except ChainBroken as error:
        return f"chain: {error.details['problem']}"
    if broken := _broken(path, read):
        return f"profile: {' '.join(broken)}"
    return _revoked(path, read, crls) if crls else None


def _broken(path: Sequence[x509.Certificate], read: _Read) -> list[str]:
    places = [Place(read.now, depth - 1 if depth else None, read.purpose) for depth in range(len(path))]
    found = (check(c, place) for c, place in zip(path, places, strict=True) for check in _RULES)
    return sorted({violation.rule for violation in found if violation})


def _revoked(path: Sequence[x509.Certificate], read: _Read, crls: Sequence[str]) -> str | None:
    """Step 4 as for an external authority whose lists lie in files."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.crl" for number in range(len(crls))]
        for file, crl in zip(files, crls, strict=True):
            file.write_text(crl)
        sources = tuple(CrlFile(file) for file in files)
        external = External("limbo", (), read.roots, read.intermediates, sources)
        standing = external.standing(path, read.now)
    return None if standing.status is Status.GOOD else f"revocation: {standing.status} {standing.reason}"


def _names_the_server(case: Case, read: _Read) -> bool:
    """Whether a case that we accept would not be refused for the server's name; only to say why we differ."""
    peer = case["expected_peer_name"]
    if case["validation_kind"] != "SERVER" or peer is None:
        return True
    try:
        name = x509.DNSName(peer["value"]) if peer["kind"] == "DNS" else x509.IPAddress(_address(peer["value"]))
        verifier = PolicyBuilder().time(read.now).store(Store(list(read.roots))).build_server_verifier(name)
        verifier.verify(read.end_entity, list(read.intermediates))
    except VerificationError as error:
        return "subjectAltName" not in str(error)
    except ValueError:
        return False
    return True


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def _certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())
