"""A feed from a position to its end as one answer, stretch by stretch; each stretch is a read of its own.

For every stretch the grant is asked again and its entry commits before its lines are given out, so a grant that is
withdrawn meanwhile ends the stream at the next stretch, and the log never lags behind what was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.access.context import Context
from gateway.access.errors import Invalid, NotGranted
from gateway.access.grants import WHOLE, Grant, find_grant
from gateway.access.projection import line, mask_block
from gateway.access.quotas import records_left, take_records
from gateway.access.reads import MAX_PAGE, checked_type, read_feed, reading_transaction
from gateway.audit import Action, append
from gateway.store import reading
from gateway.store.reading import ALL
from gateway.store.streaming import RANGE, feed_lines


@dataclass(frozen=True)
class Stream:
    """A feed from a position on.

    Attributes:
        blocks: NDJSON, whole lines, as the grant shows them. Raises what ``read_feed`` raises where a later
            stretch is refused; what came before it was given, and the last line's ``seq`` is where to go on.
        next: position to go on from when the stream has been read to its end.
    """

    blocks: Iterator[bytes]
    next: int


@dataclass(frozen=True)
class _Stretch:
    blocks: Iterator[bytes]
    next: int


def stream_feed(
    context: Context, again: Callable[[], Context], record_type: str, after: int, purpose: str | None
) -> Stream:
    """Everything after a position, up to what is newest now.

    Args:
        again: the caller, verified anew; asked before every stretch but the first.

    Raises:
        Invalid: unknown record type or a negative position.
        NotGranted: with the reason.
        QuotaExceeded, Busy: the caller has used up what it may for now.
    """
    record_type = checked_type(record_type)
    if after < 0:
        raise Invalid(
            f"after 不得为负；收到 {after}。", f"after must not be negative; got {after}.", problems={"after": after}
        )
    with context.store.read() as conn:
        until = reading.last_position(conn, record_type)
    # The first one before the answer begins: a refusal is an answer of its own.
    first = _stretch(context, record_type, after, until, purpose)

    def blocks() -> Iterator[bytes]:
        stretch = first
        yield from stretch.blocks
        while stretch.next < until:
            stretch = _stretch(again(), record_type, stretch.next, until, purpose)
            yield from stretch.blocks

    return Stream(blocks(), max(after, until))


def _stretch(context: Context, record_type: str, after: int, until: int, purpose: str | None) -> _Stretch:
    if after < until and _shows_everything(context, record_type, purpose):
        return _stored_stretch(context, record_type, after, until, purpose)
    # Whatever is to be left out is looked at version by version; who may read nothing is told so there.
    page = read_feed(context, record_type, after, MAX_PAGE, purpose)
    return _Stretch(iter([b"".join(line(version) + b"\n" for version in page.versions)]), page.next)


def _shows_everything(context: Context, record_type: str, purpose: str | None) -> bool:
    with context.store.read() as conn:
        try:
            grant = find_grant(conn, context.caller.urn, record_type, purpose, context.now)
        except NotGranted:
            return False
    return grant.columns == WHOLE and grant.rows == ALL


def _stored_stretch(context: Context, record_type: str, after: int, until: int, purpose: str | None) -> _Stretch:
    asked = {"read": "feed", "record_type": record_type, "purpose": purpose}
    with reading_transaction(context, asked, []) as (conn, quota):
        grant = find_grant(conn, context.caller.urn, record_type, purpose, context.now)
        left = records_left(conn, context.caller.urn, quota, context.now)
        # Positions have no gaps, so how many versions a stretch holds is known before they are read.
        end = min(until, after + (RANGE if left is None else min(RANGE, left)))
        facts = {
            "record_type": record_type,
            "purpose": purpose,
            "filter": grant.filter(),
            "after": after,
            "records": end - after,
            "first_seq": after + 1,
            "last_seq": end,
        }
        take_records(conn, context.caller.urn, quota, end - after, context.now)
        append(conn, action=Action.FEED_READ, actor=context.caller.urn, at=context.now, facts=facts)
    return _Stretch(_stored(context, grant, after, end), end)


def _stored(context: Context, grant: Grant, after: int, end: int) -> Iterator[bytes]:
    for block in feed_lines(context.store, grant.record_type, after, end):
        yield mask_block(block, grant)
