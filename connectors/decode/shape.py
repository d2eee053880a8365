"""What every decoder hands over, and how they say that bytes are not what was declared."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from connectors.delivery import LINE, PART, Finding
from connectors.errors import Undecodable


@dataclass(frozen=True)
class Table:
    """Rows of one file, worksheet or page.

    Attributes:
        name: of the part, with the member or worksheet: ``名单.zip/一月.xlsx#处罚``.
        frame: ``_line`` and one pl.String column per heading; empty cells are null.
        findings: what was set aside or taken as it was.
        broken: ``_line`` and ``fields`` (found) of rows that have another number of cells than the heading.
        whole: False for a page of a longer answer: its headings count together with those of the other pages.
    """

    name: str
    frame: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    broken: dict[int, int] = field(default_factory=dict)
    whole: bool = True


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
MAX_SPARSE_CELLS = 50_000_000
"""Cells, empty ones included, of a sheet whose rows need not name them all: a few bytes could ask for billions."""


def check_size(where: str, columns: int, rows: int = 0) -> None:
    """Refuse a sheet that is small on disk and huge in memory.

    Raises:
        Undecodable: too many columns, or rows times columns.
    """
    if columns > MAX_COLUMNS or columns * rows > MAX_SPARSE_CELLS:
        raise undecodable(
            where,
            f"有 {columns} 列、{rows} 行，超过上限（{MAX_COLUMNS} 列，{MAX_SPARSE_CELLS} 个单元格）；"
            "请拆分或改用 CSV。",
            f"has {columns} columns and {rows} rows, more than allowed ({MAX_COLUMNS} columns, {MAX_SPARSE_CELLS} "
            "cells); split it or send CSV.",
            columns=columns,
            rows=rows,
        )


def lines_text(lines: list[int], most: int = 10) -> str:
    """Line numbers for a message, the first few of many."""
    listed = ", ".join(str(line) for line in lines[:most])
    return listed if len(lines) <= most else f"{listed} … ({len(lines)})"


def empty_table(name: str, headings: list[str]) -> Table:
    """No rows under the given headings."""
    return Table(name, pl.DataFrame(schema={LINE: pl.UInt32, **dict.fromkeys(headings, pl.String)}))


def from_rows(name: str, headings: list[str], rows: list[tuple[int, dict[int, str]]]) -> Table:
    """A table of sparse rows: (line, column index -> text).

    Raises:
        Undecodable: too many columns, or rows times columns.
    """
    check_size(name, len(headings), len(rows))
    columns = {heading: [cells.get(i) for _, cells in rows] for i, heading in enumerate(headings)}
    schema = {LINE: pl.UInt32, **dict.fromkeys(headings, pl.String)}
    return Table(name, pl.DataFrame({LINE: [line for line, _ in rows], **columns}, schema=schema))


__all__ = ["LINE", "PART", "Table", "empty_table", "from_rows", "lines_text", "undecodable"]
