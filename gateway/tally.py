"""What a chunk of a delivery counts, and how the counts of chunks add up to those of the delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import polars as pl

from connectors.delivery import Finding, Listing
from connectors.findings import merge_findings
from connectors.spec import SourceSpec
from gateway.steps import Judged
from schemas.columnar import Contract
from schemas.judgement import ROW

_EXAMPLES = 5


@dataclass(frozen=True)
class Tally:
    """Counts of a chunk of a delivery, or of the whole.

    Attributes:
        received: rows that came in.
        rejected: rows with at least one fault.
        duplicates: rows without a fault that another row of the delivery repeats word for word or, in
            ``changes``, overtakes.
        puts, withdrawals: accepted rows of each operation.
        unresolved: puts without an entity.
        code_sent, code_bad: rows that carry a USCC, and those of them whose USCC is faulty.
        filled: field of which the source promises how often it is filled -> rows in which it is.
        form: forms of the source that the headings matched, joined by ``+``.
        generation: count of changes to the entity tables when the chunk was resolved; None where no row needed them.
        findings: what is worth telling the agency.
        warnings: what the contract remarks about accepted rows, summed up by rule and field, with the first rows.
    """

    received: int = 0
    rejected: int = 0
    duplicates: int = 0
    puts: int = 0
    withdrawals: int = 0
    unresolved: int = 0
    code_sent: int = 0
    code_bad: int = 0
    filled: dict[str, int] = field(default_factory=dict)
    form: str = ""
    generation: int | None = None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[dict[str, Any], ...] = ()

    @property
    def accepted(self) -> int:
        """Rows without a fault, repetitions included: received = accepted + rejected."""
        return self.received - self.rejected

    def as_json(self) -> dict[str, Any]:
        """As the register of staged chunks keeps it."""
        return asdict(self)


def from_json(said: dict[str, Any]) -> Tally:
    """Read what ``as_json`` wrote."""
    findings = tuple(
        Finding(**{**finding, "listing": finding["listing"] and Listing(**finding["listing"])})
        for finding in said["findings"]
    )
    return Tally(**{**said, "findings": findings, "warnings": tuple(said["warnings"])})


def tally(judged: Judged, contract: Contract, spec: SourceSpec) -> Tally:
    """Count a judged chunk; what resolution adds is not known yet."""
    frame = judged.mapped.frame
    puts = judged.accepted["_op"].to_list().count("put")
    sent, bad = _codes(judged, contract)
    return Tally(
        received=frame.height,
        rejected=judged.faults[ROW].n_unique() if judged.faults.height else 0,
        puts=puts,
        withdrawals=judged.accepted.height - puts,
        code_sent=sent,
        code_bad=bad,
        filled={name: frame[name].count() if name in frame.columns else 0 for name in spec.expect.filled},
        form=judged.mapped.form,
        findings=judged.mapped.findings,
        warnings=_warnings(judged.warnings),
    )


def _codes(judged: Judged, contract: Contract) -> tuple[int, int]:
    frame, uscc = judged.mapped.frame, contract.subject.uscc
    if uscc not in frame.columns:
        return 0, 0
    if judged.faults.is_empty():
        return frame[uscc].count(), 0
    sent = frame.filter(pl.col(uscc).is_not_null()).select(ROW)
    # A row that carries no code has no bad one, though the record type may ask for it.
    faulted = judged.faults.filter(pl.col("field") == uscc).select(ROW).unique()
    return sent.height, sent.join(faulted, on=ROW, how="semi").height


def _warnings(rows: pl.DataFrame) -> tuple[dict[str, Any], ...]:
    if rows.is_empty():
        return ()
    summed = rows.group_by("rule", "field", maintain_order=True).agg(
        pl.len().alias("count"), pl.col(ROW).head(_EXAMPLES).alias("rows"), pl.col("zh", "en").first()
    )
    return tuple({"column": row.pop("field"), **row} for row in summed.iter_rows(named=True))


def summed(tallies: Sequence[Tally]) -> Tally:
    """The tally of a delivery from those of its chunks, in order."""
    if len(tallies) == 1:
        return tallies[0]
    counted = ("received", "rejected", "duplicates", "puts", "withdrawals", "unresolved", "code_sent", "code_bad")
    filled: Counter[str] = Counter()
    for one in tallies:
        filled.update(one.filled)
    generations = [one.generation for one in tallies if one.generation is not None]
    return Tally(
        **{name: sum(getattr(one, name) for one in tallies) for name in counted},
        filled=dict(filled),
        form="+".join(dict.fromkeys(form for one in tallies for form in one.form.split("+") if form)),
        # What was resolved first may have missed what became known since.
        generation=min(generations) if generations else None,
        findings=merge_findings(finding for one in tallies for finding in one.findings),
        warnings=_merged(warning for one in tallies for warning in one.warnings),
    )


def renumbered(one: Tally, rows_before: int) -> Tally:
    """The tally of a part whose rows were counted from 1, in a delivery that has ``rows_before`` before them."""
    moved = ({**warning, "rows": [row + rows_before for row in warning["rows"]]} for warning in one.warnings)
    return replace(one, warnings=tuple(moved))


def _merged(warnings: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for warning in warnings:
        known = merged.setdefault((warning["rule"], warning["column"]), {**warning, "count": 0, "rows": []})
        known["count"] += warning["count"]
        known["rows"] = [*known["rows"], *warning["rows"]][:_EXAMPLES]
    return tuple(merged.values())
