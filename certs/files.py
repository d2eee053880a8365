"""Files that somebody may replace while we run."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int]


def file_stamp(path: Path) -> Stamp:
    """What tells one state of a file from another: inode, size, nanosecond of change; zeros if it is missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def folder_stamp(folder: Path) -> tuple[tuple[str, Stamp], ...]:
    """The same for every file of a folder, by name; nothing if there is no folder."""
    if not folder.is_dir():
        return ()
    return tuple((path.name, file_stamp(path)) for path in sorted(folder.iterdir()) if path.is_file())
