"""What a stage says is unchanged, held against the memory when the delivery lands, and what is remembered of it then.

Everything here runs under the lock of the feed, so nothing else of the source can land meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import structlog
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, and_, insert, literal, select

from connectors.spec import SourceSpec
from gateway.judge import RECORD_KEY
from gateway.remembered.files import Manifest, Memory, Shelf, UnusableError, shelf_of
from gateway.remembered.recall import recall, rules_of, touched
from gateway.remembered.rows import halves, sketch_of
from gateway.sealing import load_sealer
from gateway.store import Store, dialect
from gateway.store.stage import MENTIONED, PUT
from gateway.store.tables import facet_columns, versions_table

log = structlog.get_logger(__name__)

_PLACES = {"file": pl.UInt32, "place": pl.UInt32}
_SPOKEN = {"first": pl.UInt64, "second": pl.UInt64, "is_row": pl.Boolean}


class StaleError(Exception):
    """A stage says of rows that they are unchanged, and that is not sure any more: it begins anew without memory."""


@dataclass(frozen=True)
class Unchanged:
    """What the recognised rows of a delivery come to.

    Attributes:
        recalled: ``ord`` and ``record_key`` of recognised rows whose record another row of the delivery speaks of too;
            which of them counts is found out of the whole rows.
        unseen: keys of records that may stand and of which no row of the delivery speaks; pl.Binary.
    """

    recalled: pl.DataFrame
    unseen: pl.Series


def weigh(
    conn: Connection,
    memory: Memory,
    digests: Callable[[], Iterable[pl.DataFrame]],
    spec: SourceSpec,
    *,
    withdraws: bool,
) -> Unchanged | None:
    """Find out what the recognised rows of a stage come to; None where there are none.

    Args:
        digests: of the staged chunks, in order; of recognised rows with ``file`` and ``place``.
        withdraws: what no row speaks of is to be withdrawn; else it is not looked for.

    Raises:
        StaleError: something else has landed about a record that a recognised row speaks of, or the memory is gone.
    """
    claims = _Claims(memory, digests)
    if not claims.records:
        return None
    since = touched(conn, memory, spec)
    try:
        again = claims.again(since)
        unseen = claims.unseen(since) if withdraws else since.clear()
    except UnusableError as error:
        raise StaleError(str(error)) from error
    recalled = [pl.DataFrame(schema={"ord": pl.Int64, RECORD_KEY: pl.Binary})]
    if again.height:
        for digest in map(_recognised, digests()):
            recalled.append(digest.join(again, on=list(_PLACES)).select("ord", RECORD_KEY))
    return Unchanged(pl.concat(recalled), unseen)


def _recognised(digest: pl.DataFrame) -> pl.DataFrame:
    if "file" not in digest.columns:
        return pl.DataFrame(schema={"ord": pl.Int64, **_PLACES})
    return digest.select("ord", *_PLACES).drop_nulls()


class _Claims:
    """Which remembered rows the delivery repeats, and of which records its other rows speak."""

    def __init__(self, memory: Memory, digests: Callable[[], Iterable[pl.DataFrame]]) -> None:
        self._memory = memory
        # A byte for each remembered row, and 17 for each staged one: all that is held at once.
        self._repeated = [pl.zeros(rows, dtype=pl.UInt8, eager=True) for _, _, rows in memory.manifest.files]
        self._twice = [pl.DataFrame(schema=_PLACES)]
        spoken = [pl.DataFrame(schema=_SPOKEN)]
        for digest in digests():
            places = _recognised(digest)
            for (file,), rows in places.group_by("file"):
                self._claim(int(str(file)), rows)
            staged = digest.join(places, on="ord", how="anti") if places.height else digest
            first, second = halves(staged[RECORD_KEY])
            spoken.append(pl.DataFrame({"first": first, "second": second, "is_row": staged["op"] != MENTIONED}))
        self._spoken = pl.concat(spoken).group_by("first", "second").agg(pl.col("is_row").any()).sort("first")

    @property
    def records(self) -> int:
        """How many records repeated rows speak of."""
        return sum(int(marks.sum()) for marks in self._repeated)

    def _claim(self, file: int, rows: pl.DataFrame) -> None:
        marks, places = self._repeated[file], rows["place"]
        self._twice.append(rows.filter((marks.gather(places) > 0) | places.is_duplicated()).select(*_PLACES))
        marks.scatter(places.unique(), 1)

    def again(self, since: pl.Series) -> pl.DataFrame:
        """Repeated rows of whose record another row of the delivery speaks too: ``file``, ``place``, ``record_key``.

        Args:
            since: keys of records about which something has landed since.

        Raises:
            UnusableError: the memory cannot be relied on.
            StaleError: a repeated row is about one of those records.
        """
        twice, found = pl.concat(self._twice).unique(), [pl.DataFrame(schema={**_PLACES, RECORD_KEY: pl.Binary})]
        for number, marks in enumerate(self._repeated):
            if not marks.max():
                continue
            rows = self._memory.rows(number).with_row_index("place").filter(marks > 0)
            if rows[RECORD_KEY].is_in(since.implode()).any():
                raise StaleError("something has landed since about a record that is said to be unchanged")
            is_twice = rows["place"].is_in(twice.filter(pl.col("file") == number)["place"].implode())
            met = rows.filter(is_twice | self._is_spoken(rows[RECORD_KEY], by_rows=True))
            found.append(met.with_columns(file=pl.lit(number, pl.UInt32)).select(*_PLACES, RECORD_KEY))
        return pl.concat(found)

    def unseen(self, since: pl.Series) -> pl.Series:
        """Keys of records that may stand, because they are remembered or landed since, and that no row speaks of.

        Raises:
            UnusableError: the memory cannot be relied on.
        """
        gone = self._memory.shelf.read_gone().implode()
        left, doubtful = [self._unspoken(since)], [since.clear()]
        for number, marks in enumerate(self._repeated):
            rows = self._memory.rows(number).filter(marks == 0)
            left.append(self._unspoken(rows[RECORD_KEY]))
            # Of a row that can be recognised there is no second one with its key; of others there may be.
            unsure = rows.filter(pl.col("digest").is_null() | pl.col("ord").is_in(gone))
            doubtful.append(self._unspoken(unsure[RECORD_KEY]))
        repeated = self._repeated_among(pl.concat(doubtful).unique())
        keys = pl.concat(left).unique(maintain_order=True)
        return keys.filter(~keys.is_in(repeated.implode()))

    def _repeated_among(self, doubtful: pl.Series) -> pl.Series:
        """Those of some keys of which a repeated row speaks."""
        found = [doubtful.clear()]
        if doubtful.len():
            for number, marks in enumerate(self._repeated):
                keys = self._memory.rows(number).filter(marks > 0)[RECORD_KEY]
                found.append(keys.filter(keys.is_in(doubtful.implode())))
        return pl.concat(found)

    def _unspoken(self, keys: pl.Series) -> pl.Series:
        return keys.filter(~self._is_spoken(keys, by_rows=False))

    def _is_spoken(self, keys: pl.Series, *, by_rows: bool) -> pl.Series:
        """Of which records staged rows speak, mentions included unless ``by_rows``."""
        spoken = self._spoken.filter("is_row") if by_rows else self._spoken
        if spoken.is_empty() or keys.is_empty():
            return pl.repeat(value=False, n=keys.len(), dtype=pl.Boolean, eager=True)
        first, second = halves(keys)
        at = spoken["first"].search_sorted(first, side="left").clip(upper_bound=spoken.height - 1)
        return (spoken["first"].gather(at) == first) & (spoken["second"].gather(at) == second)


def restage(conn: Connection, record_type: str, rows: Table, recalled: pl.DataFrame) -> None:
    """Put recognised rows into the stage as if they had been judged: each is what stands of its record.

    Raises:
        StaleError: a record does not stand as it is remembered.
    """
    if recalled.is_empty():
        return
    versions = versions_table(record_type)
    columns: list[Column[Any]] = [Column("ord", BigInteger), Column(RECORD_KEY, LargeBinary)]
    with dialect.temporary(conn, "recalled", columns) as table:
        dialect.bulk_load(conn, table, recalled)
        same = ("record_key", "uscc", "payload", "sealed", "content_hash")
        facets = [c.name for c in facet_columns(record_type)]
        values = {"ord": table.c.ord, "op": literal(PUT), **{name: versions.c[name] for name in (*same, *facets)}}
        standing = and_(
            versions.c.record_key == table.c.record_key, versions.c.superseded_seq.is_(None), versions.c.op == PUT
        )
        query = (
            select(*(value.label(name) for name, value in values.items())).select_from(table).join(versions, standing)
        )
        statement = insert(rows).from_select(list(values), query, include_defaults=False)
        found = conn.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
    if found != recalled.height:
        raise StaleError(f"{recalled.height} rows are remembered, {found} of them stand")


@dataclass(frozen=True)
class Noted:
    """What staging has written down of a delivery, read over.

    Attributes:
        shelf: where it lies.
        files: part, chunk and number of rows of each file, in order.
        sketch: columns of ``files.SKETCH``.
    """

    shelf: Shelf
    files: tuple[tuple[int, int, int], ...]
    sketch: pl.DataFrame


def noted(store: Store, spec: SourceSpec, delivery_id: str, chunks: Sequence[tuple[int, int]]) -> Noted | None:
    """Read over what is to be remembered of a staged delivery; it takes seconds of millions of rows.

    Args:
        chunks: part and number of each, in order.

    Returns:
        None where nothing is to be remembered, or it cannot be relied on: then it is forgotten.
    """
    if not chunks:
        return None
    shelf = shelf_of(store.settings.home, load_sealer(store.settings.home), spec.source, delivery_id)
    files: list[tuple[int, int, int]] = []

    def read() -> Iterator[pl.DataFrame]:
        for part, chunk in chunks:
            rows = shelf.read_rows(part, chunk)
            files.append((part, chunk, rows.height))
            yield rows

    try:
        sketch = sketch_of(read())
    except UnusableError as error:
        _not_remembered(shelf, spec, delivery_id, error)
        return None
    return Noted(shelf, tuple(files), sketch)


def remember(
    conn: Connection,
    store: Store,
    spec: SourceSpec,
    delivery_id: str,
    note: Noted,
    gone: pl.Series,
    accepted_root: str,
) -> None:
    """Complete the memory of a delivery in the transaction that lands it; a memory without a landing is harmless.

    Args:
        gone: ``ord`` of rows that were not landed because another row spoke of the same record.
        accepted_root: of the landing, hex.
    """
    try:
        if _is_small(recall(conn, store, spec), note.files, spec):
            note.shelf.forget()
            return
        manifest = Manifest(delivery_id, rules_of(conn, store, spec), accepted_root, note.files)
        note.shelf.write_manifest(manifest, note.sketch, gone)
    except (UnusableError, OSError) as error:
        _not_remembered(note.shelf, spec, delivery_id, error)


def _not_remembered(shelf: Shelf, spec: SourceSpec, delivery_id: str, error: Exception) -> None:
    log.warning("delivery not remembered", source=spec.source, delivery_id=delivery_id, reason=str(error))
    shelf.forget()


def _is_small(before: Memory | None, files: Sequence[tuple[int, int, int]], spec: SourceSpec) -> bool:
    """Whether a delivery of changes is no more than a part of what is remembered: then that is worth more."""
    if before is None or spec.delivery != "changes":
        return False
    return 2 * sum(rows for *_, rows in files) < sum(rows for *_, rows in before.manifest.files)
