"""Recognising rows that say exactly what was said before, and no others."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from connectors.delivery import Delivery, Mapped, Sheet
from gateway.remembered import rows as remembered_rows
from gateway.remembered.files import ROWS, Manifest, Memory, Shelf, shelf_of
from gateway.remembered.rows import Recogniser, row_digests, sketch_of
from gateway.sealing import Sealer, load_sealer
from gateway.settings import Settings
from schemas.judgement import no_faults

SOURCE = "market_supervision/complaints"
NOTHING = pl.Series([], dtype=pl.Binary)


@pytest.fixture
def sealer(sqlite_settings: Settings) -> Sealer:
    return load_sealer(sqlite_settings.home)


@pytest.fixture
def shelf(sqlite_settings: Settings, sealer: Sealer) -> Shelf:
    return shelf_of(sqlite_settings.home, sealer, SOURCE, "d1")


def frame(*rows: tuple[str | None, ...], names: tuple[str, ...] = ("a", "b")) -> pl.DataFrame:
    said = [(number, "put", *row) for number, row in enumerate(rows, start=1)]
    types = {"_row": pl.UInt32, "_op": pl.String, **dict.fromkeys(names, pl.String)}
    return pl.DataFrame(said, schema=types, orient="row")


def mapped(rows: pl.DataFrame, faults: pl.DataFrame | None = None) -> Mapped:
    delivery = Delivery(SOURCE, (), "test", datetime(2026, 1, 1, tzinfo=UTC))
    sheet = Sheet(delivery, rows.select("_row"))
    return Mapped(sheet, rows, "form", {}, (), no_faults() if faults is None else faults)


def digests(sealer: Sealer, *rows: tuple[str | None, ...], names: tuple[str, ...] = ("a", "b")) -> list[bytes | None]:
    return row_digests(frame(*rows, names=names), sealer, SOURCE).to_list()


def memory(shelf: Shelf, *chunks: list[str], gone: tuple[int, ...] = ()) -> Memory:
    """Chunks of rows that said ``("x", word)`` of the record of that word."""
    files, number = [], 0
    for chunk, words in enumerate(chunks):
        said = row_digests(frame(*(("x", word) for word in words)), shelf.sealer, SOURCE)
        keys = [word.encode().ljust(16) for word in words]
        ords = range(number + 1, number + len(words) + 1)
        kept = pl.DataFrame([ords, said, keys, [key * 2 for key in keys]], schema=ROWS)
        shelf.write_rows(0, chunk, kept)
        files.append(kept)
        number += len(words)
    manifest = Manifest("d1", "rules", "root", tuple((0, n, rows.height) for n, rows in enumerate(files)))
    shelf.write_manifest(manifest, sketch_of(files), pl.Series(gone, dtype=pl.Int64))
    return Memory(shelf, manifest, 1)


def found(recogniser: Recogniser, shelf: Shelf, *words: str) -> list[tuple[int, int, int, bytes]]:
    rows = frame(*(("x", word) for word in words))
    met = recogniser.find(mapped(rows), row_digests(rows, shelf.sealer, SOURCE))
    return met.select("_row", "file", "place", "record_key").rows()


def test_the_same_row_has_the_same_digest_and_any_other_another(sealer: Sealer) -> None:
    said = digests(sealer, ("x", "y"), ("x", "y"), ("xy", ""), ("x", None), ("", "xy"), (None, "x"), ("x", ""))

    assert said[0] == said[1]
    assert len(set(said)) == 6
    assert {len(each or b"") for each in said} == {16}


def test_a_digest_depends_on_source_columns_operation_and_key(
    sealer: Sealer, sqlite_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = frame(("x", "y"))
    withdrawn = rows.with_columns(pl.lit("withdraw").alias("_op"))

    said = [
        row_digests(rows, sealer, SOURCE),
        row_digests(rows, sealer, "health/licences"),
        row_digests(frame(("x", "y"), names=("a", "c")), sealer, SOURCE),
        row_digests(withdrawn, sealer, SOURCE),
    ]

    assert len({each.item() for each in said}) == 4
    assert row_digests(rows.select("b", "_row", "a", "_op"), sealer, SOURCE).equals(said[0])


def test_a_row_whose_text_could_be_read_in_two_ways_has_no_digest(sealer: Sealer) -> None:
    assert digests(sealer, ("x\x1fy", "z"), ("\x1e", "z"), ("x", "y"))[:2] == [None, None]
    assert digests(sealer, ("x\x1ey", "z"))[0] is not None


def test_no_rows_have_no_digests(sealer: Sealer) -> None:
    assert digests(sealer) == []


def test_rows_are_found_wherever_they_moved_to(shelf: Shelf) -> None:
    recogniser = Recogniser(memory(shelf, ["a", "b"], ["c", "d"]), NOTHING)

    assert found(recogniser, shelf, "d", "new", "a") == [
        (1, 1, 1, b"d".ljust(16)),
        (3, 0, 0, b"a".ljust(16)),
    ]
    assert found(recogniser, shelf, "other") == []


def test_a_row_sent_twice_is_found_twice(shelf: Shelf) -> None:
    recogniser = Recogniser(memory(shelf, ["a", "b"]), NOTHING)

    assert [place for _, _, place, _ in found(recogniser, shelf, "b", "b")] == [1, 1]


def test_a_row_that_was_not_landed_is_not_found_but_its_twin_is(shelf: Shelf) -> None:
    recogniser = Recogniser(memory(shelf, ["a", "b", "a"], gone=(1, 2)), NOTHING)

    assert [place for _, _, place, _ in found(recogniser, shelf, "a", "b")] == [2]


def test_a_record_that_changed_since_is_not_found(shelf: Shelf) -> None:
    recogniser = Recogniser(memory(shelf, ["a", "b"]), pl.Series([b"a".ljust(16)], dtype=pl.Binary))

    assert [row for row, *_ in found(recogniser, shelf, "a", "b")] == [2]


def test_a_row_with_a_fault_of_mapping_is_not_found(shelf: Shelf) -> None:
    recogniser = Recogniser(memory(shelf, ["a", "b"]), NOTHING)
    rows = frame(("x", "a"), ("x", "b"))
    fault = pl.DataFrame(
        [(1, "a", "x", "lookup.ambiguous", "…", "…", [])],
        schema=no_faults().schema,
        orient="row",
    )

    met = recogniser.find(mapped(rows, fault), row_digests(rows, shelf.sealer, SOURCE))

    assert met["_row"].to_list() == [2]


def test_a_chunk_is_held_against_the_few_files_it_has_most_in_common_with(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered_rows, "_FILES", 1)
    recogniser = Recogniser(memory(shelf, ["a"], ["b", "c"], ["d"]), NOTHING)

    assert [row for row, *_ in found(recogniser, shelf, "a", "b", "c", "d")] == [2, 3]
