"""The log as static files (c2sp.org/tlog-tiles): hash tiles, entry bundles, and the right edge between them.

A tile holds up to 256 hashes of one level; level L + 1 hashes full tiles of level L. What
is on disk depends on the entries alone, so writing it again gives the same bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.audit.merkle import HASH_BYTES, fold, parents, root

WIDTH = 256
"""Hashes in a full tile, entries in a full bundle (tlog-tiles, "Merkle tree")."""

ENTRIES = "entries"

MAX_ENTRY_BYTES = 0xFFFF
"""Entries are prefixed by their length in two bytes (tlog-tiles, "Log entries")."""

_PATH = re.compile(r"tile/(\d|[1-5]\d|6[0-3]|entries)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?")


@dataclass(frozen=True)
class Tile:
    """Which tile: its level (or `ENTRIES`), its number in the level, and how full it is."""

    level: int | str
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Path below the log, such as ``tile/0/x001/x234/067.p/8``."""
        groups = f"{self.number:03d}"
        groups = groups.zfill(-(-len(groups) // 3) * 3)
        thousands = [groups[at : at + 3] for at in range(0, len(groups), 3)]
        folders = [f"x{group}" for group in thousands[:-1]]
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return "/".join(["tile", str(self.level), *folders, thousands[-1]]) + partial


def parse_path(path: str) -> Tile | None:
    """The tile a path names; None if it names none (`Tile.path` backwards)."""
    found = _PATH.fullmatch(path)
    if not found:
        return None
    level, number, width = found.groups()
    tile = Tile(
        level if level == ENTRIES else int(level),
        int(number.replace("/", "").replace("x", "")),
        int(width) if width else WIDTH,
    )
    return tile if tile.path == path else None


def widest(level: int | str, number: int, size: int) -> Tile | None:
    """The tile of this place in a log of ``size`` entries, full or as wide as it is; None if it has none yet."""
    hashes = size if level == ENTRIES else size >> (8 * int(level))
    width = min(WIDTH, hashes - number * WIDTH)
    return Tile(level, number, width) if width > 0 else None


@dataclass(frozen=True)
class Edge:
    """The right edge of the tree: per level, the hashes that do not fill a tile yet.

    That is all one needs to go on, to write the partial tiles and to know the root.

    Attributes:
        size: number of entries.
        levels: hashes of the last, partial tile of each level, lowest first.
    """

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = ()

    def root(self) -> bytes:
        """Root over all entries so far."""
        peaks: list[bytes] = []
        for hashes in reversed(self.levels):
            peaks += _peaks(hashes)
        return fold(peaks)

    def extend(self, leaves: Sequence[bytes]) -> tuple[Edge, dict[Tile, bytes]]:
        """Append leaf hashes.

        Returns:
            the new edge, and the content of every hash tile that is new or wider.
        """
        levels = list(self.levels)
        files: dict[Tile, bytes] = {}
        arrived: Sequence[bytes] = leaves
        level = 0
        while arrived:
            if level == len(levels):
                levels.append(())
            hashes = [*levels[level], *arrived]
            first = self.size >> (8 * level) >> 8
            full = len(hashes) // WIDTH
            filled = [hashes[at * WIDTH : (at + 1) * WIDTH] for at in range(full)]
            levels[level] = tuple(hashes[full * WIDTH :])
            for at, tile in enumerate([*filled, levels[level]]):
                if tile:
                    files[Tile(level, first + at, len(tile))] = b"".join(tile)
            arrived = [root(tile) for tile in filled]
            level += 1
        return Edge(self.size + len(leaves), tuple(levels)), files

    def pack(self) -> bytes:
        """The edge as bytes: hashes of each level after their number (one byte each)."""
        return b"".join(bytes([len(hashes)]) + b"".join(hashes) for hashes in self.levels)


def unpack_edge(size: int, packed: bytes) -> Edge:
    """Read what `Edge.pack` wrote.

    Raises:
        ValueError: not an edge of a log of this size.
    """
    levels = []
    at = 0
    while at < len(packed):
        end = at + 1 + packed[at] * HASH_BYTES
        levels.append(tuple(split_hashes(packed[at + 1 : end])))
        at = end
    counted = sum(len(hashes) << (8 * level) for level, hashes in enumerate(levels))
    if counted != size:
        raise ValueError(f"edge of a log of {size} entries: it counts {counted}")
    return Edge(size, tuple(levels))


def split_hashes(data: bytes) -> list[bytes]:
    """The hashes of a tile, or of any file that is hashes one after another.

    Raises:
        ValueError: cut off in the middle of a hash.
    """
    if len(data) % HASH_BYTES:
        raise ValueError(f"expected a multiple of {HASH_BYTES} bytes, got {len(data)}")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def bundle(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: each entry after its length in two bytes, big-endian."""
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def split_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle, in order.

    Raises:
        ValueError: it is cut off.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if end > len(data) or at + 2 > len(data):
            raise ValueError(f"a bundle is cut off after {len(entries)} entries")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def bundles(first: int, entries: Sequence[bytes]) -> dict[Tile, bytes]:
    """The entry bundles over ``entries``, the first of which stands at the start of bundle number ``first``."""
    pieces = [entries[at : at + WIDTH] for at in range(0, len(entries), WIDTH)]
    return {Tile(ENTRIES, first + at, len(piece)): bundle(piece) for at, piece in enumerate(pieces)}


def _peaks(hashes: Sequence[bytes]) -> list[bytes]:
    """Roots of the full subtrees over these hashes, largest first."""
    peaks: list[bytes] = []
    level = list(hashes)
    while level:
        if len(level) % 2:
            peaks.insert(0, level.pop())
        level = parents(level)
    return peaks
