"""From the bytes of a delivery to text rows, exactly as sent, in bounded pieces. One module per format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from connectors.decode.archive import Allowance
from connectors.decode.contents import read_tables
from connectors.decode.csv_head import Span
from connectors.decode.pieces import Piece, plan_pieces
from connectors.decode.shape import Table
from connectors.decode.sheets import CHUNK, empty_sheet, to_sheets
from connectors.delivery import Delivery, Sheet
from connectors.spec import SourceSpec
from connectors.vault import DEFAULT_MAX_UNPACKED_BYTES
from schemas.judgement import ROW

__all__ = ["CHUNK", "Piece", "Span", "decode_chunks", "decode_piece", "plan_pieces"]


def decode_chunks(
    delivery: Delivery, spec: SourceSpec, max_unpacked_bytes: int = DEFAULT_MAX_UNPACKED_BYTES, rows: int = CHUNK
) -> Iterator[Sheet]:
    """Read every part as text, one bounded sheet after the other; memory does not grow with the delivery.

    Rows come in the order of parts, members, worksheets and lines, and ``_row`` runs over all of them from 1.
    There is at least one sheet, also of an empty delivery. What is wrong with the bytes may show only late:
    nothing may be landed before the last sheet has come.

    Args:
        delivery: its bytes are in the vault.
        spec: the source.
        max_unpacked_bytes: largest total that compressed parts may unpack to.
        rows: most rows of one sheet.

    Raises:
        Undecodable: a part is not of a declared format or encoding, is damaged, or unpacks to too much.
        SourceChanged: before the first sheet, where the headings of a CSV file or of all pages fit no form.
    """
    return _chunks(delivery, spec, plan_pieces(delivery, spec, piece_bytes=None), max_unpacked_bytes, rows)


def decode_piece(
    delivery: Delivery,
    spec: SourceSpec,
    piece: Piece,
    max_unpacked_bytes: int = DEFAULT_MAX_UNPACKED_BYTES,
    rows: int = CHUNK,
) -> Iterator[Sheet]:
    """Read one of the pieces of :func:`plan_pieces`, for workers that share a delivery.

    The pieces in their order have the rows of :func:`decode_chunks` in theirs; ``_row`` runs from 1 in each of them,
    so the number of a row in the delivery is known when the rows of the pieces before it have been counted.
    Each piece has the whole of ``max_unpacked_bytes`` for itself.

    Raises:
        Undecodable: as :func:`decode_chunks`.
    """
    yield from _sheets(delivery, spec, piece, Allowance(max_unpacked_bytes), rows)


def _chunks(
    delivery: Delivery, spec: SourceSpec, pieces: list[Piece], max_unpacked_bytes: int, rows: int
) -> Iterator[Sheet]:
    allowance = Allowance(max_unpacked_bytes)
    if not pieces:
        yield empty_sheet(delivery)
    before = 0
    for piece in pieces:
        read = 0
        for sheet in _sheets(delivery, spec, piece, allowance, rows):
            yield _moved_by(before, sheet)
            read += sheet.frame.height
        before += read


def _sheets(delivery: Delivery, spec: SourceSpec, piece: Piece, allowance: Allowance, rows: int) -> Iterator[Sheet]:
    return to_sheets(delivery, _tables(delivery, spec, piece, allowance, rows), piece.headings, rows)


def _tables(delivery: Delivery, spec: SourceSpec, piece: Piece, allowance: Allowance, rows: int) -> Iterator[Table]:
    for name, part in zip(piece.names, delivery.parts[piece.first_part : piece.past_part], strict=True):
        with part.path.open("rb") as file:
            yield from read_tables(name, file, piece.kind, spec, allowance, rows, piece.span)


def _moved_by(before: int, sheet: Sheet) -> Sheet:
    if not before:
        return sheet
    row = (pl.col(ROW) + before).cast(pl.UInt32)
    return replace(sheet, frame=sheet.frame.with_columns(row), faults=sheet.faults.with_columns(row))
