"""What the bench of the pipeline says of memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.bench.apart import Watch, _read, _resident_kb

HOLDS_60_MB = "held = b'x' * 60_000_000; print(flush=True); input()"


def test_the_memory_of_processes_that_were_started_counts_while_they_live() -> None:
    with Watch() as alone:
        pass
    with (
        Watch() as watch,
        subprocess.Popen([sys.executable, "-c", HOLDS_60_MB], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
    ):
        assert child.stdout is not None
        child.stdout.readline()
        while watch.peak_rss_mb < alone.peak_rss_mb + 50:
            pass
        child.communicate(b"\n")

    assert watch.peak_rss_mb >= alone.peak_rss_mb + 50


def test_a_process_that_ends_while_it_is_looked_at_counts_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lasting = Path(f"/proc/{child.pid}/status").open("rb")  # noqa: SIM115  # closed below, after its end
        child.communicate(b"\n")

    with lasting, pytest.raises(ProcessLookupError):
        lasting.read()
    assert _read(Path(f"/proc/{child.pid}/status")) == ""
    assert _resident_kb(str(child.pid), "VmRSS") == 0
