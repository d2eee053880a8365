"""Verifying the log itself: entries, their index tables, the tree, the signed checkpoint and the static files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from gateway.audit.actions import Action
from gateway.audit.files import log_folder
from gateway.audit.merkle import EMPTY_ROOT, leaf_hash
from gateway.audit.notes import Checkpoint, NoteError, Verifier, open_checkpoint
from gateway.audit.problems import Problems, Progress
from gateway.audit.tables import covered_range, entries, ranges, read_body, seal_state, span_of, subjects
from gateway.audit.tiles import WIDTH, Edge, bundles
from gateway.audit.verify_files import verify_other_files, verify_tiles
from gateway.store import Store

_PAGE = 64 * WIDTH
"""Entries per page; whole tiles."""

_LOST = bytes(32)
"""Stands in the recomputed tree where an entry is missing, so that those after it keep their places."""


@dataclass(frozen=True)
class Landing:
    """What an entry says about a landed delivery.

    Attributes:
        index: place of the entry; None while it waits to be sealed.
        entry_id: its id.
        entry: all it says.
    """

    index: int | None
    entry_id: int
    entry: dict[str, Any]


@dataclass
class LogState:
    """What the entries give when everything is computed from them."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    unsealed: int = 0
    landings: list[Landing] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    id: int
    idx: int | None
    leaf: bytes
    body: bytes
    entry: dict[str, Any]


def verify_log(
    conn: Connection,
    store: Store,
    verifier: Verifier,
    filed: Checkpoint | None,
    kept: Checkpoint | None,
    problems: Problems,
    progress: Progress,
) -> LogState:
    """Recompute the log from its entries and compare everything else with that.

    Args:
        filed: what the checkpoint file said before ``conn`` began to look: it is never ahead.
        kept: a checkpoint from outside, already verified; the log must begin with it.
    """
    folder = log_folder(store.settings)
    signed = _signed(conn, verifier, problems)
    size = signed.size if signed else _stored_size(conn)
    state = LogState()
    trees = _Trees([one for one in (signed, filed, kept) if one])
    edge = Edge()
    for start in range(0, size, _PAGE):
        end = min(start + _PAGE, size)
        rows = _page(conn, start, end, problems)
        _verify_indexes(conn, start, end, rows, problems)
        state.landings += _landings(rows)
        by_place = {row.idx: row for row in rows}
        leaves = [by_place[at].leaf if at in by_place else _LOST for at in range(start, end)]
        bodies = [by_place[at].body if at in by_place else b"" for at in range(start, end)]
        trees.pass_by(edge, leaves)
        edge, tiles = edge.extend(leaves)
        tiles.update(bundles(start // WIDTH, bodies))
        verify_tiles(folder, tiles, size, problems)
        progress("entries", end)
    state.size, state.root = size, edge.root()
    trees.pass_by(edge, [])
    _verify_roots(trees, signed, filed, kept, problems)
    _verify_beyond(conn, size, problems)
    _verify_seal_state(conn, edge, problems)
    waiting = _waiting(conn, problems)
    state.unsealed = len(waiting)
    state.landings += _landings(waiting)
    verify_other_files(store, folder, size, problems)
    return state


class _Trees:
    """Roots of the tree at the sizes that checkpoints name, caught while the tree grows past them."""

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        self._sizes = {checkpoint.size for checkpoint in checkpoints}
        self.roots: dict[int, bytes] = {}

    def pass_by(self, edge: Edge, leaves: Sequence[bytes]) -> None:
        for size in self._sizes:
            if edge.size <= size <= edge.size + len(leaves) and size not in self.roots:
                self.roots[size] = edge.extend(leaves[: size - edge.size])[0].root()


def _signed(conn: Connection, verifier: Verifier, problems: Problems) -> Checkpoint | None:
    note = conn.execute(select(seal_state.c.checkpoint)).scalar_one_or_none()
    if not note:
        # Nothing has ever been sealed; sealed entries without a checkpoint are found as entries beyond it.
        return None
    try:
        return open_checkpoint(note, verifier)
    except NoteError as error:
        problems.add(None, "checkpoint in the database", f"检查点无效：{error}", str(error))
        return None


def _stored_size(conn: Connection) -> int:
    return int(conn.execute(select(func.coalesce(func.max(entries.c.idx), -1) + 1)).scalar_one())


def _page(conn: Connection, start: int, end: int, problems: Problems) -> list[_Row]:
    found = _read(conn, (entries.c.idx >= start) & (entries.c.idx < end), problems)
    expected = start
    for row in found:
        place = row.idx if row.idx is not None else expected
        for missing in range(expected, place):
            problems.add(missing, f"entry {missing}", "条目缺失", "the entry is missing")
        expected = place + 1
    for missing in range(expected, end):
        problems.add(missing, f"entry {missing}", "条目缺失", "the entry is missing")
    return found


def _read(conn: Connection, which: ColumnElement[bool], problems: Problems) -> list[_Row]:
    """Entries with their leaf computed from the body; what the other columns say is compared with it."""
    columns = (entries.c.id, entries.c.idx, entries.c.leaf_hash, entries.c.body)
    told = (entries.c.action, entries.c.actor, entries.c.at)
    found = []
    for entry_id, idx, stored, body, *columns_say in conn.execute(
        select(*columns, *told).where(which).order_by(entries.c.idx, entries.c.id)
    ):
        leaf = leaf_hash(body)
        name = f"entry {idx}" if idx is not None else f"unsealed entry with id {entry_id}"
        if leaf != stored:
            problems.add(idx, name, "内容与叶哈希不符", "the body does not have the leaf hash that was stored with it")
        try:
            entry = read_body(body)
        except ValueError:
            problems.add(idx, name, "内容不是 JSON 对象", "the body is not a JSON object")
            entry = {}
        if columns_say != [entry.get("action"), entry.get("actor"), entry.get("at")]:
            problems.add(
                idx, name, "动作、主体或时间列与内容不符", "its action, actor or time column differs from its body"
            )
        found.append(_Row(entry_id, idx, leaf, body, entry))
    return found


def _landings(rows: Sequence[_Row]) -> list[Landing]:
    landed = Action.DELIVERY_LANDED.value
    return [Landing(row.idx, row.id, row.entry) for row in rows if row.entry.get("action") == landed]


def _verify_indexes(conn: Connection, start: int, end: int, rows: Sequence[_Row], problems: Problems) -> None:
    """The tables behind who-read say exactly what the bodies say."""
    here = (entries.c.idx >= start) & (entries.c.idx < end)
    stored_subjects = conn.execute(
        select(entries.c.idx, subjects.c.uscc).join(entries, entries.c.id == subjects.c.entry_id).where(here)
    )
    told_subjects = {(row.idx, uscc) for row in rows for uscc in row.entry.get("usccs", ())}
    _compare(told_subjects, {tuple(row) for row in stored_subjects}, "audit_subjects", problems)
    stored_ranges = conn.execute(
        select(entries.c.idx, ranges.c.record_type, ranges.c.span, ranges.c.first_seq, ranges.c.last_seq)
        .join(entries, entries.c.id == ranges.c.entry_id)
        .where(here)
    )
    covered = ((row.idx, covered_range(row.entry)) for row in rows)
    told_ranges = {(idx, found[0], span_of(found[1], found[2]), found[1], found[2]) for idx, found in covered if found}
    _compare(told_ranges, {tuple(row) for row in stored_ranges}, "audit_ranges", problems)


def _compare(told: set[Any], stored: set[Any], table: str, problems: Problems) -> None:
    for idx, *row in sorted(told - stored, key=repr):
        problems.add(idx, f"{table} {row}", "索引表缺少此行", "the entry says so, the table does not")
    for idx, *row in sorted(stored - told, key=repr):
        problems.add(idx, f"{table} {row}", "索引表多出此行", "the table says so, the entry does not")


def _verify_roots(
    trees: _Trees, signed: Checkpoint | None, filed: Checkpoint | None, kept: Checkpoint | None, problems: Problems
) -> None:
    for name, checkpoint in (
        ("checkpoint in the database", signed),
        ("checkpoint file", filed),
        ("earlier checkpoint", kept),
    ):
        if checkpoint is None:
            continue
        if checkpoint.size not in trees.roots:
            problems.add(
                None,
                name,
                f"检查点有 {checkpoint.size} 条，日志没有这么多",
                f"it covers {checkpoint.size} entries, the log has fewer",
            )
        elif trees.roots[checkpoint.size] != checkpoint.root:
            computed, said = trees.roots[checkpoint.size].hex(), checkpoint.root.hex()
            problems.add(
                None,
                name,
                f"树根不符：应为 {computed}，实为 {said}",
                f"the entries give root {computed}, it says {said}",
            )


def _verify_beyond(conn: Connection, size: int, problems: Problems) -> None:
    beyond = conn.execute(select(entries.c.idx).where(entries.c.idx >= size).order_by(entries.c.idx).limit(100))
    for idx in beyond.scalars():
        problems.add(idx, f"entry {idx}", "条目在检查点之外", "the entry has a place that no checkpoint covers")
    before = conn.execute(select(entries.c.idx).where(entries.c.idx < 0).limit(100))
    for idx in before.scalars():
        problems.add(idx, f"entry {idx}", "条目编号为负", "the entry has a place before the first")


def _verify_seal_state(conn: Connection, edge: Edge, problems: Problems) -> None:
    """What sealing continues from must be what the entries give."""
    state = conn.execute(select(seal_state.c.size, seal_state.c.edge)).one_or_none()
    if state is None:
        if edge.size:
            problems.add(None, "audit_seal", "封存状态缺失", "entries are sealed, but the state of sealing is gone")
    elif (state.size, state.edge) != (edge.size, edge.pack()):
        problems.add(None, "audit_seal", "封存状态与条目不符", "it differs from what the entries give")


def _waiting(conn: Connection, problems: Problems) -> list[_Row]:
    return _read(conn, entries.c.idx.is_(None), problems)
