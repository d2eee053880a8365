"""Identifiers of entities, goods, places and licences: one module each, and `identify` for a column of unknowns.

Every module has `normalize(text)`, `validate(text)` for a normalised value, `explain(text)`, and
`warnings(text)` where a rule may only be doubted. Nothing here opens a connection or reads a clock.
"""

from __future__ import annotations

from schemas.identifiers.identification import KINDS, Identification, classify, identify

__all__ = ["KINDS", "Identification", "classify", "identify"]
