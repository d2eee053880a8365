"""Exports: every current record of one type that a grant lets through, as one file with a manifest.

A file is made whole before anything is given out, because its entry says how many records it has and what their
digest is. It lies in ``exports/`` for a day. Fetching it is a read of its own: the grant is asked again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from gateway.access.context import Context
from gateway.access.errors import Conflict, NotFound
from gateway.access.giving import new_id
from gateway.access.grants import Grant, choose_grant, find_grant, read_grant
from gateway.access.projection import line, project
from gateway.access.quotas import Quota, records_left, take_records
from gateway.access.reads import admitted, checked_type
from gateway.access.tables import exports
from gateway.audit import Action, append
from gateway.audit.giving_proofs import inclusion
from gateway.audit.log import seal
from gateway.clock import instant
from gateway.erasure.tables import erasures
from gateway.signatures.own import signed
from gateway.store import Store, reading

KEPT = timedelta(days=1)
"""How long the file of an export can be fetched."""

MEDIA_TYPE = "application/x-ndjson"

_PAGE = 2_000
_PIECE = 256 * 1024


@dataclass(frozen=True)
class _File:
    """What was written: path, and what its entry says of it."""

    path: Path
    position: int
    records: int
    size: int
    sha256: str
    span: dict[str, int]


def make_export(context: Context, record_type: str, purpose: str | None) -> dict[str, Any]:
    """Write an export of what the caller's grant lets through now; gives the manifest with its proof.

    Returns:
        the facts of the entry of the log, ``export`` (its id) and the digest of the file among them, ``audit``, the
        proof, and ``jws``, the gateway's signature: `xinqiao audit verify-receipt` verifies both offline.

    Raises:
        NotFound: unknown record type.
        NotGranted: with the reason; also if the grant ended while the file was written.
        QuotaExceeded, Busy: the caller has used up what it may for now; nothing is left behind.
        Conflict: personal data of the record type were erased while the file was written; nothing is left behind.
    """
    record_type = checked_type(record_type)
    asked = {"read": "export", "record_type": record_type, "purpose": purpose}
    with admitted(context, asked, []) as quota:
        with context.store.read() as conn:
            grant = find_grant(conn, context.caller.urn, record_type, purpose, context.now)
            left = records_left(conn, context.caller.urn, quota, context.now)
            until = reading.last_position(conn, record_type)
            erased = _erasures(conn, record_type)
        export_id = new_id("x")
        file = _write(context, grant, export_id, until, left)
        try:
            entry = _enter(context, grant, export_id, file, quota, erased)
        except BaseException:
            file.path.unlink(missing_ok=True)
            raise
    seal(context.store, context.now)
    told = {**_facts(grant, export_id, file, context.now), "audit": inclusion(context.store, entry)}
    return signed(context.store.settings, told)


def manifest(context: Context, export_id: str) -> dict[str, Any]:
    """The manifest of one of the caller's exports, with its proof.

    Raises:
        NotFound: none of the caller's exports has this id.
    """
    with context.store.read() as conn:
        row = _own(conn, context, export_id)
    told = {**row["manifest"], "audit": inclusion(context.store, row["entry_id"])}
    return signed(context.store.settings, told)


def list_exports(context: Context) -> list[dict[str, Any]]:
    """The manifests of the caller's exports, the newest first, without proofs."""
    query = select(exports.c.manifest).where(exports.c.system_urn == context.caller.urn)
    with context.store.read() as conn:
        return list(conn.execute(query.order_by(exports.c.made_at.desc(), exports.c.id)).scalars())


def fetch(context: Context, export_id: str, purpose: str | None) -> tuple[RowMapping, Iterator[bytes]]:
    """The file of one of the caller's exports, while its grant still holds.

    Returns:
        the row of ``exports``, and the bytes.

    Raises:
        NotFound: none of the caller's exports has this id.
        NotGranted: its grant has ended, or is for another purpose.
        Conflict: its day is over and the file is gone.
    """
    with context.store.read() as conn:
        row = _own(conn, context, export_id)
    record_type = row["manifest"]["record_type"]
    asked = {"read": "export", "record_type": record_type, "purpose": purpose, "export": export_id}
    with admitted(context, asked, []), context.store.write() as conn:
        held = [read_grant(conn, row["grant_id"])]
        choose_grant(held, context.caller.urn, record_type, purpose, context.now)
        path = _path(context.store, export_id)
        if row["removed_at"] is not None or not path.exists():
            raise Conflict(
                f"导出 {export_id} 的文件已过期删除；请重新导出。",
                f"The file of export {export_id} is gone, its day is over; make another.",
                export=export_id,
            )
        opened = path.open("rb")
        span = {name: row["manifest"][name] for name in ("first_seq", "last_seq") if name in row["manifest"]}
        append(conn, Action.EXPORT_FETCHED, context.caller.urn, {**asked, **span}, context.now)
    return row, _pieces(opened)


def remove_expired(store: Store, now: datetime) -> int:
    """Remove the files whose day is over; their manifests stay. Returns how many."""
    c = exports.c
    due = select(c.id).where(c.removed_at.is_(None), c.expires_at <= instant(now))
    with store.read() as conn:
        ids = conn.execute(due).scalars().all()
    for export_id in ids:
        _path(store, export_id).unlink(missing_ok=True)
        with store.write() as conn:
            conn.execute(update(exports).where(c.id == export_id).values(removed_at=instant(now)))
    return len(ids)


def remove_of_type(store: Store, record_type: str, now: datetime) -> int:
    """Remove the files of a record type at once, because they hold what has been erased. Returns how many."""
    query = select(exports.c.id, exports.c.manifest).where(exports.c.removed_at.is_(None))
    with store.write() as conn:
        ids = [row.id for row in conn.execute(query) if row.manifest["record_type"] == record_type]
        conn.execute(update(exports).where(exports.c.id.in_(ids)).values(removed_at=instant(now)))
    for export_id in ids:
        _path(store, export_id).unlink(missing_ok=True)
    return len(ids)


def _write(context: Context, grant: Grant, export_id: str, until: int, left: int | None) -> _File:
    path = _path(context.store, export_id)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            written = _write_pages(context, grant, until, left, file, path)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return written


def _write_pages(context: Context, grant: Grant, until: int, left: int | None, file: BinaryIO, path: Path) -> _File:
    digest, size, records = hashlib.sha256(), 0, 0
    span: dict[str, int] = {}
    for page in _pages(context.store, grant, until):
        text = b"".join(line(version) + b"\n" for version in project(page, grant, context.sealer))
        file.write(text)
        digest.update(text)
        size, records = size + len(text), records + len(page)
        span = {"first_seq": span.get("first_seq", page[0].seq), "last_seq": page[-1].seq}
        if left is not None and records > left:
            break  # counting them, in the end, refuses the whole export
    return _File(path, until, records, size, digest.hexdigest(), span)


def _pages(store: Store, grant: Grant, until: int) -> Iterator[list[reading.Version]]:
    """Each page in a transaction of its own: what is current at a position stays what it is."""
    after = 0
    while True:
        with store.read() as conn:
            page = reading.standing_page(conn, grant.record_type, until, after, _PAGE, rows=grant.rows)
        if not page:
            return
        yield page
        after = page[-1].seq


def _enter(context: Context, grant: Grant, export_id: str, file: _File, quota: Quota, erased: int) -> int:
    facts = _facts(grant, export_id, file, context.now)
    with context.store.write() as conn:
        if _erasures(conn, grant.record_type) != erased:
            # The erasure has removed the files that were entered by then; this one may hold the person still.
            raise Conflict(
                f"生成期间删除了 {grant.record_type} 中的个人信息；请重新导出。",
                f"Personal data of {grant.record_type} were erased while the file was written; export again.",
                record_type=grant.record_type,
            )
        # Writing took its time: a grant that has ended meanwhile gives nothing out.
        choose_grant([read_grant(conn, grant.id)], context.caller.urn, grant.record_type, grant.purpose, context.now)
        take_records(conn, context.caller.urn, quota, file.records, context.now)
        entry = append(conn, Action.EXPORT_MADE, context.caller.urn, facts, context.now)
        row = {
            "id": export_id,
            "system_urn": context.caller.urn,
            "grant_id": grant.id,
            "manifest": facts,
            "entry_id": entry,
            "made_at": instant(context.now),
            "expires_at": instant(context.now + KEPT),
        }
        conn.execute(insert(exports).values(**row))
    return entry


def _erasures(conn: Connection, record_type: str) -> int:
    """How many erasures of a record type have been approved so far."""
    approved = (erasures.c.record_type == record_type) & erasures.c.status.in_(("erasing", "done"))
    return conn.execute(select(func.count()).where(approved)).scalar_one()


def _facts(grant: Grant, export_id: str, file: _File, now: datetime) -> dict[str, Any]:
    return {
        "export": export_id,
        "record_type": grant.record_type,
        "purpose": grant.purpose,
        "filter": grant.filter(),
        "position": file.position,
        "records": file.records,
        "size": file.size,
        "sha256": file.sha256,
        "media_type": MEDIA_TYPE,
        "expires_at": instant(now + KEPT),
        **file.span,
    }


def _own(conn: Connection, context: Context, export_id: str) -> RowMapping:
    query = select(exports).where(exports.c.id == export_id, exports.c.system_urn == context.caller.urn)
    row = conn.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"没有编号为 {export_id} 的导出。", f"There is no export {export_id}.", export=export_id)
    return row


def _path(store: Store, export_id: str) -> Path:
    # The id is ours, never a caller's: it was found in the register before a path is made of it.
    return store.settings.home / "exports" / f"{export_id}.ndjson"


def _pieces(opened: BinaryIO) -> Iterator[bytes]:
    with opened:
        while piece := opened.read(_PIECE):
            yield piece
