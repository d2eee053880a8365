"""Headings: when two are the same, which form a set of them is, and what is left over."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from connectors.delivery import LINE, PART, Layout
from connectors.errors import SourceChanged
from connectors.spec import Column, Form, SourceSpec
from schemas.judgement import ROW

_BLANKS = re.compile(r"\s+")


@lru_cache(maxsize=20_000)
def heading_key(text: str) -> str:
    """The form in which headings and words are compared: NFKC (full-width, brackets), no blanks. Nothing else.

    >>> heading_key("行政相对人代码＿1 （统一社会信用代码）")
    '行政相对人代码_1(统一社会信用代码)'
    """
    return _BLANKS.sub("", unicodedata.normalize("NFKC", text))


@dataclass(frozen=True)
class Fit:
    """How well a form fits a set of headings.

    Attributes:
        form: the form.
        missing: required headings that are not there, each as the first of its synonyms.
        asked: number of headings that the form requires.
    """

    form: Form
    missing: tuple[str, ...]
    asked: int


def required(form: Form, spec: SourceSpec) -> list[tuple[str, ...]]:
    """Headings that must be there, each with its synonyms."""
    columns = [column for column in form.columns if not column.optional and column.constant is None]
    alternatives = [names for column in columns for names in (column.headings, *column.also)]
    alternatives += [(name,) for name in form.require]
    if spec.operation:
        alternatives.append(spec.operation.headings)
    return alternatives


def fits(headings: Iterable[str], spec: SourceSpec) -> list[Fit]:
    """Every form of the source against the headings, the best fit first.

    Best is: nothing missing, and then the most required headings, so that a form which is another
    one and more wins; then the fewest missing.
    """
    present = {heading_key(heading) for heading in headings}
    found = []
    for form in spec.forms:
        asked = required(form, spec)
        missing = tuple(names[0] for names in asked if not any(heading_key(name) in present for name in names))
        found.append(Fit(form, missing, len(asked)))
    return sorted(found, key=lambda fit: (len(fit.missing) > 0, len(fit.missing), -fit.asked))


def choose_form(layout: Layout, spec: SourceSpec) -> Form:
    """The one form of the source that fits the headings.

    Raises:
        SourceChanged: none does, or two fit equally well.
    """
    ranked = fits(layout.headings, spec)
    best = ranked[0]
    rivals = [fit.form.name for fit in ranked if not fit.missing and fit.asked == best.asked]
    if not best.missing and len(rivals) == 1:
        return best.form
    raise _changed(best, rivals, layout, spec)


def _changed(best: Fit, rivals: list[str], layout: Layout, spec: SourceSpec) -> SourceChanged:
    expected = known(best.form, spec)
    unexpected = [heading for heading in layout.headings if heading_key(heading) not in expected]
    part = "、".join(layout.parts[:3])
    if rivals:
        zh, en = f"同时符合表样 {'、'.join(rivals)}", f"fits the forms {', '.join(rivals)} equally well"
    else:
        zh = (
            f"不符合任何表样；最接近“{best.form.name}”，缺少 {'、'.join(best.missing)}，"
            f"多出 {'、'.join(unexpected) or '无'}"
        )
        en = (
            f"fits no form; the nearest is {best.form.name!r}: missing {', '.join(best.missing)}; "
            f"unexpected {', '.join(unexpected) or 'none'}"
        )
    return SourceChanged(
        f"{spec.source} {part}：{zh}。未入库，原始文件已保留；请与报送单位核对后修改 source.yml。",
        f"{spec.source} {part}: {en}. Nothing landed, the bytes are kept; ask the agency, then change source.yml.",
        source=spec.source,
        parts=list(layout.parts),
        form=best.form.name,
        missing=list(best.missing),
        unexpected=unexpected,
    )


def is_settled(headings: Iterable[str], spec: SourceSpec) -> bool:
    """Whether no further heading could change which form is chosen, or which column fills which field."""
    ranked = fits(headings, spec)
    best = ranked[0]
    if best.missing or any(other.asked >= best.asked for other in ranked[1:]):
        return False
    present = {heading_key(heading) for heading in headings}
    groups = [group for column in best.form.columns for group in (column.headings, *column.also) if group]
    return all(heading_key(group[0]) in present for group in groups)


def known(form: Form, spec: SourceSpec) -> set[str]:
    """Keys of all headings that the form accounts for: mapped, ignored, operation or cursor."""
    names = [name for column in form.columns for group in (column.headings, *column.also) for name in group]
    names += [*form.ignore, *form.require]
    names += spec.operation.headings if spec.operation else ()
    names += [spec.cursor.heading] if spec.cursor else []
    return {heading_key(name) for name in names}


def find_heading_row(rows: Sequence[Sequence[str | None]], spec: SourceSpec) -> int:
    """Index of the row that is the heading: the first that holds a whole form, else the one with most known headings.

    A source whose headings changed is told so by the mapping, with the row that looks most like a heading.
    """
    everything = set().union(*(known(form, spec) for form in spec.forms))
    best, most = 0, -1
    for index, row in enumerate(rows):
        cells = [cell for cell in row if cell]
        if not cells:
            continue
        if not fits(cells, spec)[0].missing:
            return index
        hits = sum(heading_key(cell) in everything for cell in cells)
        if hits > most:
            best, most = index, hits
    return best


def pick(column: Column, headings: dict[str, str]) -> list[str | None]:
    """The sheet's columns that fill a shared field: for each group of synonyms the first that is there, or None."""
    groups = (column.headings, *column.also)
    return [
        next((headings[heading_key(name)] for name in group if heading_key(name) in headings), None) for group in groups
    ]


def unique_headings(cells: Sequence[str | None]) -> list[str]:
    """Names for the columns of a sheet: as sent; a repeated one gets `` (2)``, a blank one its position.

    >>> unique_headings(["备注", "备注 ", None])
    ['备注', '备注 (2)', '第3列']
    """
    seen = {ROW, PART, LINE}
    names = []
    for position, cell in enumerate(cells, 1):
        text = cell.strip() if cell and cell.strip() else f"第{position}列"
        name, count = text, 1
        while heading_key(name) in seen:
            count += 1
            name = f"{text} ({count})"
        seen.add(heading_key(name))
        names.append(name)
    return names
