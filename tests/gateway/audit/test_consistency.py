"""Consistency proofs: every pair of sizes, the published example, and what is no proof."""

from __future__ import annotations

import pytest

from gateway.audit.consistency import check_consistency, consistency_proof
from gateway.audit.merkle import EMPTY_ROOT, ProofError, leaf_hashes, root
from tests.gateway.audit.test_merkle import ENTRIES

LEAVES = leaf_hashes(number.to_bytes(2) for number in range(70))


def node(level: int, index: int) -> bytes:
    return root(LEAVES[index << level : (index + 1) << level])


def prove(first: int, second: int) -> list[bytes]:
    return consistency_proof(first, second, node)


def test_the_published_proofs_are_found() -> None:
    # Published with the reference implementation of RFC 6962: from 6 to 8 and from 2 to 5 of its eight entries.
    leaves = leaf_hashes(ENTRIES)

    def published(first: int, second: int) -> list[str]:
        known = leaves[:second]
        return [
            one.hex()
            for one in consistency_proof(
                first, second, lambda level, index: root(known[index << level : (index + 1) << level])
            )
        ]

    assert published(6, 8) == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert published(2, 5) == [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


def test_every_tree_begins_with_every_smaller_one() -> None:
    for second in range(len(LEAVES) + 1):
        for first in range(second + 1):
            check_consistency(first, second, root(LEAVES[:first]), root(LEAVES[:second]), prove(first, second))


def test_another_history_is_no_beginning() -> None:
    other = [*LEAVES[:3], LEAVES[0], *LEAVES[4:]]
    for second in range(5, 70, 7):
        for first in range(4, second):
            with pytest.raises(ProofError):
                check_consistency(first, second, root(other[:first]), root(LEAVES[:second]), prove(first, second))
            with pytest.raises(ProofError):
                check_consistency(first, second, root(LEAVES[:first]), root(other[:second]), prove(first, second))


def test_a_proof_with_more_or_less_is_none() -> None:
    for first, second in ((1, 2), (3, 7), (4, 8), (5, 64), (33, 65)):
        roots, proof = (root(LEAVES[:first]), root(LEAVES[:second])), prove(first, second)
        for wrong in ([], proof[:-1], proof[1:], [*proof, LEAVES[0]], [LEAVES[0], *proof]):
            if wrong != proof:
                with pytest.raises(ProofError):
                    check_consistency(first, second, *roots, wrong)


@pytest.mark.parametrize(("first", "second"), [(3, 2), (-1, 4)])
def test_a_smaller_tree_does_not_begin_with_a_larger_one(first: int, second: int) -> None:
    with pytest.raises(ProofError, match="cannot begin"):
        check_consistency(first, second, EMPTY_ROOT, EMPTY_ROOT, [])
    with pytest.raises(ValueError, match="cannot begin"):
        prove(first, second)


def test_of_nothing_and_of_the_same_there_is_nothing_to_prove() -> None:
    check_consistency(0, 5, EMPTY_ROOT, root(LEAVES[:5]), [])
    for first, second, first_root, proof in (
        (0, 5, root(LEAVES[:5]), []),
        (5, 5, root(LEAVES[:4]), []),
        (0, 5, EMPTY_ROOT, [LEAVES[0]]),
    ):
        with pytest.raises(ProofError):
            check_consistency(first, second, first_root, root(LEAVES[:5]), proof)
