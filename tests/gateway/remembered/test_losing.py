"""A memory can go, or be wrong, at any moment: nothing is withdrawn, nothing is taken for what it is not."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from connectors.errors import Refused
from gateway import pipeline
from gateway.remembered import recall
from gateway.remembered.files import FOLDER, Shelf, forget_source
from gateway.sealing import load_sealer
from gateway.store import Store
from gateway.store.tables import versions_table
from tests.gateway.remembered.test_using import SNAPSHOT, landed, received, remembered, row
from tests.support.chunks import cut_into
from tests.support.deliveries import COMPLAINTS
from tests.support.standing import counts, current, status


@pytest.fixture(autouse=True)
def _two_rows_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_into(monkeypatch, 2)


def staged(store: Store, now: datetime, *topics: str) -> str:
    delivery_id = received(store, now, *(row(n, topic) for n, topic in enumerate(topics)))
    for part in pipeline.plan_parts(store, delivery_id, SNAPSHOT):
        pipeline.stage_part(store, delivery_id, part, SNAPSHOT)
    return delivery_id


def test_a_memory_that_goes_while_a_snapshot_lands_withdraws_nothing(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(store, now, *(row(n) for n in range(5)))
    delivery_id = staged(store, now, "题", "题", "另", "题", "题")
    whole = pipeline.is_staged

    def gone_at_once(*asked: Any) -> bool:
        is_whole = whole(*asked)
        shutil.rmtree(store.settings.home / FOLDER)
        return is_whole

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "is_staged", gone_at_once)
        with pytest.raises(Refused, match="run it again"):
            pipeline.land_staged(store, delivery_id, SNAPSHOT, now)
    assert len(current(store, "complaint", "complaint_no")) == 5

    receipt = pipeline.deliver(store, delivery_id, SNAPSHOT, now)
    assert counts(receipt) == {"received": 5, "accepted": 5, "changed": 1, "unchanged": 4}


def test_rows_staged_under_another_contract_are_judged_again(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery_id = staged(sqlite_store, now, *("题" for _ in range(5)))
    monkeypatch.setattr(recall, "_CONTRACT", "of tomorrow")

    with pytest.raises(Refused, match="run it again"):
        pipeline.land_staged(sqlite_store, delivery_id, SNAPSHOT, now)


def test_a_file_that_cannot_be_written_leaves_none_of_an_earlier_attempt(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery_id = staged(sqlite_store, now, *("题" for _ in range(5)))
    monkeypatch.setattr(recall, "version", lambda name: "99")

    def full(self: Shelf, part: int, chunk: int, rows: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Shelf, "write_rows", full)
    pipeline.deliver(sqlite_store, delivery_id, SNAPSHOT, now)

    assert remembered(sqlite_store) == []


def test_a_memory_that_disagrees_with_what_stands_is_met_once(sqlite_store: Store, now: datetime) -> None:
    landed(sqlite_store, now, *(row(n) for n in range(5)))
    versions = versions_table("complaint")
    with sqlite_store.write() as conn:
        # As if a backup of the database stood beside a newer home.
        conn.execute(delete(versions).where(versions.c.seq == 1))
    delivery_id = received(sqlite_store, now, *(row(n) for n in range(5)), row(0))

    def attempt() -> None:
        for part in pipeline.plan_parts(sqlite_store, delivery_id, SNAPSHOT):
            pipeline.stage_part(sqlite_store, delivery_id, part, SNAPSHOT)
        pipeline.land_staged(sqlite_store, delivery_id, SNAPSHOT, now)

    with pytest.raises(Refused, match="run it again"):
        attempt()
    attempt()
    assert status(sqlite_store, delivery_id) == "landed"


def test_digests_that_cannot_be_removed_are_told(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(sqlite_store, now, *(row(n) for n in range(5)))

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("gateway.remembered.files.shutil.rmtree", refused)

    with pytest.raises(PermissionError):
        forget_source(sqlite_store.settings.home, load_sealer(sqlite_store.settings.home), COMPLAINTS)
