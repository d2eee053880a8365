"""The log's directory: tiles appear whole or not at all, and survive a power cut before they are relied on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from certs.keys import is_unfinished, write_whole
from connectors.durable import at_once, sync_folder
from gateway.audit.merkle import root
from gateway.audit.tiles import WIDTH, Tile, split_hashes, widest
from gateway.settings import Settings


def log_folder(settings: Settings) -> Path:
    """Where ``checkpoint`` and ``tile/`` lie; served as they are."""
    return settings.home / "log"


def write_tiles(folder: Path, tiles: Mapping[Tile, bytes], committed: int) -> None:
    """Write tiles and sync them; forget partial tiles that no checkpoint covers.

    Args:
        committed: size of the newest signed log. A seal that was cut off may have left wider
            tiles, made of entries in an order that never came to be.
    """
    for tile in tiles:
        covered = widest(tile.level, tile.number, committed)
        _forget_partials(folder, tile, covered.width if covered else 0)
    paths = {folder / tile.path: content for tile, content in tiles.items()}
    folders = {path.parent for path in paths}

    def write(path: Path) -> None:
        write_whole(path, paths[path], syncs_folder=False)
        if len(folders) == len(paths):
            sync_folder(path.parent)

    # Waiting for the disk is most of what a seal costs, and it can be waited for at the same time.
    at_once(write, paths)
    if len(folders) < len(paths):
        at_once(sync_folder, folders)
    # A full tile serves everyone who asks for a part of it (tlog-tiles, "Partial tiles"), but only once it is there.
    for tile in tiles:
        if tile.width == WIDTH:
            _forget_partials(folder, tile, 0)


def _forget_partials(folder: Path, tile: Tile, kept: int) -> None:
    """Remove partial tiles of this place that are wider than ``kept``; if none is to come either, their folder too."""
    partials = folder / (Tile(tile.level, tile.number).path + ".p")
    try:
        # Up to 255 of them, and a path object for each would cost more than all that is done with them.
        names = os.listdir(partials)  # noqa: PTH208 - as above
    except FileNotFoundError:
        return
    for name in names:
        if not name.isdigit() or int(name) > kept:
            (partials / name).unlink(missing_ok=True)
    if tile.width == WIDTH and not kept:
        partials.rmdir()


def read_tile(folder: Path, tile: Tile) -> bytes:
    """The content of a tile; of the full one if the partial one has gone.

    Raises:
        FileNotFoundError: neither is there.
    """
    try:
        return (folder / tile.path).read_bytes()
    except FileNotFoundError:
        if tile.width == WIDTH:
            raise
    # A seal may have removed it this very moment; the full one was there before.
    return (folder / Tile(tile.level, tile.number).path).read_bytes()


def tree_nodes(folder: Path, size: int) -> TileNodes:
    """`TileNodes` of a log's own directory."""
    return TileNodes(lambda tile: read_tile(folder, tile), size)


class TileNodes:
    """Hashes of full subtrees of a log of ``size`` entries, read from its tiles as any client would.

    Calling it is `gateway.audit.merkle.Node`. What was read and hashed is kept as long as the object lives.

    Args:
        read: gives the content of a tile, or of the full one in its place; `read_tile` of a folder, or a
            client's `gateway.audit.static_log.StaticLog.tile`.
    """

    def __init__(self, read: Callable[[Tile], bytes], size: int) -> None:
        self._read_tile, self._size = read, size
        self._read: dict[tuple[int, int], list[bytes]] = {}
        self._known: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Root of subtree ``index`` of ``level``.

        Raises:
            FileNotFoundError: its tile is missing.
            ValueError: outside the log, or its tile is cut off.
        """
        known = self._known.get((level, index))
        if known is None:
            known = self._known[level, index] = self._computed(level, index)
        return known

    def _computed(self, level: int, index: int) -> bytes:
        tile_level, height = divmod(level, 8)
        number, first = divmod(index << height, WIDTH)
        hashes = self._hashes(tile_level, number)[first : first + (1 << height)]
        if len(hashes) != 1 << height:
            raise ValueError(f"tile {tile_level}/{number} does not hold subtree {index} of level {level}")
        return root(hashes)

    def _hashes(self, level: int, number: int) -> list[bytes]:
        known = self._read.get((level, number))
        if known is None:
            tile = widest(level, number, self._size)
            if tile is None:
                raise ValueError(f"tile {level}/{number} is outside a log of {self._size}")
            known = split_hashes(self._read_tile(tile))[: tile.width]
            self._read[level, number] = known
        return known


def tile_files(folder: Path) -> Iterator[str]:
    """Paths below the log of every file under ``tile/``, sorted; files being written are not among them."""
    for path in sorted((folder / "tile").rglob("*")):
        if path.is_file() and not is_unfinished(path):
            yield path.relative_to(folder).as_posix()
