"""Alphabet, weights and check character of the unified code, GB 32100-2015, 5.1 and 5.2."""

from __future__ import annotations

import re
from operator import mul

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""31 characters, value = position; I, O, S, V and Z are never used (GB 32100-2015, table 3)."""

VALUES = {character: index for index, character in enumerate(ALPHABET)}

WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
"""W(i) = 3^(i−1) mod 31 for the first 17 characters."""

_FORM = re.compile(f"[{ALPHABET}]{{2}}[0-9]{{6}}[{ALPHABET}]{{10}}", re.ASCII)


def check_character(body: str) -> str:
    """The eighteenth character for the first seventeen.

    Raises:
        KeyError: a character is outside the alphabet.
        ValueError: not seventeen characters.

    >>> check_character("91350100M000100Y4")
    '3'
    """
    if len(body) != 17:
        raise ValueError(f"expected 17 characters, got {len(body)}: '{body}'")
    return ALPHABET[-sum(map(mul, map(VALUES.__getitem__, body), WEIGHTS)) % 31]


def is_sound(text: str) -> bool:
    """Whether a text is a canonical unified code with the right check character."""
    return _FORM.fullmatch(text) is not None and check_character(text[:17]) == text[17]
