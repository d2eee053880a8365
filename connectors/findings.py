"""Findings that list lines or words, and how those of the pieces of a delivery become those of the delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from connectors.delivery import Finding, Listing

LINES, MET, FREQUENT = "lines", "met", "frequent"

_SHOWN = {LINES: 10, MET: 5, FREQUENT: 5}
# Of words that nobody declared there may be as many as rows; counts beyond the commonest would only fill memory.
_KEPT = {LINES: 10, MET: 5, FREQUENT: 10_000}


def finding_of_list(
    rule: str,
    column: str | None,
    count: int,
    kind: str,
    words: Mapping[str, int],
    zh: str,
    en: str,
    example: str | None = None,
) -> Finding:
    """A finding whose sentences list what was met.

    Args:
        kind: see :class:`Listing`; the example of ``frequent`` is the commonest word.
        words: in the order met, with how often.
        zh: with ``{listed}`` where the list stands.
        en: the same in English.
    """
    ranked = sorted(words, key=lambda word: -words[word]) if kind == FREQUENT else list(words)
    shown = ranked[: _SHOWN[kind]]
    listed = ", ".join(shown) if kind == LINES else "、".join(shown)
    if kind == LINES and count > len(shown):
        listed = f"{listed} … ({count})"
    kept = {word: words[word] for word in ranked[: _KEPT[kind]]}
    return Finding(
        rule,
        column,
        count,
        ranked[0][:80] if kind == FREQUENT else example,
        zh.replace("{listed}", listed),
        en.replace("{listed}", listed),
        Listing(kind, zh, en, kept),
    )


def merge_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of several pieces as those of one, in the order first met: same rule, column and sentence are counted
    together, the first example stays, and lists go on.

    Beyond 10,000 different undeclared words of one column only the commonest of each piece are compared.
    """
    merged: dict[tuple[str | None, ...], Finding] = {}
    for found in findings:
        said = found.listing or found
        place = (found.rule, found.column, said.zh, said.en)
        before = merged.get(place)
        merged[place] = found if before is None else _together(before, found)
    return tuple(merged.values())


def _together(one: Finding, other: Finding) -> Finding:
    count = one.count + other.count
    example = one.example if one.example is not None else other.example
    if one.listing is None or other.listing is None:
        return replace(one, count=count, example=example)
    words = dict(one.listing.words)
    for word, times in other.listing.words.items():
        words[word] = words.get(word, 0) + times
    listing = one.listing
    return finding_of_list(one.rule, one.column, count, listing.kind, words, listing.zh, listing.en, example)
