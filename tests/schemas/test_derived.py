"""What is derived from the record types follows them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas.canonical import payloads
from schemas.columnar import contract
from schemas.derived import catalogue_items, json_schema
from schemas.derived_dictionary import dictionary
from schemas.records import RECORD_TYPES

from .cells import specimens
from .test_columnar import columns

TYPES = sorted(RECORD_TYPES)


def test_the_data_dictionary_in_docs_is_the_one_the_record_types_give() -> None:
    kept = (Path(__file__).parents[2] / "docs" / "data-dictionary.md").read_text("utf-8")

    assert kept == dictionary(), "run: python -m schemas.derived_dictionary > docs/data-dictionary.md"


@pytest.mark.parametrize("record_type", TYPES)
def test_json_schema_describes_every_field_in_both_languages(record_type: str) -> None:
    agreed = contract(record_type)

    described = json_schema(record_type)

    assert list(described["properties"]) == [*agreed.fields, *(f"{name}_digest" for name in agreed.personal)]
    assert set(agreed.key) <= set(described["required"])
    for name, field in agreed.fields.items():
        told = described["properties"][name]
        assert told["description"] == f"{field.zh}。{field.description}"
        assert told["x-sensitivity"] == field.sensitivity
    json.dumps(described)


@pytest.mark.parametrize("record_type", TYPES)
def test_accepted_records_fit_their_json_schema(record_type: str) -> None:
    agreed = contract(record_type)
    right = {name: specimens(field)[0] for name, field in agreed.fields.items()}
    rows = [{**right, name: text} for name, field in agreed.fields.items() for text in specimens(field)]
    schema = json_schema(record_type)

    accepted = agreed.judge(columns(agreed, rows)).accepted
    records = [json.loads(payload) for payload in payloads(accepted, list(agreed.fields)).to_list()]

    assert [misfits(record, schema) for record in records] == [[] for _ in records]
    assert records


def misfits(record: dict[str, object], schema: dict[str, object]) -> list[str]:
    """What of a record does not fit, by the few keywords our schemas use."""
    properties: dict[str, dict[str, object]] = schema["properties"]  # type: ignore[assignment]  # our own schema
    absent = [f"{name} is absent" for name in schema["required"] if name not in record]  # type: ignore[attr-defined]
    foreign = [f"{name} is foreign" for name in record if name not in properties]
    return absent + foreign + [f"{n}: {v!r}" for n, v in record.items() if not fits(v, properties[n])]


def fits(value: object, told: dict[str, object]) -> bool:
    """Whether a value fits one property."""
    kinds = {"string": str, "integer": int, "boolean": bool}
    if not isinstance(value, kinds[str(told["type"])]):
        return False
    if "enum" in told and value not in told["enum"]:  # type: ignore[operator]  # a list
        return False
    if "pattern" in told and not re.search(str(told["pattern"]), str(value)):
        return False
    if isinstance(value, str) and "maxLength" in told:
        return 1 <= len(value) <= int(str(told["maxLength"]))
    return True


def test_catalogue_items_name_type_and_share_type() -> None:
    items = {item["name"]: item for item in catalogue_items("penalty")}

    assert items["fine_wan_yuan"] == {
        "name": "fine_wan_yuan",
        "name_zh": "罚款金额",
        "data_type": "N",
        "data_type_zh": "数值型",
        "length": None,
        "unit": "万元",
        "is_required": False,
        "share_type": "unconditional",
        "share_type_zh": "无条件共享",
        "is_open": True,
        "source": "双公示 2018 (发改办财金〔2018〕424号) CF_NR_FK",
        "description": "Amount of the fine.",
    }
    assert items["legal_representative_id_no"]["share_type"] == "conditional"
    assert items["decided_on"]["data_type"] == "D"
    assert items["updated_at"]["data_type"] == "T"
