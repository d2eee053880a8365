"""Workbooks as agencies upload them, byte for byte the same from the same content. Knows layout, not meaning."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet

Cell = str | int | float | date | datetime | None

_STAMP = (2026, 1, 1, 0, 0, 0)
_MODIFIED = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(<)")


@dataclass(frozen=True)
class Page:
    """One worksheet.

    Attributes:
        title: its name on the tab.
        rows: cells from the first worksheet row on, headings and notes included.
        merges: merged ranges such as ``A1:T1``; only the first cell of each holds a value.
        date_format: how date cells show, an Excel number format.
    """

    title: str
    rows: Sequence[Sequence[Cell]]
    merges: Sequence[str] = ()
    date_format: str = "yyyy/mm/dd"


def workbook(pages: Sequence[Page]) -> bytes:
    """Write an .xlsx file.

    The library stamps the present time into the file twice (document properties and archive
    entries); both are replaced, because a delivery is known by the digest of its bytes.
    """
    book = Workbook()
    for sheet in list(book.worksheets):
        book.remove(sheet)
    for page in pages:
        _fill(book.create_sheet(page.title), page)
    fresh = io.BytesIO()
    book.save(fresh)
    return _without_clock(fresh.getvalue())


def _fill(sheet: Worksheet, page: Page) -> None:
    for number, row in enumerate(page.rows, start=1):
        for column, value in enumerate(row, start=1):
            if value is None:
                continue
            cell = sheet.cell(row=number, column=column, value=value)
            if isinstance(value, date):
                cell.number_format = page.date_format
    for merged in page.merges:
        sheet.merge_cells(merged)
        first = sheet[merged.split(":")[0]]
        first.font, first.alignment = Font(bold=True), Alignment(horizontal="center")


def _without_clock(content: bytes) -> bytes:
    stable = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stable, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "docProps/core.xml":
                body = _MODIFIED.sub(rb"\g<1>2026-01-01T00:00:00Z\g<3>", body)
            new.writestr(zipfile.ZipInfo(name, _STAMP), body, zipfile.ZIP_DEFLATED)
    return stable.getvalue()
