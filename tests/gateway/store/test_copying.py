"""Loading rows in bulk: what comes back is what went in, of every type, on both databases."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    select,
)

from gateway.store import Store, dialect
from gateway.store.copying import packed
from gateway.store.types import Document

TEXTS = ['a "b",\n\t\\N', "\\N", "", None, "中文；\U0001f600", "x" * 5000]


def _table() -> Table:
    return Table(
        "loaded",
        MetaData(),
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("small", SmallInteger),
        Column("whole", Integer),
        Column("yes", Boolean),
        Column("day", Date),
        Column("code", String(6000)),
        Column("text", Text),
        Column("document", Document),
        Column("bytes", LargeBinary),
        Column("said", JSON),
        Column("empty", Text),
    )


def _frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [1, 2, 3, 4, 5, 2**62],
            "small": [1, None, -3, 0, 32767, -32768],
            "whole": [None, 2**31 - 1, -(2**31), 0, 1, 2],
            "yes": [True, False, None, True, False, True],
            "day": [
                date(1970, 1, 1),
                None,
                date(2000, 1, 1),
                date(1999, 12, 31),
                date(2026, 11, 26),
                date(1800, 2, 28),
            ],
            "code": TEXTS,
            "text": TEXTS[::-1],
            "document": [None if text is None else text.encode() for text in TEXTS],
            "bytes": [b"", None, b"\x00\xff\\", bytes(range(256)), b"\n", b"x" * 100_000],
            "said": [json.dumps({"a": text}, ensure_ascii=False) for text in TEXTS],
            "empty": [None] * 6,
        },
        schema_overrides={"empty": pl.String, "small": pl.Int16, "whole": pl.Int32},
    )


def test_rows_come_back_as_they_went_in(store: Store) -> None:
    table, frame = _table(), _frame()

    with store.write() as conn:
        table.create(conn)
        dialect.bulk_load(conn, table, frame)
        found = [dict(row._mapping) for row in conn.execute(select(table).order_by(table.c.id))]

    assert found == [{**row, "said": json.loads(row["said"])} for row in frame.to_dicts()]


def test_some_columns_in_another_order_and_many_pieces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "_PIECE", 2)
    table, frame = _table(), _frame().select("bytes", "empty", "id")

    with store.write() as conn:
        table.create(conn)
        dialect.bulk_load(conn, table, frame)
        found = conn.execute(select(table.c.id, table.c.bytes, table.c.text).order_by(table.c.id)).all()

    assert found == [(number, value, None) for value, _, number in frame.iter_rows()]


def test_a_type_that_has_no_form_is_named() -> None:
    with pytest.raises(TypeError, match="column 'lasts' of type Interval"):
        packed(pl.DataFrame({"lasts": [1]}), [Column("lasts", Interval)])


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_rows_that_are_all_alike_are_written_as_often_as_there_are(rows: int) -> None:
    frame = pl.DataFrame({"a": pl.Series([None] * rows, dtype=pl.String), "b": pl.Series([None] * rows, dtype=pl.Date)})

    assert packed(frame, [Column("a", Text), Column("b", Date)]) == (b"\x00\x02" + b"\xff" * 8) * rows


@pytest.mark.parametrize("longest", [0, 1, 4095, 4096, 70_000])
def test_a_value_is_written_behind_its_length_however_long_others_are(longest: int) -> None:
    frame = pl.DataFrame({"a": ["长", None, "x" * longest]})

    assert packed(frame, [Column("a", Text)]) == b"".join(
        (
            b"\x00\x01\x00\x00\x00\x03" + "长".encode(),
            b"\x00\x01\xff\xff\xff\xff",
            b"\x00\x01" + longest.to_bytes(4, "big") + b"x" * longest,
        )
    )
