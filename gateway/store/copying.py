"""Rows of a frame as PostgreSQL's binary COPY format takes them. Nothing here talks to a database.

Source: PostgreSQL documentation, COPY, "Binary Format": after a header each row is the number of its fields (2 bytes)
and of each field the length (4 bytes, -1 for null) and the value as the type's ``receive`` function reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import polars as pl
from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Integer, LargeBinary, SmallInteger, String
from sqlalchemy.types import TypeEngine

from gateway.store.types import Document

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

_NULL = b"\xff\xff\xff\xff"
_COUNT = struct.Struct(">h")
_LENGTH = struct.Struct(">i")
# The last one is that of length -1.
_LENGTHS = [*(_LENGTH.pack(length) for length in range(4096)), _NULL]

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

    Args:
        frame: a column for each of ``columns``, in their order. Whole numbers, booleans and dates for columns of such
            types, pl.Binary for ``LargeBinary``, pl.Binary (of UTF-8) or whatever Polars casts to text for text.

    Raises:
        TypeError: a column of a type that has no form here.
    """
    fields: list[Iterable[bytes]] = []
    # Fields that are null in every row, and whatever else is the same in all of them, are written once.
    same = _COUNT.pack(len(columns))
    for series, column in zip(frame.iter_columns(), columns, strict=True):
        if series.null_count() == len(series):
            same += _NULL
            continue
        fields += [repeat(same)] if same else []
        same = b""
        fields += _fields(series, column.type)
    fields += [repeat(same, frame.height)] if same else []
    return b"".join(map(b"".join, zip(*fields)))  # noqa: B905  # what repeats has no end


def _fields(series: pl.Series, kind: TypeEngine[Any]) -> Iterator[Iterable[bytes]]:
    if isinstance(kind, String | JSON | Document | LargeBinary):
        yield from _of_any_length(series)
        return
    fixed = next((form for known, form in _FIXED.items() if isinstance(kind, known)), None)
    if fixed is None:
        raise TypeError(f"column {series.name!r} of type {kind!r} has no binary form")
    form, length = fixed
    values = series.cast(pl.Int32) - _DAYS_BEFORE_2000 if isinstance(kind, Date) else series
    pack = form.pack
    yield [_NULL if value is None else pack(length, value) for value in values.to_list()]


def _of_any_length(series: pl.Series) -> Iterator[Iterable[bytes]]:
    """The lengths and, apart from them, the values: putting each two together would copy all of them once more."""
    values = series if series.dtype == pl.Binary else series.cast(pl.String).cast(pl.Binary)
    lengths = values.bin.size()
    if values.null_count():
        values, lengths = values.fill_null(b""), lengths.cast(pl.Int64).fill_null(-1)
    longest = lengths.max()
    assert isinstance(longest, int)
    known = longest < len(_LENGTHS) - 1
    yield map(_LENGTHS.__getitem__ if known else _LENGTH.pack, lengths.to_list())
    yield values.to_list()
