"""Into which pieces a delivery can be cut so that each of them can be read by itself, by any worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

from connectors.decode.contents import PAGES, kind_of
from connectors.decode.csv_head import Span, read_head
from connectors.decode.csv_records import Records
from connectors.delivery import LINE, Delivery, Layout, Part
from connectors.headings import choose_form, is_settled
from connectors.registry import adapter
from connectors.spec import SourceSpec

_BLOCK = 16 * 1024 * 1024
_SURVEYED = 2_000


@dataclass(frozen=True)
class Piece:
    """Some of a delivery: whole parts one after the other, or a span of one CSV file. Plain values throughout.

    Attributes:
        number: from 0, in the order of the delivery; rows are in the order of piece and row.
        first_part: index of the first part.
        past_part: index behind the last one.
        kind: format of the parts.
        headings: of pages: those of all pages of the delivery together.
        span: of a CSV file, else None.
        names: what the parts are called in ``_part``: as the agency calls them, a repeated name with `` (2)``.
    """

    number: int
    first_part: int
    past_part: int
    kind: str
    names: tuple[str, ...]
    headings: tuple[str, ...] = ()
    span: Span | None = None


def plan_pieces(delivery: Delivery, spec: SourceSpec, piece_bytes: int | None) -> list[Piece]:
    """Cut a delivery: a CSV file at line breaks, an answer of many pages between pages, other files not at all.

    The headings of every CSV file and of all pages together are held against the forms of the source here,
    so a source that has changed is known before anything of it is read further.

    Args:
        delivery: its bytes are in the vault.
        spec: the source.
        piece_bytes: about how much each piece holds; None cuts nothing that need not be cut.

    Raises:
        Undecodable: a part is not of a declared format or encoding.
        SourceChanged: no form of the source fits the headings.
    """
    names = _distinct([part.name for part in delivery.parts])
    kinds = [_kind(part, spec) for part in delivery.parts]
    # An adapter may rename columns before they are mapped.
    is_checked = not hasattr(adapter(spec), "prepare")
    headings = _page_headings(delivery, kinds, spec)
    if headings and is_checked:
        pages = tuple(name for name, kind in zip(names, kinds, strict=True) if kind in PAGES)
        choose_form(Layout(pages, headings), spec)
    found: list[Piece] = []
    begin = 0
    while begin < len(kinds):
        end = _past_run(delivery, kinds, begin, piece_bytes)
        piece = Piece(len(found), begin, end, kinds[begin], tuple(names[begin:end]))
        if piece.kind == "csv":
            found += _csv_pieces(piece, delivery.parts[begin], spec, piece_bytes, is_checked)
        else:
            found.append(replace(piece, headings=headings) if piece.kind in PAGES else piece)
        begin = end
    return found


def _kind(part: Part, spec: SourceSpec) -> str:
    with part.path.open("rb") as file:
        return kind_of(f"{spec.source} {part.name}", file, spec.decode.formats)


def _past_run(delivery: Delivery, kinds: list[str], begin: int, piece_bytes: int | None) -> int:
    """Index behind the pages that go into one piece with the first of them; other parts stand alone."""
    end, size = begin + 1, delivery.parts[begin].size
    while kinds[begin] in PAGES and end < len(kinds) and kinds[end] == kinds[begin]:
        size += delivery.parts[end].size
        if piece_bytes is not None and size > piece_bytes:
            break
        end += 1
    return end


def _csv_pieces(
    piece: Piece, part: Part, spec: SourceSpec, piece_bytes: int | None, is_checked: bool
) -> Iterator[Piece]:
    where = f"{spec.source} {part.name}"
    with part.path.open("rb") as file:
        head = read_head(where, file, spec)
        if is_checked:
            choose_form(Layout(piece.names, head.headings), spec)
        # A row that goes on from the one above cannot be read without it.
        if piece_bytes is None or spec.decode.continuation or head.rows.end - head.rows.start <= piece_bytes:
            yield replace(piece, span=head.rows)
            return
        for count, span in enumerate(_spans(where, file, head.rows, spec, piece_bytes)):
            yield replace(piece, number=piece.number + count, span=span)


def _spans(where: str, file: IO[bytes], rows: Span, spec: SourceSpec, size: int) -> Iterator[Span]:
    """Spans of about that size; what lies behind a record whose end is uncertain stays in one."""
    records = Records(where, file, rows, spec.decode.encoding)
    start, line = rows.start, rows.line
    while records.start < rows.end:
        for _ in range(max(1, size // _BLOCK)):
            if not records.skip(min(size, _BLOCK), spec.decode.separator):
                yield Span(start, rows.end, line)
                return
        yield Span(start, records.start, line)
        start, line = records.start, records.line_number


def _page_headings(delivery: Delivery, kinds: list[str], spec: SourceSpec) -> tuple[str, ...]:
    """The headings of all pages, in the order met; not read further once more of them could change nothing."""
    found: dict[str, None] = {}
    for part, kind in zip(delivery.parts, kinds, strict=True):
        if kind not in PAGES:
            continue
        with part.path.open("rb") as file:
            for table in PAGES[kind](part.name, file, spec, _SURVEYED):
                found.update(dict.fromkeys(name for name in table.frame.columns if name != LINE))
                if is_settled(found, spec):
                    return tuple(found)
    return tuple(found)


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
