"""The gateway's own way in, over the sandbox's SOAP services and tables: received, decoded, mapped, judged."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from connectors.delivery import Delivery
from connectors.errors import Refused, Unavailable
from connectors.registry import source, sources
from connectors.sandbox.serve import Sandbox, start
from connectors.transports import soap
from schemas.columnar import contract
from schemas.judgement import Judgement
from tests.connectors.sandbox.pulling import mapped, pull

SOURCES = {
    "market_supervision/registration": 60,
    "customs/registrations": 6,
    "health/licences": 10,
    "health/penalties": 1,
}
"""Source -> fewest rows a world of 60 entities has for it."""


def judge(delivery: Delivery) -> tuple[pl.DataFrame, Judgement]:
    found = mapped(delivery)
    return found.frame, contract(source(delivery.source).record_type).judge(found.frame)


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


@pytest.mark.parametrize("limit", [1_000, 20_000], ids=["contract", "answer"])
def test_a_soap_answer_over_the_limit_is_broken_off(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(soap, "MAX_ANSWER_BYTES", limit)

    with pytest.raises(Refused, match=f"larger than {limit} bytes"):
        pull(sandbox, "market_supervision/registration")


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
