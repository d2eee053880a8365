"""Small deliveries are measured as they are promised: landed, with a receipt that proves it."""

from __future__ import annotations

import pytest

from gateway.bench.deliver import DELIVERED, run
from gateway.settings import Settings


@pytest.mark.serial
def test_small_deliveries_are_measured_by_their_rows() -> None:
    figures = run(20, Settings(workers=1, threads=4), postgres=False, seconds=0.1)

    assert (figures["database"], figures["workers"]) == ("sqlite", 1)
    for rows in DELIVERED:
        assert 0 < figures[f"delivery_{rows}_p50_ms"] <= figures[f"delivery_{rows}_p99_ms"]
        assert figures[f"delivery_{rows}_count"] >= 1
    assert 0 < figures["fixed_p50_ms"] < figures["delivery_1_p50_ms"]
