"""The first three nouns of the one way through: Delivery, Sheet, Mapped. All frozen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from schemas.judgement import no_faults

PART = "_part"
"""Name of the part (file, page, worksheet) a row came in; dtype pl.String."""
LINE = "_line"
"""Line, worksheet row or element number inside the part, counted from 1 as a person would; dtype pl.UInt32."""


@dataclass(frozen=True)
class Part:
    """One file, page or result set, exactly as it was received.

    Attributes:
        name: what the agency called it (a label only: never used as a path).
        media_type: as declared by the transport, e.g. ``text/csv``.
        path: where the bytes lie, content-addressed, under ``XINQIAO_HOME/received``.
        digest: SHA-256 of the bytes, lower-case hex.
        size: in bytes.
        erased: id of the erasure of personal data for which the bytes were destroyed, or None.
        removed: instant text since when they are gone because their retention has ended, or None.
    """

    name: str
    media_type: str
    path: Path
    digest: str
    size: int
    erased: str | None = None
    removed: str | None = None


@dataclass(frozen=True)
class Delivery:
    """What one agency handed over at one time: bytes as they came, and where they came from.

    Attributes:
        source: ``<agency>/<source>``.
        parts: in the order received.
        origin: who or what brought it: ``pull:<endpoint>``, ``drop:<folder>``, ``upload:<system urn>``, ``cli``.
        received_at: UTC.
        cursor: value to continue from once this delivery has landed (``changes`` sources), else None.
        signature: the detached signature that came beside the one part (``x.csv.jws``, ``x.csv.p7s``), or None.
        is_partial: single rows out of a delivery (corrected, replayed): never a snapshot of everything.
    """

    source: str
    parts: tuple[Part, ...]
    origin: str
    received_at: datetime
    cursor: str | None = None
    is_partial: bool = False
    signature: Part | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the parts in order: the identity of the delivery's content."""
        return hashlib.sha256("\n".join(part.digest for part in self.parts).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all parts together."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True)
class Listing:
    """What a finding lists, kept so that the findings of several pieces can be said as one.

    Attributes:
        kind: ``lines`` (the first ten and how many), ``met`` (the first five words), ``frequent`` (the commonest five).
        zh: the sentence with ``{listed}`` where the list stands.
        en: the same in English.
        words: what was met, in that order, with how often.
    """

    kind: str
    zh: str
    en: str
    words: Mapping[str, int]


@dataclass(frozen=True)
class Finding:
    """Something worth telling the agency that does not stop a row or a delivery.

    Of a delivery read piece by piece each piece has its own; ``connectors.findings.merge_findings`` makes them one.

    Attributes:
        rule: stable code, e.g. ``column.unexpected``.
        column: heading or shared field concerned, or None.
        count: rows concerned.
        example: one value, shortened to 80 characters; never a personal field.
        zh: one sentence in 简体中文.
        en: the same in English.
        listing: what the sentences list, or None; made by ``connectors.findings``.
    """

    rule: str
    column: str | None
    count: int
    example: str | None
    zh: str
    en: str
    listing: Listing | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Layout:
    """Parts that have the same headings; a delivery may hold several forms, each in its own part.

    Attributes:
        parts: values of ``_part``.
        headings: those that are really there, in the order of the part.
    """

    parts: tuple[str, ...]
    headings: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A bounded piece of the delivery as text, exactly as sent: nothing trimmed, converted or dropped.

    Attributes:
        delivery: where it came from.
        frame: ``_row`` (running over the whole delivery), ``_part``, ``_line`` and one pl.String column per heading;
            empty cells are null.
        findings: e.g. formula cells whose stored result was taken, footer notes set aside.
        faults: rows that cannot be read as records at all (ragged lines); see :data:`FAULT_COLUMNS`.
        layouts: which parts have which headings; empty means that all parts have all of them.
    """

    delivery: Delivery
    frame: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    faults: pl.DataFrame = field(default_factory=no_faults)
    layouts: tuple[Layout, ...] = ()


@dataclass(frozen=True)
class Mapped:
    """The sheet in the shared field names, still text.

    Attributes:
        sheet: the sheet it was made from (quarantine shows rows as sent).
        frame: ``_row``, ``_op`` and one pl.String column per shared field of the record type that the source fills.
        form: name of the form (layout) of the source that the headings matched.
        headings: shared field -> heading it was read from, so that a fault can name the agency's own column.
        findings: those of the sheet, plus unexpected columns.
        faults: those of the sheet, plus unknown operation words; their rows are never accepted.
    """

    sheet: Sheet
    frame: pl.DataFrame
    form: str
    headings: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    faults: pl.DataFrame = field(default_factory=no_faults)
