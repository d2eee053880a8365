"""Starting, controlling and stopping the sandbox, in this process and as a process of its own."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from connectors.connections import Connections
from connectors.sandbox.serve import Sandbox


def control(sandbox: Sandbox, what: str, content: Any = None, token: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {sandbox.control_token if token is None else token}"}
    return requests.post(f"{sandbox.control_url}/{what}", json=content, headers=headers, timeout=5)


def test_the_gateway_can_load_the_connections_it_is_given(sandbox: Sandbox) -> None:
    (sandbox.home / "connections.yml").write_text(yaml.safe_dump(sandbox.connections()), "utf-8")

    loaded = Connections.load(sandbox.home)

    assert set(loaded.endpoints) == set(sandbox.services)


def test_keys_and_secrets_are_readable_by_their_owner_alone(sandbox: Sandbox) -> None:
    secret = [*sandbox.home.glob("sandbox/tls/*"), *sandbox.home.glob("secrets/*")]

    assert len(secret) > 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}


def test_another_process_can_ask_for_misbehaviour_and_a_day(own_sandbox: Sandbox) -> None:
    misbehaves = control(own_sandbox, "misbehave", {"endpoint": "customs_registrations", "how": "error_500"})
    day = control(own_sandbox, "advance")

    assert (misbehaves.status_code, own_sandbox.state.moods.of("customs_registrations")) == (200, "error_500")
    assert (day.json(), own_sandbox.world.day) == ({"today": "2026-07-01", "day": 1}, 1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"endpoint": "nobody", "how": "timeout"}, "unknown endpoint 'nobody'"),
        ({"endpoint": "customs_registrations", "how": "explode"}, "unknown misbehaviour 'explode'"),
        ({"how": "timeout"}, "endpoint"),
        (["timeout"], "list indices"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_the_reason(sandbox: Sandbox, content: Any, says: str) -> None:
    answer = control(sandbox, "misbehave", content)

    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_nobody_without_the_token_controls_the_sandbox(own_sandbox: Sandbox) -> None:
    assert control(own_sandbox, "advance", token="wrong").status_code == 401
    assert own_sandbox.world.day == 0


def test_it_runs_as_a_process_of_its_own_until_it_is_told_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "connectors.sandbox", "--home", str(tmp_path), "--size", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = json.loads(process.stdout.readline()) if process.stdout else {}
        headers = {"Authorization": f"Bearer {line['control']['token']}"}
        answer = requests.post(f"{line['control']['url']}/advance", headers=headers, timeout=5)
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=20)

    assert answer.json()["day"] == 1
    assert (process.returncode, complaints) == (0, "")
    assert line["connections"]["endpoints"]["customs_registrations"]["url"].startswith("https://127.0.0.1:")
