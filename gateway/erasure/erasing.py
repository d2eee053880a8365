"""Erasing what was asked for, once another person has approved it: records and log first, then the kept files.

The first transaction erases in the database and says so in the log; files go afterwards. Cut off in between, the
erasure stands as ``erasing`` and is simply approved again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from sqlalchemy import ColumnElement, Connection, Row, Table, select, update

from connectors.errors import Refused
from gateway.access.errors import Conflict
from gateway.access.exports import remove_of_type
from gateway.audit import Action, append
from gateway.audit.holds import demand_no_hold, held_deliveries, list_holds
from gateway.audit.log import seal
from gateway.audit.registers import rows_told
from gateway.clock import instant
from gateway.erasure import kept_bytes
from gateway.erasure.listed import keep_list
from gateway.erasure.quarantined import Person, erase_challenges, erase_rejections
from gateway.erasure.requests import DONE, ERASING, context_of, demand_waiting, read_erasure, row_of
from gateway.erasure.tables import erasures
from gateway.remembered.files import forget_source
from gateway.sealing import Sealer, load_sealer
from gateway.staging import SALT
from gateway.store import Store, dialect
from gateway.store.landing import hold_feed
from gateway.store.tables import rejections, versions_table
from schemas.columnar import contract

_KEYS = 500
_KEYS_PER_ENTRY = 1_000


@dataclass
class _Found:
    """One record that is erased.

    Attributes:
        source: it comes from.
        usccs: entities it was linked to.
        values: personal field -> values it has had.
    """

    source: str
    usccs: set[str] = field(default_factory=set)
    values: dict[str, set[str]] = field(default_factory=dict)


def approve(store: Store, erasure_id: str, by: str, now: datetime) -> dict[str, Any]:
    """Erase, as a second person; returns the request with its counts.

    Raises:
        NotFound: no such request.
        Conflict: it is done or refused, or the same person asked for it.
        Refused: no record holds what is looked for, a delivery of its source waits to be landed, or something of
            it is under legal hold.
    """
    sealer = load_sealer(store.settings.home)
    with store.write() as conn:
        row = row_of(conn, erasure_id)
        if row.status != ERASING:
            dialect.overwrite_from_now(conn)
            _erase_in_database(conn, store, sealer, row, by, now)
    with store.read() as conn:
        row = row_of(conn, erasure_id)
        person = _person(row, sealer)
    _erase_files(store, row, person, now)
    dialect.forget_old_rows(store.engine, [versions_table(row.record_type), rejections, erasures])
    seal(store, now)
    with store.read() as conn:
        return read_erasure(conn, erasure_id)


def _erase_in_database(conn: Connection, store: Store, sealer: Sealer, row: Row[Any], by: str, now: datetime) -> None:
    demand_waiting(row)
    if by == row.asked_by:
        raise Conflict(
            f"{by} 提出的删除须由另一人批准。",
            f"What {by} asked for must be approved by another person.",
            erasure=row.id,
        )
    # Nothing lands in this feed until the end of the transaction, so nothing can slip past.
    through = hold_feed(conn, row.record_type, instant(now)).last_seq
    looked_for: dict[str, str] = json.loads(sealer.open(row.sealed, context_of(row.id)))
    found = _records(conn, sealer, row, looked_for)
    if not found:
        raise Refused(
            f"没有 {row.record_type} 记录含有所查的个人信息；请核对记录编号、主体或字段值",
            f"no {row.record_type} record holds the personal data that is looked for; check key, entity and values",
            erasure=row.id,
        )
    sources = {one.source for one in found.values()}
    demand_no_hold(conn, sources, {uscc for one in found.values() for uscc in one.usccs})
    if left := kept_bytes.waiting(conn, sources):
        raise Refused(
            f"{len(left)} 次交付尚未入库，其中可能还有该信息；请先让其入库，再批准删除",
            f"{len(left)} deliveries of the source wait to be landed and may hold the data too; land them first",
            deliveries=left[:10],
        )
    values = {key: {name: sorted(some) for name, some in one.values.items()} for key, one in found.items()}
    person = _as_person(row, {key: one.source for key, one in found.items()}, values)
    _demand_no_held_file(conn, store, person)
    keep_list(conn, sealer, row.record_type, row.id, values)
    versions = _erase_versions(conn, row.record_type, list(found))
    counts = {
        "records": len(found),
        "versions": versions,
        "rejections": erase_rejections(conn, sealer, person),
        "challenges": erase_challenges(conn, sealer, person),
    }
    kept = {"keys": {key.hex(): one.source for key, one in found.items()}, "values": sorted(person.values)}
    conn.execute(
        update(erasures)
        .where(erasures.c.id == row.id)
        .values(
            status=ERASING,
            decided_by=by,
            decided_at=instant(now),
            counts=counts,
            sealed=sealer.seal(json.dumps(kept).encode(), context_of(row.id)),
        )
    )
    _tell(conn, row, found, through, counts, by, now)


def _demand_no_held_file(conn: Connection, store: Store, person: Person) -> None:
    """Legal hold wins also over files in which somebody else is held.

    Raises:
        Refused: names the hold.
    """
    if not list_holds(conn, in_force=True):
        return
    came = kept_bytes.deliveries_with(conn, kept_bytes.holding(store, person), person)
    for hold in held_deliveries(conn, came).values():
        raise Refused(
            f"须销毁的原始文件处于法律保全之下（{hold.id}：{hold.reason}），解除前不得删除。",
            f"a file that would have to be destroyed is under legal hold ({hold.id}: {hold.reason})",
            hold=hold.id,
        )


def _erase_files(store: Store, row: Row[Any], person: Person, now: datetime) -> None:
    digests = kept_bytes.holding(store, person)
    with store.write() as conn:
        concerned = kept_bytes.mark(conn, digests, person, row.id)
        if digests:
            facts = {
                "erasure": row.id,
                "files": len(digests),
                "digests": sorted(digests)[:_KEYS],
                "deliveries": concerned[:_KEYS],
            }
            append(conn, Action.BYTES_DESTROYED, row.decided_by, facts, now)
    kept_bytes.destroy(store, row.id)
    # Digests of whole rows: with the key, values could be tried against them.
    for source in sorted(set(person.keys.values())):
        forget_source(store.settings.home, load_sealer(store.settings.home), source)
    remove_of_type(store, row.record_type, now)
    with store.write() as conn:
        counts = {**row.counts, "files": len(digests)}
        conn.execute(update(erasures).where(erasures.c.id == row.id).values(status=DONE, sealed=None, counts=counts))
        facts = {"erasure": row.id, "counts": counts, **rows_told(conn, (erasures, row.id))}
        append(conn, Action.ERASURE_DONE, row.decided_by, facts, now)


def _records(conn: Connection, sealer: Sealer, row: Row[Any], looked_for: Mapping[str, str]) -> dict[bytes, _Found]:
    """Records of which a version holds what is looked for, with all that their versions say."""
    versions = versions_table(row.record_type)
    narrowed: list[ColumnElement[bool]] = []
    if row.record_key:
        narrowed.append(versions.c.record_key == bytes.fromhex(row.record_key))
    if row.uscc:
        narrowed.append(versions.c.uscc == row.uscc)
    keys = {
        key
        for key, _, _, said in _opened(conn, sealer, versions, *narrowed)
        if all(said.get(name) == value for name, value in looked_for.items())
    }
    found: dict[bytes, _Found] = {}
    for some in _chunks(sorted(keys)):
        for key, source, uscc, said in _opened(conn, sealer, versions, versions.c.record_key.in_(some)):
            one = found.setdefault(key, _Found(source))
            one.usccs.update([uscc] if uscc else [])
            for name in row.fields:
                if name in said:
                    one.values.setdefault(name, set()).add(said[name])
    return {key: one for key, one in found.items() if one.values}


def _opened(
    conn: Connection, sealer: Sealer, versions: Table, *where: ColumnElement[bool]
) -> Iterator[tuple[bytes, str, str | None, dict[str, str]]]:
    query = select(versions.c.record_key, versions.c.source, versions.c.uscc, versions.c.sealed)
    for row in conn.execute(query.where(versions.c.sealed.is_not(None), *where).execution_options(yield_per=5_000)):
        try:
            said = json.loads(sealer.open(row.sealed, row.record_key))
        except InvalidTag:
            # Altered by somebody: it can show nothing to anybody, and `audit verify` names it.
            said = {}
        said.pop(SALT, None)
        yield bytes(row.record_key), row.source, row.uscc, said


def _erase_versions(conn: Connection, record_type: str, keys: list[bytes]) -> int:
    versions = versions_table(record_type)
    done = 0
    for some in _chunks(keys):
        where = versions.c.record_key.in_(some) & versions.c.sealed.is_not(None)
        done += conn.execute(update(versions).where(where).values(sealed=None)).rowcount
    return done


def _tell(
    conn: Connection,
    row: Row[Any],
    found: Mapping[bytes, _Found],
    through: int,
    counts: Mapping[str, int],
    by: str,
    now: datetime,
) -> None:
    """Entries that name records and no value; several, when one would not hold all keys."""
    keys = sorted(key.hex() for key in found)
    for start in range(0, len(keys), _KEYS_PER_ENTRY):
        some = keys[start : start + _KEYS_PER_ENTRY]
        facts = {
            "erasure": row.id,
            "record_type": row.record_type,
            "record_keys": some,
            "through_seq": through,
            "fields": row.fields,
            "counts": dict(counts),
            "asked_by": row.asked_by,
            "ground": row.ground,
            **rows_told(conn, (erasures, row.id)),
        }
        usccs = {uscc for key in some for uscc in found[bytes.fromhex(key)].usccs}
        append(conn, Action.PERSON_ERASED, by, facts, now, usccs=usccs)


def _person(row: Row[Any], sealer: Sealer) -> Person:
    kept = json.loads(sealer.open(row.sealed, context_of(row.id)))
    keys = {bytes.fromhex(key): source for key, source in kept["keys"].items()}
    return Person(contract(row.record_type), row.fields, keys, frozenset(kept["values"]))


def _as_person(row: Row[Any], keys: dict[bytes, str], values: Mapping[bytes, Mapping[str, list[str]]]) -> Person:
    said = frozenset(value for by_field in values.values() for some in by_field.values() for value in some)
    return Person(contract(row.record_type), row.fields, keys, said)


def _chunks(keys: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(keys), _KEYS):
        yield keys[start : start + _KEYS]
