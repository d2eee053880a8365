"""The objects of a list somewhere in a JSON document, one after the other, however large the document is.

Each of them is decoded by the standard library's own decoder, so a document read in pieces and one read
whole give the same values and the same errors.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from connectors.decode.csv_head import demand_no_binary, wrong_byte
from connectors.decode.shape import MAX_RECORD_BYTES, too_long, undecodable

_CHUNK = 1024 * 1024
_BLANKS = " \t\n\r"
_AFTER_VALUES = tuple(_BLANKS + ",]}:")


class RepeatedKeyError(ValueError):
    """An object says one key twice; which of the two is meant cannot be known."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        said = Counter(key for key, _ in pairs)
        raise RepeatedKeyError(next(key for key, times in said.items() if times > 1))
    return content


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_constant, object_pairs_hook=_object)
"""Keeps every number as the text it was written in, and refuses a key that is there twice."""


@contextmanager
def as_undecodable(where: str) -> Iterator[None]:
    """Translate what the decoder raises.

    Raises:
        Undecodable: not JSON, nested too deep, or an object says one key twice.
    """
    try:
        yield
    except RepeatedKeyError as error:
        raise undecodable(
            where, f"键“{error}”出现两次。", f"key {str(error)!r} is there twice.", key=str(error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise undecodable(where, f"不是 JSON：{error}。", f"not JSON: {error}.") from error


def items_at(where: str, file: IO[bytes], path: str) -> Iterator[Any]:
    """Items of the list at a dotted path; none where the path leads nowhere or to null.

    Raises:
        Undecodable: not UTF-8, not JSON, nested too deep, a key that is there twice, no such key in the last object
            of the path, or something else than a list there. What stands behind the list is found out after it.
    """
    window = _Window(where, file)
    with as_undecodable(where):
        yield from _items(window, path.split(".") if path else [], path)
        window.demand_end()


def _items(window: _Window, steps: list[str], path: str) -> Iterator[Any]:
    if not steps:
        yield from _list(window, path)
    elif window.peek() != "{":
        window.value()
    else:
        yield from _inside(window, steps, path)


def _inside(window: _Window, steps: list[str], path: str) -> Iterator[Any]:
    """The object that the next step of the path is looked up in."""
    seen: dict[str, None] = {}
    window.take("{")
    while window.peek() != "}":
        if seen:
            window.take(",")
        key = window.key()
        if key in seen:
            raise RepeatedKeyError(key)
        seen[key] = None
        window.take(":")
        if key == steps[0]:
            yield from _items(window, steps[1:], path)
        else:
            window.value()
    window.take("}")
    if len(steps) == 1 and steps[0] not in seen:
        raise undecodable(
            window.where,
            f"应答中没有“{path}”，只有 {'、'.join(seen)}。",
            f"there is nothing at {path!r}, only {', '.join(seen)}.",
            rows=path,
        )


def _list(window: _Window, path: str) -> Iterator[Any]:
    if window.peek() != "[":
        found = window.value()
        # Agencies write null for "no rows".
        if found is None:
            return
        raise undecodable(
            window.where,
            f"“{path}”处应为列表，实为 {type(found).__name__}。",
            f"expected a list at {path!r}, got {type(found).__name__}.",
        )
    window.take("[")
    is_first = True
    while window.peek() != "]" or not is_first:
        if not is_first:
            if window.peek() == "]":
                break
            window.take(",")
        is_first = False
        yield window.value()
    window.take("]")


class _Window:
    """The text of a file from where the reading is; what lies behind is forgotten."""

    def __init__(self, where: str, file: IO[bytes]) -> None:
        self.where = where
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._text, self._at = "", 0
        self._characters, self._bytes, self._line = 0, 0, 1
        self._is_whole = False
        self._fill()
        self._text = self._text.removeprefix("\ufeff")

    def peek(self) -> str:
        """The next character that is no blank, or "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANKS:
                    return self._text[self._at]
                self._at += 1
            if self._is_whole:
                return ""
            self._fill()

    def take(self, wanted: str) -> None:
        """Go past one character, which must be there."""
        if self.peek() != wanted:
            raise ValueError(f"Expecting {wanted!r}: char {self._characters + self._at}")
        self._at += 1

    def key(self) -> str:
        """The next value, which must be a text: the key of an object."""
        if self.peek() != '"':
            raise ValueError(f"Expecting a key in double quotes: char {self._characters + self._at}")
        return str(self.value())

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                found, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._is_whole:
                    raise ValueError(f"{error.msg}: char {self._characters + error.pos}") from error
            else:
                # A number may go on where the text ends, and before "." or "e" it only seems to end.
                if self._text[end : end + 1] in _AFTER_VALUES or self._is_whole:
                    self._at = end
                    return found
            if len(self._text) - self._at > MAX_RECORD_BYTES:
                raise too_long(self.where, self._line)
            self._fill()

    def demand_end(self) -> None:
        """Nothing but blanks may follow."""
        if self.peek():
            raise ValueError(f"Extra data: char {self._characters + self._at}")

    def _fill(self) -> None:
        """Read on: twice as much each time as is waiting, so that a long value is not decoded again too often."""
        data = self._file.read(max(_CHUNK, 2 * (len(self._text) - self._at)))
        if not self._bytes:
            demand_no_binary(self.where, data)
        waiting = self._decoder.getstate()[0]
        try:
            more = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise wrong_byte(
                self.where, waiting + data, error.start, "utf-8-sig", self._bytes - len(waiting), self._line
            ) from error
        self._bytes += len(data)
        self._line += data.count(b"\n")
        self._characters += self._at
        self._text, self._at = self._text[self._at :] + more, 0
        self._is_whole = not data
