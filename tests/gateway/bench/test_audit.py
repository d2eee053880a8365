"""The measured log is a real one: it verifies, and what is asked of it is there."""

from __future__ import annotations

import pytest

from gateway.audit.reading import who_read
from gateway.bench import audit
from gateway.bench.audit_fill import Scale, fill
from gateway.settings import Settings
from gateway.store import Store
from tests.conftest import NOW


def test_the_log_that_is_measured_verifies_and_every_figure_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ASKED", 5)

    figures = audit.run(3_000, Settings(), postgres=False, seed=7)

    assert (figures["entries"], figures["database"]) == (3_000, "sqlite")
    for name in ("who_read", "who_changed", "what_did", "proof"):
        assert 0 < figures[f"{name}_ms"] <= figures[f"{name}_slowest_ms"]
        assert figures[f"{name}_bare_ms"] > 0
    assert figures["verify_entries_per_s"] > 0


def test_readings_of_every_kind_are_found_in_it(store: Store) -> None:
    scale = Scale(entries=1_500, entities=20, versions=500, seed=7)

    fill(store, scale, NOW, lambda what, so_far: None)

    with store.read() as conn:
        found = who_read(conn, "91330100MA0000007X")
    assert {one.action for one in found} == {"entity.read", "record.read", "feed.read"}
