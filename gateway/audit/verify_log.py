"""Verifying the log itself: entries, their index tables, the tree, the signed checkpoint and the static files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from gateway.audit.files import log_folder
from gateway.audit.merkle import EMPTY_ROOT
from gateway.audit.notes import Checkpoint, NoteError, Verifier, open_checkpoint
from gateway.audit.problems import Problems, Progress
from gateway.audit.registers import ROWS
from gateway.audit.tables import entries, seal_state
from gateway.audit.tiles import WIDTH, Edge, bundles
from gateway.audit.verify_entries import Landing, Page, read_page, verify_indexes
from gateway.audit.verify_files import verify_other_files, verify_tiles
from gateway.store import Store

_PAGE = 128 * WIDTH
"""Entries per page; whole tiles."""

_LOST = bytes(32)
"""Stands in the recomputed tree where an entry is missing, so that those after it keep their places."""


@dataclass
class LogState:
    """What the entries give when everything is computed from them."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    unsealed: int = 0
    landings: list[Landing] = field(default_factory=list)
    rows: dict[str, tuple[int | None, str]] = field(default_factory=dict)

    def take(self, page: Page) -> None:
        """What a page tells of deliveries and of rows of registers; of each row the newest entry counts."""
        self.landings += page.landings
        told = page.told.select("idx", ROWS).drop_nulls(ROWS).explode(ROWS)
        for index, row in told.iter_rows():
            name, _, digest = str(row).rpartition("=")
            self.rows[name] = (index, digest)


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
        page = read_page(conn, (entries.c.idx >= start) & (entries.c.idx < end), problems)
        _verify_complete(page, start, end, problems)
        verify_indexes(conn, page, problems)
        state.take(page)
        leaves = page.filled(page.leaves, start, end, _LOST)
        bodies = page.filled(page.bodies, start, end, b"")
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
    waiting = read_page(conn, entries.c.idx.is_(None), problems)
    state.unsealed = len(waiting.bodies)
    state.take(waiting)
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


def _verify_complete(page: Page, start: int, end: int, problems: Problems) -> None:
    if page.places == list(range(start, end)):
        return
    for missing in sorted(set(range(start, end)) - set(page.places)):
        problems.add(missing, f"entry {missing}", "条目缺失", "the entry is missing")


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
