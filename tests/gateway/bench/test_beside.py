"""Peers take their turn beside ours with the same rows, and one that did not merge them is no comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from connectors.errors import Refused
from gateway.bench import peers, pipeline, reload
from gateway.bench.beside import FIRST, RELOAD, Beside, beside, demand_merged
from gateway.bench.mixed import mixed_rows
from gateway.bench.peers import Rows, plain, write_rows
from gateway.bench.stores import empty_database
from gateway.settings import Settings

PLAIN = peers.ON_SQLITE["plain"]
"""The one that needs no environment of its own."""


@pytest.fixture
def only_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "ON_POSTGRESQL", {"plain": PLAIN})
    monkeypatch.setattr(peers, "ON_SQLITE", {"plain": PLAIN})
    monkeypatch.setattr(reload, "ROUNDS", 1)
    monkeypatch.setattr(pipeline, "ROUNDS", 1)


@pytest.mark.usefixtures("only_plain")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_reload_is_measured_beside_a_peer_that_gets_both_deliveries(settings: Settings, tmp_path: Path) -> None:
    steps: list[str] = []

    figures = reload.run(2_000, settings, True, told=steps.append, peers_folder=tmp_path)

    assert steps == [
        "bare load",
        "first",
        "reload",
        "reload_few",
        "reload_none",
        "plain, first",
        "plain, reload",
    ]
    for name in ("", "reload_", "plain_", "plain_reload_"):
        assert figures[f"{name}rows_per_s"] > 0
    for name in ("reload_ratio", "plain_reload_ratio", "ratio_to_plain", "reload_ratio_to_plain"):
        assert figures[name] > 0


@pytest.mark.usefixtures("only_plain")
def test_a_first_load_is_measured_beside_a_peer_that_gets_it_alone(tmp_path: Path) -> None:
    steps: list[str] = []

    figures = pipeline.run(1_000, Settings(), False, told=steps.append, peers_folder=tmp_path)

    assert steps[-3:] == ["end_to_end", "reload", "plain, first"]
    assert figures["ratio_to_plain"] > 0
    assert "plain_reload_rows_per_s" not in figures


def test_figures_say_rates_the_peers_own_ratio_and_ours_against_theirs(tmp_path: Path) -> None:
    seconds = {FIRST: {"dlt_dicts": [4.0, 2.0, 9.0]}, RELOAD: {"dlt_dicts": [3.0]}}
    others = Beside(tmp_path, {}, tmp_path, seconds=seconds)

    assert others.figures(1_000, {FIRST: 2.0, RELOAD: 0.5}) == {
        "dlt_dicts_rows_per_s": 250,
        "dlt_dicts_reload_rows_per_s": 333,
        "dlt_dicts_reload_ratio": 0.75,
        "ratio_to_dlt_dicts": 2.0,
        "reload_ratio_to_dlt_dicts": 6.0,
    }


def test_without_a_folder_no_peer_takes_a_turn(tmp_path: Path) -> None:
    with beside(None, True, "registration") as others:
        others.give(FIRST, pl.DataFrame({"uscc": ["1"]}))
        others.take_turns(None, 0, pytest.fail)

    assert others.figures(1, {FIRST: 1.0}) == {}


def test_peers_do_not_go_with_rows_that_they_do_not_merge(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="go with licence alone, not with registration"):
        beside(tmp_path, True, "registration").__enter__()


@pytest.fixture
def deliveries(tmp_path: Path) -> tuple[Rows, Rows]:
    first, name = mixed_rows("licence", 300, 50), pl.col("item_name")
    again = first.with_columns(pl.when(pl.int_range(pl.len()) % 20 == 0).then(name + "改").otherwise(name))
    return write_rows(first, tmp_path / "first"), write_rows(again, tmp_path / "again")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """An empty database of each kind."""
    server = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    with empty_database(server, 0) as own:
        yield own


def test_a_peer_that_merged_both_deliveries_is_compared(
    url: URL, deliveries: tuple[Rows, Rows], tmp_path: Path
) -> None:
    for rows in deliveries:
        plain(tmp_path, url, rows, tmp_path)

        demand_merged(url, "plain", PLAIN, rows)


def test_a_peer_that_did_nothing_the_second_time_is_no_comparison(
    url: URL, deliveries: tuple[Rows, Rows], tmp_path: Path
) -> None:
    first, again = deliveries
    plain(tmp_path, url, first, tmp_path)

    with pytest.raises(Refused, match="not what it was given: 2.. rows expected, 2.. found; 1. missing, 1. too many"):
        demand_merged(url, "plain", PLAIN, again)


def test_a_peer_that_appended_instead_of_updating_is_no_comparison(
    url: URL, deliveries: tuple[Rows, Rows], tmp_path: Path
) -> None:
    plain(tmp_path, url, deliveries[0], tmp_path)
    engine = create_engine(url)
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE twice AS SELECT * FROM peer_plain UNION ALL SELECT * FROM peer_plain"))
    engine.dispose()

    with pytest.raises(Refused, match="; 0 missing, 0 too many"):
        demand_merged(url, "appending", replace(PLAIN, table="twice"), deliveries[0])


def test_rows_that_are_refused_are_looked_for_where_a_peer_does_not_judge(
    url: URL, deliveries: tuple[Rows, Rows], tmp_path: Path
) -> None:
    plain(tmp_path, url, deliveries[0], tmp_path)

    with pytest.raises(Refused, match="300 rows expected, 2.. found; .* missing, 0 too many"):
        demand_merged(url, "plain", replace(PLAIN, is_judging=False), deliveries[0])
