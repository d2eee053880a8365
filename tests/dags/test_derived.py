"""What runs because something landed, or once a day."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway.home import open_home
from gateway.store.tables import versions_table
from tests.dags.installation import Installation


def test_records_whose_linking_was_cut_off_are_linked_by_the_derived_run_and_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process that ends between landing and linking: both have landed, neither knows of the other.
    monkeypatch.setattr("gateway.pipeline.link_waiting", lambda *_: 0)
    installation.exchange("market_supervision/food_sampling")
    installation.exchange("market_supervision/registration")
    before = installation.last_positions()

    first = installation.run("derived__link_waiting")
    second = installation.run("derived__link_waiting")

    linked = first.results["link_all"]
    assert linked["product_sampling"] > 0
    assert installation.last_positions() == {
        record_type: last + linked.get(record_type, 0) for record_type, last in before.items()
    }
    assert set(second.results["link_all"].values()) == {0}


def test_what_is_due_is_pushed_every_few_minutes_also_when_there_is_nothing(installation: Installation) -> None:
    run = installation.run("derived__notify")

    assert run.state == "success"
    assert run.results["push_due"] == {"delivered": 0, "failed": 0, "given_up": 0, "overdue": 0}


def test_the_daily_verification_counts_the_entries_of_a_log_that_holds(installation: Installation) -> None:
    run = installation.run("derived__verify_log")

    assert run.state == "success"
    assert run.results["verify_everything"] == installation.log_size() > 0


def test_the_daily_verification_is_red_and_names_what_was_altered(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.exchange("credit_platform/blacklist")
    home = tmp_path / "home"
    shutil.copytree(installation.settings.home, home)
    copy = replace(installation, settings=replace(installation.settings, home=home))
    monkeypatch.setenv("XINQIAO_HOME", str(home))
    versions = versions_table("credit_listing")
    store = open_home(copy.settings)
    with store.write() as conn:
        first = conn.execute(select(versions.c.seq).order_by(versions.c.seq)).scalars().first()
        conn.execute(update(versions).where(versions.c.seq == first).values(payload=b"{}"))
    store.close()

    run = copy.run("derived__verify_log")

    assert run.state == "failed"
    assert run.tasks == {"verify_everything": ("failed", 1)}
    (noted,) = run.failures
    assert noted["source"] == "derived/verify_log"
    assert "credit_listing" in noted["reason"]
