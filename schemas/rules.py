"""Rules over several fields of one record, each said once in Python and once by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.faults import Fault


@dataclass(frozen=True)
class Rule:
    """Something that must hold between fields of one record.

    A rule is asked only when none of its fields has a fault of its own; it holds when a field it needs is empty.

    Attributes:
        code: stable rule code.
        zh: one sentence in 简体中文 with the next step.
        en: the same in English.
        fields: fields concerned; the fault is told at the first.
        holds: the rule over a loaded record.
        expr: the same over typed columns; null counts as "holds".
        warning: told, but the row stays accepted.
    """

    code: str
    zh: str
    en: str
    fields: tuple[str, ...]
    holds: Callable[[Mapping[str, Any]], bool]
    expr: Callable[[], pl.Expr]
    warning: bool = False

    def fault(self) -> Fault:
        """The fault of a record that breaks the rule."""
        return Fault(self.code, self.zh, self.en)


def not_before(later: str, earlier: str, zh: str, en: str) -> Rule:
    """``later`` is not before (or, for counts, not less than) ``earlier``. Not for decimals: columns hold them as text.

    Args:
        later: field that must not be the smaller one.
        earlier: field it is compared with.
        zh: the two in words, e.g. ``有效期至不早于有效期自``.
        en: the same in English.
    """

    def holds(row: Mapping[str, Any]) -> bool:
        return row[later] is None or row[earlier] is None or row[later] >= row[earlier]

    return Rule(
        f"rule.{later}_not_before_{earlier}",
        f"应满足：{zh}；请核对两项后重新报送。",
        f"It must hold that {en}; check both values and send the row again.",
        (later, earlier),
        holds,
        lambda: pl.col(later) >= pl.col(earlier),
    )


def same_organisation(uscc: str, organisation_code: str) -> Rule:
    """Characters 9 to 17 of the unified code are the organisation code (GB 32100-2015, 4.1); only a warning."""

    def holds(row: Mapping[str, Any]) -> bool:
        return row[uscc] is None or row[organisation_code] is None or row[uscc][8:17] == row[organisation_code]

    return Rule(
        "rule.organisation_code_of_uscc",
        "组织机构代码与统一社会信用代码第9至17位不一致；请核对是否为同一主体。仅提示。",
        "The organisation code differs from characters 9 to 17 of the unified code; check that both name one entity. "
        "A remark only.",
        (organisation_code, uscc),
        holds,
        lambda: pl.col(uscc).str.slice(8, 9) == pl.col(organisation_code),
        warning=True,
    )
