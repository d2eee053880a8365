"""The tables of the log, and the one way to write into them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from gateway.audit.actions import Action, action_of
from gateway.audit.circumstances import noted
from gateway.audit.merkle import leaf_hash
from gateway.audit.tiles import MAX_ENTRY_BYTES
from gateway.clock import instant
from gateway.store.metadata import metadata
from schemas.canonical import canonical_json

# SQLite hands out row numbers only to INTEGER keys.
_ID = BigInteger().with_variant(Integer, "sqlite")

entries = Table(
    "audit_entries",
    metadata,
    Column("id", _ID, primary_key=True, comment="in order of writing, not of commit"),
    Column("idx", BigInteger, unique=True, comment="place in the log, from 0; null until sealed"),
    Column("leaf_hash", LargeBinary(32), nullable=False, comment="RFC 6962 leaf hash of body"),
    Column("body", LargeBinary, nullable=False, comment="the entry as canonical JSON (RFC 8785)"),
    Column("action", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("at", String(27), nullable=False),
    sqlite_autoincrement=True,
)
# What the sealer looks for every second.
Index(
    "ix_audit_entries_unsealed",
    entries.c.id,
    postgresql_where=entries.c.idx.is_(None),
    sqlite_where=entries.c.idx.is_(None),
)
# What did this system do?
Index("ix_audit_entries_actor", entries.c.actor, entries.c.id)

subjects = Table(
    "audit_subjects",
    metadata,
    Column("uscc", String(18), primary_key=True),
    Column("entry_id", _ID, ForeignKey(entries.c.id), primary_key=True),
    comment="entities an entry names; repeats what its body says, so that who-read is a query",
)
Index("ix_audit_subjects_entry_id", subjects.c.entry_id)

ranges = Table(
    "audit_ranges",
    metadata,
    Column("entry_id", _ID, ForeignKey(entries.c.id), primary_key=True),
    Column("record_type", String(40), nullable=False),
    Column("span", Integer, nullable=False, comment="smallest n with last_seq - first_seq < 2^n"),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    comment="feed positions an entry covers; repeats what its body says",
)
# Which entries cover one position: per span an index range of 2^span positions, however many feed reads there are.
Index("ix_audit_ranges_position", ranges.c.record_type, ranges.c.span, ranges.c.first_seq)

seal_state = Table(
    "audit_seal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("edge", LargeBinary, nullable=False, comment="right edge of the tree, gateway.audit.tiles.Edge"),
    Column("checkpoint", Text, nullable=False, comment="newest signed note; the file repeats it"),
    Column("sealed_at", String(27), nullable=False),
    comment="one row, locked while entries are numbered",
)

_WRITING = entries.insert().returning(entries.c.id)
_COVERING = ranges.insert()
_RESERVED = frozenset({"action", "actor", "at", "usccs"})


def append(
    conn: Connection,
    action: Action | str,
    actor: str,
    facts: Mapping[str, object],
    at: datetime,
    usccs: Iterable[str] = (),
) -> int:
    """Write one entry in the transaction of the act it tells of.

    Args:
        actor: who did it: a system's URN, a person's certificate name, or ``xinqiao``.
        facts: what was done, as canonical JSON takes it: ``subject``, ``purpose``, counts, roots.
            An entry with ``record_type``, ``first_seq`` and ``last_seq`` is found again by the
            feed positions it covers.
        usccs: entities it is about; found again by `gateway.audit.reading.who_read`.

    What ``gateway.audit.circumstances`` has noted about the request stands in the entry too.

    Returns:
        id of the entry; its place in the log is given when it is sealed.

    Raises:
        ValueError: unknown action, a fact with a reserved name, or an entry over 65,535 bytes.
    """
    act = action_of(action)
    if clash := _RESERVED & facts.keys():
        raise ValueError(f"facts may not be named {sorted(clash)}")
    named = sorted(set(usccs))
    written_at = instant(at)
    about = {"usccs": named} if named else {}
    body = canonical_json({**noted(), **facts, **about, "action": act.value, "actor": actor, "at": written_at})
    if len(body) > MAX_ENTRY_BYTES:
        raise ValueError(f"audit entry {act.value}: expected at most {MAX_ENTRY_BYTES} bytes, got {len(body)}")
    row = {"leaf_hash": leaf_hash(body), "body": body, "action": act.value, "actor": actor, "at": written_at}
    entry_id: int = conn.execute(_WRITING, row).scalar_one()
    if named:
        conn.execute(subjects.insert(), [{"uscc": uscc, "entry_id": entry_id} for uscc in named])
    if covered := covered_range(facts):
        record_type, first, last = covered
        span = span_of(first, last)
        conn.execute(
            _COVERING,
            {"entry_id": entry_id, "record_type": record_type, "span": span, "first_seq": first, "last_seq": last},
        )
    return entry_id


def covered_range(facts: Mapping[str, object]) -> tuple[str, int, int] | None:
    """The record type and feed positions an entry says it covers; None if it covers none."""
    record_type, first, last = (facts.get(name) for name in ("record_type", "first_seq", "last_seq"))
    if isinstance(record_type, str) and isinstance(first, int) and isinstance(last, int) and first <= last:
        return record_type, first, last
    return None


def span_of(first: int, last: int) -> int:
    """The smallest n with ``last - first < 2 ** n``."""
    return (last - first).bit_length()


def read_body(body: bytes) -> dict[str, object]:
    """An entry as it was written.

    Raises:
        ValueError: not a JSON object.
    """
    entry = json.loads(body)
    if not isinstance(entry, dict):
        raise ValueError("an audit entry is a JSON object")
    return entry
