"""What is in a sheet beside records: blank lines, notes below the table, one record over several rows."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from connectors.decode.shape import Table, lines_text
from connectors.delivery import LINE, Finding
from connectors.headings import heading_key
from connectors.spec import Continuation, Decode


def tidy(table: Table, decode: Decode) -> Table:
    """Skip wholly blank lines, set notes aside, fill continuation rows; each of them is counted in a finding."""
    table = _without_blank_lines(table)
    if decode.footer:
        table = _without_notes(table, decode.footer)
    if decode.continuation:
        table = _continued(table, decode.continuation)
    return table


def _cells(frame: pl.DataFrame) -> list[str]:
    return [name for name in frame.columns if name != LINE]


def _without_blank_lines(table: Table) -> Table:
    blank = table.frame.select(pl.all_horizontal(pl.col(_cells(table.frame)).is_null()).alias("blank"))["blank"]
    if not blank.any():
        return table
    kept = table.frame.filter(~blank)
    # Spreadsheets trail formatted lines without a cell; in an answer even the last empty record was meant.
    last = (kept[LINE][-1] if kept.height else 0) if table.whole else table.frame.height + 1
    between = [line for line in table.frame.filter(blank)[LINE] if line < last]
    if not between:
        return replace(table, frame=kept)
    where = lines_text(between)
    finding = Finding(
        "row.blank",
        None,
        len(between),
        None,
        f"{table.name}：第 {where} 行全部为空，已跳过",
        f"{table.name}: lines {where} are wholly blank and were skipped",
    )
    return replace(table, frame=kept, findings=(*table.findings, finding))


def _without_notes(table: Table, patterns: tuple[str, ...]) -> Table:
    cells = _cells(table.frame)
    first = pl.coalesce(cells).str.strip_chars()
    begins = pl.any_horizontal([first.str.contains(f"^(?:{pattern})") for pattern in patterns])
    filled = pl.sum_horizontal(pl.col(cells).is_not_null())
    marked = table.frame.with_columns((begins & (filled * 2 < len(cells))).fill_null(False).alias("_note"))
    notes = marked.filter("_note")
    if notes.is_empty():
        return table
    where = lines_text(notes[LINE].to_list())
    finding = Finding(
        "row.note",
        None,
        notes.height,
        # No example: a note names who filled in the table, often with a telephone. Its line is told.
        None,
        f"{table.name}：第 {where} 行是表格说明而非数据，已另置",
        f"{table.name}: lines {where} are notes to the table, not records, and were set aside",
    )
    return replace(table, frame=marked.filter(~pl.col("_note")).drop("_note"), findings=(*table.findings, finding))


def _continued(table: Table, rule: Continuation) -> Table:
    by_key = {heading_key(name): name for name in _cells(table.frame)}
    leading = by_key.get(heading_key(rule.when_blank))
    fill = [by_key[key] for key in map(heading_key, rule.fill) if key in by_key]
    if leading is None or not fill:
        return table
    follows = table.frame[leading].is_null()
    count = int(follows.sum())
    if not count:
        return table
    # Each run of a first row and its continuations is one group; only blanks are filled, only inside the group.
    group = (~follows).cum_sum().alias("_group")
    filled = (
        table.frame.with_columns(group)
        .with_columns(pl.col(fill).forward_fill().over("_group", order_by=LINE))
        .drop("_group")
    )
    finding = Finding(
        "row.continuation",
        leading,
        count,
        None,
        f"{table.name}：{count} 行承接上一行，{'、'.join(fill)} 取自上一行",
        f"{table.name}: {count} rows continue the row above; {', '.join(fill)} are taken from it",
    )
    return replace(table, frame=filled, findings=(*table.findings, finding))
