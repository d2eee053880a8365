"""A gateway with something in it, as a process of its own, and schemathesis with a certificate before it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from certs.names import AGENCY_ADMINISTRATOR, DUTIES, PersonName
from gateway.certificates_publish import pki_files
from gateway.client import client
from gateway.clock import utc_now
from gateway.server import ServerProcess, start
from tests.gateway.api.installation import BAD, ONE, PURPOSE, SOURCE, TWO, Installation, System, company_list, install

SYSTEM = "urn:xinqiao:market_supervision:register"

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)

_CONFIG = Path(__file__).with_name("schemathesis.toml")


@dataclass(frozen=True)
class Served:
    """A running gateway and who may call it.

    Attributes:
        callers: name -> certificate with its key.
    """

    home: Installation
    server: ServerProcess
    callers: dict[str, System]


CALLERS = ("system", *DUTIES)
"""Every kind of certificate that the gateway knows."""


@contextmanager
def served(folder: Path, database_url: str) -> Iterator[Served]:
    """A gateway with two entities, a quarantined row and a grant, on a free port of the loopback."""
    home = install(folder / "home", utc_now(), database_url)
    try:
        home.settings = replace(home.settings, workers=2, threads=4)
        system = home.system(SYSTEM)
        home.grant(SYSTEM)
        people = {duty: home.person(_person(duty)) for duty in DUTIES}
        with start(home.settings) as server:
            _deliver(home, server, system)
            yield Served(home, server, {"system": system, **people})
    finally:
        home.close()


def try_as(gateway: Served, caller: str, seconds: int, more: Sequence[str] = ()) -> int:
    """Let schemathesis try everything that the document describes; its exit code is 0 if it found nothing.

    Args:
        seconds: how long it goes on; it may take a little longer to end.
    """
    who = gateway.callers[caller]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIG)),
        *("run", f"{gateway.server.url}/v1/openapi.json", "--no-color", "--max-time", str(seconds)),
        *("--tls-verify", str(pki_files(gateway.home.settings).trust)),
        *("--request-cert", str(who.certificate), "--request-cert-key", str(who.key)),
        *("--header", f"Xinqiao-Purpose: {PURPOSE}"),
        *("--checks", ",".join(CHECKS), "--continue-on-failure", "--warnings", "off", *more),
    ]
    # What it remembers from run to run stays in the folder that goes with the gateway.
    return subprocess.run(command, check=False, cwd=gateway.home.settings.home, timeout=seconds * 3 + 120).returncode


def _person(duty: str) -> PersonName:
    return PersonName(
        f"person-{duty.replace('_', '-')}", duty, "market_supervision" if duty == AGENCY_ADMINISTRATOR else ""
    )


def _deliver(home: Installation, server: ServerProcess, system: System) -> None:
    rows = company_list(("杭州甲有限公司", ONE), ("宁波乙有限公司", TWO), ("丙有限公司", BAD))
    with client(server.url, pki_files(home.settings).trust, system.certificate, system.key) as own:
        answer = own.post(f"/v1/sources/{SOURCE}/deliveries", content=rows, headers={"Content-Type": "text/csv"})
        answer.raise_for_status()
