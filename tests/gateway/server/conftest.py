"""One small installation with a running server, made at the real date because TLS looks at the real clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from certs.authority import Authority, Issued
from certs.keys import save_key, write_whole
from certs.names import SystemName
from certs.verify import serial_text
from gateway.certificates import issue_certificate
from gateway.certificates_holders import holder_status, register
from gateway.certificates_publish import pki_files, prepare
from gateway.client import client
from gateway.clock import utc_now
from gateway.server import ServerProcess, start
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.metadata import metadata

APP = "tests.gateway.server.app:create_app"
LIMIT = 100_000
CUSTOMS = SystemName("customs", "h2018")


@dataclass(frozen=True)
class Holder:
    """A certificate on disk with its key."""

    certificate: Path
    key: Path
    serial: str


@dataclass(frozen=True)
class Installation:
    """A prepared home with its open store."""

    settings: Settings
    store: Store
    authority: Authority

    def issue(self, name: SystemName = CUSTOMS) -> Holder:
        """A new certificate for the system, registered with it if it is not yet."""
        with self.store.write() as conn:
            if holder_status(conn, name.urn) is None:
                register(conn, name, "海关通关系统", "tests", utc_now())
            return self.keep(issue_certificate(conn, self.authority, name, "tests", utc_now()))

    def keep(self, issued: Issued) -> Holder:
        """Write a certificate and its key for a client to use."""
        assert issued.key is not None
        serial = serial_text(issued.certificate.serial_number)
        holder = Holder(self.settings.home / f"{serial}.pem", self.settings.home / f"{serial}.key", serial)
        write_whole(holder.certificate, issued.pem)
        save_key(holder.key, issued.key)
        return holder


Call = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = Settings(home=tmp_path_factory.mktemp("gateway"), port=0, workers=2, threads=4, max_body_bytes=LIMIT)
    store = open_store(settings)
    metadata.create_all(store.engine)
    yield Installation(settings, store, prepare(store, utc_now(), "tests"))
    store.close()


@pytest.fixture(scope="session")
def server(installation: Installation) -> Iterator[ServerProcess]:
    with start(installation.settings, APP) as running:
        yield running


@pytest.fixture
def call(installation: Installation, server: ServerProcess) -> Call:
    """Opens a client for the server, with the certificate of a holder or with none."""

    def opened(holder: Holder | None = None) -> httpx.Client:
        ca = pki_files(installation.settings).root
        return client(server.url, ca, holder and holder.certificate, holder and holder.key, timeout=10)

    return opened
