"""Merkle trees as RFC 6962 defines them: hashing, roots, proofs and their verification. No files, no database."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
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


Node = Callable[[int, int], bytes]
"""``node(level, index)``: root of the full subtree over leaves ``index << level`` to ``(index + 1) << level``."""


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962, 2.1.1: the hashes beside the way from a leaf to the root.

    Args:
        node: gives the hash of any full subtree, from tiles or from memory.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    begin, end = 0, size
    beside = []
    while end - begin > 1:
        middle = begin + left_size(end - begin)
        if index < middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((begin, middle))
            begin = middle
    return [range_root(begin, end, node) for begin, end in reversed(beside)]


def range_root(begin: int, end: int, node: Node) -> bytes:
    """Root over leaves ``begin`` to ``end``; ``begin`` is a multiple of the largest power of two inside."""
    peaks = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        peaks.append(node(level, begin >> level))
        begin += 1 << level
    return fold(peaks)


def fold(peaks: Sequence[bytes]) -> bytes:
    """Root of a tree from the roots of its full subtrees, largest first; `EMPTY_ROOT` of none."""
    if not peaks:
        return EMPTY_ROOT
    above = peaks[-1]
    for peak in reversed(peaks[:-1]):
        above = node_hash(peak, above)
    return above


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], trusted_root: bytes) -> None:
    """Verify an inclusion proof (RFC 9162, 2.1.3.2).

    Raises:
        ProofError: the leaf is not shown to be at this index of the tree with this root.
    """
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    here, last, above = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if here & 1 or here == last:
            above = node_hash(beside, above)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            above = node_hash(above, beside)
        here, last = here >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    if above != trusted_root:
        raise ProofError(f"the inclusion proof leads to {above.hex()}, expected {trusted_root.hex()}")


def proof_text(hashes: Sequence[bytes]) -> list[str]:
    """A proof as it stands in JSON: base64, one string per hash."""
    return [base64.b64encode(one).decode() for one in hashes]


def parse_proof(texts: Sequence[str]) -> list[bytes]:
    """Read what `proof_text` wrote.

    Raises:
        ProofError: not a list of 32-byte hashes in base64.
    """
    try:
        hashes = [base64.b64decode(text, validate=True) for text in texts]
    except (binascii.Error, TypeError, ValueError) as error:
        raise ProofError(f"the hashes of a proof are base64: {error}") from error
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofError(f"the hashes of a proof have {HASH_BYTES} bytes")
    return hashes


def left_size(size: int) -> int:
    """The largest power of two smaller than ``size`` (RFC 6962, 2.1: k < n <= 2k)."""
    return 1 << (size - 1).bit_length() - 1
