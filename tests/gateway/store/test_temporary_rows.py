"""Rows of a small delivery are the rows that were given, in a table or along with the statement."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Boolean, Column, Connection, Date, Integer, LargeBinary, String, select
from sqlalchemy.exc import StatementError

from gateway.store import Store
from gateway.store.stage import row_columns, temporary_rows
from gateway.store.types import Document
from schemas.records import RECORD_TYPES

TEXTS = ['"quoted", \\back\\', "\n\t\x01\x7f\u2028", "𠮷 ㍿ é ￿", "'; DROP TABLE x; --", "\\x41 \\u0041 {}", "%s :name"]


def values(column: Column[Any], rows: int) -> pl.Series:
    """Awkward values of a column's kind; where it may be null, one is."""
    kinds: list[tuple[type, list[Any], pl.DataType]] = [
        (Document, [text.encode() for text in TEXTS], pl.Binary()),
        (LargeBinary, [bytes([number, 0, 255, 92]) * 8 for number in range(rows)], pl.Binary()),
        (Boolean, [True, False], pl.Boolean()),
        (Date, [date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29)], pl.Date()),
        (Integer, [2**53 + 1, -(2**63), 2**63 - 1, 0], pl.Int64()),
    ]
    length = column.type.length if isinstance(column.type, String) else None
    texts = [text[: length or None] for text in TEXTS]
    some, dtype = next(
        ((some, dtype) for kind, some, dtype in kinds if isinstance(column.type, kind)), (texts, pl.String())
    )
    cells = [some[number % len(some)] for number in range(rows)]
    if column.name == "ord":
        cells = list(range(1, rows + 1))
    elif column.name == "op":
        cells = ["put"] * rows
    elif column.nullable:
        cells[-1] = None
    return pl.Series(column.name, cells, dtype)


@pytest.mark.parametrize("rows", [1, 7, 200])
def test_every_kind_of_value_comes_back_as_it_was_given(store: Store, rows: int) -> None:
    for record_type in sorted(RECORD_TYPES):
        columns = row_columns(record_type)
        frame = pl.DataFrame([values(column, rows) for column in columns]).with_columns(
            record_key=pl.Series([number.to_bytes(16) for number in range(rows)], dtype=pl.Binary)
        )

        with store.write() as conn, temporary_rows(conn, record_type, frame) as staged:
            found = conn.execute(select(staged).order_by(staged.c.ord)).all()

        assert [tuple(row) for row in found] == frame.select(staged.c.keys()).rows()


def test_columns_that_were_not_given_are_null(store: Store) -> None:
    frame = pl.DataFrame({"ord": [1], "record_key": [b"k" * 16], "op": ["put"]})

    with store.write() as conn, temporary_rows(conn, "licence", frame) as staged:
        found = conn.execute(select(staged)).one()

    assert {name: value for name, value in found._mapping.items() if value is not None} == {
        "ord": 1,
        "record_key": b"k" * 16,
        "op": "put",
    }


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_statements_that_name_given_rows_are_made_once_and_give_the_rows_of_whoever_executes_them(store: Store) -> None:
    def given(key: bytes) -> pl.DataFrame:
        return pl.DataFrame({"ord": [1], "record_key": [key * 16], "op": ["put"]})

    def keys(of: Connection) -> list[bytes]:
        return list(of.execute(asked).scalars())

    with store.write() as conn, temporary_rows(conn, "licence", given(b"a")) as staged:
        asked = select(staged.c.record_key)
        with store.write() as other, temporary_rows(other, "licence", given(b"b")) as inner:
            within = keys(other)
        with ThreadPoolExecutor(1) as thread, pytest.raises(StatementError, match="LookupError"):
            thread.submit(keys, conn).result()
        afterwards = keys(conn)

    assert inner is staged
    assert (within, afterwards) == ([b"b" * 16], [b"a" * 16])
