"""What the bench of the pipeline says of memory."""

from __future__ import annotations

import subprocess
import sys

from gateway.bench.apart import Watch

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
