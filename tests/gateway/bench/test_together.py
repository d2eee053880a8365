"""Sources at once are set beside the same sources one after the other."""

from __future__ import annotations

import pytest

from gateway.bench import together
from gateway.settings import Settings


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_the_same_rows_land_both_ways(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "ROUNDS", 1)
    told: list[str] = []

    figures = together.run(100, 2, settings, told=told.append)

    assert figures["sources"] == 2
    assert figures["ratio_together"] > 0
    assert [step for step in told if step.endswith("at once")] == ["1 at once", "2 at once"]
    assert sum(step.startswith("abnormal_listing 100 rows") for step in told) == 2
