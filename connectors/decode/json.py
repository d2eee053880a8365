"""JSON answers and table dumps: values to text exactly as they were written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

from connectors.decode.csv_head import decode_text, demand_no_binary
from connectors.decode.json_items import DECODER, as_undecodable, items_at
from connectors.decode.shape import MAX_RECORD_BYTES, Table, page_tables, too_long, undecodable
from connectors.spec import SourceSpec

_HALF = re.compile("[\ud800-\udfff]")


def parse_json(where: str, data: bytes) -> Any:
    """A JSON document with every number kept as the text it was written in.

    Raises:
        Undecodable: not UTF-8, not JSON, nested too deep, or an object says one key twice.
    """
    demand_no_binary(where, data)
    text = decode_text(where, data, "utf-8-sig").removeprefix("\ufeff")
    with as_undecodable(where):
        return DECODER.decode(text)


def at_path(content: Any, path: str) -> Any:
    """What lies at a dotted path, or None if a step is missing."""
    for step in path.split(".") if path else ():
        content = content.get(step) if isinstance(content, dict) else None
    return content


def read_json(name: str, file: IO[bytes], spec: SourceSpec, rows: int) -> Iterator[Table]:
    """Read the list of objects at ``decode.rows``, in tables of about ``rows`` rows.

    Raises:
        Undecodable: not JSON, no list at the path, or a row that is not an object.
    """
    where = f"{spec.source} {name}"
    return _tables(where, name, enumerate(items_at(where, file, spec.decode.rows), 1), spec, rows)


def read_ndjson(name: str, file: IO[bytes], spec: SourceSpec, rows: int) -> Iterator[Table]:
    """Read one JSON object a line, in tables of about ``rows`` rows.

    Raises:
        Undecodable: a line is not a JSON object; names the line.
    """
    where = f"{spec.source} {name}"
    objects = ((number, parse_json(f"{where}:{number}", line)) for number, line in _lines(where, file) if line.strip())
    return _tables(where, name, objects, spec, rows)


def _lines(where: str, file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(MAX_RECORD_BYTES):
        number += 1
        if len(line) == MAX_RECORD_BYTES:
            raise too_long(where, number)
        yield number, line


def _tables(where: str, name: str, objects: Iterable[tuple[int, Any]], spec: SourceSpec, rows: int) -> Iterator[Table]:
    headings: dict[str, int] = {}
    cells = ((line, _cells(where, line, row, headings, spec)) for line, row in objects)
    return page_tables(name, cells, headings, rows)


def _cells(where: str, line: int, row: Any, headings: dict[str, int], spec: SourceSpec) -> dict[int, str]:
    if not isinstance(row, dict):
        raise undecodable(f"{where}:{line}", f"应为对象，实为 {row!r:.40}。", f"expected an object, got {row!r:.40}.")
    cells: dict[int, str] = {}
    for key, value in row.items():
        index = headings.get(key)
        # Nearly every cell is a text under a heading that has been met before.
        if index is not None and (value is None or (type(value) is str and key not in spec.decode.nested_json)):
            if value:
                cells[index] = value
            continue
        for heading, text in _leaves(where, line, {key: value}, spec):
            index = headings.setdefault(heading, len(headings))
            if text:
                cells[index] = text
    return cells if _is_whole("".join(cells.values())) else {index: _whole(text) for index, text in cells.items()}


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


def _is_whole(text: str) -> bool:
    """Whether there are no halves of characters in it: those cannot be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(text: str) -> str:
    """Halves of characters, left where a database cut an emoji in two, become the substitute character (U+001A).

    Columns cannot hold them; the substitute is no text either, so the field it stands in faults the row.
    """
    return _HALF.sub("\x1a", text)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
