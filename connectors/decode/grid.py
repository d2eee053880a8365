"""From the cells of a worksheet to a table: which row is the heading, and what the columns are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from connectors.decode.shape import Table, check_size, continuing, from_rows
from connectors.delivery import Finding
from connectors.findings import LINES, finding_of_list
from connectors.headings import find_heading_row, fits, unique_headings
from connectors.spec import SourceSpec


@dataclass
class Run:
    """Some rows of a worksheet, one after the other.

    Attributes:
        rows: worksheet row number and its filled cells (column index -> text).
        formulas: cells with a formula whose stored result was taken.
        unfilled: cells with a formula and no stored result; they are empty.
    """

    rows: list[tuple[int, dict[int, str]]] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)
    unfilled: list[str] = field(default_factory=list)


def to_tables(name: str, runs: Iterable[Run], spec: SourceSpec) -> Iterator[Table]:
    """Name the columns by the heading row and keep the rows below it; nothing for a worksheet without any cell."""
    rest = _without_trailing_blanks(iter(runs))
    begins = Run()
    for run in rest:
        begins = Run(begins.rows + run.rows, begins.formulas + run.formulas, begins.unfilled + run.unfilled)
        if len(begins.rows) >= spec.decode.header_within:
            break
    if not begins.rows:
        return
    top_rows = [cells for _, cells in begins.rows[: spec.decode.header_within]]
    width = max((1 + max(cells) for cells in top_rows if cells), default=0)
    check_size(name, width)
    top = [_dense(cells, width) for cells in top_rows]
    joined = [_joined(upper, lower) for upper, lower in zip(top, top[1:], strict=False)]
    index, depth, headings = _choose(top, joined, spec)
    yield from continuing(_named(name, headings, chain([replace(begins, rows=begins.rows[index + depth :])], rest)))


def _named(name: str, headings: list[str | None], runs: Iterable[Run]) -> Iterator[Table]:
    declared = width = max((i + 1 for i, cell in enumerate(headings) if cell), default=0)
    for run in runs:
        width = max([width, *(1 + max(cells) for _, cells in run.rows if cells)])
        cells = [*headings[:width], *[None] * (width - len(headings))]
        findings = tuple(_formula_findings(name, run))
        for table in from_rows(name, unique_headings(cells), run.rows):
            yield replace(table, findings=findings, declared=declared)
            findings = ()


def _without_trailing_blanks(runs: Iterator[Run]) -> Iterator[Run]:
    """Spreadsheets trail formatted lines without a cell: blank rows are handed on only once another row follows."""
    held: list[tuple[int, dict[int, str]]] = []
    for run in runs:
        rows = [*held, *run.rows]
        filled = next((i + 1 for i in range(len(rows) - 1, -1, -1) if rows[i][1]), 0)
        held = rows[filled:]
        if filled or run.formulas or run.unfilled:
            yield replace(run, rows=rows[:filled])


def _choose(
    top: list[list[str | None]], joined: list[list[str | None]], spec: SourceSpec
) -> tuple[int, int, list[str | None]]:
    """Index of the heading, whether it takes one row or two, and its cells."""
    index = find_heading_row(top, spec)
    if not _complete(top[index], spec):
        two = find_heading_row(joined, spec) if joined else 0
        if joined and _complete(joined[two], spec):
            return two, 2, joined[two]
    return index, 1, top[index]


def _complete(cells: list[str | None], spec: SourceSpec) -> bool:
    return not fits([cell for cell in cells if cell], spec)[0].missing


def _dense(cells: dict[int, str], width: int) -> list[str | None]:
    return [cells.get(i) for i in range(width)]


def _joined(upper: list[str | None], lower: list[str | None]) -> list[str | None]:
    """Two heading rows as one: a merged upper cell stands for the columns to its right that have a lower one.

    >>> _joined(["序号", "样品", None, "备注"], [None, "名称", "规格", None])
    ['序号', '样品/名称', '样品/规格', '备注']
    """
    cells: list[str | None] = []
    above: str | None = None
    for up, low in zip(upper, lower, strict=True):
        above = up or (above if low else None)
        cells.append(f"{above}/{low}" if above and low else above or low)
    return cells


def _formula_findings(name: str, run: Run) -> Iterator[Finding]:
    if run.formulas:
        yield _about_cells(
            "cell.formula",
            run.formulas,
            f"{name}：单元格 {{listed}} 等含公式，取文件中保存的结果，不作计算",
            f"{name}: cells {{listed}} hold formulas; the results stored in the file were taken, nothing was computed",
        )
    if run.unfilled:
        yield _about_cells(
            "cell.formula_without_result",
            run.unfilled,
            f"{name}：单元格 {{listed}} 等含公式而文件中没有结果，按空值处理；请粘贴为数值后重报",
            f"{name}: cells {{listed}} hold formulas without a stored result and are empty; "
            "paste as values and deliver again",
        )


def _about_cells(rule: str, places: list[str], zh: str, en: str) -> Finding:
    first = dict.fromkeys(places[:10], 1)
    return finding_of_list(rule, None, len(places), LINES, first, zh, en, ", ".join(first)[:80])
