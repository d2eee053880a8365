"""``xinqiao demo`` as a person starts it: everything real, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.registry import source_names
from gateway.certificates_files import pki_files
from gateway.client import client
from gateway.settings import Settings

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]


def test_the_demo_runs_every_source_stays_up_when_asked_and_leaves_no_process(demo_home: Path) -> None:
    demo = _start(demo_home, "--keep", "--json", "--size", "60")
    said = _read_until(demo, "停止 stop:")
    answers = _health(said)
    family = _family(demo.pid)

    demo.send_signal(signal.SIGINT)
    rest, _ = demo.communicate(timeout=60)

    assert demo.returncode == 0, said[-3000:] + rest[-3000:]
    assert answers == {"gateway": 200, "airflow": 200}
    assert len(family) > 8  # itself, agencies, gateway and its workers, scheduler and its workers, two more
    assert family.keys() & _processes().keys() == set()
    assert _left_over(demo_home) == {}
    summary = json.loads(rest.splitlines()[-1])
    assert summary["ok"] is True
    assert {name: exchange["state"] for name, exchange in summary["sources"].items()} == dict.fromkeys(
        source_names(), "success"
    )
    assert [name for name, exchange in summary["sources"].items() if not _adds_up(exchange)] == []
    assert len(summary["entity"]["agencies"]) >= 4
    assert [(refusal["status"], refusal["code"]) for refusal in summary["refusals"]] == [
        (403, "grant_none"),
        (401, "certificate_revoked"),
    ]
    positions = summary["feed"]["positions"]
    assert positions == sorted(set(positions)) != []
    assert summary["audit"]["ok"] is True
    assert summary["audit"]["versions"] >= sum(exchange["new"] for exchange in summary["sources"].values())


def test_a_demo_that_is_told_to_stop_while_it_starts_leaves_no_process(demo_home: Path) -> None:
    demo = _start(demo_home, "--size", "60")
    said = _read_until(demo, "网关启动")
    running = _left_over(demo_home)

    demo.send_signal(signal.SIGTERM)
    rest, _ = demo.communicate(timeout=60)

    assert demo.returncode == 143, said + rest
    assert len(running) >= 3, running  # itself, the sandbox, the first command of Airflow
    assert _left_over(demo_home) == {}


@pytest.fixture
def demo_home(tmp_path: Path) -> Iterator[Path]:
    """Where the demo makes its homes; whatever still runs there after the test is ended."""
    yield tmp_path
    for process in _left_over(tmp_path):
        os.kill(process, signal.SIGKILL)


def _start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [Path(sys.executable).with_name("xinqiao"), "demo", *arguments],
        env=dict(os.environ) | {"XINQIAO_HOME": str(home), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _read_until(demo: subprocess.Popen[str], word: str) -> str:
    """What the demo says up to the line with the word, or to its end."""
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if word in line:
            break
    return "".join(said)


def _health(said: str) -> dict[str, int]:
    """What the addresses that were printed answer."""
    printed = dict(re.findall(r"^  .*?(gateway|Airflow|XINQIAO_HOME): (\S+)", said, re.MULTILINE))
    trust = pki_files(Settings(home=Path(printed["XINQIAO_HOME"]))).trust
    with client(printed["gateway"], trust) as gateway:
        gateway_says = gateway.get("/healthz").status_code
    airflow_says = httpx.get(f"{printed['Airflow']}/api/v2/monitor/health", trust_env=False).status_code
    return {"gateway": gateway_says, "airflow": airflow_says}


def _adds_up(exchange: dict[str, Any]) -> bool:
    """Every row received was accepted or rejected, and something came."""
    return bool(exchange["received"] == exchange["accepted"] + exchange["rejected"] > 0)


def _left_over(home: Path) -> dict[int, str]:
    """Process id -> command line of what runs with this home in its environment or arguments."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, environ = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue  # ended meanwhile, or of somebody else
        if command and str(home).encode() in command + environ:
            found[int(folder.name)] = command.replace(b"\0", b" ").decode("utf-8", "replace")
    return found


def _family(ancestor: int) -> dict[tuple[int, str], str]:
    """A process and all that descend from it: (id, start time) -> command line.

    Airflow's workers rename themselves and write over the environment that ``_left_over`` looks at.
    """
    processes = _processes()
    parents = {process: parent for (process, _), (parent, _) in processes.items()}

    def descends(process: int) -> bool:
        while process in parents and process != ancestor:
            process = parents[process]
        return process == ancestor

    return {key: command for key, (_, command) in processes.items() if descends(key[0])}


def _processes() -> dict[tuple[int, str], tuple[int, str]]:
    """Every process that is not a zombie: (id, start time) -> (parent, command line)."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which may hold anything: state, parent, ...; the 20th is the start time.
            facts = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue  # ended meanwhile, or of somebody else
        if facts[0] != "Z":
            found[(int(folder.name), facts[19])] = (int(facts[1]), command)
    return found
