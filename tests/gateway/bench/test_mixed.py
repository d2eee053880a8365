"""Synthetic rows of every record type: good ones nearly all, the same each time, each about a record of its own."""

from __future__ import annotations

import polars as pl
import pytest

from gateway.bench.mixed import SHARES, counts, mixed_rows
from schemas.columnar import contract
from schemas.records import RECORD_TYPES

ENTITIES = 500


@pytest.mark.parametrize("record_type", sorted(RECORD_TYPES))
def test_rows_of_every_record_type_are_mostly_accepted_and_some_are_dirty(record_type: str) -> None:
    rows = mixed_rows(record_type, 2_000, ENTITIES)
    framed = rows.with_columns(pl.lit("put").alias("_op")).with_row_index("_row", 1)

    judged = contract(record_type).judge(framed)

    # A registration is of its own entity, of which there are 500; judging does not yet look for repetitions.
    assert 0.9 * rows.height < judged.accepted.height <= rows.height


def test_the_same_numbers_give_the_same_rows_wherever_they_begin() -> None:
    whole = mixed_rows("licence", 300, ENTITIES)

    assert mixed_rows("licence", 100, ENTITIES, first=200).equals(whole.slice(200, 100))
    assert not mixed_rows("licence", 300, ENTITIES, seed=8).equals(whole)


def test_keys_are_different_in_every_row() -> None:
    rows = mixed_rows("licence", 5_000, ENTITIES)

    assert rows["document_no"].n_unique() == rows.height


def test_the_mixture_adds_up_with_one_registration_per_entity() -> None:
    mixture = counts(36_170_000, 900_000)

    assert sum(mixture.values()) == 36_170_000
    assert mixture["registration"] == 900_000
    assert set(mixture) == set(RECORD_TYPES) == set(SHARES)
