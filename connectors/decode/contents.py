"""What a kept file is, by its beginning, and the tables in it, whichever format that is."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from typing import IO

from connectors.decode.archive import Allowance, files_inside, open_zip, unpacked
from connectors.decode.csv import Span, read_csv
from connectors.decode.grid import Run, to_tables
from connectors.decode.json import read_json, read_ndjson
from connectors.decode.shape import Table, undecodable
from connectors.decode.tidy import tidied
from connectors.decode.xls import read_xls
from connectors.decode.xlsx import read_xlsx
from connectors.decode.xml import read_xml
from connectors.spec import SourceSpec

PAGES: dict[str, Callable[[str, IO[bytes], SourceSpec, int], Iterator[Table]]] = {
    "json": read_json,
    "ndjson": read_ndjson,
    "xml": read_xml,
}
"""Formats whose rows bring their headings with them: many pages are one answer."""
_TEXT = ("csv", *PAGES)
_CHUNK = 1024 * 1024
_WORKBOOK = b"xl/workbook.xml"


def read_tables(
    name: str, file: IO[bytes], kind: str, spec: SourceSpec, allowance: Allowance, rows: int, span: Span | None = None
) -> Iterator[Table]:
    """Every table of a file, tidied, in runs of about ``rows`` rows.

    Args:
        name: of the part.
        file: its bytes.
        kind: as :func:`kind_of` says.
        spec: the source.
        allowance: what may still be unpacked.
        rows: per table.
        span: CSV only: read this span of it.

    Raises:
        Undecodable: see the readers.
    """
    if kind == "zip":
        with open_zip(f"{spec.source} {name}", file, allowance) as archive:
            for member_name, member in files_inside(f"{spec.source} {name}", archive):
                with unpacked(f"{spec.source} {name}", archive, member) as content:
                    inner_name = f"{name}/{member_name}"
                    inner = kind_of(f"{spec.source} {inner_name}", content, spec.decode.formats, inside=True)
                    yield from read_tables(inner_name, content, inner, spec, allowance, rows)
    elif kind in ("xlsx", "xls"):
        yield from _worksheets(name, file, kind, spec, allowance, rows)
    elif kind == "csv":
        yield from tidied(read_csv(name, file, spec, rows, span), spec.decode)
    else:
        yield from tidied(PAGES[kind](name, file, spec, rows), spec.decode)


def _worksheets(
    name: str, file: IO[bytes], kind: str, spec: SourceSpec, allowance: Allowance, rows: int
) -> Iterator[Table]:
    where = f"{spec.source} {name}"
    found: Iterator[tuple[str, Iterator[Run]]] = (
        read_xlsx(where, file, spec.decode.sheets, allowance, rows)
        if kind == "xlsx"
        else read_xls(where, file, spec.decode.sheets)
    )
    is_empty = True
    for sheet, runs in found:
        for table in tidied(to_tables(f"{name}{sheet}", runs, spec), spec.decode):
            is_empty = False
            yield table
    if is_empty:
        raise undecodable(where, "工作簿没有任何内容。", "the workbook is empty.")


def kind_of(where: str, file: IO[bytes], allowed: tuple[str, ...], inside: bool = False) -> str:
    """Which of the allowed formats the bytes are: by their beginning, never by the file's name.

    Raises:
        Undecodable: none of them, or an archive inside an archive.
    """
    file.seek(0)
    begins = file.read(64)
    if begins[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        kind = "xlsx" if _is_workbook(file) else "zip"
    elif begins[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        kind = "xls"
    else:
        text = [name for name in allowed if name in _TEXT]
        first = begins.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        likely = {b"<": "xml", b"{": "json", b"[": "json"}.get(first, "csv")
        kind = likely if likely in text or len(text) != 1 else text[0]
    file.seek(0)
    if kind in allowed and not (inside and kind == "zip"):
        return kind
    listed = "、".join(allowed)
    raise undecodable(
        where,
        f"应为 {listed} 之一，实际看来是 {kind}{'（压缩包内不可再有压缩包）' if inside and kind == 'zip' else ''}。",
        f"expected one of {', '.join(allowed)}, the bytes look like {kind}"
        f"{' (no archive inside an archive)' if inside and kind == 'zip' else ''}.",
        expected=list(allowed),
        got=kind,
    )


def _is_workbook(file: IO[bytes]) -> bool:
    """Whether an archive is a workbook, by its own members: a ZIP of stored workbooks has their bytes in it too."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _WORKBOOK.decode() in archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return _holds(file, _WORKBOOK)  # cut short: what it was meant to be decides which reader says so


def _holds(file: IO[bytes], wanted: bytes) -> bool:
    file.seek(0)
    before = b""
    while chunk := file.read(_CHUNK):
        if wanted in before + chunk:
            return True
        before = chunk[-len(wanted) :]
    return False
