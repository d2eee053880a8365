"""Drop folders and uploads: files that an agency brings, each one delivery."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from connectors.connections import Connection
from connectors.delivery import Delivery, Part
from connectors.request_options import FilesRequest
from connectors.spec import SourceSpec
from connectors.transports.trouble import refused, unavailable
from connectors.vault import Vault

PROCESSED = "processed"
SIGNATURES = (".jws", ".p7s")
"""Endings of a detached signature beside the file it signs: ``x.csv.jws`` (JWS), ``x.csv.p7s`` (CMS)."""
DONE = ".done"
_CHUNK = 1024 * 1024
_NAME_LENGTH = 255
_MAX_SIGNATURE = 256 * 1024


def receive(
    spec: SourceSpec, connection: Connection, vault: Vault, cursor: str | None, now: datetime
) -> Iterator[Delivery]:
    """Take the files that are ready, in the order of their names. They stay where they are until acknowledged.

    Raises:
        Unavailable: the folder cannot be read.
    """
    request = spec.options(FilesRequest)
    folder = folder_of(connection)
    try:
        for file in ready_files(folder, request):
            with _open(file) as stream:
                delivery = from_upload(spec, file.name, stream, vault, f"drop:{folder}", now)
            beside = signature_beside(file)
            yield replace(delivery, signature=keep_signature(beside, vault) if beside else None)
    except OSError as error:
        raise unavailable(
            f"{spec.source} {connection.name}",
            f"投递目录 {folder} 无法读取（{error}）。",
            f"the drop folder {folder} cannot be read ({error}).",
        ) from error


def from_upload(spec: SourceSpec, name: str, stream: BinaryIO, vault: Vault, origin: str, now: datetime) -> Delivery:
    """Keep one file that somebody hands over.

    Args:
        spec: the source it is for, whatever its transport.
        name: what the agency calls it: a label, shortened and without control characters, never a path.
        stream: its bytes, read once, in pieces.
        vault: where they are kept.
        origin: who brought it, e.g. ``cli`` or ``upload:urn:xinqiao:...``.
        now: time of receipt, UTC.
    """
    label = "".join(char for char in name if unicodedata.category(char)[0] != "C")[:_NAME_LENGTH] or "upload"
    media_type = mimetypes.guess_type(label)[0] or "application/octet-stream"
    part = vault.keep(label, media_type, iter(lambda: stream.read(_CHUNK), b""))
    return Delivery(spec.source, (part,), origin, now)


def signature_beside(file: Path) -> Path | None:
    """The detached signature beside a file, the first of ``SIGNATURES`` that is there; a link is none."""
    named = (file.with_name(file.name + ending) for ending in SIGNATURES)
    return next((path for path in named if path.is_file() and not path.is_symlink()), None)


def keep_signature(file: Path, vault: Vault) -> Part:
    """Keep a detached signature; what is longer than any signature is cut off and will not verify."""
    with _open(file) as stream:
        return vault.keep(file.name, "application/octet-stream", [stream.read(_MAX_SIGNATURE)])


def folder_of(connection: Connection) -> Path:
    """The drop folder: ``file:///...`` or a folder relative to ``XINQIAO_HOME``."""
    address = urlsplit(connection.url)
    return Path(unquote(address.path)) if address.scheme == "file" else connection.home / connection.url


def ready_files(folder: Path, request: FilesRequest) -> list[Path]:
    """Files of the declared names that are complete. Links are not followed: they could lead out of the folder."""
    named = [
        file
        for file in folder.iterdir()
        if not file.is_symlink()
        and file.is_file()
        and file.suffix not in SIGNATURES
        and any(fnmatchcase(file.name, p) for p in request.patterns)
    ]
    return sorted((file for file in named if _is_ready(file, request)), key=lambda file: file.name)


def _is_ready(file: Path, request: FilesRequest) -> bool:
    if request.ready == "done":
        return file.with_name(file.name + DONE).exists()
    beside = signature_beside(file)
    # The inode changes with every write, also where a copying tool sets an old modification time.
    times = [max(status.st_mtime, status.st_ctime) for status in (part.stat() for part in (file, beside) if part)]
    return time.time() - max(times) >= request.settle_seconds


def acknowledge(delivery: Delivery, connection: Connection) -> None:
    """Move a landed file to ``processed/``; one that was replaced meanwhile stays and is taken next time."""
    folder = folder_of(connection)
    for part in delivery.parts:
        named = (entry for entry in folder.iterdir() if entry.name == part.name)
        file = next((entry for entry in named if entry.is_file() and not entry.is_symlink()), None)
        if file is None or _digest(file) != part.digest:
            continue
        processed = folder / PROCESSED
        if processed.is_symlink():
            # Who may write into the drop folder would choose where in our files this one goes.
            raise refused(
                f"{delivery.source} {connection.name}",
                f"{processed} 是链接，文件未移走。",
                f"{processed} is a link; the file was not moved.",
            )
        processed.mkdir(exist_ok=True)
        target = processed / file.name
        if target.exists():
            target = processed / f"{part.digest[:12]}-{file.name}"
        if beside := signature_beside(file):
            beside.replace(target.with_name(target.name + beside.suffix))
        file.replace(target)
        flag = file.with_name(file.name + DONE)
        flag.unlink(missing_ok=True)


def _open(file: Path) -> BufferedReader:
    """Open what was looked at: a link that took the file's place since then is an ``OSError``, a pipe does not wait."""
    return os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _digest(file: Path) -> str:
    with _open(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
