"""The gateway's own way in, over the sandbox's SOAP services and tables: received, decoded, mapped, judged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import yaml

from connectors.connections import Connections
from connectors.decode import decode
from connectors.delivery import Delivery
from connectors.errors import Refused, SourceChanged, Unavailable
from connectors.mapping import map_sheet
from connectors.receive import receive
from connectors.registry import source, sources
from connectors.sandbox.serve import Sandbox, start
from connectors.transports import soap
from connectors.vault import Vault
from schemas.columnar import contract
from schemas.judgement import Judgement

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
SOURCES = {
    "market_supervision/registration": 60,
    "customs/registrations": 6,
    "health/licences": 10,
    "health/penalties": 1,
}
"""Source -> fewest rows a world of 60 entities has for it."""


def pull(sandbox: Sandbox, name: str, cursor: str | None = None) -> list[Delivery]:
    (sandbox.home / "connections.yml").write_text(yaml.safe_dump(sandbox.connections()), "utf-8")
    vault = Vault(sandbox.home)
    return list(receive(source(name), Connections.load(sandbox.home), vault, cursor, NOW))


def judge(delivery: Delivery) -> tuple[pl.DataFrame, Judgement]:
    spec = source(delivery.source)
    mapped = map_sheet(decode(delivery, spec), spec)
    return mapped.frame, contract(spec.record_type).judge(mapped.frame)


@pytest.mark.parametrize("name", SOURCES)
def test_nearly_every_row_is_accepted_and_the_showcase_is_among_them(sandbox: Sandbox, name: str) -> None:
    (delivery,) = pull(sandbox, name)

    frame, judgement = judge(delivery)

    assert frame.height >= SOURCES[name]
    assert judgement.accepted.height / frame.height > 0.85
    assert sandbox.world.showcase_uscc in judgement.accepted["uscc"].to_list()


def test_in_a_larger_world_about_three_rows_in_a_hundred_are_refused(tmp_path: Path) -> None:
    sandbox = start(tmp_path, seed=7, size=1000)
    try:
        (delivery,) = pull(sandbox, "market_supervision/registration")
    finally:
        sandbox.stop()

    frame, judgement = judge(delivery)

    assert len(delivery.parts) == 6
    assert 0.95 < judgement.accepted.height / frame.height < 0.99
    assert set(judgement.faults["rule"]) >= {"uscc.check_character", "uscc.length", "field.required", "code.unknown"}


def test_the_next_pull_asks_only_from_where_the_last_one_ended(own_sandbox: Sandbox) -> None:
    (first,) = pull(own_sandbox, "market_supervision/registration")
    own_sandbox.advance()

    (second,) = pull(own_sandbox, "market_supervision/registration", first.cursor)

    frame, _ = judge(second)
    changed = {entity.name for entity in own_sandbox.world.changed_since(own_sandbox.world.today)}
    assert {name.strip() for name in frame["name"]} >= changed
    assert frame.height < 10


def test_a_licence_taken_back_arrives_as_a_withdrawal(own_sandbox: Sandbox) -> None:
    (first,) = pull(own_sandbox, "health/licences")
    own_sandbox.advance()

    (second,) = pull(own_sandbox, "health/licences", first.cursor)

    frame, judgement = judge(second)
    assert set(frame["_op"]) == {"put", "withdraw"}
    assert judgement.accepted.filter(pl.col("_op") == "withdraw").height >= 1


@pytest.mark.parametrize(
    ("name", "how", "error"),
    [
        ("market_supervision/registration", "truncated", Unavailable),
        ("market_supervision/registration", "error_500", Unavailable),
        ("market_supervision/registration", "expired_certificate", Refused),
        ("customs/registrations", "error_500", Unavailable),
        ("health/licences", "error_500", Unavailable),
        ("health/licences", "truncated", Unavailable),
    ],
)
def test_misbehaviour_is_named_by_what_happens_next(
    own_sandbox: Sandbox, name: str, how: str, error: type[Exception]
) -> None:
    endpoint = source(name).endpoint
    assert endpoint is not None
    own_sandbox.misbehave(endpoint, how)

    with pytest.raises(error):
        pull(own_sandbox, name)


@pytest.mark.parametrize("limit", [1_000, 20_000], ids=["contract", "answer"])
def test_a_soap_answer_over_the_limit_is_broken_off(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(soap, "MAX_ANSWER_BYTES", limit)

    with pytest.raises(Refused, match=f"larger than {limit} bytes"):
        pull(sandbox, "market_supervision/registration")


@pytest.mark.parametrize("name", ["market_supervision/registration", "customs/registrations", "health/licences"])
def test_a_renamed_column_stops_the_delivery_and_its_bytes_are_kept(own_sandbox: Sandbox, name: str) -> None:
    endpoint = source(name).endpoint
    assert endpoint is not None
    own_sandbox.misbehave(endpoint, "renamed_column")

    (delivery,) = pull(own_sandbox, name)

    with pytest.raises(SourceChanged):
        judge(delivery)
    assert all(part.path.exists() for part in delivery.parts)


def test_a_page_that_comes_twice_is_not_taken_for_two_pages(tmp_path: Path) -> None:
    sandbox = start(tmp_path, seed=7, size=300)
    try:
        sandbox.misbehave("market_supervision_registration", "duplicate_page")
        with pytest.raises(Unavailable):
            pull(sandbox, "market_supervision/registration")
    finally:
        sandbox.stop()


def test_every_agency_tells_of_the_showcase(sandbox: Sandbox) -> None:
    telling = {
        name: spec
        for name, spec in sources().items()
        # Files are taken only after they have lain still for some seconds.
        if spec.transport != "files" and contract(spec.record_type).subject.uscc
    }

    told = {
        spec.agency
        for name, spec in telling.items()
        for delivery in pull(sandbox, name)
        if sandbox.world.showcase_uscc in judge(delivery)[1].accepted["uscc"].to_list()
    }

    assert told == {"market_supervision", "agriculture", "customs", "health", "credit_platform"}
