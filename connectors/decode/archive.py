"""ZIP files: opened without trusting them. Nothing is ever written under a member's name.

What is unpacked goes into a nameless temporary file, or straight to its reader; never into memory as a whole.
"""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO

from connectors.decode.shape import undecodable

MAX_MEMBERS = 2000
# Real spreadsheets and CSV files shrink 5 to 50 times; a zip bomb 1000 times and more.
MAX_RATIO = 200
RATIO_MATTERS_FROM = 10 * 1024 * 1024
_CHUNK = 1024 * 1024
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1


@dataclass
class Allowance:
    """Bytes that a delivery may still unpack to: one for all its parts, archives and the workbooks inside them."""

    left: int


def open_zip(where: str, file: IO[bytes], allowance: Allowance) -> zipfile.ZipFile:
    """Open a ZIP file (also the one inside an XLSX) after taking what it says it would unpack to from the allowance.

    Raises:
        Undecodable: not a ZIP or cut short, too many members, unpacks to too much, or is encrypted.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise undecodable(
            where, f"ZIP 文件不完整或已损坏（{error}）。", f"the ZIP file is cut short or damaged ({error})."
        ) from error
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise undecodable(
            where,
            f"ZIP 内有 {len(members)} 个文件，最多 {MAX_MEMBERS} 个。",
            f"the ZIP holds {len(members)} files, at most {MAX_MEMBERS} are allowed.",
        )
    unpacked = sum(member.file_size for member in members)
    suspicious = [m for m in members if m.file_size > RATIO_MATTERS_FROM and m.file_size > MAX_RATIO * m.compress_size]
    if unpacked > allowance.left or suspicious:
        raise undecodable(
            where,
            f"ZIP 解压后达 {unpacked} 字节（上限尚余 {allowance.left}），"
            f"或压缩比超过 {MAX_RATIO}，疑为压缩炸弹，未解压。",
            f"the ZIP would unpack to {unpacked} bytes (limit {allowance.left} left) or more than {MAX_RATIO} times "
            "its size, which looks like a zip bomb; it was not unpacked.",
            unpacked=unpacked,
            limit=allowance.left,
        )
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise undecodable(where, "ZIP 已加密。", "the ZIP is encrypted.")
    allowance.left -= unpacked
    return archive


def member_chunks(where: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of one member, piece by piece; never more than the size that was checked when the file was opened.

    Raises:
        Undecodable: the member is damaged, or is not what its heading says; perhaps only after its last piece.
    """
    left = member.file_size
    try:
        with archive.open(member) as file:
            while chunk := file.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise undecodable(
            where,
            f"ZIP 内的“{member_name(member)}”已损坏（{error}）。",
            f"member {member_name(member)!r} of the ZIP is damaged ({error}).",
        ) from error
    if left:
        raise undecodable(
            where,
            f"ZIP 内的“{member_name(member)}”与声明的大小不符。",
            f"member {member_name(member)!r} of the ZIP is not of the size it declares.",
        )


@contextmanager
def unpacked(where: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """One member as a file that can be read from any place; it is gone when the block ends, or the process.

    Raises:
        Undecodable: the member is damaged, or is not what its heading says.
    """
    with tempfile.TemporaryFile(prefix="xinqiao-unpacked-") as file:
        for chunk in member_chunks(where, archive, member):
            file.write(chunk)
        file.seek(0)
        yield file


def member_name(member: zipfile.ZipInfo) -> str:
    """The name as the agency wrote it: without the UTF-8 flag Chinese tools mean GBK, and zipfile has read cp437."""
    if member.flag_bits & _UTF8_NAME:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return member.filename


def files_inside(where: str, archive: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Name and member of every file, in the order of the archive.

    Raises:
        Undecodable: a name is a path out of the archive (``../x``, ``/x``, ``C:\\x``).
    """
    found = []
    for member in archive.infolist():
        name = member_name(member)
        if _leaves_the_archive(name):
            raise undecodable(
                where,
                f"ZIP 内的文件名“{name}”指向压缩包之外，已拒绝。",
                f"member name {name!r} points outside the archive; refused.",
                member=name,
            )
        if not member.is_dir():
            found.append((name, member))
    return found


def _leaves_the_archive(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return posix.is_absolute() or bool(windows.drive or windows.root) or ".." in {*posix.parts, *windows.parts}
