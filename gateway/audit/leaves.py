"""The content hashes of each delivery's accepted rows, kept as files: what its accepted root is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from certs.keys import write_pieces
from gateway.audit.roots import GrowingTree
from gateway.audit.tiles import split_hashes


def keep_leaves(home: Path, delivery_id: str, pieces: Iterable[Sequence[bytes]]) -> bytes:
    """Write the leaves before the commit that names their root; a file without a commit is harmless.

    Args:
        pieces: the leaves in row order, a piece at a time.

    Returns:
        their root.
    """
    tree = GrowingTree()

    def written() -> Iterator[bytes]:
        for leaves in pieces:
            tree.add(leaves)
            yield b"".join(leaves)

    write_pieces(_path(home, delivery_id), written())
    return tree.root()


def accepted_leaves(home: Path, delivery_id: str) -> list[bytes]:
    """Content hashes of the rows a delivery had accepted, in row order, as landing kept them.

    Raises:
        FileNotFoundError: the file is gone.
        ValueError: it is cut off.
    """
    return split_hashes(_path(home, delivery_id).read_bytes())


def _path(home: Path, delivery_id: str) -> Path:
    return home / "deliveries" / f"{delivery_id}.leaves"
