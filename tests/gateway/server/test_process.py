"""Starting and stopping the server as a process of its own."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.errors import Unavailable
from gateway.certificates_publish import pki_files
from gateway.client import client
from gateway.server import ServerProcess, process, start
from tests.gateway.server.conftest import APP, Installation

pytestmark = pytest.mark.serial


def test_a_started_server_answers_at_once_on_a_port_of_its_own_choice(installation: Installation) -> None:
    ca = pki_files(installation.settings).root

    with start(replace(installation.settings, workers=1), APP) as server, client(server.url, ca) as probe:
        status = probe.get("/healthz").status_code

    assert status == 200
    assert (httpx.URL(server.url).scheme, httpx.URL(server.url).host) == ("https", "127.0.0.1")
    assert httpx.URL(server.url).port not in (0, None)


def test_the_process_that_forks_the_workers_has_one_thread(server: ServerProcess) -> None:
    # A lock that another thread held at the fork would stay locked in the worker for ever.
    threads = list(Path(f"/proc/{server.process.pid}/task").iterdir())

    assert len(threads) == 1


def test_a_stopped_server_is_gone_and_may_be_stopped_again(installation: Installation) -> None:
    server = start(replace(installation.settings, workers=1), APP)

    codes = [server.stop(), server.stop()]

    assert codes == [0, 0]
    with client(server.url, pki_files(installation.settings).root) as probe, pytest.raises(httpx.ConnectError):
        probe.get("/healthz")


def test_a_server_that_cannot_start_says_why(installation: Installation) -> None:
    with pytest.raises(Unavailable, match="RuntimeError: no application at"):
        start(replace(installation.settings, workers=1), "tests.gateway.server.app:broken_app")


def test_a_server_whose_starter_was_told_to_stop_meanwhile_ends_by_itself(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(process.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(replace(installation.settings, workers=1), APP)

    assert started[0].wait(30) != 0
