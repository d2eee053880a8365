"""The measurement of resolution holds every answer against the right one."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from gateway.bench import resolve
from gateway.settings import Settings


def test_every_row_is_resolved_as_it_must_be(tmp_path: Path) -> None:
    result = resolve.run(3_000, 1_001, Settings(home=tmp_path), postgres=False, seed=7)

    assert result["wrong"] == 0
    assert result["resolved"] + result["unresolved"] == 3_000
    assert 2_500 < result["resolved"] < 2_900
    assert result["ambiguous"] > 10
    assert result["ratio_to_bare"] > 0


def test_a_wrong_answer_is_not_measured() -> None:
    sent = resolve.sent_rows(0, 100, 1_000, 7)
    found = sent.select("_row", pl.lit("someone").alias("entity_uscc"))

    with pytest.raises(AssertionError, match="100 rows are resolved wrongly"):
        resolve._demand_right(found, sent)
