"""What every shared field has in common: text in, a typed value or faults out, and its own documentation."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

import marshmallow as ma
import polars as pl

from schemas.faults import Fault
from schemas.identifiers.placeholders import is_placeholder

T = TypeVar("T")

SENSITIVITIES = ("public", "shared", "restricted", "personal")
"""Who may see a field: everyone; every department; those a grant names; only where a grant says so, sealed at rest."""

LONGEST_QUOTE = 40
"""Characters of a value that a message repeats; the whole value stays in quarantine."""

MASK = "＊＊＊"
"""What stands for the value of a personal field in faults."""


class SharedField(ma.fields.Field[T], Generic[T]):
    """A field of a record type.

    A subclass says how to read a trimmed, non-placeholder text (``read``) and, where that pays, which texts
    can be judged by column (``vectorised``). Placeholders such as ``无`` or ``N/A`` are read as nothing;
    ``required`` then decides.

    Args:
        zh: label in 简体中文.
        description: one English sentence: what the value means.
        source: standard and clause, or the form, the field is taken from.
        sensitivity: one of ``SENSITIVITIES``.
        unit: unit of the value, e.g. ``万元``.
        facet: also kept as a typed column, because something filters or counts by it.
        required: a record without it is refused.
        when_empty: value that nothing means, for parts of a key that need not be sent.
    """

    dtype: ClassVar[pl.DataType]
    """Polars type of the value in an accepted frame."""
    kind: ClassVar[str]
    """Data type letter of GB/T 21063.3: C text, D date, T date and time, N number, B yes/no."""
    form: ClassVar[str] = "NFKC"
    """Unicode form the text is brought into before it is read; empty: kept as sent."""
    warns: ClassVar[bool] = False
    """Whether ``warnings`` can say something about an accepted value."""

    def __init__(
        self,
        *,
        zh: str,
        description: str,
        source: str,
        sensitivity: str = "public",
        unit: str | None = None,
        facet: bool = False,
        required: bool = False,
        when_empty: T | None = None,
    ) -> None:
        if sensitivity not in SENSITIVITIES:
            raise ValueError(f"sensitivity {sensitivity!r} is not one of {SENSITIVITIES}")
        told = {"zh": zh, "description": description, "source": source, "sensitivity": sensitivity}
        extra: dict[str, Any] = {} if required else {"load_default": when_empty, "allow_none": True}
        super().__init__(required=required, metadata={**told, "unit": unit, "facet": facet}, **extra)
        self.zh, self.description, self.source = zh, description, source
        self.sensitivity, self.unit, self.facet, self.when_empty = sensitivity, unit, facet, when_empty

    # -- what a subclass says ------------------------------------------------------------------------

    def read(self, text: str) -> T | None:
        """Read a tidied text that is not a placeholder.

        Raises:
            marshmallow.ValidationError: with a list of ``Fault``, by ``self.refuse``.
        """
        raise NotImplementedError

    def vectorised(self, col: pl.Expr) -> tuple[pl.Expr, pl.Expr] | None:
        """Say which texts are canonical and what they mean, by column.

        Returns:
            (predicate, value): where the predicate is true ``deserialize`` accepts the text with exactly that
            value, of ``self.dtype``. The predicate may be null for null cells. None: always read one by one.
        """
        return None

    def cell(self, value: T) -> Any:
        """The value as it stands in an accepted frame; only decimals differ (canonical text)."""
        return value

    def warnings(self, value: T) -> list[Fault]:
        """What is worth telling about an accepted value; the row stays accepted."""
        return []

    def suspects(self, col: pl.Expr) -> pl.Expr:
        """Which accepted values ``warnings`` must look at: a superset of those it has something to say about."""
        return col.is_not_null()

    def shape(self) -> dict[str, Any]:
        """JSON Schema of an accepted value, without its descriptions."""
        return {"type": "string"}

    def _bind_to_schema(self, field_name: str, parent: ma.Schema | ma.fields.Field[Any]) -> None:
        """In a record type that is not public as a whole, no field is more public than the record."""
        super()._bind_to_schema(field_name, parent)
        least = SENSITIVITIES.index(getattr(parent, "sensitivity", SENSITIVITIES[0]))
        self.sensitivity = SENSITIVITIES[max(least, SENSITIVITIES.index(self.sensitivity))]
        self.metadata = {**self.metadata, "sensitivity": self.sensitivity}

    # -- what marshmallow calls ----------------------------------------------------------------------

    def make_error(self, key: str, **kwargs: Any) -> ma.ValidationError:
        """The only errors marshmallow itself raises on a field are of absence."""
        return ma.ValidationError([self.missing()])

    def missing(self) -> Fault:
        """The fault of a required field that holds nothing."""
        return Fault(
            "field.required",
            f"「{self.zh}」必填，但为空或仅为占位符；请补全后重新报送。",
            f"{self.name} is required but is empty or only a placeholder; fill it in and send the row again.",
        )

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            self.refuse(
                "field.not_text",
                f"「{self.zh}」应为文本，收到 {type(value).__name__}；请按文本报送。",
                f"{self.name} must be text, got {type(value).__name__}; send it as text.",
            )
        text = self.tidy(value)
        found = None if self.stands_for_nothing(text) else self.read(text)
        if found is None and self.required:
            raise self.make_error("required")
        return found

    def deserialize(self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kw: Any) -> Any:
        """As marshmallow does it; null is read like an empty text."""
        found = super().deserialize(value, attr, data, **kw)
        return self.when_empty if found is None else found

    def tidy(self, text: str) -> str:
        """Bring a text into ``self.form`` and trim it."""
        return (text if text.isascii() or not self.form else unicodedata.normalize("NFKC", text)).strip()

    def stands_for_nothing(self, text: str) -> bool:
        """Whether the tidied text is empty or a word agencies write for "nothing"."""
        return not text or is_placeholder(text)

    def quote(self, text: str) -> str:
        """The value as a message may repeat it: shortened, and never that of a personal field."""
        if self.sensitivity == "personal":
            return MASK
        return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"

    def refuse(self, rule: str, zh: str, en: str, candidates: tuple[str, ...] = ()) -> NoReturn:
        """Raise one fault.

        Raises:
            marshmallow.ValidationError: always.
        """
        raise ma.ValidationError([Fault(rule, zh, en, candidates)])
