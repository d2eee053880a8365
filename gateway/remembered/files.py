"""The files of a memory: who may read them, how they are known to be whole, and when they go.

``remembered/<agency>/<source>/<delivery>/`` in the home has a file of rows for each chunk of the delivery and, once
it has landed, a manifest. Every file begins with a keyed digest of its name and content, so that what was cut off,
exchanged or altered is told from what was written. Nothing depends on them: without them a delivery only takes longer.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from certs.keys import write_pieces
from gateway.sealing import Sealer

FOLDER = "remembered"

ROWS = {"ord": pl.Int64, "digest": pl.Binary, "record_key": pl.Binary, "content_hash": pl.Binary}
"""Columns of a file of rows. ``digest`` of the mapped row (``rows.row_digests``), null where a row may not be
recognised; ``content_hash`` null for a row that was refused and of which only the key can be read."""

SKETCH = {"half": pl.UInt64, "file": pl.UInt32}
"""Columns of the sketch: first halves of the least digests of each file, by which a chunk finds files like it."""

_MANIFEST, _SKETCH, _GONE = "manifest.json", "sketch.arrow", "gone.arrow"
_FORMAT = 1
_SEAL_BYTES = 64


class UnusableError(Exception):
    """A file of a memory is missing, cut off, altered or of another version of ours."""


@dataclass(frozen=True)
class Manifest:
    """What is remembered of one landed delivery.

    Attributes:
        delivery_id: whose rows they are.
        rules: fingerprint of what judged them.
        accepted_root: of its landing, hex; a memory of a landing that was rolled back has another one.
        files: part, chunk and number of rows of each file, in order.
    """

    delivery_id: str
    rules: str
    accepted_root: str
    files: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Shelf:
    """Where the memory of one delivery lies.

    Attributes:
        folder: of the delivery.
        sealer: its key makes the digests that open each file.
    """

    folder: Path
    sealer: Sealer

    def write_rows(self, part: int, chunk: int, rows: pl.DataFrame) -> None:
        """Keep the rows of a chunk: the columns of ``ROWS``."""
        self._write_frame(_rows_name(part, chunk), rows.select(*ROWS))

    def read_rows(self, part: int, chunk: int) -> pl.DataFrame:
        """The rows of a chunk.

        Raises:
            UnusableError: they cannot be relied on.
        """
        return self._read_frame(_rows_name(part, chunk), ROWS)

    def write_manifest(self, manifest: Manifest, sketch: pl.DataFrame, gone: pl.Series) -> None:
        """Complete a memory; the manifest comes last, so that where it is, everything else is.

        Args:
            sketch: columns of ``SKETCH``.
            gone: ``ord`` of rows that were not landed because another row spoke of the same record.
        """
        self._write_frame(_SKETCH, sketch.select(*SKETCH))
        self._write_frame(_GONE, pl.DataFrame({"ord": gone}, schema={"ord": pl.Int64}))
        said = {"format": _FORMAT, **vars(manifest)}
        self._write(_MANIFEST, json.dumps(said).encode())

    def read_manifest(self) -> Manifest:
        """What is remembered.

        Raises:
            UnusableError: nothing is, or it cannot be relied on.
        """
        said: dict[str, Any] = json.loads(self._read(_MANIFEST))
        if said.pop("format") != _FORMAT:
            raise UnusableError(f"{self.folder}: of another version")
        files = tuple((part, chunk, rows) for part, chunk, rows in said.pop("files"))
        return Manifest(files=files, **said)

    def read_sketch(self) -> pl.DataFrame:
        """Columns of ``SKETCH``.

        Raises:
            UnusableError: it cannot be relied on.
        """
        return self._read_frame(_SKETCH, SKETCH)

    def read_gone(self) -> pl.Series:
        """``ord`` of rows that were not landed.

        Raises:
            UnusableError: it cannot be relied on.
        """
        return self._read_frame(_GONE, {"ord": pl.Int64})["ord"]

    def forget(self) -> None:
        """Let the memory not be used any more, and remove what can be removed."""
        with suppress(OSError):
            self.destroy()

    def destroy(self) -> None:
        """Remove the memory; none there is none to remove.

        Raises:
            OSError: something of it is still there.
        """
        # First what makes the rest a memory, so that a removal that is cut off leaves none.
        (self.folder / _MANIFEST).unlink(missing_ok=True)
        # Another process may remove it at the same time.
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)
        if self.folder.exists():
            raise OSError(f"{self.folder} is still there")

    def _write_frame(self, name: str, frame: pl.DataFrame) -> None:
        content = io.BytesIO()
        frame.write_ipc(content, compression="lz4")
        self._write(name, content.getvalue())

    def _read_frame(self, name: str, schema: dict[str, Any]) -> pl.DataFrame:
        content = self._read(name)
        try:
            frame = pl.read_ipc(io.BytesIO(content))
        except (OSError, PolarsError) as error:
            raise UnusableError(f"{self.folder / name}: {error}") from error
        if frame.schema != pl.Schema(schema):
            raise UnusableError(f"{self.folder / name}: other columns than expected")
        return frame

    def _write(self, name: str, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A memory that a power cut takes back costs time and nothing else.
        write_pieces(self.folder / name, [self._seal(name, content), content], 0o600, syncs_folder=False)

    def _read(self, name: str) -> bytes:
        try:
            whole = (self.folder / name).read_bytes()
        except OSError as error:
            raise UnusableError(f"{self.folder / name}: {error}") from error
        seal, content = whole[:_SEAL_BYTES], whole[_SEAL_BYTES:]
        if seal != self._seal(name, content):
            raise UnusableError(f"{self.folder / name}: cut off, exchanged or altered")
        return content

    def _seal(self, name: str, content: bytes) -> bytes:
        place = f"remembered\x1f{self.folder.name}\x1f{name}\x1f".encode()
        return self.sealer.keyed_digest(place + sha256(content).digest()).encode()


@dataclass(frozen=True)
class Memory:
    """What is remembered of a landed delivery, and where.

    Attributes:
        shelf: where it lies.
        manifest: what is there.
        audit_entry: of the landing; whatever has a greater one landed later.
    """

    shelf: Shelf
    manifest: Manifest
    audit_entry: int

    def rows(self, number: int) -> pl.DataFrame:
        """A file of rows by its place in the manifest: columns of ``ROWS``.

        Raises:
            UnusableError: it cannot be relied on.
        """
        part, chunk, height = self.manifest.files[number]
        rows = self.shelf.read_rows(part, chunk)
        if rows.height != height:
            raise UnusableError(f"{self.shelf.folder}: {rows.height} rows in {part}-{chunk}, {height} expected")
        return rows


def shelf_of(home: Path, sealer: Sealer, source: str, delivery_id: str) -> Shelf:
    """Where the memory of a delivery lies, whether there is one or not."""
    return Shelf(home / FOLDER / source / delivery_id, sealer)


def shelves_of(home: Path, sealer: Sealer, source: str) -> Iterator[Shelf]:
    """Every memory of a source, complete or in the making."""
    for folder in sorted((home / FOLDER / source).glob("*")):
        yield Shelf(folder, sealer)


def forget_source(home: Path, sealer: Sealer, source: str) -> None:
    """Remove everything that is remembered of a source.

    Raises:
        OSError: something of it is still there.
    """
    for shelf in shelves_of(home, sealer, source):
        shelf.destroy()


def _rows_name(part: int, chunk: int) -> str:
    return f"{part}-{chunk}.arrow"
