"""What the fast way rests on: what a field judges by column, its own ``deserialize`` accepts with the same value."""

from __future__ import annotations

import os
from typing import Any

import marshmallow as ma
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import fields
from schemas.columnar import contract
from schemas.fields import SharedField
from schemas.records import RECORD_TYPES

from .cells import specimens

EXAMPLES = int(os.environ.get("XINQIAO_TEST_EXAMPLES", "20"))
"""Examples per kind; set higher to search longer."""

# Characters that look like, fold to, or stand beside the right ones.
NASTY = "0123456789AXxi-/.:,;+_年 \t\n\r\x0b\x1f\u00a0\u3000\u200b\ufeff０９Ａ－／．٣²无空「」'\"“”()（）é\u0301🙂\x00"


def kinds() -> dict[str, SharedField[Any]]:
    """One field of every kind and setting that matters, of those judged by column."""
    told: dict[str, Any] = {"zh": "测试", "description": "A test.", "source": "test"}
    found: dict[str, SharedField[Any]] = {
        "Code": fields.Code("penalty_kind", **told),
        "Code of words": fields.Code("credit_list", **told),
        "Codes": fields.Codes("penalty_kind", **told),
        "OnDate, open-ended": fields.OnDate(open_ended=True, **told),
        "Quantity, signed": fields.Quantity(2, negative=True, **told),
        "Text, short": fields.Text(7, **told),
        "Text, 空 kept": fields.Text(keep=("空",), **told),
        "Text, required": fields.Text(required=True, **told),
    }
    for record_type in RECORD_TYPES:
        for field in contract(record_type).fields.values():
            if not isinstance(field, fields.Code | fields.Codes):
                found.setdefault(type(field).__name__, field)
    for field in found.values():
        field.name = field.name or "field"
    return {kind: field for kind, field in found.items() if field.vectorised(pl.col("cell"))}


KINDS = kinds()


@st.composite
def bent(draw: st.DrawFn, right: list[str]) -> str:
    """A specimen with up to two characters put in, taken out or changed."""
    text = draw(st.sampled_from(right))
    for _ in range(draw(st.integers(0, 2))):
        place, width = draw(st.integers(0, len(text))), draw(st.integers(0, 1))
        text = text[:place] + draw(st.sampled_from(["", *NASTY])) + text[place + width :]
    return text


def plan_of(field: SharedField[Any]) -> tuple[pl.Expr, pl.Expr]:
    """Predicate and value over the column ``cell``."""
    plan = field.vectorised(pl.col("cell"))
    assert plan is not None
    return plan


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_cell_judged_by_column_is_accepted_by_the_field_with_the_same_value(kind: str) -> None:
    field = KINDS[kind]
    predicate, value = plan_of(field)
    right = [text for text in specimens(field) if text]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(bent(right) | st.text(max_size=12), min_size=10, max_size=40))
    def holds(texts: list[str]) -> None:
        frame = pl.DataFrame({"cell": texts}, schema={"cell": pl.String})

        judged = frame.select(
            pl.when(predicate).then(value).alias("value"), predicate.fill_null(value=False).alias("is")
        )

        canonical = [(text, value) for text, (value, is_so) in zip(texts, judged.rows(), strict=True) if is_so]
        assert canonical == [(text, one_by_one(field, text)) for text, _ in canonical]
        assert judged["value"].dtype == field.dtype

    holds()


def one_by_one(field: SharedField[Any], text: str) -> Any:
    """What the field itself makes of a text, as it stands in a frame; the faults if it refuses."""
    try:
        value = field.deserialize(text)
    except ma.ValidationError as error:
        return error.messages
    return None if value is None else field.cell(value)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_first_specimen_of_every_kind_is_judged_by_column(kind: str) -> None:
    field = KINDS[kind]

    judged = pl.DataFrame({"cell": [specimens(field)[0]]}).select(plan_of(field)[0])

    assert judged.to_series().to_list() == [True]


@pytest.mark.parametrize("kind", [kind for kind in sorted(KINDS) if KINDS[kind].warns])
def test_every_value_with_a_warning_is_a_suspect(kind: str) -> None:
    field = KINDS[kind]
    values = [v for t in specimens(field) if t and isinstance(v := one_by_one(field, t), str)]

    suspects = pl.DataFrame({"cell": values}).select(field.suspects(pl.col("cell"))).to_series().to_list()

    assert [v for v, is_suspect in zip(values, suspects, strict=True) if field.warnings(v) and not is_suspect] == []
    assert any(suspects)
