"""A log as it is after years: entries, index tables and static files, made without the acts they tell of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import delete, insert

from gateway.audit.actions import Action
from gateway.audit.files import log_folder
from gateway.audit.keys import load_signer
from gateway.audit.merkle import leaf_hashes
from gateway.audit.notes import sign_checkpoint
from gateway.audit.tables import entries, ranges, seal_state, subjects
from gateway.audit.tiles import WIDTH, Edge, Tile, bundles
from gateway.clock import instant
from gateway.store import Store
from gateway.store.dialect import bulk_load
from gateway.store.tables import versions_table

RECORD_TYPE = "licence"
SYSTEMS = 40
PIECE = 1024 * WIDTH
"""Entries made at a time; whole tiles."""

_FILTER = '{"columns":"*","grant":"g-00000000deadbeef","region_prefixes":[],"unmasked":[]}'


@dataclass(frozen=True)
class Scale:
    """How much of everything.

    Attributes:
        entries: in the log.
        entities: that are read about.
        versions: of `RECORD_TYPE`, which the feed reads cover.
        seed: of everything that is drawn.
    """

    entries: int
    entities: int
    versions: int
    seed: int


def uscc(number: pl.Expr) -> pl.Expr:
    """The code of entity ``number``: 18 characters, distinct; the check character is not worked out."""
    return pl.concat_str(pl.lit("91330100MA"), number.cast(pl.String).str.zfill(7), pl.lit("X"))


def system(number: int | pl.Expr) -> pl.Expr:
    """The URN of reading system ``number``."""
    shown = number if isinstance(number, pl.Expr) else pl.lit(number)
    return pl.concat_str(pl.lit("urn:xinqiao:agency:system"), shown.cast(pl.String).str.zfill(2))


def fill(store: Store, scale: Scale, now: datetime, told: Callable[[str, int], None]) -> None:
    """Make a sealed log of ``scale.entries`` entries in a home that was just initialised.

    Of a hundred entries 55 are readings of entities, 25 of records, 12 of a feed (nine of ten poll for the newest,
    the others read pages of a thousand or ten thousand), 6 landings, 2 refused readings.
    """
    with store.write() as conn:
        for table in (subjects, ranges, entries, seal_state):
            conn.execute(delete(table))
    shutil.rmtree(log_folder(store.settings) / "tile")
    _fill_versions(store, scale, now)
    edge = Edge()
    for start in range(0, scale.entries, PIECE):
        piece = made(scale, start, min(PIECE, scale.entries - start))
        edge = _land(store, piece, edge)
        told("entries", edge.size)
    checkpoint = sign_checkpoint(load_signer(store.settings), edge.size, edge.root())
    with store.write() as conn:
        row = {
            "id": 1,
            "size": edge.size,
            "edge": edge.pack(),
            "checkpoint": checkpoint.note,
            "sealed_at": instant(now),
        }
        conn.execute(insert(seal_state), row)
    (log_folder(store.settings) / "checkpoint").write_text(checkpoint.note, "utf-8")


def made(scale: Scale, start: int, count: int) -> pl.DataFrame:
    """Entries ``start`` to ``start + count``: idx, kind, actor, at, uscc, first_seq, last_seq, body."""
    drawn = pl.DataFrame({"idx": pl.int_range(start, start + count, eager=True)}).with_columns(
        _drawn(scale.seed, number).alias(name)
        for number, name in enumerate(("of_kind", "of_system", "of_entity", "of_span", "of_place"))
    )
    hundredth = pl.col("of_kind") % 100
    kind = pl.lit(Action.READ_REFUSED.value)
    for below, action in (
        (98, Action.DELIVERY_LANDED),
        (92, Action.FEED_READ),
        (80, Action.RECORD_READ),
        (55, Action.ENTITY_READ),
    ):
        kind = pl.when(hundredth < below).then(pl.lit(action.value)).otherwise(kind)
    span: Any = pl.when(pl.col("of_span") % 100 < 90).then(pl.col("of_place") % 20 + 1)
    span = span.when(pl.col("of_span") % 100 < 99).then(1_000).otherwise(10_000).clip(1, scale.versions)
    first = pl.col("of_place") % (scale.versions - pl.col("span") + 1) + 1
    seconds = pl.col("idx") // 10
    at = pl.datetime(2026, 1, 1) + pl.duration(seconds=seconds)
    placed = drawn.with_columns(kind=kind, span=span.cast(pl.Int64)).with_columns(
        first_seq=first.cast(pl.Int64),
        actor=system((pl.col("of_system") % SYSTEMS).cast(pl.Int64)),
        at=at.dt.strftime("%Y-%m-%dT%H:%M:%S.%6fZ"),
        uscc=uscc((pl.col("of_entity") % scale.entities).cast(pl.Int64)),
    )
    covers = pl.col("kind").is_in([Action.FEED_READ.value, Action.DELIVERY_LANDED.value])
    ends = placed.with_columns(
        first_seq=pl.when(covers).then("first_seq"),
        last_seq=pl.when(covers).then(pl.col("first_seq") + pl.col("span") - 1),
        uscc=pl.when(~covers).then("uscc"),
    )
    return ends.with_columns(_body()).select("idx", "kind", "actor", "at", "uscc", "first_seq", "last_seq", "body")


def _drawn(seed: int, number: int) -> pl.Expr:
    return (pl.col("idx").hash(seed * 16 + number) // 2).cast(pl.Int64)


def _body() -> pl.Expr:
    """The entries as canonical JSON, as the acts themselves write them."""
    begun = pl.format('{{"action":"{}","actor":"{}"', pl.col("kind"), "actor")
    at, purpose = pl.format(',"at":"{}"', "at"), ',"purpose":"joint-supervision"'
    about = pl.format(',"usccs":["{}"]}}', "uscc")
    positions = pl.format(',"first_seq":{},"last_seq":{}', "first_seq", "last_seq")
    kind, typed = pl.col("kind"), f',"record_type":"{RECORD_TYPE}"'
    digits = pl.col("idx").cast(pl.String).str.zfill(32)
    roots = pl.concat_str(
        pl.lit('{"accepted_root":"'), digits, digits, pl.lit('","action":"delivery.landed","actor":"')
    )
    landed = pl.concat_str(
        roots,
        pl.format('{}","at":"{}","changed":0,"delivery_id":"d-{}"', "actor", "at", "idx"),
        positions,
        pl.lit(f',"new":1{typed},"rejected":0,"source":"agency/licences","unchanged":0,"versions_root":"'),
        digits,
        digits,
        pl.lit('"}'),
    )
    fed = pl.concat_str(
        begun,
        pl.format(',"after":{}', pl.col("first_seq") - 1),
        at,
        pl.lit(f',"filter":{_FILTER}'),
        positions,
        pl.lit(purpose + typed),
        pl.format(',"records":{}}}', pl.col("last_seq") - pl.col("first_seq") + 1),
    )
    entity = pl.concat_str(
        begun, at, pl.lit(f',"filter":{{"{RECORD_TYPE}":{_FILTER}}}{purpose},"records":{{"{RECORD_TYPE}":2}}'), about
    )
    records = pl.concat_str(begun, at, pl.lit(f',"filter":{_FILTER}{purpose}{typed},"records":2'), about)
    refused = pl.concat_str(begun, at, pl.lit(f'{purpose},"read":"entity","reason":"grant_expired"'), about)
    chosen: Any = pl.when(kind == Action.DELIVERY_LANDED.value).then(landed)
    for action, written in ((Action.FEED_READ, fed), (Action.ENTITY_READ, entity), (Action.RECORD_READ, records)):
        chosen = chosen.when(kind == action.value).then(written)
    body: pl.Expr = chosen.otherwise(refused)
    return body.cast(pl.Binary).alias("body")


def _land(store: Store, piece: pl.DataFrame, edge: Edge) -> Edge:
    bodies = piece["body"].to_list()
    leaves = leaf_hashes(bodies)
    extended, tiles = edge.extend(leaves)
    tiles.update(bundles(edge.size // WIDTH, bodies))
    _write(store, tiles)
    placed = piece.with_columns(
        id=pl.col("idx") + 1, leaf_hash=pl.Series(leaves, dtype=pl.Binary), action=pl.col("kind")
    )
    named = placed.filter(pl.col("uscc").is_not_null()).select("uscc", entry_id="id").sort("uscc")
    distance = pl.col("last_seq") - pl.col("first_seq")
    covering = placed.filter(pl.col("first_seq").is_not_null()).select(
        "first_seq",
        "last_seq",
        entry_id="id",
        record_type=pl.lit(RECORD_TYPE),
        span=_binary_digits(distance),
    )
    with store.write() as conn:
        bulk_load(conn, entries, placed.select("id", "idx", "leaf_hash", "body", "action", "actor", "at"))
        bulk_load(conn, subjects, named)
        bulk_load(conn, ranges, covering)
    return extended


def _binary_digits(number: pl.Expr) -> pl.Expr:
    """``int.bit_length``, exact far below 2 ** 53."""
    digits = (number.cast(pl.Float64) + 0.5).log(2).floor() + 1
    return pl.when(number > 0).then(digits).otherwise(0).cast(pl.Int64)


def _write(store: Store, tiles: dict[Tile, bytes]) -> None:
    # Not synced one by one as the sealer does: if this is cut off, it is thrown away.
    for tile, content in tiles.items():
        path = log_folder(store.settings) / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _fill_versions(store: Store, scale: Scale, now: datetime) -> None:
    """Bare versions, one per entity in turn: what feed reads are looked up by."""
    table = versions_table(RECORD_TYPE)
    for seqs in _pieces(scale.versions):
        with store.write() as conn:
            bulk_load(conn, table, _versions(seqs, scale, now))


def _pieces(count: int) -> Iterator[pl.Series]:
    for start in range(0, count, PIECE):
        yield pl.int_range(start + 1, min(start + PIECE, count) + 1, eager=True).alias("seq")


def _versions(seqs: pl.Series, scale: Scale, now: datetime) -> pl.DataFrame:
    digits = pl.col("seq").cast(pl.String).str.zfill(32)
    return seqs.to_frame().select(
        "seq",
        record_key=digits.str.slice(16).cast(pl.Binary),
        uscc=uscc(pl.col("seq") % scale.entities),
        version=pl.lit(1, pl.Int64),
        op=pl.lit("put"),
        payload=pl.lit(b"{}", pl.Binary),
        content_hash=digits.cast(pl.Binary),
        source=pl.lit("agency/licences"),
        delivery_id=pl.lit("d"),
        landed_at=pl.lit(instant(now)),
    )
