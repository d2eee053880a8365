"""Rotating the keys of an installation that is in use, and sealing again what lies under the old ones."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from threading import Event, Thread
from typing import Any

from click.testing import CliRunner
from sqlalchemy import select, update

from gateway import quarantine
from gateway.audit.reading import list_entries
from gateway.cli.keys import keys
from gateway.keyring import kek_path
from gateway.resealing import reseal
from gateway.sealing import load_sealer
from gateway.store import Store
from gateway.store.tables import rejections, versions_table
from tests.support.companies import MILL
from tests.support.deliveries import COMPLAINTS, complaint, complaints, land
from tests.support.standing import counts, feed, verified

MANY = 250


def run(store: Store, *arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(keys, [*arguments, "--json"], obj=store.settings, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def lived_in(store: Store, now: datetime) -> None:
    """Records with personal fields, and a row in quarantine."""
    rows = [complaint(f"c{number}", uscc=MILL.uscc) for number in range(MANY)]
    land(store, COMPLAINTS, complaints(*rows, complaint("", uscc=MILL.uscc)), now=now)


def key_numbers(store: Store) -> set[int]:
    """Numbers of the data keys under which something lies."""
    sealer = load_sealer(store.settings.home)
    with store.read() as conn:
        found = [
            *conn.execute(select(versions_table("complaint").c.sealed)).scalars(),
            *conn.execute(select(rejections.c.sealed)).scalars(),
        ]
    return {sealer.key_number(sealed) for sealed in found}


def names(store: Store) -> set[str]:
    """Complainants' names, as they open."""
    sealer = load_sealer(store.settings.home)
    opened = [
        json.loads(sealer.open(version.sealed, bytes.fromhex(version.record_key)))
        for version in feed(store, "complaint")
        if version.sealed is not None
    ]
    return {one["complainant_name"] for one in opened}


def test_after_a_rotation_records_stay_readable_and_are_sealed_again_in_batches(store: Store, now: datetime) -> None:
    lived_in(store, now)

    listed = run(store, "rotate")
    rotated = key_numbers(store)
    (done,) = run(store, "reseal", "--batch", "100")
    (again,) = run(store, "reseal")

    assert [(key["number"], key["kek"], key["current"]) for key in listed] == [
        (1, 2, False),
        (2, 2, False),
        (3, 2, True),
    ]
    assert (rotated, key_numbers(store)) == ({1}, {3})
    assert (done, again) == ({"resealed": MANY + 1}, {"resealed": 0})
    assert names(store) == {"周某"}
    with store.read() as conn:
        assert quarantine.open_rejection(conn, store, 1).mapped["complainant_name"] == "周某"
    assert verified(store).ok


def test_a_destroyed_kek_takes_nothing_with_it_and_the_log_tells_of_all(store: Store, now: datetime) -> None:
    lived_in(store, now)

    run(replace(store, settings=replace(store.settings, suite="guomi")), "rotate")
    run(store, "retire", "1")
    run(store, "reseal")

    assert not kek_path(store.settings.home, 1).exists()
    assert {key["suite"] for key in run(store, "list") if key["current"]} == {"guomi"}
    assert names(store) == {"周某"}
    report = verified(store)
    with store.read() as conn:
        acts = [entry.action for entry in list_entries(conn) if entry.action.startswith("keys.")]
    assert (report.ok, acts) == (True, ["keys.rotated", "keys.retired", "keys.resealed"])


def test_reads_and_landings_go_on_while_keys_are_rotated_and_rows_sealed_again(store: Store, now: datetime) -> None:
    lived_in(store, now)
    stop, failed = Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                if names(store) != {"周某"}:
                    failed.append("another name")
            except Exception as error:  # whatever it is, it is the finding
                failed.append(repr(error))

    reader = Thread(target=read)
    reader.start()
    for _ in range(2):
        run(store, "rotate")
        reseal(store, "test", now, batch=50)
        again = land(store, COMPLAINTS, complaints(complaint("c1", uscc=MILL.uscc), complaint("c1")), now=now)
    stop.set()
    reader.join()

    assert failed == []
    assert counts(again)["received"] == 2
    assert verified(store).ok


def test_what_was_erased_while_it_was_being_sealed_again_stays_erased(store: Store, now: datetime) -> None:
    lived_in(store, now)
    run(store, "rotate")
    versions = versions_table("complaint")

    def erase(table: str, done: int) -> None:
        # Between two batches of one run, as another process would.
        if done == 100:
            with store.write() as conn:
                conn.execute(update(versions).where(versions.c.seq == 150).values(sealed=None))

    done = reseal(store, "test", now, batch=100, progress=erase)

    assert done == MANY
    assert [version.seq for version in feed(store, "complaint") if version.sealed is None] == [150]
