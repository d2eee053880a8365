"""What the peers are given, and what is said of one that is missing; the bench itself tries them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import make_url

from connectors.errors import Refused
from gateway.bench.mixed import mixed_rows
from gateway.bench.peers import ON_POSTGRESQL, Rows, check_installed, plain, write_rows


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    return write_rows(mixed_rows("licence", 300, 50), tmp_path / "given")


def test_singer_gets_a_schema_every_row_and_a_state(rows: Rows) -> None:
    messages = [json.loads(line) for line in rows.singer.read_text("utf-8").splitlines()]

    assert [message["type"] for message in messages] == ["SCHEMA", *["RECORD"] * rows.count, "STATE"]
    assert messages[0]["key_properties"] == ["document_no"]
    assert tuple(messages[1]["record"]) == rows.fields


def test_plain_python_keeps_what_marshmallow_accepts_once(rows: Rows, tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'plain.db'}")

    first, second = plain(tmp_path, url, rows, tmp_path), plain(tmp_path, url, rows, tmp_path)

    with sqlite3.connect(tmp_path / "plain.db") as conn:
        kept = conn.execute("SELECT count(*) FROM peer_plain").fetchone()[0]
    conn.close()
    assert 0.9 * rows.count < kept < rows.count
    assert first > 0
    assert second > 0


def test_a_peer_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="the peer 'dlt' is not installed in .*; run `make peers` first"):
        check_installed(tmp_path, ON_POSTGRESQL)
