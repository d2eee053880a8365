"""To whom versions of a record were given, read off the log: entity and record reads, feeds, exports, pushes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from gateway.audit.actions import READS, Action
from gateway.audit.reading import Listed, covering, listed, naming
from gateway.audit.tables import entries
from gateway.store.reading import Rows, Version, version_at
from gateway.store.tables import versions_table

WHOLE = "*"


def given_to(conn: Connection, versions: Sequence[Version], field: str) -> dict[str, str | None]:
    """Systems to which one of these versions was given with this field.

    Args:
        versions: of one record, current or not.
        field: a field of the record type.

    Returns:
        URN of the system -> the purpose of its newest such read.
    """
    found: dict[str, str | None] = {}
    if not versions:
        return found
    table = versions_table(versions[0].record_type)
    positions = select(table.c.seq).where(table.c.seq.in_([version.seq for version in versions]))
    ids = set(covering(conn, versions[0].record_type, positions))
    for uscc in {version.uscc for version in versions if version.uscc}:
        ids |= naming(conn, uscc)
    landed = _landing_times(conn, versions)
    reads = listed(conn, ids, entries.c.action.in_(READS))
    # A file that was made and never fetched has told nobody anything.
    fetched = {entry.entry.get("export") for entry in reads if entry.action == Action.EXPORT_FETCHED}
    for entry in reads:
        if entry.action == Action.EXPORT_MADE and entry.entry.get("export") not in fetched:
            continue
        if any(_showed(conn, entry, version, field, landed) for version in versions):
            found[entry.actor] = entry.purpose
    return found


def _showed(conn: Connection, entry: Listed, version: Version, field: str, landed: Mapping[int, str]) -> bool:
    said = entry.entry
    if entry.action == Action.ENTITY_READ:
        grant = _part(said.get("filter"), version.record_type)
        return _shows(grant, field) and _held(said, _part(said.get("seqs"), version.record_type), version, landed)
    if said.get("record_type") != version.record_type or not _shows(said.get("filter"), field):
        return False
    if entry.action == Action.RECORD_READ:
        return _held(said, said.get("seqs"), version, landed)
    first, last = said.get("first_seq"), said.get("last_seq")
    if not (isinstance(first, int) and isinstance(last, int) and first <= version.seq <= last):
        return False
    position = said.get("position")
    if isinstance(position, int) and not _stood_at(version, position):
        # An export holds what was current at one position, not all that lies before it.
        return False
    # The rows that the grant left out are left out again by the same condition.
    return version_at(conn, version.record_type, version.seq, rows=_rows(said["filter"])) is not None


def _stood_at(version: Version, position: int) -> bool:
    return version.seq <= position and (version.superseded_seq is None or version.superseded_seq > position)


def _held(said: Mapping[str, Any], seqs: object, version: Version, landed: Mapping[int, str]) -> bool:
    """Whether the answer of a read about an entity held a version.

    Entries name the positions that were shown, except where these were thousands: then the time must do, and
    somebody who read in the very moment of a landing counts as having read.
    """
    if isinstance(seqs, list):
        return version.seq in seqs
    at = said.get("as_of") or said["at"]
    until = landed.get(version.superseded_seq) if version.superseded_seq is not None else None
    return bool(version.landed_at <= at and (until is None or at <= until))


def _landing_times(conn: Connection, versions: Iterable[Version]) -> dict[int, str]:
    following = [version.superseded_seq for version in versions if version.superseded_seq is not None]
    table = versions_table(next(iter(versions)).record_type)
    rows = conn.execute(select(table.c.seq, table.c.landed_at).where(table.c.seq.in_(following)))
    return {row.seq: row.landed_at for row in rows}


def _part(by_type: object, record_type: str) -> Any:
    return by_type.get(record_type) if isinstance(by_type, Mapping) else None


def _shows(grant: object, field: str) -> bool:
    if not isinstance(grant, Mapping):
        return False
    columns = grant.get("columns")
    return columns == WHOLE or (isinstance(columns, list) and field in columns)


def _rows(grant: Mapping[str, Any]) -> Rows:
    return Rows(
        tuple(grant.get("region_prefixes", ())), tuple(grant.get("sources", ())), int(grant.get("percent", 100))
    )
