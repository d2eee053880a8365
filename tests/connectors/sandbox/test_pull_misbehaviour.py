"""Sandbox agencies that misbehave over SOAP, tables and REST: what the gateway makes of it."""

from __future__ import annotations

import pytest

from connectors.errors import Refused, SourceChanged, Unavailable
from connectors.registry import source
from connectors.sandbox.serve import Sandbox
from tests.connectors.sandbox.pulling import mapped, pull


@pytest.mark.parametrize(
    ("name", "how", "error"),
    [
        ("market_supervision/registration", "truncated", Unavailable),
        ("market_supervision/registration", "error_500", Unavailable),
        ("market_supervision/registration", "expired_certificate", Refused),
        ("customs/registrations", "error_500", Unavailable),
        ("health/licences", "error_500", Unavailable),
        ("health/licences", "truncated", Unavailable),
        ("market_supervision/complaints", "truncated", Unavailable),
        ("agriculture/trace_events", "error_500", Unavailable),
        ("health/foodborne_events", "truncated", Unavailable),
        ("credit_platform/redlist", "expired_certificate", Refused),
    ],
)
def test_misbehaviour_is_named_by_what_happens_next(
    own_sandbox: Sandbox, name: str, how: str, error: type[Exception]
) -> None:
    own_sandbox.misbehave(endpoint_of(name), how)

    with pytest.raises(error):
        pull(own_sandbox, name)


@pytest.mark.parametrize(
    "name",
    [
        "market_supervision/registration",
        "customs/registrations",
        "health/licences",
        "market_supervision/complaints",
        "credit_platform/blacklist",
        "agriculture/trace_events",
    ],
)
def test_a_renamed_column_stops_the_delivery_and_its_bytes_are_kept(own_sandbox: Sandbox, name: str) -> None:
    own_sandbox.misbehave(endpoint_of(name), "renamed_column")

    (delivery,) = pull(own_sandbox, name)

    with pytest.raises(SourceChanged):
        mapped(delivery)
    assert all(part.path.exists() for part in delivery.parts)


def endpoint_of(name: str) -> str:
    endpoint = source(name).endpoint
    if endpoint is None:
        raise ValueError(f"{name} has no endpoint that could misbehave")
    return endpoint
