"""From the cells of a worksheet to a table: which row is the heading, and what the columns are called."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors.decode.shape import Table, check_size, from_rows
from connectors.delivery import Finding
from connectors.headings import find_heading_row, fits, unique_headings
from connectors.spec import SourceSpec


@dataclass(frozen=True)
class Grid:
    """Cells of one worksheet.

    Attributes:
        name: ``#`` and the worksheet's name.
        rows: worksheet row number and its filled cells (column index -> text).
        formulas: cells with a formula whose stored result was taken.
        unfilled: cells with a formula and no stored result; they are empty.
    """

    name: str
    rows: list[tuple[int, dict[int, str]]]
    formulas: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()


def to_table(name: str, grid: Grid, spec: SourceSpec) -> Table | None:
    """Name the columns by the heading row and keep the rows below it; None for a worksheet without any cell."""
    filled = [row for row in grid.rows if row[1]]
    if not filled:
        return None
    width = 1 + max(max(cells) for _, cells in filled)
    check_size(name, width)
    top = [_dense(cells, width) for _, cells in grid.rows[: spec.decode.header_within]]
    joined = [_joined(upper, lower) for upper, lower in zip(top, top[1:], strict=False)]
    index, depth, headings = _choose(top, joined, spec)
    body = grid.rows[index + depth :]
    width = max([i + 1 for i, cell in enumerate(headings) if cell] + [1 + max(cells) for _, cells in body if cells])
    table = from_rows(name, unique_headings(headings[:width]), body)
    return replace(table, findings=tuple(_formula_findings(name, grid)))


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


def _formula_findings(name: str, grid: Grid) -> list[Finding]:
    found = []
    if grid.formulas:
        where = ", ".join(grid.formulas[:10])
        found.append(
            Finding(
                "cell.formula",
                None,
                len(grid.formulas),
                where[:80],
                f"{name}：单元格 {where} 等含公式，取文件中保存的结果，不作计算",
                f"{name}: cells {where} hold formulas; the results stored in the file were taken, nothing was computed",
            )
        )
    if grid.unfilled:
        where = ", ".join(grid.unfilled[:10])
        found.append(
            Finding(
                "cell.formula_without_result",
                None,
                len(grid.unfilled),
                where[:80],
                f"{name}：单元格 {where} 等含公式而文件中没有结果，按空值处理；请粘贴为数值后重报",
                f"{name}: cells {where} hold formulas without a stored result and are empty; "
                "paste as values and deliver again",
            )
        )
    return found
