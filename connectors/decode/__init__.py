"""From the bytes of a delivery to text rows, exactly as sent. One module per format; this one chooses and joins."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import polars as pl

from connectors.decode.archive import Allowance, files_inside, open_zip, read_member
from connectors.decode.csv import read_csv
from connectors.decode.grid import to_table
from connectors.decode.json import read_json, read_ndjson
from connectors.decode.shape import Table, undecodable
from connectors.decode.tidy import tidy
from connectors.decode.xls import read_xls
from connectors.decode.xlsx import read_xlsx
from connectors.decode.xml import read_xml
from connectors.delivery import LINE, PART, Delivery, Layout, Sheet, no_faults
from connectors.spec import SourceSpec
from connectors.vault import DEFAULT_MAX_UNPACKED_BYTES
from schemas.faults import Fault
from schemas.judgement import FAULT_COLUMNS, ROW

_READERS = {"csv": read_csv, "json": read_json, "ndjson": read_ndjson, "xml": read_xml}


def decode(delivery: Delivery, spec: SourceSpec, max_unpacked_bytes: int = DEFAULT_MAX_UNPACKED_BYTES) -> Sheet:
    """Read every part as text.

    Returns:
        Sheet: rows in the order of parts, members, worksheets and lines; columns in the order first met.

    Raises:
        Undecodable: a part is not of a declared format or encoding, is damaged, or unpacks to too much.
    """
    tables: list[Table] = []
    allowance = Allowance(max_unpacked_bytes)
    for part in delivery.parts:
        for table in _read(part.name, part.path.read_bytes(), spec, allowance, inside=False):
            tables.append(tidy(table, spec.decode))
    names = _distinct([table.name for table in tables])
    frames = [
        table.frame.with_columns(pl.lit(name, dtype=pl.String).alias(PART))
        for name, table in zip(names, tables, strict=True)
    ]
    frame = pl.concat(frames, how="diagonal") if frames else pl.DataFrame(schema={LINE: pl.UInt32, PART: pl.String})
    cells = [name for name in frame.columns if name not in (LINE, PART)]
    frame = frame.select(pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias(ROW), PART, LINE, *cells)
    findings = tuple(finding for table in tables for finding in table.findings)
    return Sheet(delivery, frame, findings, _ragged(frame, names, tables), tuple(_layouts(names, tables)))


def _read(name: str, data: bytes, spec: SourceSpec, allowance: Allowance, inside: bool) -> Iterator[Table]:
    where = f"{spec.source} {name}"
    kind = _kind(where, data, spec.decode.formats, inside)
    if kind == "zip":
        with open_zip(where, data, allowance) as archive:
            for member_name, member in files_inside(where, archive):
                content = read_member(where, archive, member)
                yield from _read(f"{name}/{member_name}", content, spec, allowance, inside=True)
    elif kind in ("xlsx", "xls"):
        grids = (
            read_xlsx(where, data, spec.decode.sheets, allowance)
            if kind == "xlsx"
            else read_xls(where, data, spec.decode.sheets)
        )
        found = [table for grid in grids if (table := to_table(f"{name}{grid.name}", grid, spec)) is not None]
        if not found:
            raise undecodable(where, "工作簿没有任何内容。", "the workbook is empty.")
        yield from found
    else:
        yield _READERS[kind](name, data, spec)


def _kind(where: str, data: bytes, allowed: tuple[str, ...], inside: bool) -> str:
    """Which of the allowed formats the bytes are: by their beginning, never by the file's name."""
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        kind = "xlsx" if _is_workbook(data) else "zip"
    elif data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        kind = "xls"
    else:
        text = [name for name in allowed if name in _READERS]
        begins = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        likely = {b"<": "xml", b"{": "json", b"[": "json"}.get(begins, "csv")
        kind = likely if likely in text or len(text) != 1 else text[0]
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


def _is_workbook(data: bytes) -> bool:
    """Whether an archive is a workbook, by its own members: a ZIP of stored workbooks has their bytes in it too."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return b"xl/workbook.xml" in data  # cut short: what it was meant to be decides which reader says so


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct


def _layouts(names: list[str], tables: list[Table]) -> Iterator[Layout]:
    """Tables of the same headings together; pages of one answer have the headings of all of them."""
    groups: dict[tuple[str, ...], list[str]] = {}
    pages = [column for table in tables if not table.whole for column in table.frame.columns]
    for name, table in zip(names, tables, strict=True):
        columns = table.frame.columns if table.whole else list(dict.fromkeys(pages))
        groups.setdefault(tuple(column for column in columns if column != LINE), []).append(name)
    return (Layout(tuple(parts), headings) for headings, parts in groups.items())


def _ragged(frame: pl.DataFrame, names: list[str], tables: list[Table]) -> pl.DataFrame:
    """A fault for each row that has another number of cells than its heading: its columns may have shifted."""
    broken = {
        (name, line): got for name, table in zip(names, tables, strict=True) for line, got in table.broken.items()
    }
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
