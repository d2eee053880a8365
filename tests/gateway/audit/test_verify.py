"""Whatever is altered in entries, tiles and checkpoints, verification says so and names the first bad entry."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, delete, insert, select, update

from certs.keys import write_pieces
from gateway.audit.keys import create_log_key, load_signer
from gateway.audit.log import append, seal
from gateway.audit.merkle import leaf_hash
from gateway.audit.notes import sign_checkpoint
from gateway.audit.tables import entries, ranges, seal_state, subjects
from gateway.audit.verify import verify
from gateway.settings import Settings
from gateway.store import Store
from tests.gateway.audit.altering import alter, entry_id, found
from tests.gateway.audit.landings import ADA, BOB, complaint, land_complaints


def body_of(conn: Connection, idx: int) -> bytes:
    body: bytes = conn.execute(select(entries.c.body).where(entries.c.idx == idx)).scalar_one()
    return body


def test_an_untouched_log_is_verified_whole(lived_in: Store) -> None:
    report = verify(lived_in)

    assert report.problems == ()
    assert (report.ok, report.entries, report.unsealed, report.checked_versions) == (True, 6, 0, 5)
    assert report.first_bad is None


def test_entries_that_wait_are_counted_and_their_versions_vouched_for(lived_in: Store, now: datetime) -> None:
    land_complaints(lived_in, [complaint("c9", BOB)], now)

    report = verify(lived_in)

    assert found(report) == []
    assert (report.entries, report.unsealed, report.checked_versions) == (6, 1, 6)


def test_an_altered_body_is_named(lived_in: Store) -> None:
    def lie(conn: Connection) -> None:
        body = body_of(conn, 5).replace("核查".encode(), "检查".encode())
        conn.execute(update(entries).where(entries.c.idx == 5).values(body=body))

    report = alter(lived_in, lie)

    assert report.first_bad == "entry 5: entry 5: the body does not have the leaf hash that was stored with it"
    assert {problem.entry for problem in report.problems} == {5, None}


def test_a_body_altered_together_with_its_hash_is_named_by_the_tiles(lived_in: Store) -> None:
    def lie(conn: Connection) -> None:
        body = body_of(conn, 4).replace(b"customs", b"custons")
        row = {"body": body, "leaf_hash": leaf_hash(body), "actor": "urn:xinqiao:custons:risk"}
        conn.execute(update(entries).where(entries.c.idx == 4).values(row))

    report = alter(lived_in, lie)

    assert report.first_bad == "entry 4: tile/0/000.p/6: the file differs from what the entries give"
    assert (4, "tile/entries/000.p/6", "the file differs from what the entries give") in found(report)


@pytest.mark.parametrize("column", ["action", "actor", "at"])
def test_an_altered_column_beside_the_body_is_named(lived_in: Store, column: str) -> None:
    report = alter(lived_in, lambda conn: conn.execute(update(entries).where(entries.c.idx == 4).values({column: "x"})))

    assert found(report) == [(4, "entry 4", "its action, actor or time column differs from its body")]


@pytest.mark.parametrize("idx", [0, 4, 5])
def test_a_deleted_entry_is_named(lived_in: Store, idx: int) -> None:
    def lie(conn: Connection) -> None:
        conn.execute(delete(subjects).where(subjects.c.entry_id == entry_id(idx)))
        conn.execute(delete(ranges).where(ranges.c.entry_id == entry_id(idx)))
        conn.execute(delete(entries).where(entries.c.idx == idx))

    report = alter(lived_in, lie)

    assert report.first_bad == f"entry {idx}: entry {idx}: the entry is missing"


def test_entries_that_changed_places_are_named(lived_in: Store) -> None:
    def lie(conn: Connection) -> None:
        for old, new in ((4, 99), (5, 4), (99, 5)):
            conn.execute(update(entries).where(entries.c.idx == old).values(idx=new))

    report = alter(lived_in, lie)

    assert report.first_bad is not None
    assert report.first_bad.startswith("entry 4: ")


def test_an_entry_slipped_in_is_named(lived_in: Store, now: datetime) -> None:
    def lie(conn: Connection) -> None:
        slipped_in = append(conn, action="grant.given", actor="nobody", at=now, facts={})
        conn.execute(update(entries).where(entries.c.id == slipped_in).values(idx=6))

    report = alter(lived_in, lie)

    assert found(report) == [(6, "entry 6", "the entry has a place that no checkpoint covers")]


@pytest.mark.parametrize(("table", "hidden"), [(subjects, 5), (ranges, 1)])
def test_a_read_hidden_from_who_read_is_named(lived_in: Store, table: Table, hidden: int) -> None:
    report = alter(lived_in, lambda conn: conn.execute(delete(table)))

    assert found(report)[0][0] == hidden
    assert {en for _, _, en in found(report)} == {"the entry says so, the table does not"}


def test_a_read_ascribed_to_an_entry_is_named(lived_in: Store) -> None:
    def lie(conn: Connection) -> None:
        conn.execute(insert(subjects).values(uscc=BOB, entry_id=entry_id(4)))

    report = alter(lived_in, lie)

    assert found(report) == [(4, f"audit_subjects ['{BOB}']", "the table says so, the entry does not")]


@pytest.mark.parametrize(
    ("path", "at", "first"),
    [
        ("tile/0/000.p/6", 0, "entry 0: tile/0/000.p/6: the file differs from what the entries give"),
        ("tile/0/000.p/6", 32 * 5 + 31, "entry 5: tile/0/000.p/6: the file differs from what the entries give"),
        ("tile/entries/000.p/6", 3, "entry 0: tile/entries/000.p/6: the file differs from what the entries give"),
        ("tile/entries/000.p/6", -1, "entry 5: tile/entries/000.p/6: the file differs from what the entries give"),
    ],
)
def test_an_altered_byte_of_a_file_is_named(lived_in: Store, path: str, at: int, first: str) -> None:
    file = lived_in.settings.home / "log" / path
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)

    assert verify(lived_in).first_bad == first


def test_a_missing_file_and_a_strange_file_are_named(lived_in: Store) -> None:
    folder = lived_in.settings.home / "log"
    (folder / "tile/0/000.p/6").rename(folder / "tile/0/007")

    assert found(verify(lived_in)) == [
        (0, "tile/0/000.p/6", "the file is missing"),
        (None, "tile/0/007", "the file belongs to no entry under the checkpoint"),
    ]


def test_a_file_that_is_being_written_is_not_a_strange_one(lived_in: Store) -> None:
    tile = lived_in.settings.home / "log" / "tile/0/000.p/7"
    looked = []

    def pieces() -> Iterator[bytes]:
        yield b"the first hashes"
        assert any(path.name != "6" for path in tile.parent.iterdir())
        looked.append(verify(lived_in).ok)

    write_pieces(tile, pieces())

    assert looked == [True]


def test_an_older_partial_tile_must_be_a_beginning(lived_in: Store, now: datetime) -> None:
    with lived_in.write() as conn:
        append(conn, action="run.failed", actor="xinqiao", at=now, facts={})
    seal(lived_in, now)
    assert verify(lived_in).ok

    for path in ("tile/0/000.p/6", "tile/entries/000.p/6"):
        file = lived_in.settings.home / "log" / path
        file.write_bytes(file.read_bytes()[:-1])

    assert [where for _, where, _ in found(verify(lived_in))] == ["tile/0/000.p/6", "tile/entries/000.p/6"]


def test_a_checkpoint_that_is_not_ours_is_named(lived_in: Store, tmp_path: Path) -> None:
    path = lived_in.settings.home / "log" / "checkpoint"
    honest = path.read_text("utf-8")
    path.write_text(honest.replace("\n6\n", "\n5\n"), "utf-8")
    assert found(verify(lived_in)) == [(None, "checkpoint file", "the signature of xinqiao.local/log is false")]

    path.unlink()
    assert [where for _, where, _ in found(verify(lived_in))] == ["checkpoint file"]

    path.write_text(honest, "utf-8")
    stranger = create_log_key(dataclasses.replace(lived_in.settings, home=tmp_path / "other"))
    assert {en for _, _, en in found(verify(lived_in, vkey=stranger))} == {
        f"not signed by xinqiao.local/log with key {stranger.key_id.hex()}"
    }


def test_the_state_of_sealing_must_be_that_of_the_entries(lived_in: Store) -> None:
    report = alter(lived_in, lambda conn: conn.execute(update(seal_state).values(edge=b"")))

    assert found(report) == [(None, "audit_seal", "it differs from what the entries give")]


def test_a_log_written_anew_by_its_operator_is_caught_with_an_earlier_checkpoint(
    lived_in: Store, now: datetime
) -> None:
    kept = (lived_in.settings.home / "log" / "checkpoint").read_text("utf-8")
    assert verify(lived_in, earlier=kept).ok

    # The operator has the key: what was read is forgotten, and everything signed again.
    with lived_in.write() as conn:
        conn.execute(delete(subjects))
        conn.execute(delete(entries).where(entries.c.idx == 5))
        conn.execute(delete(seal_state))
        conn.execute(update(entries).values(idx=None))
    shutil.rmtree(lived_in.settings.home / "log")
    seal(lived_in, now)
    assert verify(lived_in).ok
    assert found(verify(lived_in, earlier=kept)) == [
        (None, "earlier checkpoint", "it covers 6 entries, the log has fewer")
    ]

    with lived_in.write() as conn:
        append(conn, action="run.failed", actor="xinqiao", at=now, facts={})
    seal(lived_in, now)
    assert verify(lived_in).ok
    [(_, where, en)] = found(verify(lived_in, earlier=kept))
    assert (where, en[:22]) == ("earlier checkpoint", "the entries give root ")


def test_a_log_set_back_to_yesterday_betrays_itself_by_its_files(lived_in: Store, now: datetime) -> None:
    with lived_in.read() as conn:
        state = dict(conn.execute(select(seal_state)).one()._mapping)
    note = (lived_in.settings.home / "log" / "checkpoint").read_text("utf-8")
    with lived_in.write() as conn:
        append(conn, action="run.failed", actor="xinqiao", at=now, facts={})
    seal(lived_in, now)

    with lived_in.write() as conn:
        conn.execute(delete(entries).where(entries.c.idx == 6))
        conn.execute(update(seal_state).values(state))
    (lived_in.settings.home / "log" / "checkpoint").write_text(note, "utf-8")

    assert [where for _, where, _ in found(verify(lived_in))] == ["tile/0/000.p/7", "tile/entries/000.p/7"]


@pytest.mark.parametrize("body", [b"not JSON", b"[]", b'{"usccs":7}', b"\xff\xfe", b"", b'{"first_seq":"one"}'])
def test_a_body_that_is_no_entry_is_named(lived_in: Store, body: bytes) -> None:
    report = alter(lived_in, lambda conn: conn.execute(update(entries).where(entries.c.idx == 3).values(body=body)))

    assert report.first_bad is not None
    assert report.first_bad.startswith("entry 3: ")
    assert (3, "entry 3", "its action, actor or time column differs from its body") in found(report)


# Only SQLite stores a value of another type than the column's.
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_row_of_the_log_that_cannot_be_read_is_named(lived_in: Store) -> None:
    report = alter(
        lived_in, lambda conn: conn.exec_driver_sql("UPDATE audit_entries SET leaf_hash = 7.5 WHERE idx = 2")
    )

    assert report.first_bad is not None
    assert report.first_bad.startswith("entry 2: ")
    assert {problem.entry for problem in report.problems} <= {2, None}


def test_a_home_without_a_sealed_log_is_not_called_sound(store: Store, now: datetime) -> None:
    assert [where for _, where, _ in found(verify(store))] == ["checkpoint file"]

    seal(store, now)
    assert verify(store).ok


def test_a_signature_over_another_tree_is_named(lived_in: Store) -> None:
    false = sign_checkpoint(load_signer(lived_in.settings), 6, bytes(32)).note
    (lived_in.settings.home / "log" / "checkpoint").write_text(false, "utf-8")

    report = alter(lived_in, lambda conn: conn.execute(update(seal_state).values(checkpoint=false)))

    assert [where for _, where, _ in found(report)] == ["checkpoint in the database", "checkpoint file"]


def test_problems_beyond_a_hundred_are_counted_and_the_first_is_kept(store: Store, now: datetime) -> None:
    with store.write() as conn:
        for _ in range(300):
            append(conn, action="run.failed", actor="xinqiao", at=now, facts={})
    seal(store, now)

    report = alter(store, lambda conn: conn.execute(update(entries).values(actor="nobody")))

    assert report.first_bad == "entry 0: entry 0: its action, actor or time column differs from its body"
    assert (len(report.problems), report.problem_count) == (100, 301)


def test_settings_name_the_log(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a name without blanks"):
        create_log_key(Settings(home=tmp_path, log_origin="a name with blanks"))


def test_both_readers_are_there_to_be_forgotten(lived_in: Store) -> None:
    """The fixture really has what the tests above take away."""
    with lived_in.read() as conn:
        assert conn.execute(select(subjects.c.uscc)).scalars().all() == [ADA]
        assert conn.execute(select(ranges.c.first_seq, ranges.c.last_seq).order_by(ranges.c.entry_id)).all() == [
            (1, 3),
            (4, 5),
            (2, 4),
        ]
