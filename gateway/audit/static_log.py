"""Reading somebody's log as static files, from a folder or over HTTP, and verifying it with a public key alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from connectors.errors import Unavailable
from gateway.audit.merkle import ProofError, leaf_hashes
from gateway.audit.notes import Checkpoint, NoteError, Verifier, open_checkpoint
from gateway.audit.policy import Policy
from gateway.audit.problems import Progress
from gateway.audit.stamping import CHECKPOINT_FILE, TOKEN_FILE, verify_stamp
from gateway.audit.tiles import ENTRIES, WIDTH, Edge, Tile, split_bundle, split_hashes, widest

WITNESSED = "witnessed"
"""File beside ``checkpoint``: the newest checkpoint that a quorum of the log's witnesses cosigned."""

_AT_ONCE = 8
"""Requests under way; a log is read in order, so a few are enough to keep a connection busy."""

_PAGE = 64
"""Tiles per step."""

_MAX_BYTES = 32 * 1024 * 1024
"""Largest file of a log that is read: a bundle of 256 entries of 65,535 bytes, and to spare."""


@dataclass(frozen=True)
class StaticLog:
    """A log's files, wherever they lie.

    Attributes:
        read: content of a file by its path below the log. Raises FileNotFoundError if there is none,
            PermissionError if the caller may not read it, Unavailable if it cannot be reached.
    """

    read: Callable[[str], bytes]

    def tile(self, tile: Tile) -> bytes:
        """A tile's content, or that of the full one in its place (tlog-tiles, "Partial Tiles").

        Raises:
            FileNotFoundError: neither is there.
        """
        try:
            return self.read(tile.path)
        except FileNotFoundError:
            if tile.width == WIDTH:
                raise
        return self.read(Tile(tile.level, tile.number).path)


def log_in_folder(folder: Path) -> StaticLog:
    """A log's files in a directory, such as a copy of them or ``XINQIAO_HOME/log``."""

    def read(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except (NotADirectoryError, IsADirectoryError) as error:
            raise FileNotFoundError(path) from error

    return StaticLog(read)


def log_at(client: httpx.Client) -> StaticLog:
    """A log served over HTTP; ``client`` has its prefix as base address."""

    def read(path: str) -> bytes:
        try:
            with client.stream("GET", path) as answer:
                return _content(answer, path)
        except httpx.HTTPError as error:
            raise Unavailable(f"无法读取 {path}：{error}", f"{path} cannot be read: {error}", path=path) from error

    return StaticLog(read)


def _content(answer: httpx.Response, path: str) -> bytes:
    if answer.status_code in (401, 403):
        raise PermissionError(path)
    if answer.status_code == 404:
        raise FileNotFoundError(path)
    if answer.status_code != 200:
        raise Unavailable(
            f"无法读取 {path}：HTTP {answer.status_code}",
            f"{path} cannot be read: HTTP {answer.status_code}",
            path=path,
        )
    content = b""
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > _MAX_BYTES:
            raise ProofError(f"{path}: over {_MAX_BYTES} bytes")
    return content


@dataclass(frozen=True)
class StaticReport:
    """What was verified.

    Attributes:
        origin: name of the log.
        size: entries under its newest checkpoint.
        root: over them, hex; recomputed from the leaf hashes.
        entries: how many entries were hashed and compared with their leaf; 0 where they may not be read.
        witnessed_size: size of the checkpoint that the quorum cosigned; None without a policy.
        witnesses: who cosigned it, by the policy's names.
        earlier_size: size of the earlier checkpoint that the log was shown to begin with; None without one.
        stamped_size: size of the checkpoint that a time-stamping authority has stamped; None where it is not asked.
        stamped_at: its time, UTC.
    """

    origin: str
    size: int
    root: str
    entries: int
    witnessed_size: int | None
    witnesses: tuple[str, ...]
    earlier_size: int | None
    stamped_size: int | None = None
    stamped_at: datetime | None = None


def verify_static(
    log: StaticLog,
    verifier: Verifier,
    policy: Policy | None = None,
    earlier: str | None = None,
    progress: Progress = lambda what, so_far: None,
    stamp_roots: bytes | None = None,
) -> StaticReport:
    """Verify a log from its files: signature, every tile, the root, every entry that may be read.

    Args:
        policy: who must have cosigned the checkpoint, or the one under ``witnessed``, which the log then begins with.
        earlier: a signed checkpoint kept from before; the log must begin with it.
        stamp_roots: PEM of time-stamping authorities; one of them must have stamped a beginning of the log.

    Raises:
        ProofError: something is not so; says what and where.
        Unavailable: the files cannot be reached.
    """
    checkpoint = _opened(_text(log, "checkpoint"), verifier, "checkpoint")
    witnessed, names = _witnessed(log, checkpoint, verifier, policy) if policy else (None, ())
    kept = _opened(earlier, verifier, "earlier checkpoint") if earlier is not None else None
    stamped, at = _stamped(log, verifier, stamp_roots) if stamp_roots is not None else (None, None)
    named = {"checkpoint": checkpoint, WITNESSED: witnessed, "earlier checkpoint": kept, CHECKPOINT_FILE: stamped}
    claims = {name: one for name, one in named.items() if one}
    for name, claim in claims.items():
        if claim.size > checkpoint.size:
            raise ProofError(f"{name}: it covers {claim.size} entries, the log has {checkpoint.size}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        entries = _Walk(log, checkpoint.size, claims, pool).run(progress)
    return StaticReport(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        entries=entries,
        witnessed_size=witnessed.size if witnessed else None,
        witnesses=names,
        earlier_size=kept.size if kept else None,
        stamped_size=stamped.size if stamped else None,
        stamped_at=at,
    )


def _witnessed(
    log: StaticLog, checkpoint: Checkpoint, verifier: Verifier, policy: Policy
) -> tuple[Checkpoint, tuple[str, ...]]:
    try:
        return checkpoint, policy.demand(checkpoint.note)
    except NoteError as error:
        # Witnesses are asked after the seal; until they have answered, an earlier checkpoint has the quorum.
        try:
            older = _opened(_text(log, WITNESSED), verifier, WITNESSED)
            return older, policy.demand(older.note)
        except (ProofError, NoteError) as second:
            raise ProofError(f"checkpoint: {error}; {WITNESSED}: {second}") from second


def _stamped(log: StaticLog, verifier: Verifier, roots: bytes) -> tuple[Checkpoint, datetime]:
    note = _text(log, CHECKPOINT_FILE)
    try:
        token = log.read(TOKEN_FILE)
    except FileNotFoundError as error:
        raise ProofError(f"{TOKEN_FILE}: is missing") from error
    return _opened(note, verifier, CHECKPOINT_FILE), verify_stamp(note, token, roots)


def _text(log: StaticLog, path: str) -> str:
    try:
        return log.read(path).decode()
    except FileNotFoundError as error:
        raise ProofError(f"{path}: is missing") from error
    except UnicodeDecodeError as error:
        raise ProofError(f"{path}: not UTF-8") from error


def _opened(note: str, verifier: Verifier, name: str) -> Checkpoint:
    try:
        return open_checkpoint(note, verifier)
    except NoteError as error:
        raise ProofError(f"{name}: {error}") from error


class _Walk:
    """Once over the log, from left to right, with the right edge of the tree in hand."""

    def __init__(self, log: StaticLog, size: int, claims: dict[str, Checkpoint], pool: ThreadPoolExecutor) -> None:
        self._log, self._size, self._claims, self._pool = log, size, claims, pool
        self._may_read_entries = True
        self._edge = Edge()

    def run(self, progress: Progress) -> int:
        """Verify everything; returns how many entries were read and hashed."""
        self._check_claims([])
        for start in range(0, self._size, _PAGE * WIDTH):
            end = min(start + _PAGE * WIDTH, self._size)
            numbers = range(start // WIDTH, -(-end // WIDTH))
            leaves = [leaf for tile in self._pool.map(self._leaves, numbers) for leaf in tile]
            self._check_entries(numbers, leaves)
            self._check_claims(leaves)
            self._edge, tiles = self._edge.extend(leaves)
            above = [(tile, content) for tile, content in tiles.items() if tile.level != 0]
            for _ in self._pool.map(self._check_above, above):
                pass
            progress("entries", end)
        return self._size if self._may_read_entries else 0

    def _leaves(self, number: int) -> list[bytes]:
        tile = self._widest(0, number)
        return self._hashes(tile, self._read(tile))

    def _hashes(self, tile: Tile, content: bytes) -> list[bytes]:
        try:
            hashes = split_hashes(content)
        except ValueError as error:
            raise ProofError(f"{tile.path}: {error}") from error
        if len(hashes) not in (tile.width, WIDTH):
            raise ProofError(f"{tile.path}: expected {tile.width} hashes, got {len(hashes)}")
        return hashes[: tile.width]

    def _widest(self, level: int | str, number: int) -> Tile:
        tile = widest(level, number, self._size)
        if tile is None:
            raise ProofError(f"tile {level}/{number} is outside the log")
        return tile

    def _read(self, tile: Tile) -> bytes:
        try:
            return self._log.tile(tile)
        except FileNotFoundError as error:
            raise ProofError(f"{tile.path}: is missing") from error

    def _check_entries(self, numbers: Sequence[int], leaves: list[bytes]) -> None:
        if not self._may_read_entries:
            return
        try:
            bundles = list(self._pool.map(self._entry_leaves, numbers))
        except PermissionError:
            if numbers[0] != 0:
                raise ProofError("entries: some may be read and some not") from None
            self._may_read_entries = False
            return
        start = numbers[0] * WIDTH
        for offset, (computed, leaf) in enumerate(zip((one for b in bundles for one in b), leaves, strict=True)):
            if computed != leaf:
                raise ProofError(f"entry {start + offset}: its hash is not the one in the tree")

    def _entry_leaves(self, number: int) -> list[bytes]:
        bundle = self._widest(ENTRIES, number)
        try:
            found = split_bundle(self._read(bundle))
        except ValueError as error:
            raise ProofError(f"{bundle.path}: {error}") from error
        if len(found) not in (bundle.width, WIDTH):
            raise ProofError(f"{bundle.path}: expected {bundle.width} entries, got {len(found)}")
        return leaf_hashes(found[: bundle.width])

    def _check_above(self, computed: tuple[Tile, bytes]) -> None:
        tile, content = computed
        if tile == self._widest(tile.level, tile.number) and b"".join(self._hashes(tile, self._read(tile))) != content:
            raise ProofError(f"{tile.path}: it differs from what the leaves give")

    def _check_claims(self, leaves: list[bytes]) -> None:
        for name, claim in self._claims.items():
            if self._edge.size <= claim.size <= self._edge.size + len(leaves):
                root = self._edge.extend(leaves[: claim.size - self._edge.size])[0].root()
                if root != claim.root:
                    raise ProofError(
                        f"{name}: the tiles give root {root.hex()} at {claim.size}, it says {claim.root.hex()}"
                    )
