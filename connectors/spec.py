"""What a source is: the frozen form of one ``source.yml``. Nothing here reads a file; see ``spec_file``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from connectors.request_options import FilesRequest, RestRequest, SoapRequest, TablesRequest

Request: TypeAlias = SoapRequest | RestRequest | FilesRequest | TablesRequest

Asked = TypeVar("Asked", SoapRequest, RestRequest, FilesRequest, TablesRequest)


@dataclass(frozen=True)
class Cursor:
    """Where a ``changes`` source goes on from.

    Attributes:
        heading: column of the source holding the time of the change (local times are Asia/Shanghai).
        format: ``strftime`` pattern in which the agency wants to be asked.
        overlap_seconds: asked again on every run, because agencies write late.
        start: first value ever asked from, ISO 8601 local time.
    """

    heading: str
    format: str
    overlap_seconds: int
    start: str


@dataclass(frozen=True)
class Continuation:
    """One record over several rows: a row whose ``when_blank`` cell is empty repeats ``fill`` of the row above."""

    when_blank: str
    fill: tuple[str, ...]


@dataclass(frozen=True)
class Decode:
    """How bytes become text rows. Every value stays text.

    Attributes:
        formats: allowed formats, out of csv, xlsx, xls, zip, json, xml, ndjson; the bytes decide which of them it is.
        encoding: ``gb18030`` or ``utf-8-sig``; decoding is strict. CSV and names inside ZIP files only.
        separator: one character between CSV cells.
        sheets: worksheets to read; empty means all visible ones.
        header_within: the heading row is looked for in this many first rows of a worksheet or CSV file.
        footer: regular expressions; a mostly empty row whose first filled cell begins with one is a note, not a record.
        continuation: see there.
        rows: where the rows are: a dotted path in JSON, a ``parent/child`` path of local names in XML.
        inner: XML only: local name of the element whose text is itself an XML document.
        fold_case: XML only: element names are compared in upper case (and become upper-case headings).
        nested_json: JSON only: columns whose text is itself JSON; their fields become ``column.field``.
    """

    formats: tuple[str, ...]
    encoding: str = "utf-8-sig"
    separator: str = ","
    sheets: tuple[str, ...] = ()
    header_within: int = 25
    footer: tuple[str, ...] = ()
    continuation: Continuation | None = None
    rows: str = ""
    inner: str | None = None
    fold_case: bool = False
    nested_json: tuple[str, ...] = ()


@dataclass(frozen=True)
class Via:
    """A named transform of ``connectors/transforms.py`` (or the adapter) and its options."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """How one shared field is filled.

    Attributes:
        field: name in the record type.
        headings: the agency's heading and its synonyms; the first that is there is read.
        also: further columns (each with synonyms) for transforms that take several.
        via: transform applied first, or None.
        lookup: name of the table of words applied after it, or None.
        optional: the column may be missing without the source having changed.
        constant: the value of every row; then there are no headings.
    """

    field: str
    headings: tuple[str, ...] = ()
    also: tuple[tuple[str, ...], ...] = ()
    via: Via | None = None
    lookup: str | None = None
    optional: bool = False
    constant: str | None = None


@dataclass(frozen=True)
class Form:
    """One layout of the source.

    Attributes:
        name: e.g. ``2018``.
        columns: one per shared field that the form fills.
        ignore: heading -> why it is not taken over.
        require: headings that must be there besides those of the columns; tells similar forms apart.
    """

    name: str
    columns: tuple[Column, ...]
    ignore: Mapping[str, str] = field(default_factory=dict)
    require: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """Which column says that a row is new, changed or taken back, and in which words."""

    headings: tuple[str, ...]
    put: tuple[str, ...]
    withdraw: tuple[str, ...]


@dataclass(frozen=True)
class Word:
    """Words of a source that mean one shared code, and how we know."""

    words: tuple[str, ...]
    code: str
    because: str


@dataclass(frozen=True)
class Expect:
    """What a delivery must look like before it may land; too few rows stop it.

    Attributes:
        rows_min: fewer rows stop the delivery.
        rows_max: more rows are a finding.
        valid_uscc: least share (0-1) of rows whose USCC is valid, among rows that carry one.
        accepted: least share (0-1) of rows that must be accepted.
        keeps: snapshots: least share (0-1) of the records standing now that must be there again.
        filled: shared field -> least share (0-1) of rows in which it has a value.
    """

    rows_min: int = 0
    rows_max: int | None = None
    valid_uscc: float = 0.0
    accepted: float = 0.0
    keeps: float = 0.0
    filled: Mapping[str, float] = field(default_factory=dict)


SIGNATURE_FORMS = ("http", "soap", "jws", "cms")
"""How a delivery can be signed: HTTP message signature, WS-Security, detached JWS, detached CMS."""


@dataclass(frozen=True)
class Signature:
    """Whether deliveries of the source must be signed, and how. A signature that is presented must always hold.

    Attributes:
        required: a delivery without one is refused.
        forms: which of :data:`SIGNATURE_FORMS` are taken.
    """

    required: bool = False
    forms: tuple[str, ...] = SIGNATURE_FORMS


@dataclass(frozen=True)
class Catalogue:
    """Entry of the government information resource catalogue (GB/T 21063.3; 政务信息资源目录编制指南, 2017).

    Attributes:
        code: resource code, e.g. ``307001/000001``.
        category: 类 of the resource: ``basic``, ``theme`` or ``department``.
        provider_zh: name of the providing agency.
        provider_uscc: its unified social credit code.
        summary_zh: abstract in Chinese.
        summary_en: abstract in English.
        share_type: ``unconditional`` 无条件共享, ``conditional`` 有条件共享, ``refused`` 不予共享.
        share_condition: required if conditional.
        refusal_ground: legal ground, required if refused.
        share_method: e.g. ``共享平台``.
        open_to_public: 是否向社会开放.
        open_condition: in words; empty if none.
        update_cycle: realtime, daily, weekly, monthly, quarterly or yearly.
        published_on: ISO date.
    """

    code: str
    category: str
    provider_zh: str
    provider_uscc: str
    summary_zh: str
    summary_en: str
    share_type: str
    update_cycle: str
    published_on: str
    share_condition: str = ""
    refusal_ground: str = ""
    share_method: str = "共享平台"
    open_to_public: bool = False
    open_condition: str = ""


@dataclass(frozen=True)
class SourceSpec:
    """Everything the gateway knows about one source.

    Attributes:
        source: ``<agency>/<source>``, the folder's place.
        folder: where ``source.yml`` lies; a WSDL named by the request lies beside it.
        title_zh: title in Chinese.
        title_en: title in English.
        record_type: name in ``schemas.records.RECORD_TYPES``.
        transport: ``soap``, ``rest``, ``files`` or ``tables``.
        endpoint: name looked up in ``connections.yml``; None if the source only takes uploads.
        request: options of the transport.
        decode: how bytes become rows.
        delivery: ``snapshot`` (what is missing is withdrawn) or ``changes``.
        cursor: only for ``changes`` that are asked for by time.
        forms: at least one.
        operation: column of I/U/D marks, or None.
        lookups: name -> words.
        expect: volume and quality promised.
        schedule: five-field cron expression in Asia/Shanghai, or None if nothing is fetched.
        catalogue: the catalogue entry.
        signature: whether and how deliveries are signed.
        authority: lower is preferred where two sources fill one record type.
    """

    source: str
    folder: Path
    title_zh: str
    title_en: str
    record_type: str
    transport: str
    endpoint: str | None
    request: Request
    decode: Decode
    delivery: str
    cursor: Cursor | None
    forms: tuple[Form, ...]
    operation: Operation | None
    lookups: Mapping[str, tuple[Word, ...]]
    expect: Expect
    schedule: str | None
    catalogue: Catalogue
    signature: Signature
    authority: int

    def options(self, kind: type[Asked]) -> Asked:
        """The options of the transport, typed.

        Raises:
            TypeError: the source has another transport; a mistake of the caller, not of the source.
        """
        if not isinstance(self.request, kind):
            raise TypeError(f"{self.source} has {type(self.request).__name__}, not {kind.__name__}")
        return self.request

    @property
    def agency(self) -> str:
        """The agency's folder name, first half of ``source``."""
        return self.source.split("/")[0]
