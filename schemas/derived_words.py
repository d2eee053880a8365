"""Words the derived pages and schemas share: what a field is, in 简体中文 and English."""

from __future__ import annotations

from typing import Any

from schemas.base import RecordSchema
from schemas.fields import Amount, Code, Codes, Count, EntityName, Identifier, OnDate, Quantity, SharedField, Text

SENSITIVITY_WORDS = {
    "public": ("公开", "public"),
    "shared": ("部门间共享", "shared between departments"),
    "restricted": ("受限", "restricted to grants that name it"),
    "personal": ("个人信息，加密保存", "personal, sealed at rest"),
}
"""Sensitivity in words."""

KIND_WORDS = {"C": "字符型", "N": "数值型", "D": "日期型", "T": "日期时间型", "B": "布尔型"}
"""Data type letters of GB/T 21063.3 in words."""


def always_there(field: SharedField[Any]) -> bool:
    """Whether every accepted record has the field."""
    return field.required or field.when_empty is not None


def rules_of(schema: type[RecordSchema]) -> list[dict[str, Any]]:
    """Rules over several fields: code, sentences, fields, and whether a breach only warns."""
    return [
        {"code": rule.code, "zh": rule.zh, "en": rule.en, "fields": list(rule.fields), "warning": rule.warning}
        for rule in schema.rules
    ]


def type_words(field: SharedField[Any]) -> tuple[str, str]:
    """The kind of value in 简体中文 and English, for readers."""
    if isinstance(field, Code | Codes):
        many = isinstance(field, Codes)
        return (
            f"代码{'（可多值）' if many else ''} {field.table.name}",
            f"code{'s' if many else ''} of {field.table.name}",
        )
    if isinstance(field, Quantity):
        return (
            f"{'金额' if isinstance(field, Amount) else '数量'}，{field.decimals} 位小数",
            f"decimal, {field.decimals} places",
        )
    if isinstance(field, OnDate):
        return (
            f"日期{'（可为长期）' if field.open_ended else ''}",
            f"date{', may be open-ended' if field.open_ended else ''}",
        )
    if isinstance(field, Text):
        word = ("名称", "name") if isinstance(field, EntityName) else ("文本", "text")
        return f"{word[0]}，至多 {field.max_length} 字", f"{word[1]}, at most {field.max_length} characters"
    if isinstance(field, Identifier | Count):
        return f"{type(field).__name__}", (type(field).__doc__ or "").split(".")[0].split(",")[0]
    return KIND_WORDS[field.kind], (type(field).__doc__ or "").split(".")[0]
