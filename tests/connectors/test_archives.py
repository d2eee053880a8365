"""ZIP files that must not be trusted: bombs, paths in names, archives inside archives."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from connectors.errors import Undecodable
from tests.connectors.support import COMPLAINTS, make_spec, read, rows

SPEC = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [zip, csv], encoding: gb18030"))
BODY = "编号,类型,被投诉企业,日期\n1,投诉,甲,2024\n".encode("gb18030")


def archive(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return stream.getvalue()


def workbook(*lines: tuple[str, ...]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet("表一")
        for row, cells in enumerate(lines):
            sheet.write_row(row, 0, cells)
    return stream.getvalue()


def gbk_named(name: str) -> bytes:
    """A ZIP as Chinese tools write it: GBK name, no UTF-8 flag. zipfile itself cannot write one."""
    raw = name.encode("gbk")
    data = archive(("x" * len(raw), BODY))
    return data.replace(b"x" * len(raw), raw)


def test_members_are_read_under_the_names_the_agency_gave_them() -> None:
    sheet = read(SPEC, gbk_named("五月投诉.csv"), "a.zip")

    assert (sheet.frame["_part"].to_list(), rows(sheet)) == (["a.zip/五月投诉.csv"], [(2, "1", "投诉", "甲", "2024")])


def test_several_members_are_one_delivery_with_running_row_numbers() -> None:
    sheet = read(SPEC, archive(("b.csv", BODY), ("a.csv", BODY)), "z.zip")

    assert sheet.frame.select("_row", "_part", "_line").rows() == [(1, "z.zip/b.csv", 2), (2, "z.zip/a.csv", 2)]


def test_a_zip_cut_short_is_refused() -> None:
    with pytest.raises(Undecodable, match="cut short or damaged"):
        read(SPEC, archive(("a.csv", BODY * 100))[:-30])


def test_a_damaged_member_is_refused_by_name() -> None:
    data = bytearray(archive(("a.csv", BODY * 100)))
    data[60] ^= 0xFF

    with pytest.raises(Undecodable, match="member 'a.csv' of the ZIP is damaged"):
        read(SPEC, bytes(data))


def test_a_zip_bomb_is_refused_by_its_ratio_before_it_is_unpacked() -> None:
    with pytest.raises(Undecodable, match="looks like a zip bomb"):
        read(SPEC, archive(("a.csv", b"\0" * 12_000_000)))


def test_more_than_the_limit_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(Undecodable) as found:
        read(SPEC, archive(("a.csv", BODY), ("b.csv", BODY)), limit=len(BODY))

    assert (found.value.details["unpacked"], found.value.details["limit"]) == (2 * len(BODY), len(BODY))


def test_workbooks_in_one_archive_share_its_limit() -> None:
    """Each of them is within the limit, all of them together are not."""
    spec = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [zip, xlsx]"))
    book = workbook(("编号", "类型", "被投诉企业", "日期"), ("1", "投诉", "甲", "2024"))
    with zipfile.ZipFile(io.BytesIO(book)) as opened:
        unpacked = sum(member.file_size for member in opened.infolist())
    data = archive(*((f"{i}.xlsx", book) for i in range(3)))
    enough = 3 * (len(book) + unpacked)

    with pytest.raises(Undecodable, match="looks like a zip bomb"):
        read(spec, data, "a.zip", limit=enough - 1)

    assert len(rows(read(spec, data, "a.zip", limit=enough))) == 3


def test_a_member_that_lies_about_its_size_is_refused() -> None:
    data = archive(("a.csv", BODY * 50))
    real, lie = struct.pack("<L", len(BODY) * 50), struct.pack("<L", 10)

    with pytest.raises(Undecodable, match="damaged|not of the size"):
        read(SPEC, data.replace(real, lie))


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "C:\\evil.csv", "..\\evil.csv"])
def test_a_path_out_of_the_archive_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(Undecodable, match="points outside the archive"):
        read(SPEC, archive((name, BODY)))

    assert not list(tmp_path.parent.glob("**/evil.csv"))


def test_an_archive_inside_an_archive_is_refused() -> None:
    with pytest.raises(Undecodable, match="no archive inside an archive"):
        read(SPEC, archive(("inner.zip", archive(("a.csv", BODY)))))


def test_too_many_members_are_refused() -> None:
    with pytest.raises(Undecodable, match="holds 2001 files"):
        read(SPEC, archive(*((f"{i}.csv", b"") for i in range(2001))))


def test_an_encrypted_archive_is_refused() -> None:
    data = bytearray(archive(("a.csv", BODY)))
    central = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1

    with pytest.raises(Undecodable, match="encrypted"):
        read(SPEC, bytes(data))
