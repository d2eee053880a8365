"""A feed as one answer: the same lines as page by page, each stretch an entry, stopped by a grant that ends."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from backports.zstd import decompress
from flask.testing import FlaskClient
from sqlalchemy import select

import gateway.access.streams
from gateway.audit.tables import entries
from tests.gateway.api.installation import PURPOSE, Installation, System, ask, problem
from tests.gateway.api.test_reads import narrow

STREAM = "/v1/feeds/registration/stream"


@pytest.fixture(scope="module")
def reader(home: Installation, landed: str) -> System:
    return narrow(home, "streams")


def reads_of(home: Installation, system: System) -> list[dict[str, Any]]:
    query = select(entries.c.body).where(entries.c.actor == system.urn, entries.c.action == "feed.read")
    with home.store.read() as conn:
        return [json.loads(body) for body in conn.execute(query.order_by(entries.c.id)).scalars()]


def page(client: FlaskClient, system: System, after: int = 0) -> bytes:
    return ask(client, system, "GET", f"/v1/feeds/registration?after={after}&limit=10000").get_data()


@pytest.mark.parametrize("grant", [{}, {"unmasked": ("legal_representative",)}, {"columns": ("uscc", "name")}])
def test_a_stream_gives_the_lines_of_the_pages(
    home: Installation, client: FlaskClient, landed: str, grant: dict[str, Any]
) -> None:
    system = narrow(home, f"stream-{len(grant)}-{'-'.join(grant)}".rstrip("-"), **grant)

    # The test client holds the contexts of one answer at a time, so each is read before the next is asked for.
    answer = ask(client, system, "GET", STREAM)
    whole = answer.get_data()
    rest = ask(client, system, "GET", f"{STREAM}?after=1").get_data()

    assert (whole, rest) == (page(client, system), page(client, system, after=1))
    paged = ask(client, system, "GET", "/v1/feeds/registration?limit=10000")
    assert answer.headers["Xinqiao-Next"] == paged.headers["Xinqiao-Next"]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("zstd, gzip", "zstd"), ("gzip", "gzip"), ("gzip;q=1, zstd;q=0.5", "gzip"), ("*", None), ("br", None)],
)
def test_the_coding_is_what_the_client_prefers(
    client: FlaskClient, reader: System, accepted: str, coding: str | None
) -> None:
    answer = ask(client, reader, "GET", STREAM, headers={"Accept-Encoding": accepted})

    opened = {"zstd": decompress, "gzip": gzip.decompress, None: bytes}[coding](answer.get_data())
    assert (answer.headers.get("Content-Encoding"), answer.headers["Vary"]) == (coding, "Accept-Encoding")
    assert opened == page(client, reader)


def test_every_stretch_is_an_entry_that_names_its_positions(
    home: Installation, client: FlaskClient, landed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = narrow(home, "stretches")
    monkeypatch.setattr(gateway.access.streams, "RANGE", 1)

    count = ask(client, system, "GET", STREAM).get_data().count(b"\n")

    spans = [(entry["first_seq"], entry["last_seq"], entry["purpose"]) for entry in reads_of(home, system)]
    assert spans == [(seq, seq, PURPOSE) for seq in range(1, count + 1)]
    assert count > 1


def test_a_grant_that_is_withdrawn_ends_the_stream_at_the_next_stretch(
    home: Installation, client: FlaskClient, landed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = narrow(home, "withdrawn-meanwhile")
    monkeypatch.setattr(gateway.access.streams, "RANGE", 1)

    answer = ask(client, system, "GET", STREAM, buffered=False)
    first = next(answer.response)
    home.revoke(system)

    with pytest.raises(Exception, match="revoked"):
        list(answer.response)
    assert first.count(b"\n") == 1
    assert len(reads_of(home, system)) == 1


def test_whoever_may_not_read_is_told_so_instead_of_a_stream(client: FlaskClient, consumer: System) -> None:
    assert problem(ask(client, consumer, "GET", "/v1/feeds/penalty/stream")) == (403, "grant_none")
    assert problem(ask(client, consumer, "GET", "/v1/feeds/secrets/stream")) == (404, "not_found")
    assert problem(ask(client, consumer, "GET", f"{STREAM}?after=-1")) == (422, "invalid")
