"""From runs of rows to the sheets of a delivery: rows counted, parts named, ragged lines faulted, headings grouped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl

from connectors.decode.shape import MAX_CELLS, Table
from connectors.delivery import LINE, PART, Delivery, Layout, Sheet
from connectors.findings import merge_findings
from schemas.faults import Fault
from schemas.judgement import FAULT_COLUMNS, ROW, no_faults

CHUNK = 100_000
"""Rows of a sheet, unless asked otherwise: enough that the fixed cost of a step is small, some 100 MB in memory."""


def to_sheets(delivery: Delivery, tables: Iterable[Table], headings: tuple[str, ...], rows: int) -> Iterator[Sheet]:
    """Gather small tables and cut large ones; at least one sheet, the last may be small.

    Args:
        delivery: what they come from.
        tables: in order.
        headings: those of all pages together.
        rows: most rows of a sheet; fewer where they are very wide.
    """
    before = 0
    for gathered in _gathered(_named_apart(tables), rows):
        sheet = _sheet(delivery, gathered, headings, before)
        before += sheet.frame.height
        yield sheet


def empty_sheet(delivery: Delivery) -> Sheet:
    """No rows and no columns."""
    return Sheet(delivery, pl.DataFrame(schema={ROW: pl.UInt32, PART: pl.String, LINE: pl.UInt32}))


def _named_apart(tables: Iterable[Table]) -> Iterator[Table]:
    """An archive may hold two members of one name; the second is told apart, because rows are found by it again."""
    seen: dict[str, int] = {}
    for table in tables:
        if table.is_first:
            seen[table.name] = seen.get(table.name, 0) + 1
        count = seen.get(table.name, 1)
        yield table if count == 1 else replace(table, name=f"{table.name} ({count})")


def _gathered(tables: Iterable[Table], rows: int) -> Iterator[list[Table]]:
    waiting: list[Table] = []
    height = cells = 0
    for table in tables:
        for start in range(0, max(1, table.frame.height), rows):
            piece = table
            if table.frame.height > rows:
                piece = replace(table, frame=table.frame.slice(start, rows), findings=() if start else table.findings)
            size = piece.frame.height * piece.frame.width
            if waiting and (height + piece.frame.height > rows or cells + size > MAX_CELLS):
                yield waiting
                waiting, height, cells = [], 0, 0
            waiting.append(piece)
            height, cells = height + piece.frame.height, cells + size
    yield waiting


def _sheet(delivery: Delivery, tables: list[Table], headings: tuple[str, ...], before: int) -> Sheet:
    frames = [table.frame.hstack([_filled(PART, table.name, table.frame.height)]) for table in tables]
    if not frames:
        return empty_sheet(delivery)
    frame = pl.concat(frames, how="diagonal")
    paged = _paged_headings(tables, headings)
    absent = [name for name in paged if name not in frame.columns]
    if absent:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    cells = [name for name in frame.columns if name not in (LINE, PART)]
    counted = pl.int_range(before + 1, before + frame.height + 1, dtype=pl.UInt32, eager=True).alias(ROW)
    frame = pl.DataFrame([counted, *(frame[name] for name in (PART, LINE, *cells))])
    findings = tuple(finding for table in tables for finding in table.findings)
    return Sheet(delivery, frame, findings, _ragged(frame, tables), _layouts(tables, paged))


def _filled(name: str, text: str, rows: int) -> pl.Series:
    return pl.Series(name, [text], dtype=pl.String).new_from_index(0, rows)


def _paged_headings(tables: list[Table], headings: tuple[str, ...]) -> list[str]:
    """Headings of all pages: those known from the survey, and any that pages behind it still bring."""
    if all(table.whole for table in tables):
        return []
    here = [name for table in tables if not table.whole for name in table.frame.columns if name != LINE]
    return list(dict.fromkeys([*headings, *here]))


def _layouts(tables: list[Table], paged: list[str]) -> tuple[Layout, ...]:
    """Tables of the same headings together; pages of one answer have the headings of all of them."""
    groups: dict[tuple[str, ...], dict[str, None]] = {}
    for table in tables:
        columns = table.frame.columns if table.whole else paged
        groups.setdefault(tuple(name for name in columns if name != LINE), {})[table.name] = None
    return tuple(Layout(tuple(parts), headings) for headings, parts in groups.items())


def _ragged(frame: pl.DataFrame, tables: list[Table]) -> pl.DataFrame:
    """A fault for each row that has another number of cells than its heading: its columns may have shifted."""
    broken = {(table.name, line): got for table in tables for line, got in table.broken.items()}
    if not broken:
        return no_faults()
    lines = [line for _, line in broken]
    rows = frame.filter(pl.col(LINE).is_in(lines)).select(ROW, PART, LINE).iter_rows()
    found: list[tuple[object, ...]] = []
    for row, part, line in rows:
        if (part, line) in broken:
            got = broken[part, line]
            fault = Fault(
                "row.ragged",
                f"{part} 第 {line} 行有 {got} 个单元格，与标题行不一致，列可能错位；请检查该行的逗号与引号后重报",
                f"{part} line {line} has {got} cells, not as many as the heading, so its columns may have shifted; "
                "check its commas and quotation marks and deliver it again",
            )
            found.append((row, "", str(got), fault.rule, fault.zh, fault.en, []))
    return pl.DataFrame(found, schema=FAULT_COLUMNS, orient="row")


def one_sheet(sheets: Iterable[Sheet]) -> Sheet:
    """All sheets of a delivery as one, for rows that are known to be few."""
    every = list(sheets)
    groups: dict[tuple[str, ...], dict[str, None]] = {}
    for sheet in every:
        for layout in sheet.layouts:
            groups.setdefault(layout.headings, {}).update(dict.fromkeys(layout.parts))
    return Sheet(
        every[0].delivery,
        pl.concat([sheet.frame for sheet in every], how="diagonal"),
        merge_findings(finding for sheet in every for finding in sheet.findings),
        pl.concat([sheet.faults for sheet in every]),
        tuple(Layout(tuple(parts), headings) for headings, parts in groups.items()),
    )
