"""The later nouns of the one way through: Judged, Resolved, Landed. All frozen; each is made from the one before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import polars as pl

from connectors.delivery import Mapped

ENTITY = "entity_uscc"
"""USCC of the entity a record belongs to; part of the payload, so that a proof covers the link. dtype pl.String."""
ENTITY_BY = "entity_by"
"""Step of the resolution that decided: see ``gateway.resolve``. dtype pl.String."""


@dataclass(frozen=True)
class Judged:
    """Rows of a piece of a delivery that keep the contract, and every fault of those that do not.

    Attributes:
        mapped: the rows as they were mapped.
        accepted: ``_row``, ``_op``, every field of the record type, typed, and ``record_key``.
        faults: ``_row``, ``field``, ``value``, ``rule``, ``zh``, ``en``, ``candidates``.
        warnings: the same columns; the rows they name are accepted.
    """

    mapped: Mapped
    accepted: pl.DataFrame
    faults: pl.DataFrame
    warnings: pl.DataFrame


@dataclass(frozen=True)
class Resolved:
    """Accepted rows with the entity each belongs to.

    Attributes:
        judged: what was resolved.
        frame: ``Judged.accepted`` with ``entity_uscc`` and ``entity_by``, both null while unresolved.
        generation: count of changes to the entity tables when this was decided; None where they were not asked.
    """

    judged: Judged
    frame: pl.DataFrame
    generation: int | None


class Taught(IntEnum):
    """What a landing taught about entities."""

    NOTHING = 0
    NEW = 1
    """Entities and numbers that were not known; what was known stays as it was."""
    CHANGED = 2
    """Something else than before of an entity that was known, too."""


@dataclass(frozen=True)
class Landed:
    """What one delivery changed.

    Attributes:
        new: records that were not there, or had been withdrawn.
        changed: records whose content differs from the current version.
        unchanged: records that said what was already known.
        withdrawn: records that are no longer so.
        absent: withdrawals of records that were not there; nothing to do for them.
        unresolved: accepted records without an entity.
        first_seq: position of the first version landed, or None if none was.
        last_seq: position of the last one.
        accepted_root: Merkle root over the content hashes of the accepted rows, hex.
        versions_root: Merkle root over the versions landed, hex.
        landed_at: instant text.
        taught: what the entity tables learned.
    """

    new: int
    changed: int
    unchanged: int
    withdrawn: int
    absent: int
    unresolved: int
    first_seq: int | None
    last_seq: int | None
    accepted_root: str
    versions_root: str
    landed_at: str
    taught: Taught = Taught.NOTHING
