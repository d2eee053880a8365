"""What is there when staging begins is let alone by Python's collector, and given back afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gateway import undisturbed
from gateway.undisturbed import _Counted


@pytest.fixture(autouse=True)
def _nothing_is_let_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(undisturbed, "_blocks", _Counted())
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_was_there_is_let_alone_until_the_last_block_ends() -> None:
    with undisturbed.undisturbed():
        with undisturbed.undisturbed():
            pass
        inside = gc.get_freeze_count()

    assert inside > 1_000
    assert gc.get_freeze_count() == 0


def test_what_is_let_alone_for_good_stays_so_and_nothing_is_added() -> None:
    undisturbed.let_alone()
    before = gc.get_freeze_count()

    with undisturbed.undisturbed():
        more = [[] for _ in range(10_000)]

    assert 1_000 < gc.get_freeze_count() <= before
    assert len(more) == 10_000
