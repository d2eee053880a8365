"""Trees and proofs against the example of Certificate Transparency, and against each other at every size."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.merkle import (
    EMPTY_ROOT,
    ProofError,
    check_inclusion,
    inclusion_proof,
    leaf_hash,
    leaf_hashes,
    node_hash,
    parse_proof,
    proof_text,
    range_root,
    root,
)

# The eight entries and the roots of their first 1 to 8, published with the reference implementation of RFC 6962.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = leaf_hashes(number.to_bytes(2) for number in range(300))


def plain_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962, 2.1 writes it, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(plain_root(leaves[:split]), plain_root(leaves[split:]))


def node(level: int, index: int) -> bytes:
    return plain_root(LEAVES[index << level : (index + 1) << level])


def test_the_published_roots_are_found() -> None:
    hashes = leaf_hashes(ENTRIES)

    assert [root(hashes[:size]).hex() for size in range(1, 9)] == ROOTS
    assert root([]) == EMPTY_ROOT == sha256(b"").digest()


def test_the_published_inclusion_proof_is_found() -> None:
    # From the same source: leaf 5 (counted from 0) of the tree of eight.
    hashes = leaf_hashes(ENTRIES)

    proof = inclusion_proof(5, 8, lambda level, index: root(hashes[index << level : (index + 1) << level]))

    assert [one.hex() for one in proof] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@pytest.mark.parametrize("size", [*range(1, 34), 63, 64, 65, 127, 128, 129, 255, 256, 257, 300])
def test_the_root_is_that_of_the_definition(size: int) -> None:
    assert root(LEAVES[:size]) == plain_root(LEAVES[:size]) == range_root(0, size, node)


@given(st.data(), st.integers(1, 300))
def test_every_leaf_is_proven_and_no_other(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    top = root(LEAVES[:size])
    proof = inclusion_proof(index, size, node)

    check_inclusion(LEAVES[index], index, size, proof, top)
    false = [
        (leaf_hash(b"another"), index, size, proof, top),
        (LEAVES[index], index, size, [*proof, top], top),
        (LEAVES[index], index, size, proof, leaf_hash(b"another root")),
        (LEAVES[index], size, size, proof, top),
        (LEAVES[index], -1, size, proof, top),
    ]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        false.append((LEAVES[index], index, size, [*proof[:at], bytes(32), *proof[at + 1 :]], top))
        false.append((LEAVES[index], index, size, proof[:-1], top))
        other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index))
        false.append((LEAVES[index], other, size, proof, top))
    for claim in false:
        with pytest.raises(ProofError):
            check_inclusion(*claim)


def test_proofs_of_what_is_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="leaf 3 is not in a tree of 3"):
        inclusion_proof(3, 3, node)


def test_a_proof_survives_json_and_nothing_else_is_taken_for_one() -> None:
    proof = inclusion_proof(5, 77, node)

    assert parse_proof(proof_text(proof)) == proof
    for text in ("AA==", "not base64", None):
        with pytest.raises(ProofError):
            parse_proof([text])  # type: ignore[list-item]  # what a stranger may send
