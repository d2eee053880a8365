"""Streaming a feed: the same bytes as line by line, whatever the range, from both databases."""

from __future__ import annotations

import pytest

from gateway.access.projection import line
from gateway.store import Store, dialect, streaming
from gateway.store.reading import feed_page
from gateway.store.streaming import feed_lines
from tests.gateway.store.test_landing import TYPE, land_rows

AWKWARD = {
    "plain": '{"case":"A","text":"华信食品"}',
    "escapes": '{"case":"B","text":"a\\\\b \\"c\\" \\n\\u0001 tab\\t"}',
    "astral": '{"case":"C","text":"𠮷野家 \u2028 %s %% :seq"}',
    "empty": "{}",
}


@pytest.fixture
def landed(store: Store) -> Store:
    land_rows(store, AWKWARD, "d1")
    land_rows(store, {"plain": None, "escapes": '{"case":"B"}'}, "d2")
    return store


def lines(store: Store, after: int, until: int) -> bytes:
    return b"".join(feed_lines(store, TYPE, after, until))


def one_by_one(store: Store, after: int, until: int) -> bytes:
    with store.read() as conn:
        return b"".join(line(v) + b"\n" for v in feed_page(conn, TYPE, after, 100) if v.seq <= until)


@pytest.mark.parametrize(("after", "until"), [(0, 6), (0, 3), (2, 5), (5, 6), (6, 6)])
def test_streamed_lines_are_the_bytes_of_the_page(landed: Store, after: int, until: int) -> None:
    assert lines(landed, after, until) == one_by_one(landed, after, until)


def test_every_range_is_asked_for_once(landed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lines(landed, 0, 6)

    monkeypatch.setattr(streaming, "RANGE", 2)

    assert lines(landed, 0, 6) == whole
    assert whole.count(b"\n") == 6


@pytest.mark.parametrize("joined", [1, 2, 4])
def test_lines_that_are_joined_by_the_server_stay_in_order(
    landed: Store, monkeypatch: pytest.MonkeyPatch, joined: int
) -> None:
    monkeypatch.setattr(dialect, "_JOINED", joined)

    assert lines(landed, 1, 6) == one_by_one(landed, 1, 6)


def test_a_stream_that_is_left_early_leaves_the_connection_usable(landed: Store) -> None:
    stream = feed_lines(landed, TYPE, 0, 6)
    next(stream)
    stream.close()

    assert lines(landed, 0, 6) == one_by_one(landed, 0, 6)
