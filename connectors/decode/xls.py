"""XLS (BIFF): read through calamine; numbers come as floats, so codes typed as numbers show their damage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import IO, Any

import python_calamine

from connectors.decode.grid import Run
from connectors.decode.shape import undecodable

# Above this a double no longer holds every whole number, and a spreadsheet shows 15 digits at most.
_EXACT = 1e15


def read_xls(where: str, file: IO[bytes], sheets: tuple[str, ...]) -> Iterator[tuple[str, Iterator[Run]]]:
    """The worksheets of an old workbook, in its order: the named ones, or every visible one.

    The format itself holds at most 65,536 rows a worksheet, so each is one run.

    Raises:
        Undecodable: not an XLS workbook, or a named sheet is missing.
    """
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(file)
        visible = [
            sheet.name for sheet in book.sheets_metadata if sheet.visible == python_calamine.SheetVisibleEnum.Visible
        ]
        if missing := [name for name in sheets if name not in book.sheet_names]:
            raise undecodable(
                where,
                f"没有工作表 {'、'.join(missing)}；现有 {'、'.join(book.sheet_names)}。",
                f"there is no worksheet {', '.join(missing)}; there are {', '.join(book.sheet_names)}.",
            )
        for name in sheets or visible:
            cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            rows = [
                (line, {i: text for i, cell in enumerate(row) if (text := _text(cell))})
                for line, row in enumerate(cells, 1)
            ]
            yield f"#{name}", iter([Run(rows)])
    except BaseException as error:
        # The reader is written in Rust; some damaged files make it panic, which arrives as a BaseException.
        damaged = isinstance(error, python_calamine.CalamineError | OSError | ValueError)
        if not (damaged or type(error).__name__ == "PanicException"):
            raise
        raise undecodable(
            where, f"不是可读的 XLS 工作簿（{error}）。", f"not a readable XLS workbook ({error})."
        ) from error


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
