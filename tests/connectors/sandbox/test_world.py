"""The invented world: the same on every run, with correct codes, shared by all agencies, dirty where it should be."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from stdnum.cn import uscc as judge
from stdnum.iso7064 import mod_11_10

from connectors.sandbox.dirt import CODE_KINDS, DATE_SHAPES, Dirt, damage_code, date_text
from connectors.sandbox.misbehave import Moods
from connectors.sandbox.serve import build_services
from connectors.sandbox.service import State
from connectors.sandbox.world import FIRST_DAY, World

CODE = "91350100M000100Y43"


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    first, again, other = World(7, 50), World(7, 50), World(8, 50)

    assert first.entities == again.entities
    assert not {e.uscc for e in first.entities} & {e.uscc for e in other.entities}


def test_a_larger_world_begins_with_the_smaller_one() -> None:
    assert World(7, 80).entities[:50] == World(7, 50).entities


def test_every_code_and_name_is_there_once_and_every_check_character_is_right() -> None:
    entities = World(7, 1000).entities

    assert len({e.uscc for e in entities}) == len({e.name for e in entities}) == 1000
    # python-stdnum wants eight digits at the front: codes of rural collectives (N…) are beyond it.
    assert [e.uscc for e in entities if e.uscc[0] != "N" and not judge.is_valid(e.uscc)] == []
    digits = [e.registration_no for e in entities if e.registration_no.isdigit()]
    assert len(digits) > 500
    assert [number for number in digits if not mod_11_10.is_valid(number)] == []


def test_a_good_part_of_the_codes_is_all_digits() -> None:
    codes = [e.uscc for e in World(7, 1000).entities]

    assert 0.12 < sum(code.isdigit() for code in codes) / 1000 < 0.35


def test_the_showcase_is_known_to_every_agency() -> None:
    showcase = World(7, 20).showcase

    assert showcase.sectors >= {"food", "farm", "trader", "public_place", "manufacturer"}
    assert showcase.marks >= {"penalised", "redlisted"}
    assert None not in (showcase.customs_code, showcase.food_licence_no, showcase.health_licence_no)


def test_a_day_registers_the_newcomers_renames_some_and_strikes_one_off() -> None:
    world = World(7, 300)
    before, newcomers = list(world.entities), world.newcomers

    world.advance()

    assert world.today == date(2026, 7, 1)
    assert [e.uscc for e in world.entities[300:]] == [e.uscc for e in newcomers]
    changes = [(old, new) for old, new in zip(before, world.entities, strict=False) if old != new]
    renamed = [(old, new) for old, new in changes if old.name != new.name]
    assert len(renamed) == world.growth
    assert all(new.former_names == (*old.former_names, old.name) for old, new in renamed)
    assert Counter(new.status_code for old, new in changes if old.name == new.name) == {"4": 1}
    assert world.showcase == before[0]
    assert {e.uscc for e in world.changed_since(world.today)} == {
        *(e.uscc for e in newcomers),
        *(new.uscc for _, new in changes),
    }


def test_a_world_too_small_to_hold_its_stories_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 20 entities, got 5"):
        World(7, 5)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("full_width", "９１３５０１００Ｍ０００１００Ｙ４３"),
        ("lower_case", "91350100m000100y43"),
        ("blanks", " 91350100 M000100Y43 "),
        ("legacy_number", "350100100001234"),
    ],
)
def test_dirt_of_one_kind_looks_as_it_was_met(kind: str, expected: str) -> None:
    assert damage_code(kind, CODE, World(7, 20).rng("one"), "350100100001234") == expected


def test_only_a_code_of_digits_is_damaged_by_a_spreadsheet() -> None:
    rng = World(7, 20).rng("one")

    assert damage_code("float_damaged", "916204000792737800", rng) == "9.16204E+17"
    assert damage_code("float_damaged", CODE, rng)[:17] == CODE[:17]


def test_damage_that_cannot_be_undone_never_leaves_a_valid_code() -> None:
    rng = World(7, 20).rng("many")
    for_good = set(CODE_KINDS) - {"full_width", "lower_case", "blanks"}

    damaged = [damage_code(kind, CODE, rng, "350100100001234") for kind in sorted(for_good) for _ in range(50)]

    assert [text for text in damaged if judge.is_valid(text)] == []


def test_a_day_is_written_in_every_shape_agencies_use() -> None:
    assert {shape: date_text(date(2000, 1, 1), shape) for shape in DATE_SHAPES} == {
        "iso": "2000-01-01",
        "slash": "2000/01/01",
        "short": "2000-1-1",
        "compact": "20000101",
        "chinese": "2000年1月1日",
        "dotted": "2000.01.01",
        "midnight": "2000-1-1 0:00:00",
        "excel": "36526",
        "epoch": "946656000000",
    }


def test_the_same_record_is_dirty_in_the_same_way_whenever_it_is_asked_for() -> None:
    world = World(7, 200)
    one, other = Dirt(world.rng("d"), 0.5), Dirt(world.rng("d"), 0.5)
    other.at("something", "else").code(CODE)

    assert [one.at("x", i).code(CODE) for i in range(50)] == [other.at("x", i).code(CODE) for i in range(50)]


def test_rows_of_a_spared_code_stay_clean() -> None:
    dirt = Dirt(World(7, 20).rng("d"), share=1.0, spare={CODE})
    row = {"code": CODE, "name": "甲（乙）有限公司", "word": "正常"}
    days = {"day": FIRST_DAY}

    soiled = [dirt.at(i).row(row, code="code", name="name", words=("word",), dates=days) for i in range(30)]

    assert soiled == [{**row, "day": "2026-06-30"}] * 30


def test_about_three_rows_in_a_hundred_have_a_dirty_code() -> None:
    dirt = Dirt(World(7, 20).rng("d"))

    dirty = sum(dirt.at(i).code(CODE) != CODE for i in range(10_000))

    assert 230 < dirty < 370


def test_every_endpoint_has_a_name_of_its_own(tmp_path: Path) -> None:
    world = World(7, 20)

    services = build_services(world, Dirt(world.rng("d")), State(tmp_path, Moods()))

    assert len({service.endpoint for service in services}) == len(services)
    assert {service.agency for service in services} == {
        "market_supervision",
        "agriculture",
        "customs",
        "health",
        "credit_platform",
    }
