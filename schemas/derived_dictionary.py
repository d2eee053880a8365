"""The data dictionary as Markdown, derived from the record types. ``docs/data-dictionary.md`` is its output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.base import RecordSchema
from schemas.derived_words import SENSITIVITY_WORDS, always_there, rules_of, type_words
from schemas.fields import Code, Codes, CodeTable, SharedField
from schemas.records import RECORD_TYPES

_HEADING = """\
# 数据字典 / Data dictionary

Generated from `schemas/records` by `python -m schemas.derived_dictionary`; a test compares it, so do not edit it.
由 `schemas/records` 生成，请勿手工修改。

必填 (required): ● always there · ○ optional. 密级 (sensitivity): see the last section.
检索列 (facet): also kept as a typed column that can be filtered and counted by.
Decimals and dates are text in JSON; a validity without end is `9999-12-31`.
"""


def dictionary() -> str:
    """The whole data dictionary, Markdown, in 简体中文 and English."""
    parts = [_HEADING, _contents(), *(_record(schema) for schema in RECORD_TYPES.values()), _codes(), _sensitivities()]
    return "\n".join(parts)


def _contents() -> str:
    lines = [f"- [`{name}`](#{name}) {schema.title_zh} · {schema.title_en}" for name, schema in RECORD_TYPES.items()]
    return "\n".join([*lines, "- [代码表 / Code tables](#code-tables)", ""])


def _record(schema: type[RecordSchema]) -> str:
    return "\n".join(
        [
            f'## <a id="{schema.record_type}"></a>`{schema.record_type}` {schema.title_zh} · {schema.title_en}',
            "",
            schema.summary + f" 主键 (key): {', '.join(f'`{name}`' for name in schema.key)}.",
            "",
            "| 字段 field | 名称 | 含义 meaning | 类型 type | 必填 | 密级 | 检索列 | 来源 source |",
            "|---|---|---|---|---|---|---|---|",
            *(_field(name, field) for name, field in schema.shared_fields().items()),
            "",
            *_rules(schema),
        ]
    )


def _field(name: str, field: SharedField[Any]) -> str:
    unit = f"（{field.unit}）" if field.unit else ""
    zh, en = type_words(field)
    words = zh if zh == en else f"{zh} / {en}"
    cells = [
        f"`{name}`",
        field.zh + unit,
        field.description,
        words,
        "●" if always_there(field) else "○",
        SENSITIVITY_WORDS[field.sensitivity][0],
        "✓" if field.facet else "",
        field.source,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rules(schema: type[RecordSchema]) -> Iterator[str]:
    rules = rules_of(schema)
    if rules:
        yield "规则 / Rules:\n"
    for rule in rules:
        kind = "提示 warning" if rule["warning"] else "退回 refused"
        yield f"- `{rule['code']}` ({kind}): {rule['zh']} {rule['en']}"
    if rules:
        yield ""


def tables_in_use() -> dict[str, CodeTable]:
    """Name -> code table, of every code table some field uses."""
    fields = (field for schema in RECORD_TYPES.values() for field in schema.shared_fields().values())
    tables = {field.table.name: field.table for field in fields if isinstance(field, Code | Codes)}
    return dict(sorted(tables.items()))


def _codes() -> str:
    lines = ['## <a id="code-tables"></a>代码表 / Code tables', ""]
    for name, table in tables_in_use().items():
        lines += [
            f"### `{name}`",
            "",
            "| 代码 code | 词 accepted word | English | 起 from | 止 to |",
            "|---|---|---|---|---|",
        ]
        rows = [(row.code, row.name_zh, row.name_en, row.valid_from, row.valid_to) for row in table.rows]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        lines.append("")
    return "\n".join(lines)


def _sensitivities() -> str:
    lines = [f"- {zh} · {en} (`{name}`)" for name, (zh, en) in SENSITIVITY_WORDS.items()]
    return "\n".join(["## 密级 / Sensitivity", "", *lines, ""])


if __name__ == "__main__":
    import sys

    sys.stdout.write(dictionary())
