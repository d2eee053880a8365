"""What every decoder hands over, and how they say that bytes are not what was declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

import polars as pl

from connectors.delivery import LINE, Finding
from connectors.errors import Undecodable
from connectors.headings import unique_headings

Row = TypeVar("Row")


@dataclass(frozen=True)
class Table:
    """A bounded run of rows of one file, worksheet or page; a table of many rows comes as several.

    Blank lines at the very end of a file or worksheet are no part of it.

    Attributes:
        name: of the part, with the member or worksheet: ``名单.zip/一月.xlsx#处罚``.
        frame: ``_line`` and one pl.String column per heading; empty cells are null.
        findings: what was set aside or taken as it was.
        broken: ``_line`` and ``fields`` (found) of rows that have another number of cells than the heading.
        whole: False for a page of a longer answer: its headings count together with those of the other pages.
        declared: columns that the heading names, without those of cells beyond it; None if all do.
        is_first: whether the table begins here: rows that go on from the one before are never mixed up with others.
    """

    name: str
    frame: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    broken: dict[int, int] = field(default_factory=dict)
    whole: bool = True
    declared: int | None = None
    is_first: bool = True


def undecodable(where: str, zh: str, en: str, **details: object) -> Undecodable:
    """The error for bytes that are not what they were declared to be; ``where`` is source and part."""
    return Undecodable(
        f"{where}：{zh}原始文件已保留，请更正后重新报送。",
        f"{where}: {en} The bytes are kept; correct them and deliver again.",
        where=where,
        **details,
    )


MAX_COLUMNS = 1000
"""The widest form met has 57; beyond this a file is damaged or meant to exhaust us."""
MAX_CELLS = 5_000_000
"""Cells of one run of rows, empty ones included: rows need not name them, so a few bytes could ask for billions."""
MAX_RECORD_BYTES = 64 * 1024 * 1024
"""The longest line, record or XML row; what does not end within it is damaged, and would fill the memory."""


def check_size(where: str, columns: int) -> None:
    """Refuse a sheet of more columns than anybody has.

    Raises:
        Undecodable: too many columns.
    """
    if columns > MAX_COLUMNS:
        raise undecodable(
            where,
            f"有 {columns} 列，超过上限（{MAX_COLUMNS} 列）。",
            f"has {columns} columns, more than allowed ({MAX_COLUMNS}).",
            columns=columns,
        )


def too_long(where: str, line: int) -> Undecodable:
    """The error for a record that does not end: most often a quotation mark that never closes."""
    return undecodable(
        where,
        f"第 {line} 行起的记录超过 {MAX_RECORD_BYTES} 字节仍未结束；请检查引号是否成对。",
        f"the record that begins at line {line} does not end within {MAX_RECORD_BYTES} bytes; "
        "check that quotation marks close.",
        line=line,
    )


def empty_table(name: str, headings: list[str]) -> Table:
    """No rows under the given headings."""
    return Table(name, pl.DataFrame(schema={LINE: pl.UInt32, **dict.fromkeys(headings, pl.String)}))


def from_rows(name: str, headings: list[str], rows: list[tuple[int, dict[int, str]]]) -> Iterator[Table]:
    """Tables of sparse rows (line, column index -> text): one, or several where they would be too wide for that.

    Raises:
        Undecodable: too many columns.
    """
    check_size(name, len(headings))
    schema = {LINE: pl.UInt32, **dict.fromkeys(headings, pl.String)}
    for run in batched(rows, max(1, MAX_CELLS // max(1, len(headings)))) if rows else [()]:
        columns = {heading: [cells.get(i) for _, cells in run] for i, heading in enumerate(headings)}
        yield Table(name, pl.DataFrame({LINE: [line for line, _ in run], **columns}, schema=schema))


def page_tables(
    name: str, rows: Iterable[tuple[int, dict[int, str]]], headings: dict[str, int], size: int
) -> Iterator[Table]:
    """Tables of about ``size`` rows of a page, whose rows bring their headings with them; at least one.

    Args:
        headings: heading -> column index; grows while the rows are read.

    Raises:
        Undecodable: too many columns.
    """
    is_first = True
    for run in batched(rows, size):
        for table in from_rows(name, unique_headings(list(headings)), list(run)):
            yield replace(table, whole=False, is_first=is_first)
            is_first = False
    if is_first:
        yield replace(empty_table(name, []), whole=False)


def continuing(tables: Iterable[Table]) -> Iterator[Table]:
    """The same tables, all but the first marked as going on from the one before."""
    is_first = True
    for table in tables:
        yield replace(table, is_first=is_first)
        is_first = False


def batched(rows: Iterable[Row], size: int) -> Iterator[tuple[Row, ...]]:
    """Runs of at most ``size`` rows; ``itertools.batched`` is not there before Python 3.12."""
    rest = iter(rows)
    while run := tuple(islice(rest, size)):
        yield run
