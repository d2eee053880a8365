"""Verifying the log's static files: byte for byte what the entries give, and nothing beside that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import func, select

from gateway.audit.files import read_tile, tile_files
from gateway.audit.merkle import HASH_BYTES
from gateway.audit.problems import Problems
from gateway.audit.tables import entries
from gateway.audit.tiles import ENTRIES, WIDTH, Tile, parse_path, split_bundle, widest
from gateway.store import Store


def verify_tiles(folder: Path, tiles: Mapping[Tile, bytes], size: int, problems: Problems) -> None:
    """Compare files with what the entries give.

    Args:
        tiles: as they were computed; those that are narrower than a log of ``size`` has them are left out.
    """
    for tile, expected in tiles.items():
        if tile != widest(tile.level, tile.number, size):
            continue
        try:
            stored = read_tile(folder, tile)
        except FileNotFoundError:
            problems.add(_first_entry(tile, 0), tile.path, "文件缺失", "the file is missing")
            continue
        # A full tile stands in for a partial one that has been tidied away.
        is_full = len(stored) > len(expected) and not (folder / tile.path).exists()
        if stored != expected and not (is_full and stored.startswith(expected)):
            place = _first_entry(tile, _first_difference(tile, expected, stored))
            problems.add(place, tile.path, "文件与条目不符", "the file differs from what the entries give")


def _first_difference(tile: Tile, expected: bytes, stored: bytes) -> int:
    """Which hash or entry of a file is the first that differs."""
    byte = next((at for at, (one, other) in enumerate(zip(expected, stored, strict=False)) if one != other), None)
    if byte is None:
        byte = min(len(expected), len(stored))
    if tile.level != ENTRIES:
        return min(byte // HASH_BYTES, tile.width - 1)
    start = number = 0
    while number < tile.width - 1 and (start := start + 2 + int.from_bytes(expected[start : start + 2])) <= byte:
        number += 1
    return number


def _first_entry(tile: Tile, offset: int) -> int:
    place = tile.number * WIDTH + offset
    return place if tile.level == ENTRIES else place << (8 * int(tile.level))


def verify_other_files(store: Store, folder: Path, size: int, problems: Problems) -> None:
    """Every other file is part of a tile that was verified, or the beginning of the next seal."""
    with store.read() as conn:
        # Looked at anew: the log may have grown meanwhile, and a seal that was cut off left its tiles.
        ceiling: int = conn.execute(select(func.count()).select_from(entries)).scalar_one()
    for path in tile_files(folder):
        tile = parse_path(path)
        last = widest(tile.level, tile.number, size) if tile else None
        if tile is None or _outside(tile, ceiling):
            problems.add(None, path, "不属于日志的文件", "the file belongs to no entry under the checkpoint")
        elif last and tile.width < last.width and not _begins(folder, tile, last):
            place = _first_entry(tile, 0)
            problems.add(place, path, "文件与条目不符", "the file differs from what the entries give")


def _outside(tile: Tile, ceiling: int) -> bool:
    last = widest(tile.level, tile.number, ceiling)
    return last is None or tile.width > last.width


def _begins(folder: Path, tile: Tile, last: Tile) -> bool:
    try:
        part, whole = (folder / tile.path).read_bytes(), read_tile(folder, last)
    except FileNotFoundError:
        # Tidied away while we looked, or missing and reported already.
        return True
    if tile.level != ENTRIES:
        return len(part) == tile.width * HASH_BYTES and whole.startswith(part)
    try:
        return whole.startswith(part) and len(split_bundle(part)) == tile.width
    except ValueError:
        return False
