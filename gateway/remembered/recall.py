"""Which memory of a source holds now: of its last landing, judged by the rules of today, and what changed since."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import structlog
from sqlalchemy import Connection, Row, select

import schemas
from connectors.spec import SourceSpec
from gateway.deliveries import DELIVERY
from gateway.erasure.listed import erased_count
from gateway.remembered.files import Memory, UnusableError, shelf_of, shelves_of
from gateway.sealing import load_sealer
from gateway.store import Store, dialect
from gateway.store.tables import deliveries, versions_table
from schemas.columnar import contract

log = structlog.get_logger(__name__)


def is_remembered(spec: SourceSpec) -> bool:
    """Whether rows of a source can be recognised: only if they may carry the code of their own subject."""
    return contract(spec.record_type).subject.uscc is not None


def rules_of(conn: Connection, store: Store, spec: SourceSpec) -> str:
    """What a mapped row was judged by; under other rules the same row may come to something else.

    The mapping is not among them: what is recognised is the row as it was mapped.
    """
    erased = erased_count(conn, spec.record_type)
    said = (version("xinqiao"), _CONTRACT, spec.source, spec.record_type, erased, store.settings.erased_again)
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _contract_files() -> str:
    """The contract as it is installed: somebody may mend a code table between two versions of ours."""
    digest = hashlib.sha256()
    folder = Path(next(iter(schemas.__path__)))
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(f"{path.relative_to(folder)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


_CONTRACT = _contract_files()
"""Of when this process loaded it; files that are altered later are not what it judges by."""


def recall(conn: Connection, store: Store, spec: SourceSpec) -> Memory | None:
    """The memory against which rows of a source may be held now, or None.

    Of a snapshot, only what the source said last is true. Of ``changes``, what landed since is taken out of the
    memory by ``touched``.
    """
    if not is_remembered(spec):
        return None
    sealer = load_sealer(store.settings.home)
    there = [shelf.folder.name for shelf in shelves_of(store.settings.home, sealer, spec.source)]
    last = last_landed(conn, spec, there) if there else None
    if last is None or last.id not in there:
        return None
    shelf = shelf_of(store.settings.home, sealer, spec.source, last.id)
    try:
        manifest = shelf.read_manifest()
    except UnusableError as error:
        log.warning("memory not usable", source=spec.source, delivery_id=last.id, reason=str(error))
        return None
    if manifest.rules != rules_of(conn, store, spec) or manifest.accepted_root != last.receipt["accepted_root"]:
        return None
    memory = Memory(shelf, manifest, last.audit_entry)
    remembered = sum(rows for _, _, rows in manifest.files)
    # Changes go on and on: what more has landed since than is remembered is not worth holding it against.
    return memory if sum(end - begin for begin, end in _since(conn, memory, spec)) <= remembered else None


def last_landed(conn: Connection, spec: SourceSpec, there: list[str]) -> Row[str, dict[str, Any], int] | None:
    """``id``, ``receipt`` and ``audit_entry`` of the landed delivery whose rows later ones are held against.

    Args:
        there: ids of deliveries of which something is remembered.
    """
    landed = (
        select(deliveries.c.id, deliveries.c.receipt, deliveries.c.audit_entry)
        .where(
            deliveries.c.source == spec.source,
            deliveries.c.status == "landed",
            deliveries.c.kind == DELIVERY,
        )
        .order_by(deliveries.c.audit_entry.desc())
        .limit(1)
    )
    if spec.delivery == "changes":
        landed = landed.where(deliveries.c.id.in_(there))
    return conn.execute(landed).one_or_none()


def touched(conn: Connection, memory: Memory, spec: SourceSpec) -> pl.Series:
    """Keys of records of a source about which something has landed since: corrections, replays, links, changes."""
    versions = versions_table(spec.record_type)
    keys = [pl.Series("record_key", [], dtype=pl.Binary)]
    for begin, end in _since(conn, memory, spec):
        here = (versions.c.seq >= begin) & (versions.c.seq < end)
        found = dialect.fetch(conn, select(versions.c.record_key).where(here), {"record_key": pl.Binary})
        keys.append(found["record_key"])
    return pl.concat(keys)


def _since(conn: Connection, memory: Memory, spec: SourceSpec) -> list[tuple[int, int]]:
    """Positions of what has landed since, each from the first to behind the last: a landing has its own to itself."""
    receipts = conn.execute(
        select(deliveries.c.receipt)
        .where(
            deliveries.c.source == spec.source,
            deliveries.c.status == "landed",
            deliveries.c.audit_entry > memory.audit_entry,
        )
        .order_by(deliveries.c.audit_entry)
    ).scalars()
    told = [(receipt["first_seq"], receipt["last_seq"]) for receipt in receipts.all()]
    return [(first, last + 1) for first, last in told if first is not None]
