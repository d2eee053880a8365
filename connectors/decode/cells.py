"""The two large parts of an XLSX workbook, shared strings and worksheets, read piece by piece with expat.

A document type is refused the moment it begins, before any entity in it could be used.
Source: ECMA-376 part 1, 18.3.1.4 (cells), 18.4.8 (string items), 22.9.2.19 (escaped characters).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from xml.parsers import expat

from connectors.decode.grid import Run
from connectors.decode.shape import undecodable
from connectors.decode.shared_strings import SharedStrings

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_HALF = range(0xD800, 0xE000)
_SUBSTITUTE = "\x1a"
_DIGITS = "0123456789"
_LAST_ROW = 1_048_576
_CHUNK = 64 * 1024


class _StringItems:
    """Handlers that gather the text of ``si`` items; all runs joined, phonetic hints (``rPh``) left out."""

    def __init__(self, items: SharedStrings) -> None:
        self._items = items
        self._text: list[str] = []
        self._is_text = self._is_hint = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name if ":" not in name else _without_prefix(name)
        if name == "t":
            self._is_text = not self._is_hint
        elif name == "rPh":
            self._is_hint = True

    def end(self, name: str) -> None:
        name = name if ":" not in name else _without_prefix(name)
        if name == "t":
            self._is_text = False
        elif name == "rPh":
            self._is_hint = False
        elif name == "si":
            self._items.append(_unescaped("".join(self._text)))
            self._text.clear()

    def text(self, data: str) -> None:
        if self._is_text:
            self._text.append(data)


class _Cells:
    """Handlers that gather the rows of a worksheet."""

    def __init__(self, where: str, shared: SharedStrings) -> None:
        self.run = Run()
        self._where, self._shared = where, shared
        self._columns: dict[str, int] = {}
        self._line, self._column, self._kind, self._place = 0, -1, "n", ""
        self._row: dict[int, str] = {}
        self._text: list[str] = []
        self._is_text = self._is_hint = self._has_formula = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name if ":" not in name else _without_prefix(name)
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
        name = name if ":" not in name else _without_prefix(name)
        if name in ("v", "t"):
            self._is_text = False
        elif name == "c":
            value = self._value("".join(self._text))
            if value:
                self._row[self._column] = value
            if self._has_formula:
                place = self._place or f"R{self._line}C{self._column + 1}"
                (self.run.formulas if value else self.run.unfilled).append(place)
        elif name == "rPh":
            self._is_hint = False
        elif name == "row":
            self.run.rows.append((self._line, self._row))

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


def read_shared_strings(where: str, chunks: Iterable[bytes]) -> SharedStrings:
    """The texts that cells refer to by number.

    Raises:
        Undecodable: not well-formed, or it has a document type.
    """
    found = SharedStrings()
    for _ in _parse(where, chunks, _StringItems(found)):
        pass
    return found


def read_cells(where: str, chunks: Iterable[bytes], shared: SharedStrings, rows: int) -> Iterator[Run]:
    """The filled cells of a worksheet, in runs of about ``rows`` rows.

    Raises:
        Undecodable: not well-formed, has a document type, or a cell refers to a text that is not there.
    """
    found = _Cells(where, shared)
    for _ in _parse(where, chunks, found):
        if len(found.run.rows) >= rows:
            run, found.run = found.run, Run()
            yield run
    yield found.run


def _parse(where: str, chunks: Iterable[bytes], handlers: _StringItems | _Cells) -> Iterator[None]:
    """Hands every chunk to the handlers; whoever reads can look at what they have after each."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def doctype(*_: object) -> None:
        raise undecodable(
            where, "XML 含有文档类型声明（DTD），已拒绝。", "the XML has a document type declaration; refused."
        )

    parser.StartElementHandler = handlers.start
    parser.EndElementHandler = handlers.end
    parser.CharacterDataHandler = handlers.text
    parser.StartDoctypeDeclHandler = doctype
    try:
        for chunk in chunks:
            for at in range(0, len(chunk), _CHUNK):
                parser.Parse(chunk[at : at + _CHUNK], False)
                yield
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError) as error:
        raise undecodable(
            where, f"不是格式良好的工作表 XML：{error}。", f"not well-formed worksheet XML: {error}."
        ) from error


def _without_prefix(name: str) -> str:
    """Some writers put a prefix before every name; the names themselves are distinct without it."""
    return name.rpartition(":")[2]


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
