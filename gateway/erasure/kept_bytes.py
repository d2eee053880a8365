"""Kept files that hold an erased person's values: found by looking into each, and destroyed whole.

A file with a hole in it would not be what was received, and most formats cannot be given one. What it said has
landed or lies in quarantine; its digest stays in receipts and log.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, Select, select, update

from connectors.decode import decode_chunks
from connectors.delivery import LINE, Delivery, Part, Sheet
from connectors.errors import SourceChanged, Undecodable
from connectors.mapping import map_sheet
from connectors.registry import source
from connectors.spec import SourceSpec
from gateway import deliveries as register
from gateway.erasure.quarantined import LONG, Person
from gateway.store import Store
from gateway.store.tables import deliveries
from schemas.judgement import ROW

_ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")


def waiting(conn: Connection, sources: Iterable[str]) -> list[str]:
    """Deliveries of these sources whose bytes are still to be landed; they cannot be destroyed yet."""
    query = select(deliveries.c.id).where(deliveries.c.source.in_(list(sources)), deliveries.c.status == "received")
    return list(conn.execute(query.where(deliveries.c.kind == register.DELIVERY)).scalars())


def holding(store: Store, person: Person) -> set[str]:
    """Digests of the kept files of the records' sources in which one of the person's values stands."""
    with store.read() as conn:
        rows = conn.execute(_of_sources(person)).all()
        loaded = [register.load(conn, row.id, store.settings.home) for row in rows]
    found: set[str] = set()
    seen: set[str] = set()
    for delivery in loaded:
        for part in delivery.parts:
            if part.digest not in seen and part.path.exists():
                seen.add(part.digest)
                if _holds(replace(delivery, parts=(part,)), part, person, store.settings.max_unpacked_bytes):
                    found.add(part.digest)
    return found


def deliveries_with(conn: Connection, digests: set[str], person: Person) -> list[tuple[str, str]]:
    """Id and source of the deliveries of the records' sources that came with one of these files."""
    rows = conn.execute(_of_sources(person)).all()
    return [(row.id, row.source) for row in rows if digests & {part["digest"] for part in row.parts}]


def mark(conn: Connection, digests: set[str], person: Person, erasure_id: str) -> list[str]:
    """Write into the register that files are erased; returns the deliveries they came with."""
    concerned = []
    for row in conn.execute(_of_sources(person)).all():
        parts = [part | {"erased": erasure_id} if part["digest"] in digests else part for part in row.parts]
        if parts != row.parts:
            conn.execute(update(deliveries).where(deliveries.c.id == row.id).values(parts=parts))
            concerned.append(str(row.id))
    return concerned


def destroy(store: Store, erasure_id: str) -> int:
    """Remove every file that an erasure has marked; returns how many were still there."""
    with store.read() as conn:
        parts = [part for row in conn.execute(select(deliveries.c.parts)) for part in row.parts]
    marked = {part["path"] for part in parts if part.get("erased") == erasure_id}
    return sum(_removed(store.settings.home / path) for path in sorted(marked))


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _of_sources(person: Person) -> Select[Any]:
    sources = sorted(set(person.keys.values()))
    return select(deliveries).where(deliveries.c.source.in_(sources)).order_by(deliveries.c.id)


def _holds(delivery: Delivery, part: Part, person: Person, max_unpacked_bytes: int) -> bool:
    long = [value for value in person.values if len(value) >= LONG]
    if _stands_in(part.path, long):
        return True
    spec = source(delivery.source)
    try:
        return any(_sheet_holds(sheet, spec, person) for sheet in decode_chunks(delivery, spec, max_unpacked_bytes))
    except (Undecodable, SourceChanged):
        # Nobody can say what a cell of it is: then it is enough that the value stands there somewhere.
        return _stands_in(part.path, person.values)


def _sheet_holds(sheet: Sheet, spec: SourceSpec, person: Person) -> bool:
    if any(person.is_in(text) for text in _texts(sheet.frame.drop(ROW, LINE))):
        return True
    # What an agency packs into one cell is a cell of its own only once it is mapped.
    mapped = map_sheet(sheet, spec).frame
    return any(person.is_in(text) for text in _texts(mapped.select(set(person.fields) & set(mapped.columns))))


def _texts(frame: pl.DataFrame) -> Iterator[str]:
    for column in frame.iter_columns():
        yield from column.drop_nulls().unique()


def _stands_in(path: Path, values: Iterable[str]) -> bool:
    needles = {value.encode(encoding, "ignore") for value in values for encoding in _ENCODINGS} - {b""}
    if not needles or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(needle) >= 0 for needle in needles)
