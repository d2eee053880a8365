"""Rows of a frame as PostgreSQL's binary COPY format takes them. Nothing here talks to a database.

Source: PostgreSQL documentation, COPY, "Binary Format": after a header each row is the number of its fields (2 bytes)
and of each field the length (4 bytes, -1 for null) and the value as the type's ``receive`` function reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import groupby
from operator import add
from typing import Any, cast

import polars as pl
from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Integer, LargeBinary, SmallInteger, String
from sqlalchemy.types import TypeEngine

from gateway.store.types import Document

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

_NULL = b"\xff\xff\xff\xff"
_COUNT = struct.Struct(">h")
_LENGTH = struct.Struct(">i")
_SHORT = 4096
_LENGTHS = pl.Series([*map(_LENGTH.pack, range(_SHORT)), _NULL], dtype=pl.Binary)
"""What stands before a value of each short length; the last one stands for no value."""

_DAYS_BEFORE_2000 = 10_957
"""Polars counts days from 1970, PostgreSQL from 2000."""

_FIXED: dict[type[TypeEngine[Any]], tuple[struct.Struct, int]] = {
    Boolean: (struct.Struct(">i?"), 1),
    SmallInteger: (struct.Struct(">ih"), 2),
    BigInteger: (struct.Struct(">iq"), 8),
    Integer: (struct.Struct(">ii"), 4),
    Date: (struct.Struct(">ii"), 4),
}
"""Column type -> length and value together, and the length; a subclass stands before its base."""


def packed(frame: pl.DataFrame, columns: Sequence[Column[Any]]) -> bytes:
    """Rows between ``HEADER`` and ``TRAILER``.

    Each field is put behind what there is of its row, by column; what comes last is moved least.

    Args:
        frame: a column for each of ``columns``, in their order. Whole numbers, booleans and dates for columns of such
            types, pl.Binary for ``LargeBinary``, pl.Binary (of UTF-8) or whatever Polars casts to text for text.

    Raises:
        TypeError: a column of a type that has no form here.
    """
    pieces: list[pl.Series | bytes] = [_COUNT.pack(len(columns))]
    for series, column in zip(frame.iter_columns(), columns, strict=True):
        # A field that is null in every row is part of what is the same in all of them.
        pieces += [_NULL] if series.null_count() == len(series) else _field(series, column.type)
    rows = reduce(add, _series(pieces))
    return b"".join(rows.to_list()) * (frame.height if len(rows) == 1 else 1)


def _series(pieces: Iterable[pl.Series | bytes]) -> Iterator[pl.Series]:
    """The pieces of a row, what is the same in every row as a single value."""
    for kind, neighbours in groupby(pieces, type):
        if kind is bytes:
            yield pl.Series([b"".join(cast("Iterator[bytes]", neighbours))], dtype=pl.Binary)
        else:
            yield from cast("Iterator[pl.Series]", neighbours)


def _field(series: pl.Series, kind: TypeEngine[Any]) -> list[pl.Series]:
    if isinstance(kind, String | JSON | Document | LargeBinary):
        return _of_any_length(series)
    fixed = next((form for known, form in _FIXED.items() if isinstance(kind, known)), None)
    if fixed is None:
        raise TypeError(f"column {series.name!r} of type {kind!r} has no binary form")
    form, length = fixed
    values = series.cast(pl.Int32) - _DAYS_BEFORE_2000 if isinstance(kind, Date) else series
    pack = form.pack
    return [pl.Series([_NULL if v is None else pack(length, v) for v in values.to_list()], dtype=pl.Binary)]


def _of_any_length(series: pl.Series) -> list[pl.Series]:
    """The lengths and, apart from them, the values."""
    values = series if series.dtype == pl.Binary else series.cast(pl.String).cast(pl.Binary)
    lengths = values.bin.size()
    longest = lengths.max()
    assert isinstance(longest, int)
    if longest < _SHORT:
        return [_LENGTHS.gather(lengths.fill_null(_SHORT)), values.fill_null(b"")]
    told = [_NULL if length is None else _LENGTH.pack(length) for length in lengths.to_list()]
    return [pl.Series(told, dtype=pl.Binary), values.fill_null(b"")]
