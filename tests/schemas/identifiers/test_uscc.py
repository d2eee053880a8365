"""The unified code: GB 32100 vectors, faults with candidates, doubts that do not refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import uscc
from schemas.identifiers.uscc_candidates import _CONFUSED, MOST, candidates, candidates_for_length
from tests.schemas.identifiers.generated import doubtful_uscc_codes, full_width, uscc_codes

VECTORS = [
    "91110000600037341L",
    "91350100M000100Y43",
    "91440300708461136T",
    "9144030071526726XG",
    "91330100799655058B",
    "N2330110MF1234567D",
]


def rules(faults: list) -> list[str]:
    return [fault.rule for fault in faults]


@pytest.mark.parametrize("code", VECTORS)
def test_published_codes_are_valid(code: str) -> None:
    assert uscc.validate(code) == []


def test_a_wrong_check_character_is_a_fault_in_two_languages_with_the_expected_character() -> None:
    (fault,) = uscc.validate("913301005930640556")

    assert fault.rule == "uscc.check_character"
    assert "应为7，收到6" in fault.zh
    assert "ask for 7, got 6" in fault.en
    assert "913301005930640557" in fault.candidates


def test_two_neighbours_exchanged_are_named_first() -> None:
    (fault,) = uscc.validate("91530100M000100Y43")

    assert fault.candidates[0] == "91350100M000100Y43"


@pytest.mark.parametrize("wrong", ["9I350100M000100Y43", "91350100M0OO100Y43"])
def test_letters_that_are_never_used_are_replaced_by_what_they_look_like(wrong: str) -> None:
    (fault,) = uscc.validate(wrong)

    assert fault.rule == "uscc.characters"
    assert fault.candidates[0] == "91350100M000100Y43"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "uscc.length"),
        ("91350100M000100Y4", "uscc.length"),
        ("91350100M000100Y433", "uscc.length"),
        ("913501M0M000100Y43", "uscc.region_form"),
        ("91350L00M000100Y43", "uscc.region_form"),
        ("91350100M000100Y4３", "uscc.characters"),
        ("913306******UD4P7H", "uscc.masked"),
        ("91350100m000100y43", "uscc.characters"),
    ],
)
def test_each_way_to_be_wrong_has_its_own_rule(text: str, rule: str) -> None:
    assert rules(uscc.validate(text)) == [rule]


def test_prefixes_of_agriculture_military_and_others_raise_no_doubt() -> None:
    codes = [prefix + "330110" + "MF1234567" for prefix in ("N2", "Y1", "A1")]

    assert [rules(uscc.warnings(code + uscc.check_character(code))) for code in codes] == [[], [], []]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("91320594MF1234567", "uscc.region_unknown"),
        ("98330110MF1234567", "uscc.class_unknown"),
        ("91330110MF1234565", "uscc.organisation_code"),
    ],
)
def test_class_region_and_organisation_code_are_only_doubted(body: str, rule: str) -> None:
    code = body + uscc.check_character(body)

    assert (uscc.validate(code), rules(uscc.warnings(code))) == ([], [rule])


def test_the_national_registry_is_a_known_region() -> None:
    body = "91100000MF1234567"

    assert uscc.warnings(body + uscc.check_character(body)) == []


def test_the_parts_are_explained() -> None:
    assert uscc.explain("N2330110MF1234567D") == {
        "authority_code": "N",
        "authority_zh": "农业",
        "authority_en": "agriculture",
        "class_code": "2",
        "class_zh": "村级集体经济组织",
        "class_en": "village-level rural collective",
        "region_code": "330110",
        "province": "浙江省",
        "prefecture": "杭州市",
        "county": "余杭区",
        "organisation_code": "MF1234567",
        "check_character": "D",
        "expected_check_character": "D",
    }


@given(uscc_codes(), st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_a_valid_code_with_one_changed_character_is_never_valid(code: str, place: int, other: str) -> None:
    changed = code[:place] + other + code[place + 1 :]

    assert (uscc.validate(changed) == []) == (changed == code)


@given(doubtful_uscc_codes(), st.integers(0, 16))
def test_two_neighbours_exchanged_are_never_valid(code: str, place: int) -> None:
    changed = code[:place] + code[place + 1] + code[place] + code[place + 2 :]

    assert (uscc.validate(changed) == []) == (changed == code)


@given(uscc_codes(), st.integers(0, 17), st.sampled_from(uscc.ALPHABET))
def test_candidates_are_few_valid_distinct_and_one_slip_away(code: str, place: int, other: str) -> None:
    wrong = code[:place] + other + code[place + 1 :]
    near = candidates(wrong)

    assert len(near) == len(set(near)) <= MOST
    for candidate in near:
        slips = [index for index in range(18) if candidate[index] != wrong[index]]
        is_exchange = len(slips) == 2 and slips[1] == slips[0] + 1 and sorted(candidate) == sorted(wrong)
        assert uscc.validate(candidate) == []
        assert len(slips) == 1 or is_exchange


def _by_trial(text: str) -> tuple[str, ...]:
    """Every code one slip away, each tried by itself."""
    exchanged = {text[:n] + text[n + 1] + text[n] + text[n + 2 :] for n in range(17)}
    replaced = {text[:n] + right + text[n + 1 :]: (text[n], right) for n in range(18) for right in uscc.ALPHABET}
    sound = [code for code in exchanged | set(replaced) if uscc.is_sound(code) and code != text]

    def place(code: str) -> tuple[bool, int, bool, str]:
        found = {fault.rule for fault in uscc.warnings(code)}
        slip = 0 if code in exchanged else 1 if replaced[code] in _CONFUSED else 2
        return "uscc.class_unknown" in found, slip, bool(found - {"uscc.class_unknown"}), code

    return tuple(sorted(sound, key=place)[:MOST])


@given(doubtful_uscc_codes(), st.integers(0, 17), st.sampled_from(uscc.ALPHABET), st.integers(0, 16))
def test_candidates_are_those_found_by_trying_all(code: str, place: int, other: str, exchanged: int) -> None:
    wrong = code[:place] + other + code[place + 1 :]
    twice = wrong[:exchanged] + wrong[exchanged + 1] + wrong[exchanged] + wrong[exchanged + 2 :]

    for text in (wrong, twice):
        if not uscc.is_sound(text):
            assert candidates(text) == _by_trial(text)


@given(uscc_codes(), st.sets(st.integers(0, 17), min_size=1, max_size=3), st.sampled_from("IOSVZ*小"))
def test_a_character_outside_the_alphabet_is_replaced_by_what_makes_the_code_right(
    code: str, places: set[int], foreign: str
) -> None:
    wrong = "".join(foreign if place in places else character for place, character in enumerate(code))
    near = candidates(wrong)

    assert all(uscc.is_sound(candidate) for candidate in near)
    assert len(places) > 1 or len(near) == 1
    assert all(near[place] == code[place] for near in near for place in range(18) if place not in places)


@given(uscc_codes(), st.integers(0, 16))
def test_an_exchange_of_neighbours_is_found_among_the_candidates(code: str, place: int) -> None:
    wrong = code[:place] + code[place + 1] + code[place] + code[place + 2 :]

    # Three exchanges that all give a sound code are possible, eight are not.
    assert wrong == code or any(foreign not in uscc.VALUES for foreign in wrong) or code in candidates(wrong)


@given(uscc_codes(), st.integers(0, 17))
def test_a_lost_or_doubled_character_is_found_again(code: str, place: int) -> None:
    lost = candidates_for_length(code[:place] + code[place + 1 :])
    doubled = candidates_for_length(code[: place + 1] + code[place:])

    assert code in lost or len(lost) == MOST
    assert code in doubled or len(doubled) == MOST


@given(uscc_codes())
def test_case_width_blanks_and_hyphens_do_not_matter(code: str) -> None:
    written = [code.lower(), full_width(code.lower()), f" '{code[:2]}-{code[2:8]}\t{code[8:]}\u200b\n", f"\ufeff{code}"]

    assert [uscc.normalize(text) for text in written] == [code] * 4


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = uscc.normalize(text)

    assert uscc.normalize(once) == once
