"""The leaf of a version, column-wise, is the canonical JSON anyone can write by hand."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.merkle import leaf_hash
from gateway.audit.roots import VERSION_COLUMNS, version_leaf_hashes, version_leaves

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_VERSIONS = st.fixed_dictionaries(
    {
        "content_hash": st.binary(min_size=32, max_size=32),
        "delivery_id": _TEXT,
        "landed_at": _TEXT,
        "op": st.sampled_from(["put", "withdraw"]),
        "record_key": st.binary(min_size=1, max_size=40),
        "seq": st.integers(1, 2**53 - 1),
        "source": _TEXT,
        "uscc": st.none() | _TEXT,
        "version": st.integers(1, 2**31),
    }
)


def _plain(version: dict[str, object]) -> bytes:
    shown = {name: value.hex() if isinstance(value, bytes) else value for name, value in version.items()}
    kept = {name: value for name, value in shown.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


@given(st.lists(_VERSIONS, max_size=5))
def test_the_leaf_of_a_version_is_its_canonical_json(versions: list[dict[str, object]]) -> None:
    frame = pl.DataFrame(versions, schema=VERSION_COLUMNS)

    leaves = version_leaves(frame)

    assert leaves == [_plain(version) for version in versions]
    assert version_leaf_hashes(frame) == [leaf_hash(leaf) for leaf in leaves]


@given(st.lists(_VERSIONS, min_size=1, max_size=5))
def test_the_leaves_of_many_versions_are_those_of_each(versions: list[dict[str, object]]) -> None:
    frame = pl.DataFrame(versions, schema=VERSION_COLUMNS)

    assert version_leaves(pl.concat([frame] * 101)) == version_leaves(frame) * 101


def test_a_version_without_a_delivery_is_refused() -> None:
    frame = pl.DataFrame({name: [None] for name in VERSION_COLUMNS}, schema=VERSION_COLUMNS)

    with pytest.raises(ValueError, match="content_hash: 1 versions without a value"):
        version_leaves(frame)
