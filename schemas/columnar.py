"""The contract of a record type, compiled for columns.

A cell whose text is canonical is judged by a vectorised expression; every other distinct text goes through the
marshmallow field's own ``deserialize``. So there is one contract, and the fast way cannot disagree with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

import polars as pl

from schemas.base import RecordSchema, Subject
from schemas.fields import SharedField
from schemas.judgement import OPERATION, ROW, Judgement
from schemas.judging import judge_columns
from schemas.judging_rows import judge_rows
from schemas.memo import Memo
from schemas.records import RECORD_TYPES

__all__ = ["SMALL", "WITHDRAW", "Contract", "Judgement", "contract"]

SMALL = 200
"""Rows below which the fields are asked directly: the fixed cost of the column plan would be larger."""

NARROWED_KEPT = 64
"""Schemas kept for rows that leave out the same fields: about 18 kB each, a third of a millisecond to make."""

WITHDRAW = "withdraw"
"""The operation of which only the key is judged."""


class Contract:
    """What may be said in records of one type.

    Attributes:
        record_type: its name.
        schema: the marshmallow schema, the only contract.
        fields: field name -> field, in declared order.
        key: names of the natural key.
        subject: whom a record is about.
        facets: facet name -> Polars dtype.
        personal: names of personal fields.
        plans: field name -> (predicate, value) over its column, or None; see ``SharedField.vectorised``.
        doubts: field name -> which accepted values may have a warning, of fields that warn.
        remarks: what may be said about accepted rows, in the order of fields: name of the field, whether it warns, and
            the rules that warn at it.
        memos: field name -> what it made of values judged before.
    """

    def __init__(self, schema: type[RecordSchema]) -> None:
        self.schema = schema
        self.record_type: str = schema.record_type
        self.fields: dict[str, SharedField[Any]] = schema.shared_fields()
        self.key: tuple[str, ...] = schema.key
        self.subject: Subject = schema.subject
        self.facets: dict[str, pl.DataType] = {name: f.dtype for name, f in self.fields.items() if f.facet}
        self.personal: tuple[str, ...] = tuple(n for n, f in self.fields.items() if f.sensitivity == "personal")
        self.plans = {name: f.vectorised(pl.col(name)) for name, f in self.fields.items()}
        self.doubts = {name: f.suspects(pl.col(name)) for name, f in self.fields.items() if f.warns}
        told = {n: [rule for rule in schema.rules if rule.warning and rule.fields[0] == n] for n in self.fields}
        self.remarks = [(n, f.warns, told[n]) for n, f in self.fields.items() if f.warns or told[n]]
        self.memos: dict[str, Memo] = {name: Memo(f) for name, f in self.fields.items()}
        self._key_only = schema(only=self.key)
        asked = {name for rule in schema.rules for name in rule.fields}
        # Absent, these are null, and nobody asks about them.
        self._optional = {
            n for n, f in self.fields.items() if not f.required and f.when_empty is None and n not in asked
        }
        # The agency decides what it leaves out, so it must not decide how much is kept.
        self._narrowed = lru_cache(NARROWED_KEPT)(self._without)

    def load_row(self, row: Mapping[str, str | None], operation: str = "put") -> dict[str, Any]:
        """Load one row the plain way.

        Args:
            row: field name -> text as sent; absent fields count as missing.
            operation: ``put``, or ``withdraw`` to load the key alone.

        Returns:
            every field (of a withdrawal: every key field) with its typed value; decimals as ``Decimal``.

        Raises:
            marshmallow.ValidationError: ``messages`` maps field names to lists of ``Fault``.
        """
        if operation == WITHDRAW:
            row = {name: text for name, text in row.items() if name in self.key or name not in self.fields}
            return self._key_only.load(row)  # type: ignore[no-any-return]  # it gives a dict
        absent = frozenset(self._optional - row.keys())
        return {**dict.fromkeys(absent), **self._narrowed(absent).load(row)}

    def _without(self, absent: frozenset[str]) -> RecordSchema:
        """The schema without fields that a row does not carry, which would be read like any other."""
        return self.schema(exclude=absent)

    def judge(self, frame: pl.DataFrame) -> Judgement:
        """Judge every cell and every rule over all rows.

        Args:
            frame: ``_row``, ``_op`` and pl.String columns of this record type; fields without a column count as
                missing. Rows whose ``_op`` is ``withdraw`` are judged on the key alone.

        Returns:
            accepted rows in the order of the frame; faults and warnings by row and field.

        Raises:
            ValueError: a column is no field of the record type, or is not text.
        """
        self._refuse_foreign(frame)
        if frame.height < SMALL:
            return judge_rows(self, frame)
        withdrawn = frame[OPERATION] == WITHDRAW
        if not withdrawn.any():
            return judge_columns(self, frame, self.fields)
        parts = [
            judge_columns(self, frame.filter(~withdrawn), self.fields),
            judge_columns(self, frame.filter(withdrawn), self.key),
        ]
        accepted = pl.concat([part.accepted for part in parts])
        order = frame.select(ROW).join(accepted, on=ROW, how="inner", maintain_order="left")
        return Judgement(order, _merged(p.faults for p in parts), _merged(p.warnings for p in parts))

    def _refuse_foreign(self, frame: pl.DataFrame) -> None:
        foreign = [name for name in frame.columns if name not in self.fields and name not in (ROW, OPERATION)]
        if foreign:
            raise ValueError(f"{self.record_type} has no fields {foreign}; it has {list(self.fields)}")
        typed = {n: str(t) for n, t in frame.schema.items() if n in self.fields and t not in (pl.String, pl.Null)}
        if typed:
            raise ValueError(f"columns of {self.record_type} must be text before they are judged, got {typed}")


def _merged(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Faults of two sets of rows; a row is in one of them only, so its own order stays."""
    return pl.concat(list(parts)).sort(ROW, maintain_order=True)


@cache
def contract(record_type: str) -> Contract:
    """The compiled contract of a record type, made once per process.

    Raises:
        KeyError: there is no such record type; names those there are.
    """
    if record_type not in RECORD_TYPES:
        raise KeyError(f"no record type {record_type!r}; there are {sorted(RECORD_TYPES)}")
    return Contract(RECORD_TYPES[record_type])
