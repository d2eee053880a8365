"""The content hashes of each delivery's accepted rows, kept as files: what its accepted root is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from certs.keys import write_whole
from gateway.audit.tiles import split_hashes


def keep_leaves(home: Path, delivery_id: str, leaves: Sequence[bytes]) -> None:
    """Write the leaves before the commit that names their root; a file without a commit is harmless."""
    write_whole(_path(home, delivery_id), b"".join(leaves))


def accepted_leaves(home: Path, delivery_id: str) -> list[bytes]:
    """Content hashes of the rows a delivery had accepted, in row order, as landing kept them.

    Raises:
        FileNotFoundError: the file is gone.
        ValueError: it is cut off.
    """
    return split_hashes(_path(home, delivery_id).read_bytes())


def _path(home: Path, delivery_id: str) -> Path:
    return home / "deliveries" / f"{delivery_id}.leaves"
