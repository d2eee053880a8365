"""What is this code? Nine kinds, told apart by shape and check characters, a column at a time.

`problems` lists faults *and* warnings, each beginning with its severity: `error [uscc.check_character] …`,
`warning [uscc.region_unknown] …`. Warnings leave `valid` true.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Final

import polars as pl
from stdnum.cn import ric
from stdnum.iso7064 import mod_11_2

from schemas.faults import Fault
from schemas.identifiers import organisation, registration, spreadsheet, taxpayer, uscc
from schemas.identifiers.placeholders import is_placeholder
from schemas.identifiers.text import ascii_code_form, code_form, fold, has_chinese
from schemas.identifiers.uscc_candidates import candidates_for_length
from schemas.identifiers.uscc_columns import has_doubts, valid_uscc
from schemas.identifiers.uscc_remarks import remarks

KINDS: Final = (
    "uscc",
    "registration_15",
    "cooperative_15",
    "registration_13",
    "organisation_9",
    "taxpayer_15",
    "placeholder",
    "text",
    "unknown",
)

SCHEMA: Final[dict[str, pl.DataType]] = {
    "input": pl.String(),
    "kind": pl.String(),
    "normalized": pl.String(),
    "valid": pl.Boolean(),
    "problems": pl.List(pl.String),
    "candidates": pl.List(pl.String),
}
"""Columns and dtypes of what `identify` answers."""


@dataclass(frozen=True, slots=True)
class Identification:
    """What one text turned out to be; the fields are the columns of `identify`."""

    kind: str
    normalized: str
    valid: bool
    problems: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


def identify(texts: pl.Series) -> pl.DataFrame:
    """Say of every text which kind of code it is and what is wrong with it.

    Canonical, valid and undoubted unified codes are recognised by the column; every other value is
    brought to its normal form by the column and judged once per distinct value, valid codes by the column again.

    Args:
        texts: dtype pl.String, as sent; null counts as a placeholder.

    Returns:
        one row per text, in order, columns and dtypes of `SCHEMA`; `input` is null where the text was.
    """
    texts = texts.cast(pl.String).alias("input")
    clean = _is_undoubted(texts)
    judged = _judge_distinct(texts.filter(~clean).unique())
    nothing = pl.lit([], dtype=pl.List(pl.String))
    return (
        pl.DataFrame([texts, clean.alias("clean")])
        .lazy()
        .join(judged.lazy(), on="input", how="left", nulls_equal=True, maintain_order="left")
        .select(
            "input",
            kind=pl.when("clean").then(pl.lit("uscc")).otherwise("kind"),
            normalized=pl.when("clean").then("input").otherwise("normalized"),
            valid=pl.col("clean") | pl.col("valid").fill_null(value=False),
            problems=pl.col("problems").fill_null(nothing),
            candidates=pl.col("candidates").fill_null(nothing),
        )
        .collect()
    )


def _is_undoubted(codes: pl.Series) -> pl.Series:
    return valid_uscc(codes) & ~has_doubts(codes)


def _judge_distinct(texts: pl.Series) -> pl.DataFrame:
    """One row per distinct text: by the column where its normal form is a valid unified code, else one by one."""
    forms = ascii_code_form(texts)
    is_uscc = valid_uscc(forms)
    one_by_one = [(text, *_columns(classify(text or ""))) for text in texts.filter(~is_uscc).to_list()]
    codes = forms.filter(is_uscc)
    by_column = pl.DataFrame([texts.filter(is_uscc), codes.alias("normalized"), remarks(codes)]).select(
        "input",
        pl.lit("uscc").alias("kind"),
        "normalized",
        "problems",
        valid=True,
        candidates=pl.lit([], dtype=pl.List(pl.String)),
    )
    return pl.concat([by_column.select(*SCHEMA), pl.DataFrame(one_by_one, schema=SCHEMA, orient="row")])


def classify(text: str) -> Identification:
    """What one text is; `identify` says the same of a column.

    >>> classify("91350100m000100y43").normalized, classify("13830295-X").kind, classify("无").kind
    ('91350100M000100Y43', 'organisation_9', 'placeholder')
    """
    if is_placeholder(text):
        return Identification("placeholder", "", valid=False)
    if has_chinese(text):
        return Identification("text", fold(text), valid=False)
    code = code_form(text)
    for recognise in _RECOGNISERS:
        found = recognise(code)
        if found:
            return found
    return _unknown(code)


def _as_citizen(code: str) -> Identification | None:
    """A citizen's number is personal data in a column of entities; it must not pass for a unified code."""
    # The modulus first: the table of birthplaces is the slow half, and no unified code needs it.
    if not _CITIZEN_LIKE.fullmatch(code) or not mod_11_2.is_valid(code):
        return None
    if uscc.is_sound(code) or not ric.is_valid(code):
        return None
    fault = Fault(
        "identify.citizen_number",
        "该值是居民身份证号而非主体代码，属个人信息；请勿在此列报送",
        "this is a citizen's identity number, not a code of an entity, and personal data; do not send it here",
    )
    return Identification("unknown", code, valid=False, problems=_problems([fault], []))


def _as_uscc(code: str) -> Identification | None:
    damage = spreadsheet.uscc_damage(code)
    if damage or (len(code) == 18 and _USCC_LIKE.fullmatch(code)):
        return _judged("uscc", code, uscc)
    return None


def _as_damaged_registration(code: str) -> Identification | None:
    damage = spreadsheet.registration_damage(code)
    if not damage:
        return None
    return Identification("registration_15", code, False, _problems([damage], []), damage.candidates)


def _as_registration(code: str) -> Identification | None:
    number = registration.normalize(code)
    kind = registration.form(number)
    if kind is None:
        return None
    found = _judged(kind, number, registration)
    suggested = None if found.valid or not organisation.is_valid(number[6:]) else taxpayer.candidate(number)
    if suggested:
        return Identification(kind, number, found.valid, found.problems, (suggested,))
    return found


def _as_taxpayer(code: str) -> Identification | None:
    if taxpayer.form(code) != "taxpayer_15":
        return None
    if not organisation.is_valid(code[6:]):
        faults = [fault for fault in taxpayer.warnings(code) if fault.rule == "taxpayer.organisation_code"]
        return Identification("taxpayer_15", code, valid=False, problems=_problems(faults, []))
    found = _judged("taxpayer_15", code, taxpayer)
    suggested = taxpayer.candidate(code)
    return Identification("taxpayer_15", code, found.valid, found.problems, (suggested,) if suggested else ())


def _as_organisation(code: str) -> Identification | None:
    if len(code) != 9 or not code[:8].isalnum() or not (code[8].isdigit() or code[8] == "X"):
        return None
    return _judged("organisation_9", code, organisation)


_CITIZEN_LIKE = re.compile(r"[1-8][0-9]{16}[0-9X]", re.ASCII)
_USCC_LIKE = re.compile(r"[0-9A-Z*]{18}", re.ASCII)
_RECOGNISERS: tuple[Callable[[str], Identification | None], ...] = (
    _as_citizen,
    _as_uscc,
    _as_damaged_registration,
    _as_registration,
    _as_taxpayer,
    _as_organisation,
)


def _unknown(code: str) -> Identification:
    near = candidates_for_length(code)
    fault = Fault(
        "identify.unknown",
        f"「{code}」（{len(code)}位）不符合任何已知的主体代码格式；请核对后重新报送",
        f"'{code}' ({len(code)} characters) has the shape of no known code; check it and send it again",
    )
    return Identification("unknown", code, False, _problems([fault], []), near)


def _judged(kind: str, code: str, module: ModuleType) -> Identification:
    faults: list[Fault] = module.validate(code)
    warnings: list[Fault] = getattr(module, "warnings", lambda _code: [])(code)
    candidates = tuple(dict.fromkeys(candidate for fault in faults for candidate in fault.candidates))
    return Identification(kind, code, not faults, _problems(faults, warnings), candidates)


def _problems(faults: list[Fault], warnings: list[Fault]) -> tuple[str, ...]:
    return (*(f"error {fault}" for fault in faults), *(f"warning {warning}" for warning in warnings))


def _columns(found: Identification) -> tuple[str, str, bool, list[str], list[str]]:
    return found.kind, found.normalized, found.valid, list(found.problems), list(found.candidates)
