"""Spoiling DER where it hurts: elements left out, doubled, swapped, of other tags or contents; lengths fit."""

from __future__ import annotations

from random import Random

from tests.certs.der import inside, split, wrap

MAX_DEPTH = 8
EXTREMES = (b"", b"\x00", b"\x80", b"\xff", b"\x7f" * 21, b"\x80\x01", b"\x00" * 40)
"""Contents at the edges of integers, times, strings and bit strings."""


def spoil(content: bytes, random: Random, depth: int = 0) -> bytes:
    """The encoded elements with one thing changed at some depth; every length around it is written anew."""
    elements = _elements(content) if depth < MAX_DEPTH else None
    if elements is None:
        return _spoiled_leaf(content, random)
    place = random.randrange(len(elements))
    element = elements[place]
    match random.randrange(12):
        case 0:
            del elements[place]
        case 1:
            elements.insert(place, element)
        case 2:
            elements.insert(random.randrange(len(elements)), elements.pop(place))
        case 3:
            elements[place] = bytes([random.randrange(256)]) + element[1:]
        case 4:
            elements[place] = wrap(element[0], random.choice(EXTREMES))
        case _:
            elements[place] = wrap(element[0], spoil(inside(element), random, depth + 1))
    return b"".join(elements)


def _elements(content: bytes) -> list[bytes] | None:
    """The elements if the content is nothing but elements; else it is a value."""
    try:
        elements = split(content)
    except IndexError:
        return None
    is_whole = b"".join(elements) == content and all(len(element) >= 2 for element in elements)
    return elements if elements and is_whole else None


def _spoiled_leaf(value: bytes, random: Random) -> bytes:
    if not value or random.randrange(4) == 0:
        return random.choice(EXTREMES)
    place = random.randrange(len(value))
    put = random.randbytes(random.randrange(4))
    return value[:place] + put + value[place + random.randrange(4) :]
