"""Grants and quotas over several worker processes: the real server, mutual TLS, connections that stay open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.access.giving import withdraw
from gateway.access.quotas import Quota, set_quota
from gateway.certificates_publish import pki_files
from gateway.client import client as https_client
from gateway.clock import utc_now
from gateway.server import ServerProcess, start
from tests.gateway.api.installation import PURPOSE, Installation, System, install

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
    with ExitStack() as stack:
        opened: list[httpx.Client] = []
        while len(set(map(_worker, opened))) < 2:
            assert len(opened) < 100, "no connection reached the second worker"
            opened.append(stack.enter_context(_client(home, server, system)))
            opened[-1].get("/healthz").raise_for_status()
        yield opened


def test_a_grant_that_is_withdrawn_ends_with_the_next_request_on_every_open_connection(
    home: Installation, connections: list[httpx.Client]
) -> None:
    grant = home.grant("urn:xinqiao:customs:risk")
    ports = [_port(one) for one in connections]
    before = [one.get(FEED).status_code for one in connections]
    with home.store.write() as conn:
        withdraw(conn, grant.id, "test", utc_now())

    after = [one.get(FEED) for one in connections]

    assert before == [200] * len(connections)
    assert [(one.status_code, one.json()["code"]) for one in after] == [(403, "grant_withdrawn")] * len(connections)
    assert [_port(one) for one in connections] == ports


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


def _client(home: Installation, server: ServerProcess, system: System) -> httpx.Client:
    opened = https_client(server.url, pki_files(home.settings).trust, system.certificate, system.key)
    opened.headers["Xinqiao-Purpose"] = PURPOSE
    return opened


def _port(client: httpx.Client) -> int:
    """Our end of the open connection: the same port is the same connection."""
    return int(client.get("/healthz").extensions["network_stream"].get_extra_info("client_addr")[1])


def _worker(client: httpx.Client) -> int:
    """The process that holds the server's end of the connection."""
    ours = f":{_port(client):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = [line[9] for line in lines if line[2].endswith(ours) and line[3] == "01"]
    holders = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) == f"socket:[{inode}]":
                holders.append(int(link.parts[2]))
        except OSError:
            continue
    (holder,) = holders
    return holder
