"""Every fuzz target takes genuine material and simple spoilings of it; ``make fuzz`` goes on for longer."""

from __future__ import annotations

import pytest

from tests.fuzz.target import mutations
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_spoiled_material_is_refused_and_nothing_breaks(name: str) -> None:
    with TARGETS[name].open() as made:
        for seed in made.seeds:
            for data in mutations(seed, 24):
                made.run(data)
