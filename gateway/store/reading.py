"""Reading versions: current, as of an instant, and as a feed. Stored bytes come out as they lie there.

Nothing here asks whether the caller may: see ``gateway.access``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Row,
    Select,
    String,
    Table,
    bindparam,
    false,
    literal,
    or_,
    select,
    union_all,
)

from gateway.store.tables import SYSTEM_COLUMNS, deliveries, positions, versions_table


@dataclass(frozen=True)
class Version:
    """One version of one record.

    Attributes:
        seq: position in the feed of its record type.
        record_type: of the record.
        record_key: identity of the record, lower-case hex.
        uscc: entity it belongs to; None while unresolved.
        version: counted from 1 per record.
        op: ``put`` or ``withdraw``.
        payload: the record as canonical JSON, the stored bytes.
        sealed: its personal fields, encrypted; None if it has none.
        content_hash: RFC 6962 leaf hash of the payload, hex.
        source: ``<agency>/<source>``.
        delivery_id: delivery that landed it.
        landed_at: instant text.
        superseded_seq: position of the next version; None if current.
    """

    seq: int
    record_type: str
    record_key: str
    uscc: str | None
    version: int
    op: str
    payload: bytes
    sealed: bytes | None
    content_hash: str
    source: str
    delivery_id: str
    landed_at: str
    superseded_seq: int | None


@dataclass(frozen=True)
class Rows:
    """Which records are seen, of all that there are; each condition narrows.

    Attributes:
        region_prefixes: those whose region facet begins with one of them; empty for all.
        sources: those of these ``<agency>/<source>``; empty for all.
        percent: this share of them, 1 to 100. The same records every time, for every reader, in every version:
            those whose key lies lowest, and a record's key is a hash. So a larger share holds every smaller
            one, and no two readers find out more together than the one with the larger share.
    """

    region_prefixes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    percent: int = 100


ALL = Rows()


def records(
    conn: Connection,
    record_type: str,
    uscc: str,
    *,
    as_of: str | None = None,
    rows: Rows = ALL,
    limit: int = 1000,
) -> list[Version]:
    """Records of one type about one entity, oldest position first.

    Args:
        as_of: instant text; None means now.
        rows: only these.
        limit: at most this many.
    """
    return records_of_types(conn, {record_type: rows}, uscc, as_of=as_of, limit=limit)[record_type]


def records_of_types(
    conn: Connection, wanted: Mapping[str, Rows], uscc: str, *, as_of: str | None = None, limit: int = 1000
) -> dict[str, list[Version]]:
    """Records about one entity of several types, by one statement; of each type oldest position first.

    Args:
        wanted: record type -> only these of it.
        limit: at most this many of each type.
    """
    if not wanted:
        return {}
    asked = {"entity": uscc, "most": limit, **({} if as_of is None else {"as_of": as_of})}
    found: dict[str, list[Version]] = {name: [] for name in wanted}
    for row in conn.execute(_records_query(tuple(wanted.items()), as_of is None), asked):
        found[row.record_type].append(_version(row.record_type, row))
    return {name: sorted(versions, key=lambda version: version.seq) for name, versions in found.items()}


@lru_cache(1024)
def _records_query(wanted: Sequence[tuple[str, Rows]], is_now: bool) -> Select[Any] | CompoundSelect[Any]:
    """Made once for the rows that a system may see: it is asked on every request."""
    parts = [_records_of(record_type, rows, is_now) for record_type, rows in wanted]
    return parts[0] if len(parts) == 1 else union_all(*parts)


def _records_of(record_type: str, rows: Rows, is_now: bool) -> Select[Any]:
    versions = versions_table(record_type)
    found = (
        _select(versions)
        .where(
            versions.c.uscc == bindparam("entity"),
            versions.c.op == "put",
            *_standing(versions, None if is_now else bindparam("as_of", type_=String)),
            *_seen(versions, rows),
        )
        .order_by(versions.c.seq)
        .limit(bindparam("most", type_=Integer))
        .subquery()
    )
    return select(literal(record_type).label("record_type"), *found.c)


def feed_page(
    conn: Connection,
    record_type: str,
    after: int,
    limit: int,
    *,
    rows: Rows = ALL,
) -> list[Version]:
    """Versions after a position, in order: keyset, so a page costs the same anywhere.

    Args:
        after: position of the last version seen; 0 for the beginning.
        limit: at most this many.
        rows: only versions of these.
    """
    versions = versions_table(record_type)
    query = (
        _select(versions).where(versions.c.seq > after, *_seen(versions, rows)).order_by(versions.c.seq).limit(limit)
    )
    return [_version(record_type, row) for row in conn.execute(query)]


def standing_page(
    conn: Connection, record_type: str, until: int, after: int, limit: int, *, rows: Rows = ALL
) -> list[Version]:
    """Records that were current when the feed stood at ``until``, from the position after ``after``, in order.

    Whatever lands later, the same position gives the same records.
    """
    versions = versions_table(record_type)
    standing = or_(versions.c.superseded_seq.is_(None), versions.c.superseded_seq > until)
    query = (
        _select(versions)
        .where(
            versions.c.seq > after,
            versions.c.seq <= until,
            versions.c.op == "put",
            standing,
            *_seen(versions, rows),
        )
        .order_by(versions.c.seq)
        .limit(limit)
    )
    return [_version(record_type, row) for row in conn.execute(query)]


def version_at(conn: Connection, record_type: str, seq: int, *, rows: Rows = ALL) -> Version | None:
    """The version at a position; None if there is none, or it is not one of the rows."""
    page = feed_page(conn, record_type, seq - 1, 1, rows=rows)
    return page[0] if page and page[0].seq == seq else None


def last_position(conn: Connection, record_type: str) -> int:
    """The newest position of a feed; 0 if nothing has landed."""
    last_seq = select(positions.c.last_seq).where(positions.c.record_type == record_type)
    return int(conn.execute(last_seq).scalar_one())


def history(conn: Connection, record_type: str, record_key: str) -> list[Version]:
    """Every version of one record, first to last."""
    versions = versions_table(record_type)
    query = _select(versions).where(versions.c.record_key == bytes.fromhex(record_key)).order_by(versions.c.version)
    return [_version(record_type, row) for row in conn.execute(query)]


def delivery_listing(
    conn: Connection,
    *,
    agency: str | None = None,
    source: str | None = None,
    before: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Deliveries, newest first, each with its receipt or problem.

    Args:
        before: id to continue below.
    """
    query = select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
    if agency is not None:
        query = query.where(deliveries.c.source.startswith(agency + "/", autoescape=True))
    if source is not None:
        query = query.where(deliveries.c.source == source)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    return [dict(row._mapping) for row in conn.execute(query)]


def _select(versions: Table) -> Select[Any]:
    return select(*(versions.c[name] for name in SYSTEM_COLUMNS))


def _standing(versions: Table, as_of: BindParameter[str] | None) -> list[ColumnElement[bool]]:
    if as_of is None:
        return [versions.c.superseded_seq.is_(None)]
    newer = versions.alias("newer")
    replaced = select(newer.c.seq).where(newer.c.seq == versions.c.superseded_seq, newer.c.landed_at <= as_of)
    return [versions.c.landed_at <= as_of, or_(versions.c.superseded_seq.is_(None), ~replaced.exists())]


def _seen(versions: Table, rows: Rows) -> list[ColumnElement[bool]]:
    seen = _region(versions, rows.region_prefixes)
    if rows.sources:
        seen.append(versions.c.source.in_(rows.sources))
    if rows.percent < 100:
        # Bytes compare from the left on both databases, so the first eight decide.
        seen.append(versions.c.record_key < ((1 << 64) * rows.percent // 100).to_bytes(8, "big"))
    return seen


def _region(versions: Table, prefixes: Sequence[str]) -> list[ColumnElement[bool]]:
    if not prefixes:
        return []
    region = versions.c.get("region_code")
    if region is None:
        # A record type without a region cannot be shown to be inside the grant's regions.
        return [false()]
    return [or_(*(region.startswith(prefix, autoescape=True) for prefix in prefixes))]


def _version(record_type: str, row: Row[Any]) -> Version:
    return Version(
        seq=row.seq,
        record_type=record_type,
        record_key=row.record_key.hex(),
        uscc=row.uscc,
        version=row.version,
        op=row.op,
        payload=row.payload,
        sealed=None if row.sealed is None else bytes(row.sealed),
        content_hash=row.content_hash.hex(),
        source=row.source,
        delivery_id=row.delivery_id,
        landed_at=row.landed_at,
        superseded_seq=row.superseded_seq,
    )
