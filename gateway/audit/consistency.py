"""Consistency proofs of RFC 6962: that a later tree begins with an earlier one. No files, no database."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.audit.merkle import EMPTY_ROOT, Node, ProofError, left_size, node_hash, range_root


def consistency_proof(first: int, second: int, node: Node) -> list[bytes]:
    """PROOF(first, D[second]) of RFC 6962, 2.1.2.

    Args:
        first: size of the earlier tree.
        second: size of the later tree.
        node: gives the hash of any full subtree of the later tree.

    Returns:
        hashes of 32 bytes; none if the trees are of one size or the earlier one is empty.

    Raises:
        ValueError: the earlier tree is larger, or a size is negative.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {second} cannot begin with a tree of {first}")
    if first in (0, second):
        return []
    begin, end, is_known = 0, second, True
    beside: list[tuple[int, int]] = []
    while first != end:
        middle = begin + left_size(end - begin)
        if first <= middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((begin, middle))
            begin, is_known = middle, False
    # Whoever has the earlier root knows the subtree only if it is the whole earlier tree.
    parts = ([] if is_known else [(begin, end)]) + beside[::-1]
    return [range_root(begin, end, node) for begin, end in parts]


def check_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """Verify a consistency proof (RFC 9162, 2.1.4.2); of the empty tree and of equal sizes the proof is empty.

    Raises:
        ProofError: the later tree is not shown to begin with the earlier one.
    """
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {second} cannot begin with a tree of {first}")
    if first in (0, second):
        _check_trivial(first, second, first_root, second_root, proof)
        return
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    # An earlier tree that is one full subtree is known to the verifier and stands in no proof.
    hashes = list(proof) if here else [first_root, *proof]
    if not hashes:
        raise ProofError("the consistency proof is too short")
    earlier = later = hashes[0]
    for beside in hashes[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if here & 1 or here == last:
            earlier, later = node_hash(beside, earlier), node_hash(beside, later)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            later = node_hash(later, beside)
        here, last = here >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    if (earlier, later) != (first_root, second_root):
        raise ProofError(
            f"the consistency proof leads from {earlier.hex()} to {later.hex()}, "
            f"expected from {first_root.hex()} to {second_root.hex()}"
        )


def _check_trivial(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofError(f"from {first} to {second} the consistency proof is empty, got {len(proof)} hashes")
    expected = EMPTY_ROOT if first == 0 else second_root
    if first_root != expected:
        raise ProofError(f"root of a tree of {first}: expected {expected.hex()}, got {first_root.hex()}")
