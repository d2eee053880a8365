"""Tiles: where they lie, what is in them, and that the right edge knows the root at every size."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit import files as log_files
from gateway.audit.files import tree_nodes, write_tiles
from gateway.audit.merkle import check_inclusion, inclusion_proof, leaf_hashes, root
from gateway.audit.tiles import ENTRIES, Edge, Tile, bundle, bundles, parse_path, split_hashes, unpack_edge, widest

LEAVES = leaf_hashes(number.to_bytes(4) for number in range(66_000))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 5, 8), "tile/0/005.p/8"),
        (Tile(1, 999), "tile/1/999"),
        (Tile(2, 1000, 255), "tile/2/x001/000.p/255"),
        # The example of the specification.
        (Tile(63, 1_234_067), "tile/63/x001/x234/067"),
        (Tile(ENTRIES, 123_456_789_012, 1), "tile/entries/x123/x456/x789/012.p/1"),
    ],
)
def test_a_tile_has_the_path_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000",
        "tile/00/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/300",
        "tile/0/../000",
        "checkpoint",
        "tile/0/000\n",
    ],
)
def test_another_path_names_no_tile(path: str) -> None:
    assert parse_path(path) is None


@given(st.lists(st.integers(0, 700), max_size=5))
@settings(max_examples=40)
def test_the_edge_knows_the_root_however_the_log_grew(steps: list[int]) -> None:
    edge, files = Edge(), {}
    for step in steps:
        edge, written = edge.extend(LEAVES[edge.size : edge.size + step])
        files.update(written)

    once, all_files = Edge().extend(LEAVES[: sum(steps)])
    assert edge == once == unpack_edge(edge.size, edge.pack())
    assert edge.root() == root(LEAVES[: edge.size])
    assert {tile: files[tile] for tile in all_files} == all_files


def test_a_log_of_three_levels_has_the_tiles_of_the_specification() -> None:
    edge, files = Edge().extend(LEAVES)

    assert edge.root() == root(LEAVES)
    assert files[Tile(0, 0)] == b"".join(LEAVES[:256])
    assert files[Tile(0, 257, 66_000 % 256)] == b"".join(LEAVES[257 * 256 :])
    assert files[Tile(1, 0)][:32] == root(LEAVES[:256])
    assert files[Tile(1, 1, 1)] == root(LEAVES[256 * 256 : 257 * 256])
    assert files[Tile(2, 0, 1)] == root(LEAVES[: 256 * 256])
    assert {tile for tile in files if tile.level == 2} == {Tile(2, 0, 1)}
    assert widest(2, 0, 66_000) == Tile(2, 0, 1)
    assert widest(2, 0, 65_535) is None


def test_an_edge_that_does_not_count_up_is_refused() -> None:
    with pytest.raises(ValueError, match="it counts 2"):
        unpack_edge(3, Edge().extend(LEAVES[:2])[0].pack())
    with pytest.raises(ValueError, match="multiple of 32"):
        split_hashes(bytes(33))


def test_entries_stand_in_bundles_after_their_length() -> None:
    assert bundle([b"ab", b"", b"c" * 256]) == b"\x00\x02ab\x00\x00\x01\x00" + b"c" * 256
    assert list(bundles(3, [b"x"] * 300)) == [Tile(ENTRIES, 3), Tile(ENTRIES, 4, 44)]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600, 65_536, 66_000])
def test_proofs_come_from_the_files_alone(tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    folder = tmp_path_factory.mktemp("log")
    edge, files = Edge().extend(LEAVES[:size])
    wanted = {0, size // 2, size - 1}
    # Writing all 258 tiles of the largest log is not what is tested here.
    near = {Tile(0, place // 256, (widest(0, place // 256, size) or Tile(0, 0)).width) for place in wanted}
    write_tiles(folder, {tile: data for tile, data in files.items() if tile in near or tile.level != 0}, 0)
    last = widest(0, (size - 1) // 256, size)
    if last:
        write_tiles(folder, {last: files[last]}, size)

    for place in wanted:
        proof = inclusion_proof(place, size, tree_nodes(folder, size))
        check_inclusion(LEAVES[place], place, size, proof, edge.root())


def test_partial_tiles_go_when_the_full_one_is_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("log")
    edge, first = Edge().extend(LEAVES[:10])
    write_tiles(folder, first, 0)
    # A seal that was cut off: it is not covered by the checkpoint of ten.
    write_tiles(folder, {Tile(0, 0, 12): b"what never came to be"}, 10)

    wider, second = edge.extend(LEAVES[10:20])
    write_tiles(folder, second, 10)
    assert sorted(path.name for path in (folder / "tile/0/000.p").iterdir()) == ["10", "20"]

    _, third = wider.extend(LEAVES[20:300])
    write_tiles(folder, third, 20)
    assert not (folder / "tile/0/000.p").exists()
    assert tree_nodes(folder, 20)(2, 4) == root(LEAVES[16:20])


def test_a_proof_can_be_read_at_every_moment_while_a_tile_gets_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge, first = Edge().extend(LEAVES[:20])
    write_tiles(tmp_path, first, 0)
    real, proofs = log_files.write_whole, []

    def read_around(path: Path, content: bytes, **how: bool) -> None:
        proofs.append(inclusion_proof(3, 20, tree_nodes(tmp_path, 20)))
        real(path, content, **how)
        proofs.append(inclusion_proof(3, 20, tree_nodes(tmp_path, 20)))

    monkeypatch.setattr(log_files, "write_whole", read_around)
    _, second = edge.extend(LEAVES[20:300])
    write_tiles(tmp_path, second, 20)

    for proof in [*proofs, inclusion_proof(3, 20, tree_nodes(tmp_path, 20))]:
        check_inclusion(LEAVES[3], 3, 20, proof, edge.root())
    assert len(proofs) == 2 * len(second)


def test_a_partial_tile_that_goes_while_it_is_read_is_read_from_the_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge, first = Edge().extend(LEAVES[:20])
    write_tiles(tmp_path, first, 0)
    _, second = edge.extend(LEAVES[20:300])
    real = Path.read_bytes

    def sealed_just_before(path: Path) -> bytes:
        if path.parent.name == "000.p":
            write_tiles(tmp_path, second, 20)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", sealed_just_before)

    proof = inclusion_proof(3, 20, tree_nodes(tmp_path, 20))
    check_inclusion(LEAVES[3], 3, 20, proof, edge.root())
