"""Grants and quotas over several worker processes: the real server, mutual TLS, connections that stay open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from gateway.access.giving import withdraw
from gateway.access.quotas import Quota, set_quota
from gateway.clock import utc_now
from gateway.server import ServerProcess, start
from tests.gateway.api.installation import Installation, install
from tests.gateway.api.open_connections import connections_to_every_worker, own_port

pytestmark = pytest.mark.serial

FEED = "/v1/feeds/registration"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = install(tmp_path_factory.mktemp("workers") / "home", utc_now())
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(home: Installation) -> Iterator[ServerProcess]:
    with start(replace(home.settings, workers=2, threads=4)) as running:
        yield running


@pytest.fixture
def connections(home: Installation, server: ServerProcess) -> Iterator[list[httpx.Client]]:
    """Connections of one system that stay open, among them at least one to each worker."""
    system = home.system("urn:xinqiao:customs:risk")
    with connections_to_every_worker(home, server, system) as opened:
        yield opened


def test_a_grant_that_is_withdrawn_ends_with_the_next_request_on_every_open_connection(
    home: Installation, connections: list[httpx.Client]
) -> None:
    grant = home.grant("urn:xinqiao:customs:risk")
    ports = [own_port(one) for one in connections]
    before = [one.get(FEED).status_code for one in connections]
    with home.store.write() as conn:
        withdraw(conn, grant.id, "test", utc_now())

    after = [one.get(FEED) for one in connections]

    assert before == [200] * len(connections)
    assert [(one.status_code, one.json()["code"]) for one in after] == [(403, "grant_withdrawn")] * len(connections)
    assert [own_port(one) for one in connections] == ports


def test_a_grant_that_is_narrowed_shows_less_with_the_next_request(
    home: Installation, connections: list[httpx.Client]
) -> None:
    wide = home.grant("urn:xinqiao:customs:risk")
    first = [one.get(FEED).status_code for one in connections]
    home.grant("urn:xinqiao:customs:risk", purpose="other", columns=["name"])
    with home.store.write() as conn:
        withdraw(conn, wide.id, "test", utc_now())

    assert first == [200] * len(connections)
    assert {one.get(FEED).status_code for one in connections} == {403}
    assert {one.get(FEED, headers={"Xinqiao-Purpose": "other"}).status_code for one in connections} == {200}


def test_the_workers_together_admit_as_many_reads_as_the_quota_has(
    home: Installation, connections: list[httpx.Client]
) -> None:
    home.grant("urn:xinqiao:customs:risk")
    with home.store.write() as conn:
        # A period of a day, so that none ends while the test runs, unless it runs at midnight UTC.
        set_quota(conn, "urn:xinqiao:customs:risk", Quota(requests=25, period_s=86_400), "test", utc_now())
    time.sleep(2.5)  # what a worker knew of the quota before counts for two seconds

    answers = [connections[turn % len(connections)].get(FEED) for turn in range(40)]

    assert [one.status_code for one in answers].count(200) == 25
    assert {int(one.headers["Retry-After"]) > 0 for one in answers if one.status_code == 429} == {True}
