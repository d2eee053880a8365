"""CSV: declared encoding, strict; every cell text; line numbers as an editor shows them; read block by block."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import IO

import polars as pl
from polars.exceptions import PolarsError

from connectors.decode.csv_head import Head, Span, decode_text, read_head
from connectors.decode.csv_records import Block, Records, marks_are_regular
from connectors.decode.shape import Table, check_size, empty_table, from_rows, undecodable
from connectors.delivery import LINE
from connectors.headings import unique_headings
from connectors.spec import SourceSpec

_SAMPLE = 64 * 1024
_FEW_BYTES = 16 * 1024
"""Bytes up to which reading line by line costs less than the questions to Polars for each column."""
_MOST_BYTES = 32 * 1024 * 1024


def read_csv(name: str, file: IO[bytes], spec: SourceSpec, rows: int, span: Span | None = None) -> Iterator[Table]:
    """Read one CSV file, or a span of it, in tables of about ``rows`` rows.

    Blocks whose every line has as many cells as the heading go through Polars; any other block, and a very small
    one, is read line by line, and its ragged lines are listed in ``Table.broken``.

    Raises:
        Undecodable: not in the declared encoding (names the byte), or quotation marks never close.
    """
    where = f"{spec.source} {name}"
    head = read_head(where, file, spec)
    check_size(where, len(head.headings))
    span = span or head.rows
    if span.start == span.end:
        yield empty_table(name, list(head.headings))
        return
    is_first = span.start == head.rows.start
    size = _block_size(file, span, rows)
    records = Records(where, file, span, spec.decode.encoding)
    while (block := records.block(size)) is not None:
        # Where a carriage return is part of a cell, only one way reads it, whatever the size.
        few = len(block.text) <= _FEW_BYTES and b"\r" not in block.text.replace(b"\r\n", b"\n")
        table = None if few else _by_columns(name, block, head, spec.decode.separator)
        for piece in [table] if table else _by_lines(where, name, block, head, spec.decode.separator, records):
            yield replace(piece, is_first=is_first)
            is_first = False


def _block_size(file: IO[bytes], span: Span, rows: int) -> int:
    """Bytes that hold about that many rows, by the length of the first lines."""
    file.seek(span.start)
    sample = file.read(min(_SAMPLE, span.end - span.start))
    return max(1, min(_MOST_BYTES, rows * len(sample) // (sample.count(b"\n") + 1)))


def _by_columns(name: str, block: Block, head: Head, separator: str) -> Table | None:
    """The quick way, or None if any line is ragged or the block begins with a byte order mark, which Polars drops.

    Polars refuses a line with too many cells and silently fills one with too few; so the separators
    are counted: if no line has too many and there are as many as there should be, none has too few.
    """
    if block.text.startswith(BOM_UTF8):
        return None
    body = block.text.removesuffix(b"\n").removesuffix(b"\r")
    try:
        frame = pl.read_csv(
            # Without a line break Polars lets a separator at the very end pass.
            block.text if block.text.endswith(b"\n") else body + b"\n",
            has_header=False,
            infer_schema=False,
            separator=separator,
            schema=dict.fromkeys(head.headings, pl.String),
            extra_columns="raise",
        )
    except PolarsError:
        return None
    separators = body.count(separator.encode())
    if b'"' in body:
        cells = pl.all().str
        inside, marks = frame.select(
            pl.sum_horizontal(cells.count_matches(separator, literal=True).sum()).alias("inside"),
            pl.sum_horizontal(cells.count_matches('"', literal=True).sum()).alias("marks"),
        ).row(0)
        if marks and not marks_are_regular(body, separator):
            return None
        separators -= inside or 0
        frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    if separators != frame.height * (len(head.headings) - 1):
        return None
    breaks = body.count(b"\n") + 1 - frame.height
    line = pl.int_range(block.line, block.line + frame.height, dtype=pl.UInt32)
    if breaks:
        # Line breaks inside quoted cells push later rows down.
        inner = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True).fill_null(0))
        line = (line + inner.cum_sum() - inner).cast(pl.UInt32)
    return Table(name, frame.select(line.alias(LINE), pl.all()))


def _by_lines(where: str, name: str, block: Block, head: Head, separator: str, records: Records) -> Iterator[Table]:
    """Record by record; the last record of the block may go on beyond it and is read to its end."""
    lines = io.StringIO(block.text.decode(), newline="").readlines()
    taken, at, following = 0, block.line, block.line

    def one_by_one() -> Iterator[str]:
        nonlocal taken, at, following
        for taken, line in enumerate(chain(lines, iter(records.line, None)), 1):  # noqa: B007  # read by the loop below
            # The reader's own count takes a lone carriage return inside a cell for a line.
            at, following = following, following + line.endswith("\n")
            yield line

    reader = csv.reader(one_by_one(), delimiter=separator, strict=True)
    rows: list[tuple[int, dict[int, str]]] = []
    broken: dict[int, int] = {}
    widest = len(head.headings)
    try:
        while taken < len(lines):
            line = following
            cells = next(reader)
            # One that ends a record does begin a line: no two records have the same.
            following = max(following, at + 1)
            if cells and len(cells) != len(head.headings):
                broken[line] = len(cells)
                widest = max(widest, len(cells))
            rows.append((line, {i: cell for i, cell in enumerate(cells) if cell}))
    except csv.Error as error:
        raise undecodable(
            where, f"第 {at} 行不是 CSV：{error}。", f"line {at} is not CSV: {error}.", line=at
        ) from error
    surplus = unique_headings([*head.headings, *[None] * (widest - len(head.headings))])
    for table in from_rows(name, surplus, rows):
        yield replace(table, broken=broken, declared=len(head.headings))


__all__ = ["Span", "decode_text", "read_csv"]
