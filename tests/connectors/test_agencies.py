"""The same checks over every source folder that is found, and its golden samples.

A sample is read, mapped and judged, and compared with the ``.expected.json`` beside it. A missing
expected file is written and the test fails: read it, then commit it. ``--regolden`` writes all anew.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.delivery import Delivery, Finding
from connectors.mapping import map_sheet
from connectors.registry import AGENCIES, adapter, sources
from connectors.spec import Column, SourceSpec
from connectors.transforms import TRANSFORMS
from connectors.vault import Vault
from schemas.columnar import contract
from schemas.fields.codes import Code, Codes
from schemas.judgement import OPERATION, ROW
from schemas.records import RECORD_TYPES
from tests.connectors.support import decode

GOLDEN = Path(__file__).parents[1] / "golden"
EXPECTED = ".expected.json"
SAMPLES = sorted(
    file
    for file in GOLDEN.glob("*/*/*")
    if file.is_file() and not file.name.endswith(EXPECTED) and file.suffix not in (".py", ".pyc")
)
EVERY_SOURCE = pytest.mark.parametrize("spec", sources().values(), ids=lambda spec: spec.source)


def columns(spec: SourceSpec) -> list[Column]:
    return [column for form in spec.forms for column in form.columns]


def test_every_folder_with_a_source_is_found() -> None:
    folders = {f"{file.parents[1].name}/{file.parent.name}" for file in AGENCIES.glob("**/source.yml")}

    assert folders == set(sources())


@EVERY_SOURCE
def test_the_record_type_exists_and_has_every_mapped_field(spec: SourceSpec) -> None:
    known = set(RECORD_TYPES[spec.record_type].shared_fields())

    assert sorted({column.field for column in columns(spec)} - known) == []


@EVERY_SOURCE
def test_every_required_field_is_filled_by_every_form(spec: SourceSpec) -> None:
    needed = {name for name, field in RECORD_TYPES[spec.record_type].shared_fields().items() if field.required}

    unfilled = {form.name: sorted(needed - {column.field for column in form.columns}) for form in spec.forms}

    assert {name: fields for name, fields in unfilled.items() if fields} == {}


@EVERY_SOURCE
def test_every_lookup_gives_codes_that_the_field_knows(spec: SourceSpec) -> None:
    fields = RECORD_TYPES[spec.record_type].shared_fields()

    strange = []
    for column in columns(spec):
        field = fields[column.field]
        for word in spec.lookups[column.lookup] if column.lookup else ():
            if isinstance(field, Code | Codes) and word.code not in field.table.codes:
                strange.append((column.field, column.lookup, word.code))

    assert strange == []


@EVERY_SOURCE
def test_every_lookup_is_used(spec: SourceSpec) -> None:
    assert sorted(set(spec.lookups) - {column.lookup for column in columns(spec)}) == []


@EVERY_SOURCE
def test_every_transform_exists(spec: SourceSpec) -> None:
    known = {*TRANSFORMS, *getattr(adapter(spec), "TRANSFORMS", {})}

    assert sorted({column.via.name for column in columns(spec) if column.via} - known) == []


@EVERY_SOURCE
def test_every_source_has_a_golden_sample(spec: SourceSpec) -> None:
    assert [sample for sample in SAMPLES if sample.parent == GOLDEN / spec.source]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.relative_to(GOLDEN)))
def test_a_golden_sample_becomes_what_is_expected(sample: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    spec = sources()[f"{sample.parents[1].name}/{sample.parents[0].name}"]
    expected = sample.with_name(sample.stem + EXPECTED)

    found = outcome(sample, spec, tmp_path)

    if request.config.getoption("--regolden") or not expected.exists():
        was_missing = not expected.exists()
        expected.write_text(json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
        if was_missing:
            pytest.fail(f"{expected.name} was missing and has been written: read it, then commit it")
    assert found == json.loads(expected.read_text("utf-8"))


def outcome(sample: Path, spec: SourceSpec, home: Path) -> dict[str, Any]:
    """What becomes of a sample, as plain values."""
    part = Vault(home).keep(sample.name, "application/octet-stream", [sample.read_bytes()])
    delivery = Delivery(spec.source, (part,), "golden", datetime(2026, 11, 21, tzinfo=UTC))
    mapped = map_sheet(decode(delivery, spec), spec)
    judgement = contract(spec.record_type).judge(mapped.frame)
    readable = judgement.accepted.join(mapped.faults.select(ROW), on=ROW, how="anti", maintain_order="left")
    return {
        "form": mapped.form,
        "findings": [finding_values(finding) for finding in mapped.findings],
        "accepted": [row_values(row) for row in readable.iter_rows(named=True)],
        "faults": fault_values(pl.concat([mapped.faults, judgement.faults])),
        "warnings": fault_values(judgement.warnings),
    }


def finding_values(finding: Finding) -> dict[str, Any]:
    return {"rule": finding.rule, "column": finding.column, "count": finding.count, "example": finding.example}


def row_values(row: dict[str, Any]) -> dict[str, Any]:
    plain = {name: plain_value(value) for name, value in row.items() if value is not None}
    return {name: value for name, value in plain.items() if (name, value) != (OPERATION, "put")}


def plain_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def fault_values(faults: pl.DataFrame) -> list[dict[str, Any]]:
    return faults.select(ROW, "field", "rule", "value").sort(ROW, "field", "rule").to_dicts()
