"""What is there when staging begins is let alone by Python's collector, and given back afterwards."""

from __future__ import annotations

import gc

from gateway.undisturbed import undisturbed


def test_what_was_there_is_let_alone_until_the_end_of_the_block() -> None:
    with undisturbed():
        inside = gc.get_freeze_count()

    assert inside > 1_000
    assert gc.get_freeze_count() == 0


def test_what_is_let_alone_for_good_stays_so() -> None:
    gc.freeze()
    try:
        with undisturbed():
            pass
        assert gc.get_freeze_count() > 1_000
    finally:
        gc.unfreeze()
