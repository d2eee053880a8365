"""What the allocator of Polars is told, before it is loaded."""

import os
import subprocess
import sys

LOADED = "import gateway, polars, os; print(os.environ['_RJEM_MALLOC_CONF'])"


def told(**environment: str) -> list[str]:
    own = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    asked = subprocess.run(
        [sys.executable, "-c", LOADED], env=own | environment, capture_output=True, text=True, check=True
    )
    return asked.stdout.strip().split(",")


def test_what_is_let_go_of_is_kept_for_the_next_chunk() -> None:
    # Of a setting that is named twice the last one holds: Polars puts its own before.
    assert told()[-2:] == ["dirty_decay_ms:10000", "muzzy_decay_ms:10000"]


def test_an_operator_s_own_setting_holds() -> None:
    assert told(_RJEM_MALLOC_CONF="dirty_decay_ms:0")[-1] == "dirty_decay_ms:0"
