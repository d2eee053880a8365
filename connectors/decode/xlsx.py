"""XLSX: every cell as the text that stands in the file; nothing is evaluated, rounded or turned into a date.

Read from the XML itself, because libraries hand over numbers as floats: an 18-digit code that a
spreadsheet has already damaged must show what the file holds (``9.16204000792738E+17``).
Source: ECMA-376 part 1, 18.3 (worksheets), 18.4 (shared strings).
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO

from lxml import etree

from connectors.decode.archive import Allowance, member_chunks, open_zip
from connectors.decode.cells import read_cells, read_shared_strings
from connectors.decode.grid import Run
from connectors.decode.shape import MAX_RECORD_BYTES, undecodable
from connectors.decode.shared_strings import SharedStrings
from connectors.decode.xml_safe import local, parse_xml

_SHARED = "xl/sharedStrings.xml"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_RELATION_STRICT = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"


@dataclass
class _Book:
    where: str
    archive: zipfile.ZipFile
    shared: SharedStrings = field(default_factory=SharedStrings)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a member, piece by piece."""
        return member_chunks(self.where, self.archive, self._info(name))

    def whole(self, name: str) -> bytes:
        """The bytes of one of the small members, which say where the others are."""
        if self._info(name).file_size > MAX_RECORD_BYTES:
            raise undecodable(self.where, f"{name} 过大。", f"{name} is too large.")
        return b"".join(self.chunks(name))

    def _info(self, name: str) -> zipfile.ZipInfo:
        try:
            return self.archive.getinfo(name)
        except KeyError as error:
            raise undecodable(self.where, f"工作簿缺少 {name}。", f"the workbook lacks {name}.") from error


def read_xlsx(
    where: str, file: IO[bytes], sheets: tuple[str, ...], allowance: Allowance, rows: int
) -> Iterator[tuple[str, Iterator[Run]]]:
    """The worksheets of a workbook, in its order: the named ones, or every visible one; ``#`` and name, and their rows.

    Raises:
        Undecodable: not an XLSX workbook, a named sheet is missing, or its dates count from 1904.
    """
    with open_zip(where, file, allowance) as archive:
        book = _Book(where, archive)
        members = _worksheets(book, sheets)
        if _SHARED in archive.namelist():
            book.shared = read_shared_strings(f"{where} {_SHARED}", book.chunks(_SHARED))
        with closing(book.shared):
            for name, member in members:
                yield f"#{name}", read_cells(f"{where} {member}", book.chunks(member), book.shared, rows)


def _worksheets(book: _Book, wanted: tuple[str, ...]) -> list[tuple[str, str]]:
    workbook = parse_xml(f"{book.where} xl/workbook.xml", book.whole("xl/workbook.xml"))
    relations = parse_xml(f"{book.where} workbook.xml.rels", book.whole("xl/_rels/workbook.xml.rels"))
    targets = {relation.get("Id"): str(relation.get("Target")) for relation in relations.iter(etree.Element)}
    found, visible = {}, []
    for element in workbook.iter(etree.Element):
        if local(element) == "workbookPr" and element.get("date1904") in ("1", "true"):
            raise undecodable(
                book.where,
                "工作簿的日期从 1904 年起算，日期会错四年；请改用 1900 日期系统另存。",
                "the workbook counts dates from 1904, four years off; save it with the 1900 date system.",
            )
        if local(element) == "sheet":
            target = targets.get(element.get(_RELATION) or element.get(_RELATION_STRICT), "")
            name = str(element.get("name"))
            # Absolute targets are meant from the package root, others from xl/.
            found[name] = posixpath.normpath(target.lstrip("/") if target.startswith("/") else f"xl/{target}")
            if element.get("state", "visible") == "visible":
                visible.append(name)
    if missing := [name for name in wanted if name not in found]:
        raise undecodable(
            book.where,
            f"没有工作表 {'、'.join(missing)}；现有 {'、'.join(found)}。",
            f"there is no worksheet {', '.join(missing)}; there are {', '.join(found)}.",
            missing=missing,
        )
    chosen = [(name, found[name]) for name in wanted or visible if "worksheets/" in found[name]]
    if len({member for _, member in chosen}) < len(chosen):
        # What was allowed to unpack once would be unpacked for every name.
        raise undecodable(
            book.where, "多个工作表指向同一内容。", "several worksheets of the workbook are one and the same member."
        )
    return chosen
