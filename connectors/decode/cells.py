"""The two large parts of an XLSX workbook, shared strings and worksheets, read in one pass with expat.

A document type is refused the moment it begins, before any entity in it could be used.
Source: ECMA-376 part 1, 18.3.1.4 (cells), 18.4.8 (string items), 22.9.2.19 (escaped characters).
"""

from __future__ import annotations

import re
from xml.parsers import expat

from connectors.decode.grid import Grid
from connectors.decode.shape import undecodable

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_HALF = range(0xD800, 0xE000)
_SUBSTITUTE = "\x1a"
_DIGITS = "0123456789"
_LAST_ROW = 1_048_576


class _StringItems:
    """Handlers that gather the text of ``si`` items; all runs joined, phonetic hints (``rPh``) left out."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self._text: list[str] = []
        self._is_text = self._is_hint = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "t":
            self._is_text = not self._is_hint
        elif name == "rPh":
            self._is_hint = True

    def end(self, name: str) -> None:
        if name == "t":
            self._is_text = False
        elif name == "rPh":
            self._is_hint = False
        elif name == "si":
            self.items.append(_unescaped("".join(self._text)))
            self._text.clear()

    def text(self, data: str) -> None:
        if self._is_text:
            self._text.append(data)


class _Cells:
    """Handlers that gather the rows of a worksheet."""

    def __init__(self, where: str, shared: list[str]) -> None:
        self.rows: list[tuple[int, dict[int, str]]] = []
        self.formulas: list[str] = []
        self.unfilled: list[str] = []
        self._where, self._shared = where, shared
        self._columns: dict[str, int] = {}
        self._line, self._column, self._kind, self._place = 0, -1, "n", ""
        self._row: dict[int, str] = {}
        self._text: list[str] = []
        self._is_text = self._is_hint = self._has_formula = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._place = attributes.get("r", "")
            self._kind = attributes.get("t", "n")
            letters = self._place.rstrip(_DIGITS)
            self._column = self._index(letters) if letters else self._column + 1
            self._has_formula = False
            self._text.clear()
        elif name in ("v", "t"):
            self._is_text = not self._is_hint
        elif name == "f":
            self._has_formula = True
        elif name == "rPh":
            self._is_hint = True
        elif name == "row":
            self._line = int(attributes.get("r") or self._line + 1)
            self._check_place(1 <= self._line <= _LAST_ROW, f"row {self._line}")
            self._row, self._column = {}, -1

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._is_text = False
        elif name == "c":
            value = self._value("".join(self._text))
            if value:
                self._row[self._column] = value
            if self._has_formula:
                (self.formulas if value else self.unfilled).append(self._place or f"R{self._line}C{self._column + 1}")
        elif name == "rPh":
            self._is_hint = False
        elif name == "row":
            self.rows.append((self._line, self._row))

    def text(self, data: str) -> None:
        if self._is_text:
            self._text.append(data)

    def _value(self, text: str) -> str:
        """The stored value of a cell as text; of a formula the stored result."""
        if not text:
            return ""
        if self._kind == "s":
            return self._shared_string(text)
        if self._kind == "b":
            return "TRUE" if text == "1" else "FALSE"
        if self._kind == "n":
            return _number(text)
        return _unescaped(text) if self._kind in ("inlineStr", "str") else text

    def _shared_string(self, text: str) -> str:
        try:
            return self._shared[int(text)]
        except (IndexError, ValueError) as error:
            raise undecodable(
                self._where,
                f"单元格 {self._place} 引用了不存在的共享字符串 {text}。",
                f"cell {self._place} refers to shared string {text}, which is not there.",
            ) from error

    def _check_place(self, is_inside: bool, place: str) -> None:
        """A place beyond the format's own limits is a trap: one cell there would make a sheet of billions."""
        if not is_inside:
            raise undecodable(
                self._where,
                f"位置 {place} 超出工作表的范围（XFD1048576）。",
                f"{place} lies outside of what a worksheet can hold (XFD1048576).",
            )

    def _index(self, letters: str) -> int:
        if letters not in self._columns:
            self._check_place(len(letters) <= 3 and letters.isascii() and letters.isalpha(), f"column {letters[:10]}")
            index = 0
            for letter in letters:
                index = index * 26 + ord(letter) - 64
            self._columns[letters] = index - 1
        return self._columns[letters]


def read_shared_strings(where: str, data: bytes) -> list[str]:
    """The texts that cells refer to by number.

    Raises:
        Undecodable: not well-formed, or it has a document type.
    """
    found = _StringItems()
    _parse(where, data, found)
    return found.items


def read_cells(where: str, name: str, data: bytes, shared: list[str]) -> Grid:
    """The filled cells of a worksheet.

    Raises:
        Undecodable: not well-formed, has a document type, or a cell refers to a text that is not there.
    """
    found = _Cells(where, shared)
    _parse(where, data, found)
    return Grid(name, found.rows, tuple(found.formulas), tuple(found.unfilled))


def _parse(where: str, data: bytes, handlers: _StringItems | _Cells) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def doctype(*_: object) -> None:
        raise undecodable(
            where, "XML 含有文档类型声明（DTD），已拒绝。", "the XML has a document type declaration; refused."
        )

    # Some writers put a prefix before every name; the names themselves are distinct without it.
    parser.StartElementHandler = lambda name, attributes: handlers.start(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: handlers.end(name.rpartition(":")[2])
    parser.CharacterDataHandler = handlers.text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError) as error:
        raise undecodable(
            where, f"不是格式良好的工作表 XML：{error}。", f"not well-formed worksheet XML: {error}."
        ) from error


def _unescaped(text: str) -> str:
    """Escaped characters as themselves; half of one cannot stand in a column and becomes the substitute character."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(escaped: re.Match[str]) -> str:
    code = int(escaped[1], 16)
    return _SUBSTITUTE if code in _HALF else chr(code)


def _number(text: str) -> str:
    """A number as written; ``1.1000000000000001`` is the same IEEE number as ``1.1``, which is what was typed."""
    if len(text) > 16 and "." in text and "E" not in text.upper():
        shortest = repr(float(text))
        return shortest if "e" not in shortest else text
    return text
