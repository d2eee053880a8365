"""Tables of versions are made once, whoever asks first."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: in this one they have been made long since.
AT_ONCE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from gateway.store.tables import versions_table
from schemas.records import RECORD_TYPES

sys.setswitchinterval(1e-6)
begin = threading.Barrier(8)

def ask(number):
    begin.wait()
    return [versions_table(name) for name in RECORD_TYPES]

with ThreadPoolExecutor(8) as threads:
    asked = list(threads.map(ask, range(8)))
assert all(one is first for tables in asked for one, first in zip(tables, asked[0]))
"""


def test_threads_of_a_process_that_has_just_begun_get_the_same_tables() -> None:
    subprocess.run([sys.executable, "-c", AT_ONCE], check=True, timeout=60)
