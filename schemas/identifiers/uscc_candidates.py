"""Valid unified codes that lie one slip away from a wrong one. Suggestions for a person, never applied.

The check character is a weighted sum modulo a prime, so at each place exactly one other character
makes the sum right: eighteen substitutions and seventeen transpositions are all there is to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from operator import mul

from schemas.identifiers import organisation, region
from schemas.identifiers.uscc_alphabet import ALPHABET, VALUES, WEIGHTS
from schemas.identifiers.uscc_classes import is_known_class

MOST = 8
"""A person reads a handful of suggestions, not eighteen."""

_MOST_FOREIGN = 3
_NEIGHBOURS, _ALIKE, _OTHER = 0, 1, 2

_GROUPS = ("0OQDU", "1ILJT", "2Z", "5S", "8B3", "UVW", "6G", "4A", "7T1", "KX", "MN", "CG", "EF", "PR")
_CONFUSED = frozenset((left, right) for group in _GROUPS for left in group for right in group if left != right)
_ALIKE_IN_CODES = {
    left: tuple(right for right in ALPHABET if (left, right) in _CONFUSED) for left in frozenset("".join(_GROUPS))
}
_ALL_WEIGHTS = (*WEIGHTS, 1)
_INVERSES = tuple(pow(weight, -1, 31) for weight in _ALL_WEIGHTS)


def candidates(text: str) -> tuple[str, ...]:
    """At most eight valid codes one transposition or one character away from an 18-character text.

    Codes with a known authority and class come first; among them transpositions of neighbours, then
    characters that look alike (0/O/D, 1/I, 2/Z, 5/S, 8/B, U/V …), then other single characters; and
    within each of these, codes whose region and organisation code raise no doubt.
    """
    if len(text) != 18:
        return ()
    foreign = [place for place, character in enumerate(text) if character not in VALUES]
    if foreign:
        return _ranked(_without_foreign(text, foreign)) if len(foreign) <= _MOST_FOREIGN else ()
    values = [VALUES[character] for character in text]
    total = _sum(values)
    found = dict.fromkeys(_transposed(text, values, total), _NEIGHBOURS)
    for place, character in enumerate(text):
        right = ALPHABET[(values[place] - total * _INVERSES[place]) % 31]
        if right != character:
            code = text[:place] + right + text[place + 1 :]
            found.setdefault(code, _ALIKE if (character, right) in _CONFUSED else _OTHER)
    return _ranked(found)


def candidates_for_length(text: str) -> tuple[str, ...]:
    """Valid codes one lost or one doubled character away (17 or 19 characters), only those without any doubt."""
    if len(text) not in (17, 19) or any(character not in VALUES for character in text):
        return ()
    codes = _shortened(text) if len(text) == 19 else _inserted(text)
    return _ranked({code: _OTHER for code in codes if _doubts(code) == (False, False)})


def _sum(values: list[int]) -> int:
    total: int = sum(map(mul, values, _ALL_WEIGHTS))
    return total % 31


def _transposed(text: str, values: list[int], total: int) -> Iterator[str]:
    """Neighbours exchanged, wherever that takes the sum to zero."""
    for place in range(17):
        change = (values[place + 1] - values[place]) * (_ALL_WEIGHTS[place] - _ALL_WEIGHTS[place + 1])
        if change and (total + change) % 31 == 0:
            yield text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _shortened(text: str) -> set[str]:
    """Without any one character, where that makes the sum right."""
    codes = {text[:place] + text[place + 1 :] for place in range(19)}
    return {code for code in codes if _sum([VALUES[character] for character in code]) == 0}


def _inserted(text: str) -> set[str]:
    """At each of eighteen places the one character that makes the sum right."""
    values = [VALUES[character] for character in text]
    codes = set()
    for place in range(18):
        total = _sum([*values[:place], 0, *values[place:]])
        codes.add(text[:place] + ALPHABET[-total * _INVERSES[place] % 31] + text[place:])
    return codes


def _without_foreign(text: str, foreign: list[int]) -> dict[str, int]:
    """Replace each character outside the alphabet so that the sum is right: by one that looks alike, a lone one by any.

    All but the last are tried; what the last one must be then follows.
    """
    *before, last = foreign
    values = [VALUES.get(character, 0) for character in text]
    total, found = _sum(values), {}
    for tried in product(*(_ALIKE_IN_CODES.get(text[place], ()) for place in before)):
        sum_here = total + sum(VALUES[right] * _ALL_WEIGHTS[at] for right, at in zip(tried, before, strict=True))
        right = ALPHABET[-sum_here * _INVERSES[last] % 31]
        is_alike = (text[last], right) in _CONFUSED
        if is_alike or not before:
            characters = list(text)
            for place, character in zip(foreign, (*tried, right), strict=True):
                characters[place] = character
            found["".join(characters)] = _ALIKE if is_alike else _OTHER
    return found


def _doubts(code: str) -> tuple[bool, bool]:
    """Whether the class is unknown; whether region or organisation code are doubtful."""
    return not is_known_class(code[:2]), not (region.is_known(code[2:8]) and _is_organisation(code[8:17]))


@lru_cache(64)
def _is_organisation(code: str) -> bool:
    """Whether nine characters of the alphabet are an organisation code; half the candidates for a text share one."""
    # The right check character is one that an organisation code may have, so the form need not be asked.
    return organisation.check_character(code[:8]) == code[8]


def _ranked(ranks: dict[str, int]) -> tuple[str, ...]:
    """The likeliest first.

    Args:
        ranks: code of the alphabet with a right sum -> how unlikely a slip it is.
    """
    keys = []
    for code, rank in ranks.items():
        if code[2:8].isdigit():
            is_unknown, is_doubtful = _doubts(code)
            keys.append((is_unknown, rank, is_doubtful, code))
    return tuple(code for *_, code in sorted(keys)[:MOST])
