"""A CSV file in blocks that end where a record ends, so that each of them can be read by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO

from connectors.decode.csv_head import Span, decode_text
from connectors.decode.shape import MAX_RECORD_BYTES, too_long

_LINE_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Block:
    """Whole records.

    Attributes:
        text: in UTF-8, whatever the encoding of the file.
        line: number of the first line.
        start: offset of the first byte in the file.
    """

    text: bytes
    line: int
    start: int


class Records:
    """Reads a span from its start to its end, block by block or line by line.

    Attributes:
        start: offset of what comes next.
        line_number: number of its first line.
    """

    def __init__(self, where: str, file: IO[bytes], span: Span, encoding: str) -> None:
        self._where, self._file, self._encoding = where, file, encoding
        self._read_to, self._end = span.start, span.end
        self._rest = b""
        self.start, self.line_number = span.start, span.line
        file.seek(span.start)

    def block(self, size: int) -> Block | None:
        """The next ``size`` bytes, up to the end of a record; None at the end.

        Records end at line breaks with an even number of quotation marks before them. A mark in the middle
        of a cell breaks that rule; whoever reads the block finds that out and goes on with :meth:`line`.

        Raises:
            Undecodable: a wrong byte, or a record that does not end.
        """
        data = self._whole_records(size)
        return self._block(data) if data else None

    def skip(self, size: int, separator: str) -> bool:
        """Go past what :meth:`block` would give; False if a mark in the middle of a cell makes its end uncertain."""
        data = self._whole_records(size)
        block = self._block(data) if b'"' in data else None
        if block is None:
            self._pass(data)
        return block is None or marks_are_regular(block.text, separator)

    def line(self) -> str | None:
        """The next line with its break; None at the end."""
        while b"\n" not in self._rest and (more := self._read(_LINE_CHUNK)):
            self._rest += more
            if len(self._rest) > MAX_RECORD_BYTES:
                raise too_long(self._where, self.line_number)
        if not self._rest:
            return None
        cut = self._rest.find(b"\n") + 1 or len(self._rest)
        data, self._rest = self._rest[:cut], self._rest[cut:]
        return self._block(data).text.decode()

    def _whole_records(self, size: int) -> bytes:
        data = self._rest + self._read(size - len(self._rest))
        while data and not (cut := self._cut(data)):
            if len(data) > MAX_RECORD_BYTES:
                raise too_long(self._where, self.line_number)
            data += self._read(max(size, len(data)))
        self._rest = data[cut:] if data else b""
        return data[:cut] if data else b""

    def _read(self, size: int) -> bytes:
        data = self._file.read(max(0, min(size, self._end - self._read_to)))
        self._read_to += len(data)
        return data

    def _cut(self, data: bytes) -> int:
        if self._read_to >= self._end:
            return len(data)
        cut = data.rfind(b"\n") + 1
        marks = data.count(b'"', 0, cut)
        while cut and marks % 2:
            before = data.rfind(b"\n", 0, cut - 1) + 1
            marks -= data.count(b'"', before, cut)
            cut = before
        return cut

    def _block(self, data: bytes) -> Block:
        text = decode_text(self._where, data, self._encoding, self.start, self.line_number)
        block = Block(data if self._encoding.startswith("utf-8") else text.encode(), self.line_number, self.start)
        self._pass(data)
        return block

    def _pass(self, data: bytes) -> None:
        self.start += len(data)
        self.line_number += data.count(b"\n")


def marks_are_regular(body: bytes, separator: str) -> bool:
    """Whether every quotation mark belongs to a quoted cell: one in the middle of a cell opens nothing.

    Only asked where a cell holds one, because then counting cannot tell, and a block may have been cut inside a cell.
    """
    apart = re.escape(separator.encode())
    cell = rb'(?:(?<=[%s\n])|\A)"(?:[^"]|"")*"(?=%s|\r?\n|\Z)' % (apart, apart)
    return b'"' not in re.sub(cell, b"", body)
