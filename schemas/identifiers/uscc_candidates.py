"""Valid unified codes that lie one slip away from a wrong one. Suggestions for a person, never applied.

The check character is a weighted sum modulo a prime, so at each place exactly one other character
makes the sum right: eighteen substitutions and seventeen transpositions are all there is to look at.
"""

from __future__ import annotations

from schemas.identifiers import organisation, region
from schemas.identifiers.uscc_alphabet import ALPHABET, VALUES, WEIGHTS, is_sound
from schemas.identifiers.uscc_classes import is_known_class

MOST = 8
"""A person reads a handful of suggestions, not eighteen."""

_GROUPS = ("0OQDU", "1ILJT", "2Z", "5S", "8B3", "UVW", "6G", "4A", "7T1", "KX", "MN", "CG", "EF", "PR")
_CONFUSED = frozenset((left, right) for group in _GROUPS for left in group for right in group if left != right)
_ALL_WEIGHTS = (*WEIGHTS, 1)
_INVERSES = tuple(pow(weight, -1, 31) for weight in _ALL_WEIGHTS)


def candidates(text: str) -> tuple[str, ...]:
    """At most eight valid codes one transposition or one character away from an 18-character text.

    Codes with a known authority and class come first; among them those whose region and organisation
    code check too; then transpositions of neighbours, characters that look alike (0/O/D, 1/I, 2/Z,
    5/S, 8/B, U/V …), other single characters.
    """
    foreign = [place for place, character in enumerate(text) if character not in VALUES]
    if len(text) != 18 or len(foreign) > 3:
        return ()
    if foreign:
        return _ranked(_without_foreign(text, foreign))
    total = sum(VALUES[character] * weight for character, weight in zip(text, _ALL_WEIGHTS, strict=True)) % 31
    found = {code: 0 for code in _transposed(text)}
    for place, character in enumerate(text):
        right = ALPHABET[(VALUES[character] - total * _INVERSES[place]) % 31]
        code = text[:place] + right + text[place + 1 :]
        if right != character and is_sound(code):
            found.setdefault(code, 1 if (character, right) in _CONFUSED else 2)
    return _ranked(found)


def candidates_for_length(text: str) -> tuple[str, ...]:
    """Valid codes one lost or one doubled character away (17 or 19 characters), only those without any doubt."""
    if any(character not in VALUES for character in text):
        return ()
    if len(text) == 19:
        codes = {text[:place] + text[place + 1 :] for place in range(19)}
    elif len(text) == 17:
        codes = {text[:place] + right + text[place:] for place in range(18) for right in ALPHABET}
    else:
        return ()
    return _ranked({code: 0 for code in codes if is_sound(code) and _doubts(code) == (False, False)})


def _transposed(text: str) -> list[str]:
    swapped = (text[:place] + text[place + 1] + text[place] + text[place + 2 :] for place in range(17))
    return [code for code in swapped if code != text and is_sound(code)]


def _without_foreign(text: str, foreign: list[int]) -> dict[str, int]:
    """Replace each character outside the alphabet; look-alikes at every place, any character if there is but one."""
    codes = {text: 1}
    for place in foreign:
        alike = [right for right in ALPHABET if (text[place], right) in _CONFUSED]
        if len(foreign) == 1:
            alike += [right for right in ALPHABET if right not in alike]
        codes = {
            code[:place] + right + code[place + 1 :]: 1 if (text[place], right) in _CONFUSED else 2
            for code in codes
            for right in alike
        }
    return {code: rank for code, rank in codes.items() if is_sound(code)}


def _doubts(code: str) -> tuple[bool, bool]:
    is_doubtful = not (region.is_known(code[2:8]) and organisation.is_valid(code[8:17]))
    return not is_known_class(code[:2]), is_doubtful


def _ranked(found: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(found, key=lambda code: (_doubts(code)[0], found[code], _doubts(code)[1], code))[:MOST])
