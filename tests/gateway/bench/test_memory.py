"""What ``xinqiao bench memory`` says of deliveries of every kind, and that memory does not grow with them."""

from __future__ import annotations

import pytest

from gateway.bench import memory


@pytest.mark.parametrize("kind", memory.KINDS)
def test_every_row_of_every_kind_of_delivery_is_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "BLOCK", 250)
    monkeypatch.setattr(
        memory,
        "_in_a_process_of_its_own",
        lambda agency, folder, only_decode: memory._read(agency, folder, only_decode),
    )
    steps: list[str] = []

    result = memory.run(kind, 2_500, 7, steps.append)

    assert (result["kind"], result["rows"]) == (kind, 2_500)
    assert 2_000 < result["accepted"] < 2_500
    assert steps == [f"{kind}: 250 rows", f"{kind}: 2500 rows"]


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("kind", "rows"),
    [("csv", 10_000_000), ("xlsx", 1_000_000), ("rest", 2_000_000), ("soap", 1_000_000), ("tables", 1_000_000)],
)
def test_peak_memory_is_that_of_a_delivery_a_tenth_the_size(kind: str, rows: int) -> None:
    """The small one is already larger than what is held at once, or its own peak would be lower."""
    result = memory.run(kind, rows, 7, print, only_decode=True)

    assert result["rows"] == rows
    assert result["ratio_to_a_tenth"] < 1.3
    assert result["peak_rss_mb"] < 1_500
