"""Where received bytes are kept, exactly as they came, before anyone looks at what they mean."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from connectors.delivery import Part
from connectors.durable import sync_folder

DEFAULT_MAX_UNPACKED_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Vault:
    """Content-addressed files under ``root/received``.

    Attributes:
        root: ``XINQIAO_HOME``.
        max_unpacked_bytes: largest total that a compressed part may unpack to.
    """

    root: Path
    max_unpacked_bytes: int = DEFAULT_MAX_UNPACKED_BYTES

    def keep(self, name: str, media_type: str, chunks: Iterable[bytes]) -> Part:
        """Store bytes durably and say where they are.

        The file appears under its final name only when it is whole and on disk. ``name`` is a label
        of the agency's and never becomes part of a path.

        Raises:
            OSError: the disk is full or not writable; nothing half-written stays behind.
        """
        received = self.root / "received"
        received.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=received, prefix=".arriving-")
        try:
            digest, size = hashlib.sha256(), 0
            with os.fdopen(handle, "wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            path = self._place(Path(temporary), digest.hexdigest())
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return Part(name=name, media_type=media_type, path=path, digest=digest.hexdigest(), size=size)

    def _place(self, temporary: Path, digest: str) -> Path:
        """Rename into place; the directory is synced too, else the name may not survive a power cut."""
        path = self.root / "received" / digest[:2] / digest
        path.parent.mkdir(exist_ok=True)
        temporary.replace(path)
        sync_folder(path.parent)
        # Folders are made here and never removed: one whose name this process has seen to the disk is there to stay.
        found = path.parent.stat()
        if (found.st_dev, found.st_ino) not in _SYNCED:
            sync_folder(path.parent.parent)
            _SYNCED.add((found.st_dev, found.st_ino))
        return path


_SYNCED: set[tuple[int, int]] = set()
"""Device and inode of folders of the vault whose names are on the disk."""
