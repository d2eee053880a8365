"""JSON answers and table dumps: values to text exactly as they were written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from connectors.decode.csv import decode_text
from connectors.decode.shape import Table, from_rows, undecodable
from connectors.headings import unique_headings
from connectors.spec import SourceSpec

_HALF = re.compile("[\ud800-\udfff]")


class RepeatedKeyError(ValueError):
    """An object says one key twice; which of the two is meant cannot be known."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        said = Counter(key for key, _ in pairs)
        raise RepeatedKeyError(next(key for key, times in said.items() if times > 1))
    return content


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def parse_json(where: str, data: bytes) -> Any:
    """A JSON document with every number kept as the text it was written in.

    Raises:
        Undecodable: not UTF-8, not JSON, nested too deep, or an object says one key twice.
    """
    text = decode_text(where, data, "utf-8-sig")
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=_constant, object_pairs_hook=_object)
    except RepeatedKeyError as error:
        raise undecodable(
            where, f"键“{error}”出现两次。", f"key {str(error)!r} is there twice.", key=str(error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise undecodable(where, f"不是 JSON：{error}。", f"not JSON: {error}.") from error


def at_path(content: Any, path: str) -> Any:
    """What lies at a dotted path, or None if a step is missing."""
    for step in path.split(".") if path else ():
        content = content.get(step) if isinstance(content, dict) else None
    return content


def read_json(name: str, data: bytes, spec: SourceSpec) -> Table:
    """Read the list of objects at ``decode.rows``.

    Raises:
        Undecodable: not JSON, no list at the path, or a row that is not an object.
    """
    where = f"{spec.source} {name}"
    content = parse_json(where, data)
    parent, _, name_of_list = spec.decode.rows.rpartition(".")
    holder = at_path(content, parent)
    if spec.decode.rows and isinstance(holder, dict) and name_of_list not in holder:
        raise undecodable(
            where,
            f"应答中没有“{spec.decode.rows}”，只有 {'、'.join(holder)}。",
            f"there is nothing at {spec.decode.rows!r}, only {', '.join(holder)}.",
            rows=spec.decode.rows,
        )
    # Agencies write null for "no rows".
    rows = at_path(content, spec.decode.rows)
    rows = [] if rows is None else rows
    if not isinstance(rows, list):
        raise undecodable(
            where,
            f"“{spec.decode.rows}”处应为列表，实为 {type(rows).__name__}。",
            f"expected a list at {spec.decode.rows!r}, got {type(rows).__name__}.",
        )
    return _table(where, name, enumerate(rows, 1), spec)


def read_ndjson(name: str, data: bytes, spec: SourceSpec) -> Table:
    """Read one JSON object a line.

    Raises:
        Undecodable: a line is not a JSON object; names the line.
    """
    where = f"{spec.source} {name}"
    lines = ((number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip())
    return _table(where, name, ((number, parse_json(f"{where}:{number}", line)) for number, line in lines), spec)


def _table(where: str, name: str, rows: Iterable[tuple[int, Any]], spec: SourceSpec) -> Table:
    headings: dict[str, int] = {}
    found: list[tuple[int, dict[int, str]]] = []
    for line, row in rows:
        if not isinstance(row, dict):
            raise undecodable(
                f"{where}:{line}", f"应为对象，实为 {row!r:.40}。", f"expected an object, got {row!r:.40}."
            )
        cells: dict[int, str] = {}
        for heading, text in _leaves(where, line, row, spec):
            index = headings.setdefault(heading, len(headings))
            if text:
                cells[index] = text
        found.append((line, cells))
    return replace(from_rows(name, unique_headings(list(headings)), found), whole=False)


def _leaves(
    where: str, line: int, row: dict[str, Any], spec: SourceSpec, prefix: str = ""
) -> Iterable[tuple[str, str | None]]:
    for key, value in row.items():
        heading = prefix + _whole(key)
        if isinstance(value, str) and value and heading in spec.decode.nested_json:
            value = parse_json(f"{where}:{line} {heading}", value.encode())
        if isinstance(value, dict):
            yield from _leaves(where, line, value, spec, f"{heading}.")
        elif isinstance(value, bool):
            yield heading, "true" if value else "false"
        elif isinstance(value, list):
            yield heading, _whole(";".join(_plain(item) for item in value)) or None
        else:
            yield heading, _whole(value) if value else value


def _whole(text: str) -> str:
    """Halves of characters, left where a database cut an emoji in two, become the substitute character (U+001A).

    Columns cannot hold them; the substitute is no text either, so the field it stands in faults the row.
    """
    return _HALF.sub("\x1a", text)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
