"""Pooled connections: one that died while it lay is replaced, and one question begins no transaction."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from gateway.settings import Settings
from gateway.store import Store, connecting, open_store

on_postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


def own_process(store: Store) -> int:
    with store.read() as conn:
        return int(conn.execute(text("SELECT pg_backend_pid()")).scalar_one())


@on_postgresql
def test_a_connection_that_died_while_it_lay_is_replaced(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "TRUSTED_S", 0.0)
    administrator = create_engine(settings.store_url)

    with open_store(settings) as store:
        before = own_process(store)
        with administrator.begin() as conn:
            conn.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": before})
        after = own_process(store)

    administrator.dispose()
    assert after != before


@on_postgresql
def test_one_question_begins_no_transaction_and_the_connection_goes_back_as_it_was(settings: Settings) -> None:
    with open_store(settings) as store:
        with store.ask() as conn:
            conn.execute(text("SELECT 1")).scalar_one()
            asking = conn.connection.driver_connection.info.transaction_status.name  # type: ignore[union-attr]
        with store.read() as conn:
            conn.execute(text("SELECT 1")).scalar_one()
            reading = conn.connection.driver_connection.info.transaction_status.name  # type: ignore[union-attr]

    assert (asking, reading) == ("IDLE", "INTRANS")


def test_a_question_is_answered_on_both_databases(store: Store) -> None:
    with store.ask() as conn:
        assert conn.execute(text("SELECT 1")).scalar_one() == 1
