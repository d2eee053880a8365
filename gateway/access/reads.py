"""The reads: grant, rows, projection and audit entry in one transaction; then the answer.

A read whose entry cannot be written is not answered, because the entry commits before
anything is given back. A read that is refused leaves an entry too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from gateway.access.context import Context
from gateway.access.errors import Invalid, NotFound, NotGranted, QuotaExceeded
from gateway.access.grants import NONE_HELD, WHOLE, Grant, choose_grant, find_grant, list_grants
from gateway.access.projection import project
from gateway.access.quotas import Quota, records_left, take_records
from gateway.audit import Action, append
from gateway.clock import instant
from gateway.store import reading
from gateway.store.reading import Version
from gateway.store.tables import entities
from schemas.columnar import contract
from schemas.identifiers import uscc as uscc_rules
from schemas.records import RECORD_TYPES

MAX_PAGE = 10_000
"""Most versions of one page of a feed."""

MAX_RECORDS = 1_000
"""Most records of one type about one entity in one answer; where there are more, the answer says so."""


MAX_POSITIONS = 3_000
"""Most positions that the entry of one read lists."""


_NAME = select(entities.c.name).where(entities.c.uscc == bindparam("uscc"))


@dataclass(frozen=True)
class Picture:
    """What is known of one entity, as far as the caller's grants reach.

    Attributes:
        uscc: the entity.
        name: its current name; None if no source has said it, or no record that is shown shows a name.
        records: record type -> its current versions.
        not_granted: record type -> code of the reason why it is not shown.
        incomplete: record types of which there is more than ``MAX_RECORDS``; the feed has all of them.
    """

    uscc: str
    name: str | None
    records: Mapping[str, Sequence[Version]]
    not_granted: Mapping[str, str]
    incomplete: Sequence[str]


@dataclass(frozen=True)
class Records:
    """Records of one type about one entity.

    Attributes:
        versions: the first ``MAX_RECORDS`` by position.
        is_complete: whether these are all.
    """

    versions: Sequence[Version]
    is_complete: bool


@dataclass(frozen=True)
class Page:
    """A stretch of a feed.

    Attributes:
        versions: in feed order.
        next: position to give as ``after`` next time; moves on also over what the grant's regions leave out.
    """

    versions: Sequence[Version]
    next: int


def read_entity(context: Context, uscc: str, purpose: str | None, as_of: datetime | None = None) -> Picture:
    """The joined picture of one entity.

    Raises:
        Invalid: not a unified social credit code.
        NotGranted: the caller may read no record type for this purpose.
        QuotaExceeded, Busy: the caller has used up what it may for now.
        NotFound: nothing is known of it; the read is audited all the same.
    """
    code = checked_uscc(uscc)
    with reading_transaction(context, {"read": "entity", "purpose": purpose}, [code]) as (conn, quota):
        granted, not_granted = _entity_grants(conn, context, purpose)
        known = conn.execute(_NAME, {"uscc": code}).scalar_one_or_none()
        records = _records(conn, context, granted, code, as_of)
        counts = {name: len(found.versions) for name, found in records.items()}
        facts = {
            "purpose": purpose,
            "filter": {name: grant.filter() for name, grant in granted.items()},
            "records": counts,
            **_positions({name: _seqs(found) for name, found in records.items() if found.versions}),
            **_as_of(as_of),
        }
        take_records(conn, context.caller.urn, quota, sum(counts.values()), context.now)
        append(conn, action=Action.ENTITY_READ, actor=context.caller.urn, at=context.now, facts=facts, usccs=[code])
    shown = {name: found.versions for name, found in records.items() if found.versions}
    if known is None and not shown:
        raise NotFound(f"没有 {code} 的任何记录。", f"Nothing is known of {code}.", uscc=code)
    incomplete = [name for name, found in records.items() if not found.is_complete]
    is_named = any(_shows_name(granted[name]) for name in shown)
    return Picture(code, known if is_named else None, shown, not_granted, incomplete)


def read_records(
    context: Context, record_type: str, uscc: str, purpose: str | None, as_of: datetime | None = None
) -> Records:
    """The records of one type about one entity, now or as they were known at an instant.

    Raises:
        Invalid: unknown record type, or not a unified social credit code.
        NotGranted: with the reason.
        QuotaExceeded, Busy: the caller has used up what it may for now.
    """
    code, record_type = checked_uscc(uscc), checked_type(record_type)
    asked = {"read": "records", "record_type": record_type, "purpose": purpose}
    with reading_transaction(context, asked, [code]) as (conn, quota):
        grant = find_grant(conn, context.caller.urn, record_type, purpose, context.now)
        found = _records(conn, context, {record_type: grant}, code, as_of)[record_type]
        facts = {
            "record_type": record_type,
            "purpose": purpose,
            "filter": grant.filter(),
            "records": len(found.versions),
            "seqs": _seqs(found),
            **_as_of(as_of),
        }
        take_records(conn, context.caller.urn, quota, len(found.versions), context.now)
        append(conn, action=Action.RECORD_READ, actor=context.caller.urn, at=context.now, facts=facts, usccs=[code])
    return found


def may_read(context: Context, record_type: str, purpose: str | None) -> bool:
    """Whether a read would be granted now; nothing is read, and nothing written."""
    try:
        with context.store.read() as conn:
            find_grant(conn, context.caller.urn, record_type, purpose, context.now)
    except NotGranted:
        return False
    return True


def read_feed(context: Context, record_type: str, after: int, limit: int, purpose: str | None) -> Page:
    """The versions after a position, oldest first, at most ``limit`` of them.

    Raises:
        Invalid: unknown record type, or a limit outside 1 to ``MAX_PAGE``.
        NotGranted: with the reason.
        QuotaExceeded, Busy: the caller has used up what it may for now.
    """
    record_type = checked_type(record_type)
    if not 1 <= limit <= MAX_PAGE or after < 0:
        raise Invalid(
            f"limit 应在 1 至 {MAX_PAGE} 之间，after 不得为负；收到 {limit}、{after}。",
            f"limit must be between 1 and {MAX_PAGE} and after not negative; got {limit}, {after}.",
            problems={"limit": limit, "after": after},
        )
    asked = {"read": "feed", "record_type": record_type, "purpose": purpose}
    with reading_transaction(context, asked, []) as (conn, quota):
        grant = find_grant(conn, context.caller.urn, record_type, purpose, context.now)
        newest = reading.last_position(conn, record_type)
        left = records_left(conn, context.caller.urn, quota, context.now)
        limit = limit if left is None else min(limit, left)
        stored = reading.feed_page(conn, record_type, after, limit, rows=grant.rows)
        shown = project(stored, grant, context.sealer)
        # first_seq and last_seq let `who-read` find this entry for every version that was shown.
        span = {"first_seq": shown[0].seq, "last_seq": shown[-1].seq} if shown else {}
        facts = {
            "record_type": record_type,
            "purpose": purpose,
            "filter": grant.filter(),
            "after": after,
            "records": len(shown),
            **span,
        }
        take_records(conn, context.caller.urn, quota, len(shown), context.now)
        append(conn, action=Action.FEED_READ, actor=context.caller.urn, at=context.now, facts=facts)
    if len(shown) == limit:
        return Page(shown, shown[-1].seq)
    # Everything up to the newest position was looked at, so what the regions left out is not looked at again.
    return Page(shown, max(after, newest, *(version.seq for version in shown[-1:])))


def checked_uscc(text: str) -> str:
    """The canonical form of a unified social credit code.

    Raises:
        Invalid: it is none; says why.
    """
    code = uscc_rules.normalize(text)
    if faults := uscc_rules.validate(code):
        raise Invalid(faults[0].zh, faults[0].en, problems={"uscc": [fault.rule for fault in faults]})
    return code


def checked_type(record_type: str) -> str:
    """The name of a record type that exists.

    Raises:
        NotFound: there is none of this name.
    """
    if record_type not in RECORD_TYPES:
        raise NotFound(
            f"没有记录类型“{record_type}”。",
            f"There is no record type '{record_type}'; there are: {', '.join(sorted(RECORD_TYPES))}.",
            record_type=record_type,
        )
    return record_type


def _entity_grants(conn: Connection, context: Context, purpose: str | None) -> tuple[dict[str, Grant], dict[str, str]]:
    held = list_grants(conn, system_urn=context.caller.urn)
    named = {grant.record_type for grant in held}
    granted: dict[str, Grant] = {}
    refused: dict[str, NotGranted] = {}
    # Of most types a system holds no grant at all, and that needs no sentences unless it is what the caller is told.
    for record_type in sorted(RECORD_TYPES) if not (named and purpose) else sorted(named):
        own = [grant for grant in held if grant.record_type == record_type]
        try:
            granted[record_type] = choose_grant(own, context.caller.urn, record_type, purpose, context.now)
        except NotGranted as error:
            refused[record_type] = error
    if not granted:
        # A grant that nearly fits gives a better reason than the types for which there is none at all.
        raise min(refused.values(), key=lambda error: (error.code == NONE_HELD, str(error)))
    codes = {name: error.code for name, error in refused.items()}
    return granted, {name: codes.get(name, NONE_HELD) for name in sorted(RECORD_TYPES.keys() - granted.keys())}


def _shows_name(grant: Grant) -> bool:
    return grant.columns == WHOLE or contract(grant.record_type).subject.name in grant.columns


@contextmanager
def reading_transaction(
    context: Context, asked: Mapping[str, object], usccs: Sequence[str]
) -> Iterator[tuple[Connection, Quota]]:
    """The one transaction of a read that ``admitted`` lets through."""
    with admitted(context, asked, usccs) as quota, context.store.write() as conn:
        yield conn, quota


@contextmanager
def admitted(context: Context, asked: Mapping[str, object], usccs: Sequence[str]) -> Iterator[Quota]:
    """One read of the caller within its quota, as long as the block lasts; a refusal of it is an entry too.

    Args:
        asked: what was asked for, as the entry of a refusal tells it.
        usccs: the entities it was about.
    """
    caller = context.caller.urn
    try:
        with context.meter.admitted(context.store, caller, context.now) as quota:
            yield quota
    except (NotGranted, QuotaExceeded) as error:
        # Of a system that goes on asking although it may not, one entry per period says it.
        if not isinstance(error, QuotaExceeded) or error.is_first:
            facts = {**asked, "reason": error.code}
            with context.store.write() as conn:
                append(conn, action=Action.READ_REFUSED, actor=caller, at=context.now, facts=facts, usccs=usccs)
        raise


def _records(
    conn: Connection, context: Context, granted: Mapping[str, Grant], uscc: str, as_of: datetime | None
) -> dict[str, Records]:
    stored = reading.records_of_types(
        conn,
        {name: grant.rows for name, grant in granted.items()},
        uscc,
        as_of=instant(as_of) if as_of is not None else None,
        limit=MAX_RECORDS + 1,
    )
    return {
        name: Records(project(found[:MAX_RECORDS], granted[name], context.sealer), len(found) <= MAX_RECORDS)
        for name, found in stored.items()
    }


def _seqs(found: Records) -> list[int]:
    return [version.seq for version in found.versions]


def _positions(shown: Mapping[str, Sequence[int]]) -> dict[str, object]:
    """Which versions were shown, so that whoever read a wrong one can be told; not of thousands: an entry is small."""
    return {"seqs": dict(shown)} if sum(map(len, shown.values())) <= MAX_POSITIONS else {}


def _as_of(as_of: datetime | None) -> dict[str, object]:
    return {"as_of": instant(as_of)} if as_of is not None else {}
