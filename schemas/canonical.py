"""Records as canonical JSON (RFC 8785), column by column, and their RFC 6962 leaf hashes.

Dates and decimals are strings, so that the bytes are exact; nulls are left out, so that a field
added to a record type later changes no hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

_LEAF = b"\x00"
"""RFC 6962, 2.1: what a leaf begins with, so that no leaf can be mistaken for a node."""

_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
# RFC 8785, 3.2.2.2: two-character escapes where JSON has them, lower-case \u00xx for other controls, nothing else.
_ESCAPES = {chr(code): _SHORT.get(chr(code), f"\\u{code:04x}") for code in range(0x20)} | _SHORT
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


def payloads(frame: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """Each row as canonical JSON.

    Args:
        frame: has the columns ``names``: String, Date, Datetime (UTC), Int64 or Boolean.
        names: members of the object; plain ASCII, so that code-point order is the UTF-16 order of RFC 8785.

    Returns:
        pl.Binary, as many as rows, named ``payload``; nulls are left out of the object.

    Raises:
        ValueError: a column is of a type that has no canonical form.
    """
    members = [_member(name, frame.schema[name]) for name in sorted(names)]
    if not members:
        return pl.Series("payload", [b"{}"] * frame.height, dtype=pl.Binary)
    joined = pl.concat_str(members, ignore_nulls=True)
    # Every member begins with its comma; the first one goes.
    whole = pl.concat_str(pl.lit("{"), joined.str.slice(1), pl.lit("}"))
    return frame.select(whole.cast(pl.Binary).alias("payload")).to_series()


def _member(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.concat_str(pl.lit(f",{json.dumps(name)}:"), _value(name, dtype))


def _value(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype == pl.String:
        quote = pl.lit('"')
        escaped = column.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))
        return pl.concat_str(quote, pl.when(column.str.contains(_NEEDS_ESCAPE)).then(escaped).otherwise(column), quote)
    if dtype == pl.Date:
        return column.dt.strftime('"%Y-%m-%d"')
    if dtype == pl.Datetime:
        return _instant(column)
    if dtype.is_integer():
        return column.cast(pl.String)
    if dtype == pl.Boolean:
        return pl.when(column).then(pl.lit("true")).when(~column).then(pl.lit("false"))
    raise ValueError(f"column {name}: {dtype} has no canonical form here; give text")


def _instant(column: pl.Expr) -> pl.Expr:
    micros = column.dt.microsecond()
    whole = column.dt.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = pl.concat_str(pl.lit("."), micros.cast(pl.String).str.zfill(6)).str.strip_chars_end("0")
    return pl.concat_str(pl.lit('"'), whole, pl.when(micros > 0).then(fraction).otherwise(pl.lit("")), pl.lit('Z"'))


def leaf_hashes(documents: pl.Series) -> pl.Series:
    """RFC 6962 leaf hash of each document: SHA-256 over 0x00 and its bytes.

    Returns:
        pl.Binary, 32 bytes each, named ``content_hash``; null where the document is null.
    """
    sha256 = hashlib.sha256
    hashes = [None if document is None else sha256(_LEAF + document).digest() for document in documents]
    return pl.Series("content_hash", hashes, dtype=pl.Binary)


def canonical_json(value: Any) -> bytes:
    """Any document of ours as canonical JSON: the same bytes for the same content, always.

    Takes mappings with text keys, sequences, text, whole numbers, booleans, None, dates, instants and
    decimals. Members that are None are left out of mappings.

    Raises:
        ValueError: anything else, floats among it: their text is not ours to choose; give a decimal.
    """
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        # RFC 8785, 3.2.3: members are ordered by the UTF-16 code units of their names.
        kept = {key: _plain(item) for key, item in value.items() if item is not None}
        return dict(sorted(kept.items(), key=lambda member: member[0].encode("utf-16-be")))
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    for kind, text in _TEXTS.items():
        if isinstance(value, kind):
            return text(value)
    raise ValueError(f"{type(value).__name__} {value!r} has no canonical form; give text or a decimal")


def _instant_text(at: datetime) -> str:
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return text + "Z"


_TEXTS: dict[type[Any], Callable[[Any], str]] = {
    # datetime is a date too, so it comes first.
    datetime: _instant_text,
    date: date.isoformat,
    Decimal: lambda number: format(number, "f"),
}
