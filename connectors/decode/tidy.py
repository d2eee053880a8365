"""What is in a sheet beside records: blank lines, notes below the table, one record over several rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl

from connectors.decode.shape import Table
from connectors.delivery import LINE, Finding
from connectors.findings import LINES, finding_of_list
from connectors.headings import heading_key
from connectors.spec import Continuation, Decode


def tidied(tables: Iterable[Table], decode: Decode) -> Iterator[Table]:
    """Skip wholly blank lines, set notes aside, fill continuation rows; each of them is counted in a finding."""
    above: dict[str, str | None] = {}
    for table in tables:
        table = _without_blank_lines(table)
        if decode.footer:
            table = _without_notes(table, decode.footer)
        if decode.continuation:
            table, above = _continued(table, decode.continuation, {} if table.is_first else above)
        yield table


def _cells(frame: pl.DataFrame) -> list[str]:
    return [name for name in frame.columns if name != LINE]


def _without_blank_lines(table: Table) -> Table:
    cells = _cells(table.frame)
    # A column that is filled to the last row, as most tables have, is enough to know.
    if table.frame.is_empty() or any(not table.frame[name].has_nulls() for name in cells):
        return table
    blank = table.frame.select(pl.all_horizontal(pl.col(cells).is_null()).alias("blank"))["blank"]
    if not blank.any():
        return table
    finding = _about_lines(
        "row.blank",
        table.frame.filter(blank)[LINE],
        f"{table.name}：第 {{listed}} 行全部为空，已跳过",
        f"{table.name}: lines {{listed}} are wholly blank and were skipped",
    )
    return replace(table, frame=table.frame.filter(~blank), findings=(*table.findings, finding))


def _without_notes(table: Table, patterns: tuple[str, ...]) -> Table:
    cells = _cells(table.frame)
    first = pl.coalesce(cells).str.strip_chars()
    begins = pl.any_horizontal([first.str.contains(f"^(?:{pattern})") for pattern in patterns])
    filled = pl.sum_horizontal(pl.col(cells).is_not_null())
    columns = len(cells) if table.declared is None else table.declared
    marked = table.frame.with_columns((begins & (filled * 2 < columns)).fill_null(False).alias("_note"))
    notes = marked.filter("_note")
    if notes.is_empty():
        return table
    finding = _about_lines(
        "row.note",
        notes[LINE],
        f"{table.name}：第 {{listed}} 行是表格说明而非数据，已另置",
        f"{table.name}: lines {{listed}} are notes to the table, not records, and were set aside",
    )
    return replace(table, frame=marked.filter(~pl.col("_note")).drop("_note"), findings=(*table.findings, finding))


def _about_lines(rule: str, lines: pl.Series, zh: str, en: str) -> Finding:
    """No example: a note names who filled in the table, often with a telephone. Its line is told."""
    return finding_of_list(rule, None, lines.len(), LINES, {str(line): 1 for line in lines.head(10)}, zh, en)


def _continued(table: Table, rule: Continuation, above: dict[str, str | None]) -> tuple[Table, dict[str, str | None]]:
    """The table with its continuation rows filled, and what its last row hands on to the rows that follow it.

    Each run of a first row and its continuations is one group; only blanks are filled, only inside the group.
    The rows before the first group of a run go on from the row ``above``.
    """
    by_key = {heading_key(name): name for name in _cells(table.frame)}
    leading = by_key.get(heading_key(rule.when_blank))
    fill = [by_key[key] for key in map(heading_key, rule.fill) if key in by_key]
    if leading is None or not fill or table.frame.is_empty():
        return table, above
    follows = table.frame[leading].is_null()
    count = int(follows.sum())
    group = pl.col("_group")
    from_above = [
        pl.when(group == 0).then(pl.col(name).fill_null(pl.lit(above.get(name), pl.String))).otherwise(pl.col(name))
        for name in fill
    ]
    filled = (
        table.frame.with_columns((~follows).cum_sum().alias("_group"))
        .with_columns(pl.col(fill).forward_fill().over("_group", order_by=LINE))
        .with_columns(column.alias(name) for column, name in zip(from_above, fill, strict=True))
        .drop("_group")
    )
    handed_on = filled.select(fill).row(-1, named=True)
    if not count:
        return table, handed_on
    finding = Finding(
        "row.continuation",
        leading,
        count,
        None,
        f"{table.name}：有承接上一行的行，其{'、'.join(fill)}取自上一行",
        f"{table.name}: some rows continue the row above; {', '.join(fill)} are taken from it",
    )
    return replace(table, frame=filled, findings=(*table.findings, finding)), handed_on
