"""The files of a memory: told from what was cut off, exchanged or altered, and open to nobody else."""

from __future__ import annotations

import stat
from pathlib import Path

import polars as pl
import pytest

from gateway.home import initialise
from gateway.remembered.files import (
    FOLDER,
    ROWS,
    SKETCH,
    Manifest,
    Shelf,
    UnusableError,
    forget_source,
    shelf_of,
    shelves_of,
)
from gateway.sealing import load_sealer
from gateway.settings import Settings
from tests.conftest import NOW

SOURCE = "market_supervision/complaints"
MANIFEST = Manifest("d1", "rules", "ab" * 32, ((0, 0, 2), (0, 1, 1)))


@pytest.fixture
def shelf(sqlite_settings: Settings) -> Shelf:
    return shelf_of(sqlite_settings.home, load_sealer(sqlite_settings.home), SOURCE, "d1")


def some_rows(*ords: int) -> pl.DataFrame:
    rows = [(number, bytes([number]) * 16, bytes([number]) * 16, bytes([number]) * 32) for number in ords]
    return pl.DataFrame(rows, schema=ROWS, orient="row")


def complete(shelf: Shelf) -> None:
    shelf.write_rows(0, 0, some_rows(1, 2))
    shelf.write_rows(0, 1, some_rows(3))
    sketch = pl.DataFrame({"half": [7], "file": [1]}, schema=SKETCH)
    shelf.write_manifest(MANIFEST, sketch, pl.Series([2], dtype=pl.Int64))


def test_what_is_written_is_read_back(shelf: Shelf) -> None:
    complete(shelf)

    assert shelf.read_manifest() == MANIFEST
    assert shelf.read_rows(0, 0).equals(some_rows(1, 2))
    assert shelf.read_sketch().rows() == [(7, 1)]
    assert shelf.read_gone().to_list() == [2]


def test_nobody_else_may_read_it(shelf: Shelf) -> None:
    complete(shelf)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [shelf.folder, *shelf.folder.iterdir()]}
    assert modes.pop("d1") == 0o700
    assert set(modes.values()) == {0o600}
    assert len(modes) == 5


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_file_that_was_cut_off_is_not_used(shelf: Shelf, keep: int) -> None:
    complete(shelf)
    path = shelf.folder / "0-0.arrow"
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(UnusableError, match="cut off"):
        shelf.read_rows(0, 0)


def test_one_altered_byte_is_noticed(shelf: Shelf) -> None:
    complete(shelf)
    path = shelf.folder / "manifest.json"
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)

    with pytest.raises(UnusableError, match="altered"):
        shelf.read_manifest()


def test_a_file_in_the_place_of_another_is_noticed(shelf: Shelf) -> None:
    complete(shelf)
    (shelf.folder / "0-1.arrow").replace(shelf.folder / "0-0.arrow")

    with pytest.raises(UnusableError, match="exchanged"):
        shelf.read_rows(0, 0)


def test_a_file_of_another_delivery_is_noticed(shelf: Shelf, sqlite_settings: Settings) -> None:
    complete(shelf)
    other = shelf_of(sqlite_settings.home, shelf.sealer, SOURCE, "d2")
    shelf.folder.replace(other.folder)

    with pytest.raises(UnusableError, match="exchanged"):
        other.read_manifest()


def test_a_file_of_another_installation_is_noticed(shelf: Shelf, tmp_path: Path) -> None:
    complete(shelf)
    initialise(Settings(home=tmp_path / "other"), NOW)
    elsewhere = Shelf(shelf.folder, load_sealer(tmp_path / "other"))

    with pytest.raises(UnusableError):
        elsewhere.read_rows(0, 0)


def test_what_is_not_there_is_not_used(shelf: Shelf) -> None:
    with pytest.raises(UnusableError, match="No such file"):
        shelf.read_manifest()


def test_a_source_is_forgotten_whole(shelf: Shelf, sqlite_settings: Settings) -> None:
    home = sqlite_settings.home
    complete(shelf)
    complete(shelf_of(home, shelf.sealer, SOURCE, "d2"))
    complete(shelf_of(home, shelf.sealer, "health/licences", "d3"))

    forget_source(home, shelf.sealer, SOURCE)

    assert list(shelves_of(home, shelf.sealer, SOURCE)) == []
    assert [path.name for path in (home / FOLDER / "health/licences").iterdir()] == ["d3"]
    forget_source(home, shelf.sealer, "health/never_heard_of")
