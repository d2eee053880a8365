"""What a record type is: a marshmallow schema that also says its name, its key, its subject and its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import marshmallow as ma

from schemas.faults import Fault
from schemas.fields.base import SharedField
from schemas.rules import Rule, not_before, same_organisation

__all__ = ["RecordSchema", "Rule", "Subject", "not_before", "same_organisation"]


@dataclass(frozen=True)
class Subject:
    """Which fields of a record say whom it is about. None: the record type has no such field."""

    uscc: str | None = None
    name: str | None = None
    registration_no: str | None = None
    organisation_code: str | None = None
    taxpayer_no: str | None = None
    customs_code: str | None = None
    address: str | None = None
    region_code: str | None = None


class RecordSchema(ma.Schema):
    """Base of every record type. Unknown fields are refused; ``rules`` are asked after the fields.

    Class attributes:
        record_type: snake_case name, the module's name.
        title_zh: name in 简体中文.
        title_en: name in English.
        summary: one English sentence: what one record states.
        key: natural key: the required fields that identify a record.
        subject: whom a record is about.
        rules: rules over several fields.
        sensitivity: the least any field has, one of ``schemas.fields.SENSITIVITIES``.
    """

    record_type: ClassVar[str]
    title_zh: ClassVar[str]
    title_en: ClassVar[str]
    summary: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    subject: ClassVar[Subject]
    rules: ClassVar[tuple[Rule, ...]] = ()
    sensitivity: ClassVar[str] = "public"

    class Meta:
        """Strict: what is not declared is an error."""

        unknown = ma.RAISE

    @classmethod
    def shared_fields(cls) -> dict[str, SharedField[Any]]:
        """Field name -> field, in declared order, each bound to its name."""
        return {name: field for name, field in cls().fields.items() if isinstance(field, SharedField)}

    @ma.validates_schema(skip_on_field_errors=False)
    def ask_rules(self, row: Mapping[str, Any], **kwargs: Any) -> None:
        """Ask each rule whose fields are all without fault (marshmallow leaves faulty fields out of ``row``)."""
        broken: dict[str, list[Fault]] = {}
        for rule in self.rules:
            if not rule.warning and all(name in row for name in rule.fields) and not rule.holds(row):
                broken.setdefault(rule.fields[0], []).append(rule.fault())
        if broken:
            raise ma.ValidationError(broken)
