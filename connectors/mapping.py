"""From an agency's columns to the shared field names: choose the form, pop each column, report what is left."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from connectors.decode.sheets import one_sheet
from connectors.delivery import LINE, PART, Finding, Layout, Mapped, Sheet
from connectors.distinct import distinct
from connectors.findings import FREQUENT, MET, finding_of_list, merge_findings
from connectors.headings import choose_form, heading_key, pick
from connectors.lookups import look_up
from connectors.registry import adapter
from connectors.spec import Column, Form, SourceSpec
from connectors.transforms import TRANSFORMS, UNCLEAR, Transform
from schemas.faults import Fault
from schemas.judgement import FAULT_COLUMNS, OPERATION, ROW

_META = (ROW, PART, LINE)
_PERSONAL_HEADING = re.compile(
    "身份证|证件号|手机|电话|联系方式|姓名|经办人|联系人|代表人|负责人|法人|人员|phone|mobile|id_?no|sfz|lxdh|fddbr",
    re.I,
)
_PERSONAL_VALUE = re.compile(r"1[3-9][0-9]{9}|[1-9][0-9]{5}(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]{4}[0-9Xx]")


@dataclass(frozen=True)
class _Piece:
    """Rows of one layout after mapping."""

    frame: pl.DataFrame
    form: str
    headings: dict[str, str]
    findings: list[Finding]
    faults: list[pl.DataFrame]


def map_sheet(sheet: Sheet, spec: SourceSpec) -> Mapped:
    """Rename and translate columns; every one of them is mapped, ignored on purpose or reported.

    Each sheet of a delivery is mapped by itself; the findings of all of them together are ``merge_findings``.

    Raises:
        SourceChanged: no form of the source fits the headings, or two fit equally well.
    """
    module = adapter(spec)
    if module is not None and hasattr(module, "prepare"):
        sheet = module.prepare(sheet)
    cells = tuple(name for name in sheet.frame.columns if name not in _META)
    layouts = sheet.layouts or (Layout((), cells),)
    pieces = [_map_layout(sheet, layout, spec) for layout in layouts if layout.headings or not sheet.frame.height]
    return _combined(sheet, pieces, sheet.findings, [sheet.faults])


def one_mapping(mappings: Sequence[Mapped]) -> Mapped:
    """The mapped chunks of one delivery, or rows out of them, as one: for rows that are known to be few.

    Args:
        mappings: at least one, in the order of the delivery.
    """
    sheet = one_sheet([mapped.sheet for mapped in mappings])
    pieces = [_Piece(one.frame, one.form, one.headings, list(one.findings), [one.faults]) for one in mappings]
    return _combined(sheet, pieces, (), [])


def _combined(
    sheet: Sheet, pieces: Sequence[_Piece], findings: Sequence[Finding], faults: Sequence[pl.DataFrame]
) -> Mapped:
    headings: dict[str, str] = {}
    for piece in pieces:
        headings = {**piece.headings, **headings}
    return Mapped(
        sheet=sheet,
        frame=_in_order([piece.frame for piece in pieces]),
        form="+".join(dict.fromkeys(form for piece in pieces for form in piece.form.split("+"))),
        headings=headings,
        findings=merge_findings((*findings, *(finding for piece in pieces for finding in piece.findings))),
        faults=pl.concat([*faults, *(fault for piece in pieces for fault in piece.faults)]),
    )


def _in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    # The rows of one piece are in order as they are.
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal").sort(ROW)


def _map_layout(sheet: Sheet, layout: Layout, spec: SourceSpec) -> _Piece:
    rows = sheet.frame.filter(pl.col(PART).is_in(layout.parts)) if len(sheet.layouts) > 1 else sheet.frame
    if not layout.headings:
        form = spec.forms[0]
        empty = pl.DataFrame(
            schema={ROW: pl.UInt32, OPERATION: pl.String, **{c.field: pl.String for c in form.columns}}
        )
        return _Piece(empty, form.name, {}, [], [])
    form = choose_form(layout, spec)
    by_key = {heading_key(heading): heading for heading in layout.headings}
    piece = _Piece(pl.DataFrame([rows[ROW]]), form.name, {}, [], [])
    used: set[str] = set()
    columns: list[pl.Series] = []
    for column in form.columns:
        chosen = [heading for heading in pick(column, by_key) if heading is not None]
        used.update(chosen)
        if column.constant is not None:
            columns.append(pl.Series(column.field, [column.constant], dtype=pl.String).new_from_index(0, rows.height))
        elif chosen:
            piece.headings[column.field] = chosen[0]
            columns.append(_fill(rows, column, chosen, spec, piece))
    operation = _operation(rows, by_key, spec, piece, used)
    piece.findings.extend(_left_over(rows, layout, form, used, spec))
    return replace(piece, frame=pl.DataFrame([rows[ROW], operation, *columns]))


def _fill(rows: pl.DataFrame, column: Column, chosen: list[str], spec: SourceSpec, piece: _Piece) -> pl.Series:
    values = rows[chosen[0]]
    if column.via:
        transform = _transform(column.via.name, spec)
        values = transform([rows[heading] for heading in chosen], column.via.options)
        if column.via.name in UNCLEAR:
            values = _without_unclear(values, rows[chosen[0]], UNCLEAR[column.via.name], piece)
    values = values.alias(column.field)
    if not column.lookup:
        return values
    many = column.via is not None and column.via.name == "multi_code"
    result = look_up(values, spec.lookups[column.lookup], many, spec.record_type, column.field)
    if result.unknown:
        piece.findings.append(_unknown_words(column, chosen[0], result.unknown))
    if result.ambiguous:
        piece.faults.append(_ambiguous(rows, values, column, chosen[0], result.ambiguous))
    return result.column.alias(column.field)


def _transform(name: str, spec: SourceSpec) -> Transform:
    module = adapter(spec)
    own: Mapping[str, Transform] = getattr(module, "TRANSFORMS", {})
    return own[name] if name in own else TRANSFORMS[name]


def _without_unclear(values: pl.Series, sent: pl.Series, unclear: Callable[[str], bool], piece: _Piece) -> pl.Series:
    """The values without those that were sent too unclear to be one; a finding tells of them, their rows go on."""
    words = [word for word in distinct(sent, in_order=True) if unclear(word)]
    if not words:
        return values
    hit = sent.is_in(words).fill_null(value=False)
    listed = [word for word in words if not _PERSONAL_VALUE.search(word)][:5]
    piece.findings.append(
        finding_of_list(
            "value.unclear",
            sent.name,
            int(hit.sum()),
            MET,
            dict.fromkeys(listed, 1),
            f"“{sent.name}”有数额或单位不明的值，未采用，所在行照常处理：{{listed}}；请补全后重报",
            f"{sent.name!r} has values whose amount or unit is unclear; they were left out and their rows went on: "
            "{listed}; complete them and send them again",
            example=listed[0][:80] if listed else None,
        )
    )
    return values.to_frame("value").select(pl.when(~hit).then("value")).to_series()


def _unknown_words(column: Column, heading: str, unknown: dict[str, int]) -> Finding:
    return finding_of_list(
        "lookup.unknown_word",
        heading,
        sum(unknown.values()),
        FREQUENT,
        unknown,
        f"“{heading}”有对照表 {column.lookup} 未列的词：{{listed}}；请核对后补充对照表",
        f"{heading!r} has words that lookup {column.lookup} does not list: {{listed}}; check them and add them to it",
    )


def _ambiguous(
    rows: pl.DataFrame, values: pl.Series, column: Column, heading: str, words: frozenset[str]
) -> pl.DataFrame:
    hit = values.is_in(list(words))
    return _row_faults(
        rows.filter(hit)[ROW],
        column.field,
        values.filter(hit),
        "lookup.unknown_word",
        f"“{heading}”的值不在对照表 {column.lookup} 中，且与共享代码同形而含义未必相同；请核对后补充对照表",
        f"the value of {heading!r} is not in lookup {column.lookup} and looks like a shared code but may mean another "
        "thing; check it and add it to the lookup",
    )


def _operation(
    rows: pl.DataFrame, by_key: dict[str, str], spec: SourceSpec, piece: _Piece, used: set[str]
) -> pl.Series:
    """The column ``_op``; a mark that is in neither list of words faults its row."""
    put = pl.Series(OPERATION, ["put"], dtype=pl.String).new_from_index(0, rows.height)
    if spec.operation is None:
        return put
    heading = next(by_key[heading_key(name)] for name in spec.operation.headings if heading_key(name) in by_key)
    used.add(heading)
    meaning = {heading_key(word): "withdraw" for word in spec.operation.withdraw}
    meaning |= {heading_key(word): "put" for word in spec.operation.put}
    marks = rows[heading]
    distinct = {mark: meaning[heading_key(mark)] for mark in marks.unique() if mark and heading_key(mark) in meaning}
    operation = marks.replace_strict(distinct, default=None, return_dtype=pl.String).alias(OPERATION)
    unclear = operation.is_null()
    if unclear.any():
        words = "、".join([*spec.operation.put, *spec.operation.withdraw])
        piece.faults.append(
            _row_faults(
                rows.filter(unclear)[ROW],
                OPERATION,
                marks.filter(unclear),
                "operation.unknown",
                f"“{heading}”应为 {words} 之一，无法判断是增改还是撤回；请更正后重报",
                f"{heading!r} must be one of {words}; whether the row is put or withdrawn cannot be known; correct it",
            )
        )
    return operation.fill_null("put")


def _row_faults(rows: pl.Series, field: str, values: pl.Series, rule: str, zh: str, en: str) -> pl.DataFrame:
    fault = Fault(rule, zh, en)
    return (
        pl.DataFrame({ROW: rows, "value": values.cast(pl.String)})
        .select(
            ROW,
            pl.lit(field).alias("field"),
            "value",
            *(pl.lit(text).alias(name) for name, text in (("rule", fault.rule), ("zh", fault.zh), ("en", fault.en))),
            pl.lit([], dtype=pl.List(pl.String)).alias("candidates"),
        )
        .cast(FAULT_COLUMNS)
    )


def _left_over(rows: pl.DataFrame, layout: Layout, form: Form, used: set[str], spec: SourceSpec) -> list[Finding]:
    """A finding for each column that nobody asked for: not mapped, not ignored on purpose."""
    ignored = {heading_key(name) for name in (*form.ignore, *form.require)}
    if spec.cursor:
        ignored.add(heading_key(spec.cursor.heading))
    left = [name for name in layout.headings if name not in used and heading_key(name) not in ignored]
    findings = []
    for heading in left:
        values = rows[heading].drop_nulls()
        example = str(values[0])[:80] if values.len() else None
        if example and (_PERSONAL_HEADING.search(heading) or _PERSONAL_VALUE.search(example)):
            example = None
        findings.append(
            Finding(
                "column.unexpected",
                heading,
                values.len(),
                example,
                f"出现约定之外的列“{heading}”，未采用；请在 source.yml 中映射或写明忽略的原因",
                f"column {heading!r} is not declared and was not taken over; "
                "map it in source.yml or ignore it with a reason",
            )
        )
    return findings
