"""One running sandbox for all tests of a module; a test that moves the world or misbehaves starts its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import zeep

from connectors.sandbox.serve import Sandbox, start

SEED, SIZE = 7, 60


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A small world that nobody changes."""
    running = start(tmp_path_factory.mktemp("sandbox"), SEED, SIZE)
    yield running
    running.stop()


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A small world of the test's own."""
    running = start(tmp_path, SEED, SIZE)
    yield running
    running.stop()


@pytest.fixture
def soap() -> Callable[[Sandbox, str], zeep.Client]:
    """A SOAP client built from the WSDL the endpoint serves, over mutual TLS."""

    def client(running: Sandbox, endpoint: str) -> zeep.Client:
        entry = running.connections()["endpoints"][endpoint]
        session = requests.Session()
        session.trust_env = False
        session.verify = str(running.home / entry["ca"])
        session.cert = (str(running.home / entry["certificate"]), str(running.home / entry["key"]))
        transport = zeep.Transport(session=session, timeout=5, operation_timeout=5)
        return zeep.Client(f"{entry['url']}?wsdl", transport=transport)

    return client
