"""Setting the stage: a new home, certificates and grants of the demo's systems, the sandbox agencies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.serialization import Encoding

from certs.keys import save_key, write_whole
from certs.names import SystemName
from certs.verify import serial_text
from connectors.errors import Unavailable
from gateway.access.giving import give, new_grant
from gateway.authorities import open_issuing
from gateway.certificates import issue_certificate
from gateway.certificates_holders import register
from gateway.settings import Settings
from gateway.store import Store
from schemas.records import RECORD_TYPES

PURPOSE = "信用评价"
LEGAL_BASIS = "国务院令第584号；国办发〔2020〕49号"
REFUSED_TYPE = "complaint"
"""The one record type that the demo's consumer holds no grant for."""


@dataclass(frozen=True)
class Client:
    """A system with a certificate of its own.

    Attributes:
        urn: ``urn:xinqiao:<agency>:<system>``.
        serial: of the certificate, as the registry writes it.
        certificate: PEM file with the issuer's.
        key: PEM file.
    """

    urn: str
    serial: str
    certificate: Path
    key: Path


def enrol(store: Store, agency: str, system: str, title: str, now: datetime) -> Client:
    """Register a system and give it a certificate; key and certificate lie under ``home/clients``."""
    name = SystemName(agency, system)
    authority = open_issuing(store.settings)
    with store.write() as conn:
        register(conn, name, title, "demo", now)
        issued = issue_certificate(conn, authority, name, "demo", now)
    folder = store.settings.home / "clients"
    folder.mkdir(exist_ok=True, mode=0o700)
    certificate, key = folder / f"{agency}.{system}.pem", folder / f"{agency}.{system}.key"
    write_whole(certificate, issued.certificate.public_bytes(Encoding.PEM) + issued.issuer.public_bytes(Encoding.PEM))
    if issued.key is None:
        raise AssertionError("a key is made when no CSR is given")
    save_key(key, issued.key)
    return Client(name.urn, serial_text(issued.certificate.serial_number), certificate, key)


def grant_all_but_one(store: Store, client: Client, now: datetime) -> None:
    """Give a system a grant for every record type except ``REFUSED_TYPE``, for one year."""
    today = now.date()
    with store.write() as conn:
        for record_type in RECORD_TYPES:
            if record_type != REFUSED_TYPE:
                give(conn, _grant(client, record_type, today, now), now)


def _grant(client: Client, record_type: str, today: date, now: datetime) -> Any:
    return new_grant(
        system_urn=client.urn,
        record_type=record_type,
        columns="*",
        purpose=PURPOSE,
        legal_basis=LEGAL_BASIS,
        valid_from=today - timedelta(days=1),
        valid_until=today + timedelta(days=365),
        given_by="demo",
        now=now,
    )


@dataclass(frozen=True)
class SandboxProcess:
    """The sandbox agencies, running as a process of their own.

    Attributes:
        addresses: what it printed: connections, control address and token, showcase entity.
    """

    process: subprocess.Popen[str]
    addresses: dict[str, Any]

    @property
    def showcase_uscc(self) -> str:
        """An entity that every agency knows something about."""
        return str(self.addresses["showcase_uscc"])

    def stop(self) -> None:
        """End it, hard if it does not end within ten seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def start_sandbox(settings: Settings, seed: int, size: int) -> SandboxProcess:
    """Start the sandbox agencies and write how they are reached into ``connections.yml``.

    Raises:
        Unavailable: it ended before it was ready.
    """
    log = (settings.home / "sandbox.log").open("wb")
    process = subprocess.Popen(  # noqa: S603 - our own interpreter with our own module
        [sys.executable, "-m", "connectors.sandbox", "--home", settings.home, "--seed", str(seed), "--size", str(size)],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )
    log.close()
    try:
        line = process.stdout.readline() if process.stdout else ""
    except BaseException:  # a signal: nobody else knows of the process yet
        SandboxProcess(process, {}).stop()
        raise
    if not line:
        process.wait()
        said = (settings.home / "sandbox.log").read_text("utf-8", "replace")[-2000:]
        raise Unavailable(f"沙箱机构未能启动：{said}", f"the sandbox agencies did not start: {said}")
    addresses = json.loads(line)
    text = yaml.safe_dump(addresses["connections"], allow_unicode=True, sort_keys=True)
    write_whole(settings.home / "connections.yml", text.encode(), 0o600)
    return SandboxProcess(process, addresses)
