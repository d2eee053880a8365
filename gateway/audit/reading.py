"""Questions to the log: who read what about whom, who changed it, what did a system do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, union

from gateway.audit.actions import READS, Action
from gateway.audit.tables import entries, ranges, read_body, subjects
from gateway.store.tables import deliveries, versions_table
from schemas.records import RECORD_TYPES

_TOGETHER = 50
"""Positions looked up in one statement."""


@dataclass(frozen=True)
class Listed:
    """One entry as a listing shows it.

    Attributes:
        index: place in the log; None while it waits to be sealed.
        entry_id: its id in the database.
        at: instant text.
        record_types: what it touched.
        purpose: why, as the caller named it; None if it named none.
        entry: everything the entry says.
    """

    index: int | None
    entry_id: int
    at: str
    action: str
    actor: str
    record_types: tuple[str, ...]
    purpose: str | None
    entry: dict[str, Any]


def who_read(conn: Connection, uscc: str) -> list[Listed]:
    """Every read that gave something about an entity, oldest first.

    Reads that name the entity, and reads of feeds and exports that covered a version of one of
    its records – also a version from before the record was linked to it.
    """
    return listed(conn, touching(conn, uscc), entries.c.action.in_(READS))


def who_changed(conn: Connection, uscc: str) -> list[Listed]:
    """Every delivery that landed a version about an entity, and every other act that names it, oldest first."""
    return listed(conn, touching(conn, uscc), entries.c.action.not_in((*READS, Action.READ_REFUSED)))


def what_did(conn: Connection, actor: str, limit: int = 1000) -> list[Listed]:
    """The newest acts of one system or person, newest first."""
    rows = conn.execute(select(entries).where(entries.c.actor == actor).order_by(entries.c.id.desc()).limit(limit))
    return [_shown(row) for row in rows]


def list_entries(conn: Connection, after: int = -1, limit: int = 1000) -> list[Listed]:
    """Sealed entries in order of the log, from the place after ``after``."""
    rows = conn.execute(select(entries).where(entries.c.idx > after).order_by(entries.c.idx).limit(limit))
    return [_shown(row) for row in rows]


def landing_entry(conn: Connection, delivery_id: str) -> int | None:
    """Id of the entry that tells of a delivery's landing; None if it has none."""
    found: int | None = conn.execute(
        select(deliveries.c.audit_entry)
        .join(entries, entries.c.id == deliveries.c.audit_entry)
        .where(deliveries.c.id == delivery_id, entries.c.action == Action.DELIVERY_LANDED.value)
    ).scalar()
    return found


def touching(conn: Connection, uscc: str) -> set[int]:
    """Ids of the entries that name an entity or cover a version of one of its records."""
    found = naming(conn, uscc)
    for record_type in RECORD_TYPES:
        found.update(covering(conn, record_type, _positions(record_type, uscc)))
    return found


def naming(conn: Connection, uscc: str) -> set[int]:
    """Ids of the entries that name an entity."""
    return set(conn.execute(select(subjects.c.entry_id).where(subjects.c.uscc == uscc)).scalars())


def _positions(record_type: str, uscc: str) -> Select[tuple[int]]:
    """Feed positions of an entity's versions, and of those landed before their record was linked to it."""
    versions = versions_table(record_type)
    linked = versions.alias("linked")
    before = select(versions.c.seq).join(linked, linked.c.record_key == versions.c.record_key)
    both = union(
        select(versions.c.seq).where(versions.c.uscc == uscc),
        before.where(linked.c.uscc == uscc, versions.c.uscc.is_(None)),
    ).subquery()
    return select(both.c.seq)


def covering(conn: Connection, record_type: str, positions: Select[tuple[int]]) -> Iterator[int]:
    """Ids of the entries that cover one of these positions.

    Per span one index range of ``2 ** span`` positions before each, however many entries there are. The positions
    are put into the statement as numbers: of a join the database cannot know how narrow each range is, and at
    millions of entries reads all of a span instead.
    """
    seqs: list[Any] = list(conn.execute(positions).scalars())
    if not seqs:
        return
    for span in _spans(conn, record_type):
        for start in range(0, len(seqs), _TOGETHER):
            around = or_(*(_covers(record_type, span, seq) for seq in seqs[start : start + _TOGETHER]))
            yield from conn.execute(select(ranges.c.entry_id).where(around)).scalars()


def _covers(record_type: str, span: int, seq: int) -> ColumnElement[bool]:
    return and_(
        ranges.c.record_type == record_type,
        ranges.c.span == span,
        ranges.c.first_seq.between(seq - (1 << span) + 1, seq),
        ranges.c.last_seq >= seq,
    )


def _spans(conn: Connection, record_type: str) -> Iterator[int]:
    """The spans in use, stepping over the index from one to the next."""
    span = -1
    while True:
        wider = select(func.min(ranges.c.span)).where(ranges.c.record_type == record_type, ranges.c.span > span)
        following = conn.execute(wider).scalar()
        if following is None:
            return
        span = following
        yield span


def listed(conn: Connection, ids: Iterable[int], wanted: ColumnElement[bool]) -> list[Listed]:
    """Entries by their ids, in order of writing, as far as they are wanted."""
    found: list[Listed] = []
    ordered = sorted(ids)
    # Databases limit the number of parameters of one statement.
    for start in range(0, len(ordered), 1000):
        some = select(entries).where(entries.c.id.in_(ordered[start : start + 1000]), wanted)
        found += [_shown(row) for row in conn.execute(some.order_by(entries.c.id))]
    return found


def _shown(row: Row[Any]) -> Listed:
    entry = read_body(row.body)
    purpose = entry.get("purpose")
    return Listed(
        index=row.idx,
        entry_id=row.id,
        at=row.at,
        action=row.action,
        actor=row.actor,
        record_types=_record_types(entry),
        purpose=None if purpose is None else str(purpose),
        entry=entry,
    )


def _record_types(entry: dict[str, Any]) -> tuple[str, ...]:
    if "record_type" in entry:
        return (str(entry["record_type"]),)
    # The picture of an entity says how many records of each type it showed.
    shown = entry.get("records")
    return tuple(sorted(name for name, count in shown.items() if count)) if isinstance(shown, dict) else ()
