"""Instants as text: the one format in which the store, the log and the faces write them."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, in UTC. Called at the edges only; everything inside is given the time."""
    return datetime.now(UTC)


def instant(at: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SS.ffffffZ``: fixed width, so that text order is time order.

    Raises:
        ValueError: ``at`` has no time zone.

    >>> instant(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000000Z'
    """
    if at.tzinfo is None:
        raise ValueError(f"an instant needs a time zone: {at!r}")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_instant(text: str) -> datetime:
    """Read what ``instant`` wrote.

    Raises:
        ValueError: not an ISO 8601 instant with a zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"an instant needs a time zone: {text!r}")
    return at
