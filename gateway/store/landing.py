"""Landing: one set-based comparison with what is current, then insert only what is new or changed.

Everything here runs inside the caller's write transaction, over rows that are staged (``gateway.store.stage``).
``hold_feed`` takes the lock of the record type's feed first, so positions are handed out gapless and in commit
order, and a consumer that remembers a number can never miss a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import polars as pl
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    func,
    insert,
    join,
    literal,
    null,
    or_,
    select,
    update,
)

from gateway.store import aside, counts, dialect
from gateway.store.stage import MENTIONED, PUT, WITHDRAW, puts_of, temporary_rows
from gateway.store.tables import facet_columns, positions, versions_table

LANDED = {
    "seq": pl.Int64,
    "record_key": pl.Binary,
    "version": pl.Int64,
    "op": pl.String,
    "uscc": pl.String,
    "source": pl.String,
    "delivery_id": pl.String,
    "content_hash": pl.Binary,
    "landed_at": pl.String,
}
"""Columns of what ``land`` tells of each version: what the Merkle root of a delivery's versions is made of."""

_PAGE = 50_000
"""Versions told of at a time, where they are read back."""

_MANY = 1_000
"""Changes from which on the database's planner is told of them; below, telling costs more than it gains."""

_MOVING = update(positions).where(positions.c.record_type == bindparam("of_type"))

NEW, CHANGED, WITHDRAWN = "new", "changed", "withdrawn"


@dataclass(frozen=True)
class Position:
    """Where a feed stands while its lock is held.

    Attributes:
        record_type: of the feed.
        last_seq: last position handed out.
        landed_at: instant text for what is landed under this lock; never before the one of the last landing.
    """

    record_type: str
    last_seq: int
    landed_at: str


@dataclass(frozen=True)
class Change:
    """What landing did.

    Attributes:
        new: records that were not there, or had been withdrawn.
        changed: records whose content differs from the current version.
        unchanged: records that said what was already known.
        withdrawn: records that are no longer so.
        absent: withdrawals of records that were not there.
        first_seq, last_seq: positions of the versions landed, or None if none was.
    """

    new: int
    changed: int
    unchanged: int
    withdrawn: int
    absent: int
    first_seq: int | None
    last_seq: int | None


@dataclass(frozen=True)
class Staged:
    """The rows of one delivery that are to be landed, and what is known about them without reading them.

    Attributes:
        rows: the stage.
        digests: columns of ``stage.DIGEST``, in order of ``ord``, a chunk at a time.
        puts, withdrawals: rows of each kind in it, with those that are known to be unchanged and are not staged.
        unseen: ``record_key`` of every record of the source that may stand and is not spoken of, where that is known;
            else everything that stands and is not staged counts as not spoken of.
        has_unchanged: some digests are of rows that are known to say what stands; they are not in the stage.
    """

    rows: FromClause
    digests: Callable[[], Iterable[pl.DataFrame]]
    puts: int
    withdrawals: int
    unseen: FromClause | None = None
    has_unchanged: bool = False


@dataclass(frozen=True)
class Teaching:
    """What new versions say that others learn from.

    Attributes:
        pages: queries, each of a bounded number of rows, for ``uscc``, which is not null, and the lessons.
        rows: how many these are together; at most.
    """

    pages: Sequence[Select[Any]]
    rows: int


def hold_feed(conn: Connection, record_type: str, now: str, *, is_sealed_next: bool = False) -> Position:
    """Wait for the feed's landing lock and hold it until the transaction ends.

    Args:
        is_sealed_next: a delivery is landed, with the settings of ``dialect.landing_settings``, among them that its
            commit is not waited for: the caller seals the log before it tells anybody.
    """
    row = conn.execute(_holding(conn.dialect.name, is_sealed_next), {"of_type": record_type}).one()
    # A clock that was set back must not put a later version before an earlier one in time.
    return Position(record_type, row.last_seq, max(now, row.last_landed_at))


@lru_cache
def _holding(dialect_name: str, is_sealed_next: bool) -> Select[Any]:
    settings = dialect.landing_settings(dialect_name) if is_sealed_next else ()
    held = select(positions.c.last_seq, positions.c.last_landed_at, *settings)
    return held.where(positions.c.record_type == bindparam("of_type")).with_for_update()


def standing(conn: Connection, record_type: str, source: str) -> int:
    """How many records of a source stand now."""
    return counts.count_of(conn, counts.STANDING, source, record_type)


def land_frame(
    conn: Connection,
    position: Position,
    frame: pl.DataFrame,
    *,
    source: str,
    delivery_id: str,
    is_snapshot: bool = False,
    told: Callable[[pl.DataFrame], object] = lambda versions: None,
) -> Change:
    """Stage the rows of a frame for this transaction alone and land them; see ``land``."""
    with temporary_rows(conn, position.record_type, frame) as rows:
        puts, withdrawals = (frame.filter(pl.col("op") == op).height for op in (PUT, WITHDRAW))
        staged = Staged(rows, lambda: [frame], puts, withdrawals)
        return land(conn, position, staged, source=source, delivery_id=delivery_id, is_snapshot=is_snapshot, told=told)


def land(
    conn: Connection,
    position: Position,
    staged: Staged,
    *,
    source: str,
    delivery_id: str,
    is_snapshot: bool = False,
    told: Callable[[pl.DataFrame], object] = lambda versions: None,
    lessons: Mapping[str, str] = MappingProxyType({}),
    taught: Callable[[Teaching], object] = lambda teaching: None,
) -> Change:
    """Compare the staged rows with what is current, close what is superseded and append what is new.

    Args:
        staged: at most one row per ``record_key`` and operation.
        is_snapshot: what the source said before and is not staged is withdrawn.
        told: given every version landed, in feed order, with the columns of ``LANDED``, a chunk at a time.
        lessons: column of the stage -> name that ``taught`` knows it by.
        taught: told, if there are any, of the rows that have an entity and became new versions. First rows that
            it puts aside take their places together with those of the feed.
    """
    act = _Landing(conn, position, versions_table(position.record_type), staged, source, delivery_id, told)
    # Where nothing stands there is nothing to compare with: the order of the rows is their order in the feed.
    if position.last_seq == 0 or not (is_snapshot or staged.has_unchanged or act.knows_any()):
        with _first_rows(conn, position, staged) as versions:
            change = act.append_all(versions)
            _teach(act.appended(lessons, change), taught)
    else:
        with dialect.temporary(conn, "fates", _fate_columns()) as fates:
            change = act.compare(fates, is_snapshot)
            _teach(act.fated(fates, lessons, change), taught)
    counts.count(conn, counts.STANDING, source, position.record_type, change.new - change.withdrawn)
    if change.last_seq is not None:
        moved = {"last_seq": change.last_seq, "last_landed_at": position.landed_at}
        conn.execute(_MOVING, {"of_type": position.record_type, **moved})
    return change


def _first_rows(conn: Connection, position: Position, staged: Staged) -> AbstractContextManager[Table]:
    """Where rows that have nothing before them are put; aside, if they are the first of their feed."""
    versions = versions_table(position.record_type)
    return aside.filled_aside(conn, versions, staged.puts) if position.last_seq == 0 else nullcontext(versions)


def _teach(teaching: Teaching, taught: Callable[[Teaching], object]) -> None:
    if teaching.pages:
        taught(teaching)


def _fate_columns() -> list[Column[Any]]:
    """What becomes of a staged row that changes something; ``ord`` is null for what a snapshot does not mention."""
    return [
        Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        Column("ord", BigInteger),
        Column("kind", String(9)),
        Column("op", String(8)),
        Column("version", Integer),
        Column("record_key", LargeBinary),
        Column("uscc", String(18)),
        Column("content_hash", LargeBinary),
        Column("stood", BigInteger),
    ]


@dataclass(frozen=True)
class _Landing:
    """One landing under its lock."""

    conn: Connection
    position: Position
    versions: Table
    staged: Staged
    source: str
    delivery_id: str
    told: Callable[[pl.DataFrame], object]
    constants: dict[str, ColumnElement[Any]] = field(init=False)
    chunks: list[ColumnElement[bool]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "constants", {name: literal(value) for name, value in self._said.items()})

    @property
    def _said(self) -> dict[str, str]:
        """What is the same in every version of this landing."""
        return {"source": self.source, "delivery_id": self.delivery_id, "landed_at": self.position.landed_at}

    def knows_any(self) -> bool:
        """Whether any staged record has a version already."""
        rows, versions = self.staged.rows, self.versions
        if self.staged.puts + self.staged.withdrawals <= dialect.FEW:
            keys = [key for digest in self.staged.digests() for key in digest["record_key"].to_list()]
            return self.conn.execute(_any_known(self.conn.dialect.name, versions), {"keys": keys}).first() is not None
        known = select(rows.c.ord).join(versions, versions.c.record_key == rows.c.record_key)
        return self.conn.execute(known.limit(1)).first() is not None

    def append_all(self, versions: Table) -> Change:
        """Every put becomes the first version of its record, in the order of the delivery."""
        rows, last = self.staged.rows, self.position.last_seq
        are_given = not isinstance(rows, Table)
        for digest in self.staged.digests():
            puts = puts_of(digest)
            if puts.is_empty():
                continue
            numbers = pl.int_range(last + 1, last + 1 + puts.height, dtype=pl.Int64, eager=True).alias("seq")
            self._tell(puts.hstack([numbers, pl.Series("version", [1]).new_from_index(0, puts.height)]))
            if are_given:
                # One chunk is all there is.
                said = {f"said_{name}": value for name, value in self._said.items()}
                self.conn.execute(_appending(self.position.record_type, rows, versions), {**said, "said_before": last})
            else:
                here = rows.c.ord.between(puts["ord"][0], puts["ord"][-1]) & (rows.c.op == PUT)
                seq = func.row_number().over(order_by=rows.c.ord) + last
                self._append(versions, self._puts(seq, literal(1)).where(here))
                self.chunks.append(here)
            last += puts.height
        landed = last - self.position.last_seq
        return Change(landed, 0, 0, 0, self.staged.withdrawals, *self._range(landed))

    def compare(self, fates: Table, is_snapshot: bool) -> Change:
        """Number what differs from what is current, then close and append just that."""
        numbered = self._number(fates)
        if is_snapshot:
            numbered += self._number_unseen(fates, numbered)
        if numbered > _MANY:
            dialect.analyse(self.conn, fates, ["seq", "ord", "record_key"])
        counted = self._count(fates)
        for page in self._pages(fates, numbered):
            self._tell(page)
        self._write_withdrawals(fates)
        said = (fates.c.ord == self.staged.rows.c.ord) & (fates.c.op == PUT)
        self._append(self.versions, self._puts(fates.c.seq, fates.c.version).join(fates, said).order_by(fates.c.seq))
        self._close(fates)
        put, taken_back = counted[NEW] + counted[CHANGED], counted["taken_back"]
        return Change(
            new=counted[NEW],
            changed=counted[CHANGED],
            unchanged=self.staged.puts - put,
            withdrawn=counted[WITHDRAWN],
            absent=self.staged.withdrawals - taken_back,
            first_seq=self._range(numbered)[0],
            last_seq=self._range(numbered)[1],
        )

    def appended(self, lessons: Mapping[str, str], change: Change) -> Teaching:
        """The lessons of what ``append_all`` appended, a chunk at a time."""
        if not lessons or not change.new:
            return Teaching([], 0)
        if not isinstance(self.staged.rows, Table):
            return Teaching([_lessons_given(self.staged.rows, tuple(lessons.items()))], change.new)
        return Teaching([_lessons(self.staged.rows, lessons).where(chunk) for chunk in self.chunks], change.new)

    def fated(self, fates: Table, lessons: Mapping[str, str], change: Change) -> Teaching:
        """The lessons of every put that became a version, a page at a time."""
        if not lessons or change.first_seq is None or change.last_seq is None:
            return Teaching([], 0)
        told = (
            _lessons(self.staged.rows, lessons)
            .join(fates, fates.c.ord == self.staged.rows.c.ord)
            .where(fates.c.op == PUT)
        )
        starts = range(change.first_seq, change.last_seq + 1, _PAGE)
        pages = [told.where(fates.c.seq.between(start, start + _PAGE - 1)) for start in starts]
        return Teaching(pages, change.new + change.changed)

    def _range(self, landed: int) -> tuple[int | None, int | None]:
        return (self.position.last_seq + 1, self.position.last_seq + landed) if landed else (None, None)

    def _number(self, fates: Table) -> int:
        """Compare keys and hashes with what is current, as one set; rows that say nothing new are left out."""
        rows, current = self.staged.rows, self.versions.alias("current")
        stands = and_(current.c.record_key.is_not(None), current.c.op == PUT)
        gone = rows.c.op == WITHDRAW
        differs = func.coalesce(current.c.content_hash != rows.c.content_hash, True)
        fate = {
            "seq": func.row_number().over(order_by=rows.c.ord) + self.position.last_seq,
            "ord": rows.c.ord,
            "kind": case((gone, WITHDRAWN), (stands, CHANGED), else_=NEW),
            "op": rows.c.op,
            "version": func.coalesce(current.c.version, 0) + 1,
            "record_key": rows.c.record_key,
            "uscc": case((gone, current.c.uscc), else_=rows.c.uscc),
            "content_hash": case((gone, current.c.content_hash), else_=rows.c.content_hash),
            "stood": current.c.seq,
        }
        query = (
            select(*(value.label(name) for name, value in fate.items()))
            .select_from(rows)
            .outerjoin(current, and_(current.c.record_key == rows.c.record_key, current.c.superseded_seq.is_(None)))
            .where(or_(and_(gone, stands), and_(rows.c.op == PUT, or_(~func.coalesce(stands, False), differs))))
        )
        return self._fill(fates, list(fate), query)

    def _number_unseen(self, fates: Table, numbered: int) -> int:
        """Withdraw everything of the source that stands and is not staged, in feed order."""
        rows, versions, unseen = self.staged.rows, self.versions, self.staged.unseen
        known = versions if unseen is None else join(unseen, versions, versions.c.record_key == unseen.c.record_key)
        fate = {
            "seq": func.row_number().over(order_by=versions.c.seq) + self.position.last_seq + numbered,
            "kind": literal(WITHDRAWN),
            "op": literal(WITHDRAW),
            "version": versions.c.version + 1,
            "record_key": versions.c.record_key,
            "uscc": versions.c.uscc,
            "content_hash": versions.c.content_hash,
            "stood": versions.c.seq,
        }
        query = (
            select(*(value.label(name) for name, value in fate.items()))
            .select_from(known)
            .outerjoin(rows, rows.c.record_key == versions.c.record_key)
            .where(
                versions.c.source == self.source,
                versions.c.superseded_seq.is_(None),
                versions.c.op == PUT,
                rows.c.record_key.is_(None),
            )
        )
        return self._fill(fates, list(fate), query)

    def _fill(self, fates: Table, names: list[str], query: Any) -> int:
        return dialect.counted(self.conn, insert(fates).from_select(names, query, include_defaults=False))

    def _count(self, fates: Table) -> dict[str, int]:
        rows = self.conn.execute(
            select(fates.c.kind, func.count(), func.count(fates.c.ord)).group_by(fates.c.kind)
        ).all()
        counted = dict.fromkeys((NEW, CHANGED, WITHDRAWN, "taken_back"), 0)
        counted |= {kind: count for kind, count, _ in rows}
        counted["taken_back"] = sum(staged for kind, _, staged in rows if kind == WITHDRAWN)
        return counted

    def _pages(self, fates: Table, numbered: int) -> Iterator[pl.DataFrame]:
        names = ("seq", "record_key", "version", "op", "uscc", "content_hash")
        for start in range(1, numbered + 1, _PAGE):
            first = self.position.last_seq + start
            here = fates.c.seq.between(first, first + _PAGE - 1)
            query = select(*(fates.c[name] for name in names)).where(here).order_by(fates.c.seq)
            yield dialect.fetch(self.conn, query, {name: LANDED[name] for name in names})

    def _tell(self, versions: pl.DataFrame) -> None:
        said = [pl.Series(name, [value]).new_from_index(0, versions.height) for name, value in self._said.items()]
        columns = {column.name: column for column in (*versions.get_columns(), *said)}
        self.told(pl.DataFrame([columns[name] for name in LANDED]))

    def _puts(self, seq: ColumnElement[Any], version: ColumnElement[Any]) -> Select[Any]:
        return _puts(self.staged.rows, self.position.record_type, seq, version, self.constants)

    def _append(self, versions: Table, query: Select[Any]) -> None:
        names = query.selected_columns.keys()
        self.conn.execute(insert(versions).from_select(names, query, include_defaults=False))

    def _write_withdrawals(self, fates: Table) -> None:
        """Append withdrawals, each a copy of what it withdraws: its reader sees what it was, the proof covers it."""
        changed = {
            "seq": fates.c.seq,
            "version": fates.c.version,
            "op": literal(WITHDRAW),
            "superseded_seq": null(),
            **{name: self.constants[name] for name in ("delivery_id", "landed_at")},
        }
        copies = select(*(changed.get(c.name, c).label(c.name) for c in self.versions.c)).join(
            fates, and_(self._before(fates), fates.c.op == WITHDRAW)
        )
        names = [c.name for c in self.versions.c]
        self.conn.execute(insert(self.versions).from_select(names, copies, include_defaults=False))

    def _close(self, fates: Table) -> None:
        closing = update(self.versions).values(superseded_seq=fates.c.seq)
        self.conn.execute(closing.where(self._before(fates), self.versions.c.seq == fates.c.stood))

    def _before(self, fates: Table) -> ColumnElement[bool]:
        """The version that a fate follows, by the index of record keys."""
        return and_(self.versions.c.record_key == fates.c.record_key, self.versions.c.version == fates.c.version - 1)


def _puts(
    rows: FromClause,
    record_type: str,
    seq: ColumnElement[Any],
    version: ColumnElement[Any],
    constants: Mapping[str, ColumnElement[Any]],
) -> Select[Any]:
    """Staged rows as versions."""
    same = ("record_key", "uscc", "payload", "sealed", "content_hash")
    values = {"seq": seq, "version": version, "op": literal(PUT), **constants}
    values |= {name: rows.c[name] for name in (*same, *(c.name for c in facet_columns(record_type)))}
    return select(*(value.label(name) for name, value in values.items())).select_from(rows)


def _lessons(rows: FromClause, lessons: Mapping[str, str]) -> Select[Any]:
    named = (rows.c[column].label(name) for column, name in lessons.items())
    return select(rows.c.uscc, *named).select_from(rows).where(rows.c.uscc.is_not(None))


# Statements about rows that go along with them, made once for each record type: making them cost a small delivery
# more than executing them.


@lru_cache(maxsize=64)
def _any_known(dialect_name: str, versions: Table) -> Select[Any]:
    return select(versions.c.seq).where(dialect.one_of_given(dialect_name, versions.c.record_key, "keys")).limit(1)


@lru_cache(maxsize=64)
def _appending(record_type: str, rows: FromClause, versions: Table) -> Insert:
    constants = {n: bindparam(f"said_{n}", type_=versions.c[n].type) for n in ("source", "delivery_id", "landed_at")}
    seq = func.row_number().over(order_by=rows.c.ord) + bindparam("said_before", type_=BigInteger)
    query = _puts(rows, record_type, seq, literal(1), constants).where(rows.c.op == PUT)
    return insert(versions).from_select(query.selected_columns.keys(), query, include_defaults=False)


@lru_cache(maxsize=64)
def _lessons_given(rows: FromClause, lessons: tuple[tuple[str, str], ...]) -> Select[Any]:
    return _lessons(rows, dict(lessons)).where(rows.c.op == PUT)


def mentioned_once(conn: Connection, rows: Table) -> bool:
    """Whether no two staged rows speak of the same record."""
    twice = select(rows.c.record_key).where(rows.c.op != MENTIONED).group_by(rows.c.record_key).having(func.count() > 1)
    return conn.execute(twice.limit(1)).first() is None
