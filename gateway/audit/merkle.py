"""Merkle trees as RFC 6962 defines them: hashing, roots, proofs and their verification. No files, no database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
"""Root of a tree without leaves (RFC 6962, 2.1)."""

HASH_BYTES = 32


class ProofError(ValueError):
    """A proof does not lead from what is claimed to the root that is trusted."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data): the hash of one entry (RFC 6962, 2.1)."""
    return sha256(b"\x00" + data).digest()


def leaf_hashes(items: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each item, in order."""
    return [sha256(b"\x00" + data).digest() for data in items]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right): the hash of two subtrees (RFC 6962, 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def parents(level: Sequence[bytes]) -> list[bytes]:
    """The next level of a tree; an odd last hash moves up unchanged.

    Moving it up gives exactly the tree of RFC 6962, whose left subtree is the largest
    power of two, because every full pair lies to the left of it.
    """
    sides = iter(level)
    above = [sha256(b"\x01" + left + right).digest() for left, right in zip(sides, sides, strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def root(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over these leaf hashes; `EMPTY_ROOT` of none."""
    level = leaves
    while len(level) > 1:
        level = parents(level)
    return level[0] if level else EMPTY_ROOT
