"""XLSX: every cell as the text that stands in the file; nothing is evaluated, rounded or turned into a date.

Read from the XML itself, because libraries hand over numbers as floats: an 18-digit code that a
spreadsheet has already damaged must show what the file holds (``9.16204000792738E+17``).
Source: ECMA-376 part 1, 18.3 (worksheets), 18.4 (shared strings).
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from connectors.decode.archive import open_zip, read_member
from connectors.decode.grid import Grid
from connectors.decode.shape import undecodable
from connectors.decode.xml_safe import local, parse_xml

_COLUMN = re.compile(r"([A-Z]{1,3})(\d+)\Z")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_RELATION_STRICT = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"


@dataclass
class _Book:
    where: str
    archive: zipfile.ZipFile
    shared: list[str] = field(default_factory=list)

    def member(self, name: str) -> bytes:
        try:
            return read_member(self.where, self.archive, self.archive.getinfo(name))
        except KeyError as error:
            raise undecodable(self.where, f"工作簿缺少 {name}。", f"the workbook lacks {name}.") from error


def read_xlsx(where: str, data: bytes, sheets: tuple[str, ...], max_unpacked_bytes: int) -> Iterator[Grid]:
    """The worksheets of a workbook, in its order: the named ones, or every visible one.

    Raises:
        Undecodable: not an XLSX workbook, a named sheet is missing, or its dates count from 1904.
    """
    with open_zip(where, data, max_unpacked_bytes) as archive:
        book = _Book(where, archive)
        members = _worksheets(book, sheets)
        if "xl/sharedStrings.xml" in archive.namelist():
            book.shared = _shared_strings(book)
        for name, member in members:
            yield _worksheet(book, name, member)


def _worksheets(book: _Book, wanted: tuple[str, ...]) -> list[tuple[str, str]]:
    workbook = parse_xml(f"{book.where} xl/workbook.xml", book.member("xl/workbook.xml"))
    relations = parse_xml(f"{book.where} workbook.xml.rels", book.member("xl/_rels/workbook.xml.rels"))
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
    return [(name, found[name]) for name in wanted or visible if "worksheets/" in found[name]]


def _elements(book: _Book, member: str, tag: str) -> Iterator[etree._Element]:
    """Elements of a large member one after another, each freed when the next is asked for."""
    stream = etree.iterparse(
        io.BytesIO(book.member(member)),
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
    )
    first = True
    try:
        for event, element in stream:
            if first and element.getroottree().docinfo.doctype:
                raise undecodable(
                    f"{book.where} {member}", "XML 含有文档类型声明，已拒绝。", "the XML has a document type; refused."
                )
            first = False
            if event == "end" and etree.QName(element).localname == tag:
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise undecodable(
            f"{book.where} {member}", f"不是格式良好的 XML：{error.msg}。", f"not well-formed XML: {error.msg}."
        ) from error


def _shared_strings(book: _Book) -> list[str]:
    return [_rich_text(item) for item in _elements(book, "xl/sharedStrings.xml", "si")]


def _rich_text(item: etree._Element) -> str:
    """All runs of a rich text joined; phonetic hints (``rPh``) are not part of it."""
    texts = []
    for element in item.iter(etree.Element):
        parent = element.getparent()
        if local(element) == "t" and (parent is None or local(parent) != "rPh"):
            texts.append(element.text or "")
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), "".join(texts))


def _worksheet(book: _Book, name: str, member: str) -> Grid:
    rows: list[tuple[int, dict[int, str]]] = []
    formulas: list[str] = []
    unfilled: list[str] = []
    line = 0
    for row in _elements(book, member, "row"):
        line = int(row.get("r") or line + 1)
        cells: dict[int, str] = {}
        column = -1
        for cell in row:
            match = _COLUMN.match(cell.get("r") or "")
            column = _column_index(match[1]) if match else column + 1
            text, has_formula = _cell(book, cell)
            if has_formula:
                (formulas if text else unfilled).append(cell.get("r") or f"R{line}C{column + 1}")
            if text:
                cells[column] = text
        rows.append((line, cells))
    return Grid(f"#{name}", rows, tuple(formulas), tuple(unfilled))


def _column_index(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def _cell(book: _Book, cell: etree._Element) -> tuple[str | None, bool]:
    """Text of a cell, and whether it holds a formula; the stored result is taken, nothing is computed."""
    kind, value, has_formula = cell.get("t", "n"), None, False
    for child in cell:
        tag = local(child)
        if tag == "v":
            value = child.text
        elif tag == "is":
            value = _rich_text(child)
        elif tag == "f":
            has_formula = True
    if value is None or value == "":
        return None, has_formula
    if kind == "s":
        try:
            return book.shared[int(value)], has_formula
        except (IndexError, ValueError) as error:
            raise undecodable(
                book.where,
                f"单元格引用了不存在的共享字符串 {value}。",
                f"a cell refers to shared string {value}, which is not there.",
            ) from error
    if kind == "b":
        return ("TRUE" if value == "1" else "FALSE"), has_formula
    return (_number(value) if kind == "n" else value), has_formula


def _number(text: str) -> str:
    """A number as written; ``1.1000000000000001`` is the same IEEE number as ``1.1``, which is what was typed."""
    if "." in text and "E" not in text.upper() and len(text) > 16:
        shortest = repr(float(text))
        return shortest if "e" not in shortest else text
    return text
