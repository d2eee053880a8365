"""Staging a delivery, chunk by chunk and part by part: decode → map → judge → resolve → stage, in bounded memory.

The parts of a delivery can be staged by different processes on different machines, in any order; each continues
after the last chunk that it had staged before it was killed. ``gateway.pipeline`` lands what is staged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from sqlalchemy import Connection, Row

from connectors.decode import Piece, decode_piece, plan_pieces
from connectors.delivery import Delivery, Mapped, Sheet
from connectors.mapping import map_sheet
from connectors.spec import SourceSpec
from gateway import deliveries, quarantine
from gateway.erasure.listed import screen
from gateway.judge import judge, mentioned
from gateway.landing import Waiting
from gateway.remembered.landing import StaleError
from gateway.remembered.recall import is_remembered, recall, rules_of
from gateway.remembered.rows import FOUND
from gateway.remembered.staging import hold_against, keep_chunk, to_keep
from gateway.resolve import resolve
from gateway.sealing import load_sealer
from gateway.staging import order, stage, standing_salts
from gateway.steps import Judged
from gateway.store import Store
from gateway.store import stage as stages
from gateway.store.stage import MENTIONED, PUT, ROW_BITS, UNCHANGED, Chunk
from gateway.tally import Tally, from_json, renumbered, summed, tally
from gateway.undisturbed import undisturbed
from schemas.columnar import contract
from schemas.judgement import ROW

CHUNK_ROWS = 25_000
"""Rows of a chunk: enough that the fixed cost of a chunk does not count, few enough that memory stays small."""

_NONE_FOUND = pl.DataFrame(schema=FOUND)

SMALL_BYTES = 4 * 2**20
"""A delivery up to this size is first tried as a single chunk, however many files it has."""


def plan_parts(store: Store, delivery_id: str, spec: SourceSpec) -> list[Piece]:
    """Into which parts a delivery is staged, each by whichever process; always the same for the same delivery.

    Raises:
        Undecodable, SourceChanged: the delivery is to be refused.
        Refused: there is no such delivery.
    """
    with store.read() as conn:
        delivery = deliveries.load(conn, delivery_id, store.settings.home)
    return plan_pieces(delivery, spec, store.settings.part_bytes)


@dataclass(frozen=True)
class Place:
    """Where a decoded chunk belongs.

    Attributes:
        delivery_id, part, number: of the delivery, the part and, in it, the chunk.
        is_last: of its part.
        rules: fingerprint of what judges it.
        memory: delivery whose rows it is held against; empty for none.
    """

    delivery_id: str
    part: int
    number: int
    is_last: bool
    rules: str
    memory: str = ""


HandOver = Callable[[Place, Sheet, SourceSpec], bool]
"""Gives a decoded chunk to another process, unless none has room for it; returns whether it was given."""


def keep(place: Place, sheet: Sheet, spec: SourceSpec) -> bool:
    """The hand-over of a process that stages by itself."""
    return False


def mapped_chunks(delivery: Delivery, spec: SourceSpec, part: Piece, max_unpacked_bytes: int) -> Iterator[Mapped]:
    """A part of a delivery decoded and mapped, chunk by chunk; rows are counted from 1 in the part.

    Raises:
        Undecodable, SourceChanged: at the chunk that shows it.
    """
    for sheet in decode_piece(delivery, spec, part, max_unpacked_bytes, CHUNK_ROWS):
        yield map_sheet(sheet, spec)


def judged_chunk(
    store: Store, mapped: Mapped, spec: SourceSpec, found: pl.DataFrame | None = None
) -> tuple[Judged, Tally]:
    """A chunk held against the contract and the erasure list, and what it counts.

    Args:
        found: its recognised rows, which are good and say what stands: they are counted and not judged.
    """
    rules = contract(spec.record_type)
    known = _NONE_FOUND if found is None else found
    left = mapped
    if known.height:
        left = replace(mapped, frame=mapped.frame.join(known, on=ROW, how="anti", maintain_order="left"))
    judged = replace(screen(store, judge(left, rules, spec), rules), mapped=mapped)
    counted = tally(judged, rules, spec)
    return judged, replace(counted, puts=counted.puts + known.height)


def staged_rows(
    conn: Connection, store: Store, judged: Judged, counted: Tally, spec: SourceSpec, part: int = 0
) -> tuple[pl.DataFrame, Tally]:
    """Resolve a judged chunk and make its staged rows; what resolution adds to its tally."""
    rules, sealer = contract(spec.record_type), load_sealer(store.settings.home)
    resolved = resolve(conn, judged, rules)
    salts = standing_salts(conn, resolved.frame, rules, sealer)
    rows = stage(resolved.frame, rules, sealer, salts, part)
    unresolved = rows.filter((pl.col("op") == PUT) & pl.col("uscc").is_null()).height if rows["uscc"].has_nulls() else 0
    if spec.delivery == "snapshot" and not judged.mapped.sheet.delivery.is_partial:
        seen = mentioned(judged, rules, spec.source).with_columns(order(part), op=pl.lit(MENTIONED)).drop(ROW)
        rows = pl.concat([rows, seen], how="diagonal").sort("ord") if seen.height else rows
    return rows, replace(counted, unresolved=unresolved, generation=resolved.generation)


def stage_part(
    store: Store,
    delivery_id: str,
    part: Piece,
    spec: SourceSpec,
    hand_over: HandOver = keep,
    *,
    with_memory: bool = True,
) -> None:
    """Stage one part of a delivery, from where it was left; done once more, it does nothing.

    Args:
        hand_over: is offered every chunk; what it takes is staged when whoever made it says so.
        with_memory: rows that say what the source said before may be recognised.

    Raises:
        Undecodable, SourceChanged: the delivery is to be refused.
        Refused: there is no such delivery.
    """
    with store.read() as conn:
        delivery = deliveries.load(conn, delivery_id, store.settings.home)
    sheets = decode_piece(delivery, spec, part, store.settings.max_unpacked_bytes, CHUNK_ROWS)
    with store.write() as conn:
        found = recall(conn, store, spec) if with_memory else None
        memory = found.manifest.delivery_id if found else ""
        rules = fingerprint(conn, store, spec, memory)
        stages.prepare_stage(conn, spec.record_type, delivery_id, {rules, fingerprint(conn, store, spec)})
        there = [row for row in stages.chunks_of(conn, delivery_id) if row.part == part.number]
    if _is_whole(there):
        return
    staged = {row.chunk for row in there}
    with undisturbed(), ThreadPoolExecutor(1) as writer:
        written: Future[None] | None = None
        for number, (sheet, is_last) in enumerate(_with_last(sheets)):
            place = Place(delivery_id, part.number, number, is_last, rules, memory)
            if number in staged or hand_over(place, sheet, spec):
                continue
            chunk, kept = _chunk(store, place, sheet, spec)
            if written is not None:
                written.result()
            written = writer.submit(_write, store, place, chunk, spec, kept)
        if written is not None:
            written.result()


def stage_chunk(store: Store, place: Place, sheet: Sheet, spec: SourceSpec) -> None:
    """Stage one decoded chunk.

    Raises:
        SourceChanged: the delivery is to be refused.
    """
    chunk, kept = _chunk(store, place, sheet, spec)
    _write(store, place, chunk, spec, kept)


def _chunk(store: Store, place: Place, sheet: Sheet, spec: SourceSpec) -> tuple[Chunk, pl.DataFrame | None]:
    """What is staged of a chunk, and what is to be remembered of it."""
    mapped = map_sheet(sheet, spec)
    seen = hold_against(store, place.delivery_id, place.memory, mapped, spec)
    judged, counted = judged_chunk(store, mapped, spec, seen.found)
    with store.read() as conn:
        rows, counted = staged_rows(conn, store, judged, counted, spec, place.part)
    rejected = quarantine.prepare(store, judged, spec, place.delivery_id, place.part)
    unchanged = seen.found.with_columns(order(place.part), pl.lit(PUT).alias("op")).select(*UNCHANGED)
    chunk = Chunk(place.part, place.number, place.is_last, rows, rejected, counted.as_json(), unchanged)
    return chunk, to_keep(seen, judged, rows, spec, place.part)


def _write(store: Store, place: Place, chunk: Chunk, spec: SourceSpec, kept: pl.DataFrame | None) -> None:
    with store.write() as conn:
        is_ours = stages.put_chunk(conn, spec.record_type, place.delivery_id, place.rules, chunk)
        # Whoever comes second has given personal rows other salts: what is remembered must be what was staged.
        if is_ours and kept is not None:
            keep_chunk(store, spec, place.delivery_id, chunk.part, chunk.number, kept)


def _with_last(sheets: Iterable[Sheet]) -> Iterator[tuple[Sheet, bool]]:
    one_before: Sheet | None = None
    for sheet in sheets:
        if one_before is not None:
            yield one_before, False
        one_before = sheet
    if one_before is not None:
        yield one_before, True


def _is_whole(staged: Sequence[Row[Any]]) -> bool:
    """Whether the staged chunks of a part are all it has; the last may be there before others are."""
    return any(row.is_last and row.chunk + 1 == len(staged) for row in staged)


def fingerprint(conn: Connection, store: Store, spec: SourceSpec, memory: str = "") -> str:
    """What judged a chunk and cut it: under other rules, or another mapping, the same bytes may come to something else.

    Args:
        memory: delivery of whose rows some were recognised.
    """
    said = f"{rules_of(conn, store, spec)}\n{CHUNK_ROWS}\n{store.settings.part_bytes}\n{spec!r}\n{memory}"
    return hashlib.sha256(said.encode()).hexdigest()


def is_staged(conn: Connection, store: Store, delivery_id: str, parts: Sequence[Piece], spec: SourceSpec) -> bool:
    """Whether every chunk of every part is there."""
    there = stages.chunks_of(conn, delivery_id)
    memory = recall(conn, store, spec)
    rules = {fingerprint(conn, store, spec, name) for name in ("", memory.manifest.delivery_id if memory else "")}
    whole = all(_is_whole([row for row in there if row.part == part.number]) for part in parts)
    return whole and all(row.rules in rules for row in there)


def waiting(
    conn: Connection,
    store: Store,
    delivery_id: str,
    delivery: Delivery,
    parts: Sequence[Piece],
    spec: SourceSpec,
) -> Waiting:
    """A delivery whose parts are all staged, as landing takes it.

    Raises:
        StaleError: rows of it were recognised, and what they were held against is not there any more.
    """
    entries = stages.chunks_of(conn, delivery_id)
    by_part = [[from_json(row.tally) for row in entries if row.part == part.number] for part in parts]
    before, starts = 0, {}
    tallies = []
    for part, counted in zip(parts, by_part, strict=True):
        starts[part.number] = before
        tallies += [renumbered(one, before) for one in counted]
        before += sum(one.received for one in counted)
    stage_tables = stages.stage_of(conn, spec.record_type, delivery_id)

    def digests() -> Iterator[pl.DataFrame]:
        for row in entries:
            with store.read() as reading:
                digest = stages.digest_of(reading, delivery_id, row.part, row.chunk)
            yield digest

    def rejected(landing: Connection) -> None:
        quarantine.keep_staged(landing, store, stage_tables.rejected, spec.source, starts)

    def again(ords: pl.Series) -> Iterator[tuple[int, int, Judged]]:
        numbers = (ords // (1 << ROW_BITS)).unique().sort().to_list()
        for part in (part for part in parts if part.number in numbers):
            wanted = ords.filter(ords // (1 << ROW_BITS) == part.number) % (1 << ROW_BITS)
            for mapped in mapped_chunks(delivery, spec, part, store.settings.max_unpacked_bytes):
                if mapped.frame[ROW].is_in(wanted.implode()).any():
                    yield part.number, starts[part.number], judged_chunk(store, mapped, spec)[0]

    plain = fingerprint(conn, store, spec)
    memory = recall(conn, store, spec) if any(row.rules != plain for row in entries) else None
    # It was there when the stage was found whole, but files can go at any time; without it nothing would say that
    # recognised rows are still in the delivery.
    if memory is None and any(row.rules != plain for row in entries):
        raise StaleError("rows were recognised, and what they were held against is gone")
    return Waiting(
        stage_tables.rows,
        summed(tallies),
        digests,
        rejected,
        again,
        memory=memory,
        chunks=[(row.part, row.chunk) for row in entries] if is_remembered(spec) else [],
    )
