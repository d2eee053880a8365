"""Generated codes with right check characters; nobody's real code."""

from __future__ import annotations

from hypothesis import strategies as st

from schemas.identifiers import organisation, region, registration, uscc
from schemas.identifiers.uscc_classes import CLASSES


@st.composite
def uscc_codes(draw: st.DrawFn) -> str:
    """Valid and without any doubt: known class, known region, organisation code that checks."""
    prefix = draw(st.sampled_from(sorted(CLASSES))) + draw(st.sampled_from(sorted(region.known_regions())))
    core = draw(st.text(alphabet=uscc.ALPHABET, min_size=8, max_size=8))
    body = prefix + core + organisation.check_character(core)
    return body + uscc.check_character(body)


@st.composite
def doubtful_uscc_codes(draw: st.DrawFn) -> str:
    """Valid codes whose class, region and organisation code may be anything."""
    head = draw(st.text(alphabet=uscc.ALPHABET, min_size=2, max_size=2))
    place = draw(st.text(alphabet="0123456789", min_size=6, max_size=6))
    tail = draw(st.text(alphabet=uscc.ALPHABET, min_size=9, max_size=9))
    return head + place + tail + uscc.check_character(head + place + tail)


@st.composite
def registration_numbers(draw: st.DrawFn) -> str:
    """15 digits that check."""
    body = draw(st.text(alphabet="0123456789", min_size=14, max_size=14))
    return body + registration.check_digit(body)


def full_width(text: str) -> str:
    """Every ASCII character as its full-width twin."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def dirty(codes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Codes as agencies write them: other case, width, blanks, hyphens, or one character struck, lost, doubled."""
    return st.one_of(
        codes,
        codes.map(str.lower),
        codes.map(full_width),
        codes.map(lambda code: f" '{code[:2]}-{code[2:8]}\t{code[8:]}\u200b\n"),
        st.tuples(codes, st.integers(0, 17), st.sampled_from("0123456789ABIOSVXZ*？Σß")).map(
            lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
        ),
        st.tuples(codes, st.integers(0, 17)).map(lambda parts: parts[0][: parts[1]] + parts[0][parts[1] + 1 :]),
        st.tuples(codes, st.integers(0, 17)).map(lambda parts: parts[0][: parts[1] + 1] + parts[0][parts[1] :]),
        st.text(max_size=24),
        st.sampled_from(
            ["", "无", "——", "NULL", "\\N", "9.16204E+17", "13830295-X", "320506NA000043X", "3209231100626"]
        ),
    )
