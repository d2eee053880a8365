"""A store with the tables of access and of the log, and nothing in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.access.tables import applications, challenges, grants
from gateway.audit.tables import entries, ranges, subjects
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.metadata import metadata


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(Settings(home=tmp_path))
    with made.write() as conn:
        metadata.create_all(conn, tables=[grants, applications, challenges, entries, subjects, ranges])
    yield made
    made.close()
