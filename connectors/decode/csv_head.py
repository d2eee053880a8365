"""The beginning of a CSV file: its declared encoding held against its bytes, its heading, and where its rows lie."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from typing import IO

from connectors.decode.shape import MAX_RECORD_BYTES, too_long, undecodable
from connectors.errors import Undecodable
from connectors.headings import find_heading_row, fits, unique_headings
from connectors.spec import SourceSpec

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Span:
    """Bytes of a CSV file that hold whole records.

    Attributes:
        start: offset of the first byte.
        end: offset behind the last one.
        line: number of its first line in the file.
    """

    start: int
    end: int
    line: int


@dataclass(frozen=True)
class Head:
    """What the beginning of a CSV file tells.

    Attributes:
        headings: unique, in the order of the file.
        rows: where the rows lie, without the heading and without blank lines at the end of the file.
    """

    headings: tuple[str, ...]
    rows: Span


def read_head(where: str, file: IO[bytes], spec: SourceSpec) -> Head:
    """Find the heading.

    Raises:
        Undecodable: binary, empty, or not in the declared encoding.
    """
    # Heading cells may hold line breaks, so a few more lines than rows are looked at; what follows them is one piece.
    most = spec.decode.header_within + 50
    file.seek(0)
    begins = _first_lines(where, file, most)
    _demand_text(where, begins, spec.decode.encoding)
    lines = begins.split(b"\n", most)[:most]
    text = decode_text(where, b"\n".join(lines), spec.decode.encoding)
    rows, ends = _first_rows(where, text.removeprefix("\ufeff").split("\n"), spec)
    index = find_heading_row(rows, spec)
    headings = unique_headings(rows[index] if rows else [])
    if not headings:
        raise undecodable(where, "文件没有内容，连标题行也没有。", "the file is empty: it has not even a heading.")
    if _is_utf8_by_mistake(headings, begins, spec):
        raise undecodable(
            where,
            "声明为 gb18030，但内容是 UTF-8。",
            "declared as gb18030 but the bytes are UTF-8.",
            declared="gb18030",
        )
    start = sum(len(line) + 1 for line in lines[: ends[index]])
    return Head(tuple(headings), Span(start, _content_end(file, start, spec.decode.separator), ends[index] + 1))


def decode_text(where: str, data: bytes, encoding: str, offset: int = 0, line: int = 1) -> str:
    """Bytes as text, strictly; a byte order mark stays what it is.

    Args:
        where: source and part, for messages.
        data: whole lines.
        encoding: as declared.
        offset: where in the file they begin.
        line: number of their first line.

    Raises:
        Undecodable: a byte that the encoding does not have; names its offset.
    """
    try:
        # Not the codec utf-8-sig: it counts the offset of a wrong byte from behind the mark.
        return data.decode(encoding.removesuffix("-sig"))
    except UnicodeDecodeError as error:
        raise wrong_byte(where, data, error.start, encoding, offset, line) from error


def wrong_byte(where: str, data: bytes, at: int, encoding: str, offset: int, line: int) -> Undecodable:
    """The error for a byte that the declared encoding does not have."""
    found = data[at : at + 4].hex(" ")
    offset, line = offset + at, line + data.count(b"\n", 0, at)
    return undecodable(
        where,
        f"声明为 {encoding}，但第 {offset} 字节（第 {line} 行，{found}）不是该编码。",
        f"declared as {encoding}, but byte {offset} (line {line}, {found}) is not.",
        declared=encoding,
        offset=offset,
        line=line,
    )


def demand_no_binary(where: str, begins: bytes) -> None:
    """Refuse what is no text at all.

    Raises:
        Undecodable: there is a NUL among the first bytes.
    """
    if b"\x00" in begins[:4096]:
        raise undecodable(where, "内容是二进制，不是文本。", "the bytes are binary, not text.")


def _demand_text(where: str, begins: bytes, encoding: str) -> None:
    demand_no_binary(where, begins)
    if encoding == "gb18030" and begins.startswith(b"\xef\xbb\xbf"):
        raise undecodable(
            where,
            "声明为 gb18030，但以 UTF-8 的 BOM 开头。",
            "declared as gb18030 but begins with the byte order mark of UTF-8.",
            declared=encoding,
        )


def _first_lines(where: str, file: IO[bytes], most: int) -> bytes:
    """The first lines and a little more; the whole file if it has fewer."""
    begins = bytearray()
    while chunk := file.read(_CHUNK):
        begins += chunk
        if begins.count(b"\n") >= most:
            break
        if len(begins) > MAX_RECORD_BYTES:
            raise too_long(where, 1)
    return bytes(begins)


def _first_rows(where: str, lines: list[str], spec: SourceSpec) -> tuple[list[list[str | None]], list[int]]:
    """The cells of the first records, and the number of lines up to the end of each."""
    reader = csv.reader((line + "\n" for line in lines), delimiter=spec.decode.separator)
    rows: list[list[str | None]] = []
    ends: list[int] = []
    try:
        for row in reader:
            rows.append([cell or None for cell in row])
            ends.append(reader.line_num)
            if len(rows) == spec.decode.header_within:
                break
    except csv.Error as error:
        raise undecodable(where, f"不是 CSV：{error}。", f"not CSV: {error}.") from error
    return rows, ends


def _is_utf8_by_mistake(headings: list[str], begins: bytes, spec: SourceSpec) -> bool:
    """UTF-8 often decodes as GB18030 without an error, into nonsense: then no heading is known."""
    if spec.decode.encoding != "gb18030" or not fits(headings, spec)[0].missing:
        return False
    whole_lines = begins[: begins.rfind(b"\n") + 1] or begins
    try:
        return not whole_lines.isascii() and bool(whole_lines.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _content_end(file: IO[bytes], start: int, separator: str) -> int:
    """Where the last line ends that has anything in it: tools leave lines of nothing but separators below a table."""
    nothing = b"\r\n" + separator.encode()
    end = at = max(start, file.seek(0, os.SEEK_END))
    while at > start:
        begin = max(start, at - _CHUNK)
        file.seek(begin)
        kept = len(file.read(at - begin).rstrip(nothing))
        if kept:
            file.seek(begin + kept)
            return min(end, begin + kept + len(file.readline()))
        at = begin
    return start
