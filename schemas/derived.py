"""What is derived from the record types and never written twice: JSON Schema, dictionary and catalogue items."""

from __future__ import annotations

from typing import Any

from schemas.derived_dictionary import dictionary
from schemas.derived_words import KIND_WORDS, always_there
from schemas.fields import Code, Codes, SharedField, Text
from schemas.records import RECORD_TYPES

__all__ = ["SHARE_TYPES", "catalogue_items", "dictionary", "json_schema", "property_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SHARE_TYPES = {
    "public": ("无条件共享", "unconditional"),
    "shared": ("无条件共享", "unconditional"),
    "restricted": ("有条件共享", "conditional"),
    "personal": ("有条件共享", "conditional"),
}
"""Sensitivity -> share type of GB/T 21063.3 (政务信息资源目录编制指南（试行）, 2017), in 简体中文 and English."""


def json_schema(record_type: str) -> dict[str, Any]:
    """JSON Schema 2020-12 of one accepted record as it is served in full.

    Optional fields are absent, not null. A personal field is served only under a grant that says so; without
    it, ``<field>_digest`` stands for it. The gateway adds members of its own (how the entity was found), so
    further members are not forbidden.

    Raises:
        KeyError: there is no such record type.
    """
    schema = RECORD_TYPES[record_type]
    fields = schema.shared_fields()
    return {
        "$schema": DIALECT,
        "$id": f"urn:xinqiao:record:{record_type}",
        "title": f"{schema.title_zh} / {schema.title_en}",
        "description": schema.summary,
        "type": "object",
        "properties": {name: property_schema(field) for name, field in fields.items()} | _digests(fields),
        "required": [name for name, field in fields.items() if always_there(field)],
        "x-key": list(schema.key),
    }


def _digests(fields: dict[str, SharedField[Any]]) -> dict[str, Any]:
    """What stands in the open part of a record for each personal field."""
    return {
        f"{name}_digest": {
            "type": "string",
            "title": f"{field.zh}摘要",
            "description": f"{field.zh}的加盐摘要。Salted digest of {name}, which is sealed.",
            "x-sensitivity": "shared",
        }
        for name, field in fields.items()
        if field.sensitivity == "personal"
    }


def property_schema(field: SharedField[Any]) -> dict[str, Any]:
    """JSON Schema of one field with its documentation."""
    described: dict[str, Any] = {
        **field.shape(),
        "title": field.zh,
        "description": f"{field.zh}。{field.description}",
        "x-source": field.source,
        "x-sensitivity": field.sensitivity,
    }
    if field.unit:
        described["x-unit"] = field.unit
    if isinstance(field, Code | Codes):
        described["x-code-table"] = field.table.name
        described["x-codes"] = dict(field.table.codes)
    return described


def catalogue_items(record_type: str) -> list[dict[str, Any]]:
    """Information items (信息项) of a record type, as GB/T 21063.3 asks: name, data type, share type; plus our name.

    Raises:
        KeyError: there is no such record type.
    """
    fields = RECORD_TYPES[record_type].shared_fields()
    return [
        {
            "name": name,
            "name_zh": field.zh,
            "data_type": field.kind,
            "data_type_zh": KIND_WORDS[field.kind],
            "length": _longest(field),
            "unit": field.unit,
            "is_required": always_there(field),
            "share_type": SHARE_TYPES[field.sensitivity][1],
            "share_type_zh": SHARE_TYPES[field.sensitivity][0],
            "is_open": field.sensitivity == "public",
            "source": field.source,
            "description": field.description,
        }
        for name, field in fields.items()
    ]


def _longest(field: SharedField[Any]) -> int | None:
    """Greatest number of characters, where the field has one."""
    return field.max_length if isinstance(field, Text) else None
