"""What is said of the memory of a landing."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own, as landings are measured: one that was larger before would hide what its children hold.
WATCHED = """
import subprocess, sys
from gateway.bench.apart import Watch
with Watch() as alone:
    pass
holds = "held = b'x' * 60_000_000; print(flush=True); input()"
with Watch() as watch, subprocess.Popen([sys.executable, "-c", holds], stdin=-1, stdout=-1) as child:
    child.stdout.readline()
    while watch.peak_rss_mb < alone.peak_rss_mb + 50:
        pass
    child.communicate(b"\\n")
"""


def test_the_memory_of_processes_that_were_started_counts_while_they_live() -> None:
    subprocess.run([sys.executable, "-c", WATCHED], check=True, timeout=60)
