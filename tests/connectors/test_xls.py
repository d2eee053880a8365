"""XLS workbooks, built here byte by byte: nothing that is still maintained writes them."""

from __future__ import annotations

import struct

import pytest

from connectors.errors import Undecodable
from tests.connectors.support import COMPLAINTS, make_spec, read, rows

SPEC = make_spec(COMPLAINTS, ("formats: [csv]", 'formats: [xls], footer: ["合计"]'))
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR = 512


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def workbook_stream(lines: list[list[str | float]]) -> bytes:
    """One worksheet as BIFF8: LABEL (0x0204) and NUMBER (0x0203) records."""
    name = "表一"
    globals_ = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 6))
    bound = struct.pack("<BB", len(name), 1) + name.encode("utf-16-le")
    start = len(globals_) + 4 + 6 + len(bound) + 4
    globals_ += record(0x0085, struct.pack("<IH", start, 0) + bound) + record(0x000A, b"")
    sheet = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 6))
    width = max(len(line) for line in lines)
    sheet += record(0x0200, struct.pack("<IIHHH", 0, len(lines), 0, width, 0))
    for row, line in enumerate(lines):
        for column, value in enumerate(line):
            place = struct.pack("<HHH", row, column, 0)
            if isinstance(value, str):
                sheet += record(0x0204, place + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
            else:
                sheet += record(0x0203, place + struct.pack("<d", value))
    return globals_ + sheet + record(0x000A, b"")


def container(stream: bytes) -> bytes:
    """A compound file (MS-CFB) with the one stream ``Workbook``."""
    stream = stream.ljust(4096, b"\0")
    stream += b"\0" * (-len(stream) % SECTOR)
    sectors = len(stream) // SECTOR
    fat = [FAT, END, *range(3, 2 + sectors), END]
    table = struct.pack(f"<{SECTOR // 4}I", *fat, *[FREE] * (SECTOR // 4 - len(fat)))
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, 1, 1, 0, 4096, END, 0, END, 0, 0,
    )  # fmt: skip
    header += struct.pack("<108I", *[FREE] * 108)
    entries = entry("Root Entry", 5, 1, END, 0) + entry("Workbook", 2, FREE, 2, len(stream))
    return header + table + entries.ljust(SECTOR, b"\0") + stream


def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    links = struct.pack("<BBIII", kind, 1, FREE, FREE, child)
    return (
        encoded.ljust(64, b"\0")
        + struct.pack("<H", len(encoded))
        + links
        + b"\0" * 36
        + struct.pack("<IQ", start, size)
    )


HEAD: list[str | float] = ["编号", "类型", "被投诉企业", "日期"]


def test_cells_are_text_and_a_code_typed_as_a_number_shows_its_damage() -> None:
    data = container(
        workbook_stream(
            [["汇总表"], HEAD, ["007", "=1+1", " 甲 ", 45017.0], [916204000792737800.0, "投诉", "乙", 1.5], ["合计：2"]]
        )
    )

    sheet = read(SPEC, data, "a.xls")

    assert rows(sheet) == [
        (3, "007", "=1+1", " 甲 ", "45017"),
        (4, "9.162040007927378e+17", "投诉", "乙", "1.5"),
    ]
    assert sheet.frame["_part"].unique().to_list() == ["a.xls#表一"]
    assert [finding.rule for finding in sheet.findings] == ["row.note"]


def test_a_workbook_cut_short_is_refused() -> None:
    with pytest.raises(Undecodable, match="not a readable XLS workbook"):
        read(SPEC, container(workbook_stream([HEAD]))[:1200])


def test_an_xls_where_only_csv_is_declared_is_refused() -> None:
    with pytest.raises(Undecodable, match="expected one of csv, the bytes look like xls"):
        read(make_spec(), container(workbook_stream([HEAD])))
