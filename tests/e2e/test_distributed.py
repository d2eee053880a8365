"""Two workers under CeleryExecutor: parts of one delivery on both, and one of them lost with its tasks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from gateway.demo.distributed import running, tell
from gateway.demo.show import Show
from gateway.settings import Settings

ROWS = 60_000


@pytest.mark.long
@pytest.mark.serial
@pytest.mark.timeout(1800)
def test_two_workers_stage_one_delivery_and_losing_one_loses_and_doubles_nothing(tmp_path: Path) -> None:
    show = Show(Console(file=io.StringIO()))
    with running(Settings(home=tmp_path / "home", port=0), ROWS, show) as field:
        told = tell(field, ROWS, show)

    assert told["ok"]
    assert (told["rows"], told["landed"]) == (2 * ROWS, 2 * ROWS)
    assert set(told["stages_by_worker"]) == {"worker1", "worker2"}
    assert told["stages_tried_again"]
