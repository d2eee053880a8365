"""CSV: declared encoding, strict; every cell text; line numbers as an editor shows them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import polars as pl
from polars.exceptions import PolarsError

from connectors.decode.shape import Table, check_size, empty_table, from_rows, undecodable
from connectors.delivery import LINE
from connectors.headings import find_heading_row, fits, unique_headings
from connectors.spec import SourceSpec


def read_csv(name: str, data: bytes, spec: SourceSpec) -> Table:
    """Read one CSV file.

    Files whose every line has as many cells as the heading go through Polars; any other file is read
    line by line, and its ragged lines are listed in ``Table.broken``.

    Raises:
        Undecodable: not in the declared encoding (names the byte), or quotation marks never close.
    """
    where = f"{spec.source} {name}"
    text = decode_text(where, data, spec.decode.encoding)
    headings, first_line, body_start = _heading(where, text, spec)
    if not headings:
        raise undecodable(where, "文件没有内容，连标题行也没有。", "the file is empty: it has not even a heading.")
    if _wrong_encoding_suspected(headings, data, spec):
        raise undecodable(
            where,
            "声明为 gb18030，但内容是 UTF-8。",
            "declared as gb18030 but the bytes are UTF-8.",
            declared="gb18030",
        )
    check_size(where, len(headings))
    body = text[body_start:].rstrip("\r\n")
    if not body:
        return empty_table(name, headings)
    table = _by_columns(name, body, headings, spec.decode.separator, first_line)
    return table or _by_lines(where, name, body, headings, spec.decode.separator, first_line)


def decode_text(where: str, data: bytes, encoding: str) -> str:
    """Bytes as text, strictly.

    Raises:
        Undecodable: a byte that the encoding does not have; names its offset.
    """
    if b"\x00" in data[:4096]:
        raise undecodable(where, "内容是二进制，不是文本。", "the bytes are binary, not text.")
    if encoding == "gb18030" and data.startswith(b"\xef\xbb\xbf"):
        raise undecodable(
            where,
            "声明为 gb18030，但以 UTF-8 的 BOM 开头。",
            "declared as gb18030 but begins with the byte order mark of UTF-8.",
            declared=encoding,
        )
    try:
        # Not the codec utf-8-sig: it counts the offset of a wrong byte from behind the mark.
        return data.decode(encoding.removesuffix("-sig")).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = data[error.start : error.start + 4].hex(" ")
        raise undecodable(
            where,
            f"声明为 {encoding}，但第 {error.start} 字节（第 {line} 行，{found}）不是该编码。",
            f"declared as {encoding}, but byte {error.start} (line {line}, {found}) is not.",
            declared=encoding,
            offset=error.start,
            line=line,
        ) from error


def _heading(where: str, text: str, spec: SourceSpec) -> tuple[list[str], int, int]:
    """Headings, line number of the first row below them, and where in the text that row begins."""
    # Heading cells may hold line breaks, so a few more lines than rows are looked at; what follows them is one piece.
    most = spec.decode.header_within + 50
    lines = text.split("\n", most)[:most]
    reader = csv.reader((line + "\n" for line in lines), delimiter=spec.decode.separator)
    rows, ends = [], []
    try:
        for row in reader:
            rows.append([cell or None for cell in row])
            ends.append(reader.line_num)
            if len(rows) == spec.decode.header_within:
                break
    except csv.Error as error:
        raise undecodable(where, f"不是 CSV：{error}。", f"not CSV: {error}.") from error
    index = find_heading_row(rows, spec)
    start = sum(len(line) + 1 for line in lines[: ends[index]]) if ends else 0
    return unique_headings(rows[index] if rows else []), (ends[index] if ends else 0) + 1, start


def _wrong_encoding_suspected(headings: list[str], data: bytes, spec: SourceSpec) -> bool:
    """UTF-8 often decodes as GB18030 without an error, into nonsense: then no heading is known."""
    if spec.decode.encoding != "gb18030" or not fits(headings, spec)[0].missing:
        return False
    try:
        return not data.isascii() and bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _by_columns(name: str, body: str, headings: list[str], separator: str, first_line: int) -> Table | None:
    """The quick way, or None if any line is ragged.

    Polars refuses a line with too many cells and silently fills one with too few; so the separators
    are counted: if no line has too many and there are as many as there should be, none has too few.
    """
    try:
        frame = pl.read_csv(
            body.encode(),
            has_header=False,
            infer_schema=False,
            separator=separator,
            schema=dict.fromkeys(headings, pl.String),
            extra_columns="raise",
        )
    except PolarsError:
        return None
    quoted = '"' in body
    inside = (
        frame.select(pl.sum_horizontal(pl.all().str.count_matches(separator, literal=True).sum())) if quoted else None
    )
    if body.count(separator) - (inside.item() or 0 if inside is not None else 0) != frame.height * (len(headings) - 1):
        return None
    if quoted:
        frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    breaks = body.count("\n") + 1 - frame.height
    line = pl.int_range(first_line, first_line + frame.height, dtype=pl.UInt32)
    if breaks:
        # Line breaks inside quoted cells push later rows down.
        inner = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True).fill_null(0))
        line = (line + inner.cum_sum() - inner).cast(pl.UInt32)
    return Table(name, frame.select(line.alias(LINE), pl.all()))


def _by_lines(where: str, name: str, body: str, headings: list[str], separator: str, first_line: int) -> Table:
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, dict[int, str]]] = []
    broken: dict[int, int] = {}
    widest, before = len(headings), 0
    try:
        for cells in reader:
            line, before = first_line + before, reader.line_num
            if cells and len(cells) != len(headings):
                broken[line] = len(cells)
                widest = max(widest, len(cells))
            rows.append((line, {i: cell for i, cell in enumerate(cells) if cell}))
    except csv.Error as error:
        at = first_line + reader.line_num - 1
        raise undecodable(
            where, f"第 {at} 行不是 CSV：{error}。", f"line {at} is not CSV: {error}.", line=at
        ) from error
    surplus = unique_headings([*headings, *[None] * (widest - len(headings))])
    return replace(from_rows(name, surplus, rows), broken=broken)
