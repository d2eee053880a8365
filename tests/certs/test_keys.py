"""Files that must not be lost: whole under their name or not there, and on the disk when the writer returns."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.keys import OWNER_ONLY, write_pieces, write_whole


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was seen to the disk, in order: files and folders."""
    seen: list[str] = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    return seen


def test_content_and_then_the_name_are_seen_to_the_disk(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "keys").mkdir()

    write_whole(tmp_path / "keys" / "ring", b"key", OWNER_ONLY)

    assert synced == ["file", "folder"]
    assert (tmp_path / "keys" / "ring").read_bytes() == b"key"
    assert stat.S_IMODE((tmp_path / "keys" / "ring").stat().st_mode) == OWNER_ONLY


def test_the_names_of_folders_that_were_made_for_it_are_seen_to_the_disk_as_well(
    tmp_path: Path, synced: list[str]
) -> None:
    write_whole(tmp_path / "a" / "b" / "leaves", b"hashes")

    assert synced == ["file", "folder", "folder", "folder"]


def test_whoever_syncs_the_folder_later_is_not_kept_waiting_for_it(tmp_path: Path, synced: list[str]) -> None:
    write_whole(tmp_path / "tile", b"hashes", syncs_folder=False)

    assert synced == ["file"]


def test_what_fails_while_it_is_made_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "leaves"
    write_whole(file, b"old")

    def made() -> Iterator[bytes]:
        yield b"new"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_pieces(file, made())

    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
