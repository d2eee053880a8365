"""Records as canonical JSON (RFC 8785), by column and one by one, and their RFC 6962 leaf hashes.

Canonical means: one record, one sequence of bytes. Keys are sorted, nothing is null, dates and decimals are text,
numbers are whole. No float ever enters, so RFC 8785, 3.2.2.3 reduces to writing integers plainly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from json.encoder import encode_basestring
from typing import Any

import polars as pl

from schemas.fields.numbers import plain_decimal

LARGEST_INTEGER = 2**53 - 1
"""RFC 8785, 3.2.2.3 (by RFC 7493, 2.2): a number beyond this is not the same number for every reader."""

_WRITTEN = (pl.String, pl.Date, pl.Datetime("us", "UTC"), pl.Boolean)
_FEW = 100
"""Rows up to which writing them one by one costs less than three questions to Polars for each column."""


def key_order(name: str) -> bytes:
    """Sort key of a member name: its UTF-16 code units (RFC 8785, 3.2.3).

    >>> sorted(["\\U0001f600", "\\ufb33"], key=key_order) == ["\\U0001f600", "\\ufb33"]
    True
    """
    return name.encode("utf-16-be")


def canonical_json(value: Any) -> bytes:
    """Write a value as canonical JSON.

    Args:
        value: dicts with text keys, lists, tuples, text, bool, int, ``Decimal``, ``date``, aware ``datetime``, None.
            Members of dicts that are None are left out, as in payloads; None elsewhere is ``null``.

    Raises:
        TypeError: a type that has no exact form here, floats and naive datetimes among them.
        ValueError: an integer beyond ``LARGEST_INTEGER``.
        UnicodeEncodeError: half of a character (an unpaired surrogate).
    """
    return _json(value).encode("utf-8")


def _json(value: Any) -> str:
    if isinstance(value, Mapping):
        names = [name for name, member in value.items() if member is not None]
        # Of ASCII the code units are in the order of the characters.
        names.sort(key=None if "".join(names).isascii() else key_order)
        return "{" + ",".join(f"{_text(name)}:{_json(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_json, value)) + "]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise ValueError(f"{value} is beyond 2**53 - 1 and not exact in JSON (RFC 8785); write it as text")
        return str(int(value))
    return _text(_plain(value))


def _plain(value: Any) -> str:
    """Text of a value that JSON has no type for."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return plain_decimal(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return instant_text(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(
        f"{type(value).__name__} {value!r} has no canonical JSON; use text, int, bool, Decimal, date or UTC"
    )


def instant_text(value: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SSZ``; a fraction of a second only when it is not zero, without trailing zeros."""
    text = value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    return text.rstrip("0").rstrip(".") + "Z"


def _text(text: str) -> str:
    """RFC 8785, 3.2.2.2, which is how Python writes a text: two-character escapes where JSON has them, \\u00xx in lower
    case for other control characters, quotation mark and backslash; everything else as it is (also DEL, U+2028 and
    astral characters)."""
    return encode_basestring(text)


def payloads(frame: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """The named columns of every row as canonical JSON, column-wise.

    Args:
        frame: accepted rows: pl.String, pl.Date, pl.Datetime("us", "UTC"), pl.Int64 (and narrower), pl.Boolean.
        names: columns to write, in any order; nulls are left out. No name has a quotation mark.

    Returns:
        dtype pl.Binary, one object per row, byte for byte what ``canonical_json`` gives for the row.

    Raises:
        TypeError: a column of another dtype.
    """
    ordered = sorted(names, key=key_order)
    if frame.height <= _FEW:
        return _row_by_row(frame, ordered)
    columns = [_written(frame[name]) for name in ordered]
    columns = [column for column in columns if column.null_count() < len(column)]
    if not columns:
        return pl.Series("payload", [b"{}"], dtype=pl.Binary).new_from_index(0, frame.height)
    objects = pl.select(pl.struct(columns).struct.json_encode().alias("payload")).to_series()
    return _without_nulls(objects, columns).cast(pl.Binary)


def _row_by_row(frame: pl.DataFrame, ordered: Sequence[str]) -> pl.Series:
    columns = []
    for name in ordered:
        column, opening = frame.get_column(name), f"{_text(name)}:"
        write = _writer(column.dtype)
        if write is None:
            raise _no_json(name, column.dtype)
        columns.append([None if v is None else opening + write(v) for v in column.to_list()])
    rows = zip(*columns, strict=True) if columns else ((),) * frame.height
    told = ["{" + ",".join(member for member in row if member is not None) + "}" for row in rows]
    return pl.Series("payload", [text.encode() for text in told], dtype=pl.Binary)


@cache
def _writer(dtype: pl.DataType) -> Callable[[Any], str] | None:
    """What writes the values of a column; None of what has no canonical JSON."""
    if dtype.is_integer():
        return str
    return _text if dtype == pl.String else _json if dtype in _WRITTEN else None


def _no_json(name: str, dtype: pl.DataType) -> TypeError:
    return TypeError(f"column {name!r} of type {dtype} has no canonical JSON")


def _without_nulls(objects: pl.Series, columns: list[pl.Series]) -> pl.Series:
    """Take out the members that are null. A quotation mark within a text is written \\", so no text reads like one."""
    nullable = [column for column in columns if column.null_count()]
    if not nullable:
        return objects
    rows = pl.select(pl.any_horizontal(column.is_null() for column in nullable)).to_series().arg_true()
    members = [f"{_text(column.name)}:null" for column in nullable]
    some = objects.gather(rows).str.replace_many({member + ",": "" for member in members})
    if columns[-1].null_count():
        # No comma follows the last one; the one before it goes, if there is one.
        some = some.str.replace(f",{members[-1]}}}", "}", literal=True)
        some = some.str.replace(f"{{{members[-1]}}}", "{}", literal=True)
    return objects.scatter(rows, some)


def _written(column: pl.Series) -> pl.Series:
    """The values as Polars writes them in JSON: by RFC 8785 as well, as far as text, whole numbers and booleans go."""
    dtype = column.dtype
    if dtype == pl.Date:
        return column.dt.to_string("iso:strict")
    if dtype == pl.Datetime("us", "UTC"):
        return _instants(column).alias(column.name)
    if dtype in (pl.String, pl.Boolean) or dtype.is_integer():
        return column
    raise _no_json(column.name, dtype)


def _instants(column: pl.Series) -> pl.Series:
    whole = column.dt.microsecond().fill_null(0) == 0
    if whole.all():
        return column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return pl.Series([None if v is None else instant_text(v) for v in column.to_list()], dtype=pl.String)


def leaf_hashes(records: pl.Series) -> pl.Series:
    """RFC 6962 leaf hash of every payload: SHA-256 over 0x00 and the bytes.

    Args:
        records: dtype pl.Binary, no nulls.

    Returns:
        dtype pl.Binary, 32 bytes each.
    """
    # A copied state costs less than putting the first byte before every record.
    begun = hashlib.sha256(b"\x00")
    hashes = []
    for record in records.to_list():
        leaf = begun.copy()
        leaf.update(record)
        hashes.append(leaf.digest())
    return pl.Series("content_hash", hashes, pl.Binary)
