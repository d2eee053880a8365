"""A log with something in it: an installation where complaints were landed, read and withdrawn."""

from __future__ import annotations

import shutil
from datetime import datetime

import pytest
from sqlalchemy import delete

from gateway.audit.files import log_folder
from gateway.audit.log import append, seal
from gateway.audit.tables import entries, ranges, seal_state, subjects
from gateway.store import Store
from tests.gateway.audit.altering import registers
from tests.gateway.audit.landings import ADA, BOB, complaint, land_complaints


@pytest.fixture
def store(store: Store, now: datetime) -> Store:
    """An installation whose log begins anew with one entry, not sealed yet, so that tests can count places from 0."""
    with store.write() as conn:
        for table in (subjects, ranges, entries, seal_state, *registers()):
            conn.execute(delete(table))
        append(conn, action="home.initialised", actor="cli", at=now, facts={"log_origin": "xinqiao.local/log"})
    shutil.rmtree(log_folder(store.settings))
    return store


@pytest.fixture
def lived_in(store: Store, now: datetime) -> Store:
    """Entries 0 to 5: initialised, landed (1 to 3), landed (4 to 5), landed nothing, feed read, entity read; sealed."""
    land_complaints(store, [complaint("c1", ADA), complaint("c2", ADA), complaint("c3", BOB)], now)
    land_complaints(store, [complaint("c1", ADA, topic="价格"), complaint("c3", None, op="withdraw")], now)
    land_complaints(store, [complaint("c2", ADA)], now)
    with store.write() as conn:
        feed = {"record_type": "complaint", "purpose": "联合惩戒", "after": 1, "first_seq": 2, "last_seq": 4}
        append(conn, action="feed.read", actor="urn:xinqiao:customs:risk", at=now, facts=feed)
        shown = {"purpose": "核查", "records": {"complaint": 2, "penalty": 0}}
        append(conn, action="entity.read", actor="urn:xinqiao:health:desk", at=now, facts=shown, usccs=[ADA])
    seal(store, now)
    return store
