"""From resolved rows to what is stored: payload bytes, content hash, sealed personal fields, facets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from sqlalchemy import Column, Connection, LargeBinary, Select, select

from gateway.judge import RECORD_KEY
from gateway.sealing import Sealer, new_salts, salted_digests
from gateway.steps import ENTITY, ENTITY_BY
from gateway.store import dialect
from gateway.store.stage import PUT, ROW_BITS, lesson_columns
from gateway.store.tables import versions_table
from schemas.canonical import leaf_hashes, payloads
from schemas.columnar import Contract
from schemas.judgement import OPERATION, ROW
from schemas.names import address_form_expr, match_form_expr

SALT = "salt"
"""Name under which a record's salt lies sealed beside its personal fields."""
DIGEST_SUFFIX = "_digest"
"""What a payload says of a personal field ``x`` stands under ``x_digest``: its salted SHA-256."""


_FORMS = {"name_form": match_form_expr(pl.col("name")), "address_form": address_form_expr(pl.col("address"))}
"""Lessons that are no fields; made here, where several processes work, and not while the feed is locked."""


def stage(
    frame: pl.DataFrame, contract: Contract, sealer: Sealer, salts: Mapping[bytes, bytes], part: int = 0
) -> pl.DataFrame:
    """Make the rows that ``gateway.store.landing.land`` takes.

    Args:
        frame: ``_row``, ``_op``, ``record_key``, ``entity_uscc``, ``entity_by`` and the typed fields of the type.
        salts: record key -> salt of records whose personal fields are sealed already, see ``standing_salts``.
        part: of the delivery, whose rows ``_row`` counts.

    Returns:
        the columns of ``stage.STAGED``, the facets and the lessons; payload, sealed and hash are null for
        withdrawals, which repeat the bytes of what they withdraw.
    """
    # No lesson is personal: entities are everybody's.
    lessons = (
        _FORMS.get(name, pl.col(name)).alias(column) for column, name in lesson_columns(contract.record_type).items()
    )
    frame = seal_personal(frame, contract.personal, sealer, salts)
    payload = payloads(frame, payload_fields(contract))
    put = pl.col("op") == PUT
    staged = frame.select(
        order(part),
        pl.col(RECORD_KEY),
        pl.col(OPERATION).alias("op"),
        pl.col(ENTITY).alias("uscc"),
        payload.alias("payload"),
        pl.col("sealed"),
        leaf_hashes(payload).alias("content_hash"),
        *contract.facets,
        *lessons,
    )
    if staged["op"].to_list().count(PUT) == staged.height:
        return staged
    return staged.with_columns(
        pl.when(put).then(pl.col(name)).alias(name) for name in ("payload", "sealed", "content_hash")
    )


def order(part: int) -> pl.Expr:
    """Where a row stands in the delivery: by part, then by row in the part."""
    return (pl.col(ROW).cast(pl.Int64) + (part << ROW_BITS)).alias("ord")


def payload_fields(contract: Contract) -> list[str]:
    """Names that may stand in the payload of a record type, in no particular order."""
    personal = set(contract.personal)
    open_fields = [name for name in contract.fields if name not in personal]
    return [*open_fields, *(name + DIGEST_SUFFIX for name in contract.personal), ENTITY, ENTITY_BY]


def seal_personal(
    frame: pl.DataFrame, personal: Sequence[str], sealer: Sealer, salts: Mapping[bytes, bytes]
) -> pl.DataFrame:
    """Replace personal columns by their digests and put the values, encrypted, into ``sealed``.

    A record keeps its random salt, so that the same value again is no change. The salt lies sealed
    with the values: who may see them can check the digest, and once they are erased nobody, the
    operator included, can try values against it.
    """
    if all(frame[name].null_count() == frame.height for name in personal):
        absent = [pl.Series(name + DIGEST_SUFFIX, [None], dtype=pl.String) for name in personal]
        none = [pl.Series("sealed", [None], dtype=pl.Binary), *absent]
        open_columns = [column for column in frame.get_columns() if column.name not in personal]
        return pl.DataFrame([*open_columns, *(column.new_from_index(0, frame.height) for column in none)])
    concerned = frame.select(ROW, RECORD_KEY, *personal).filter(pl.any_horizontal(pl.col(personal).is_not_null()))
    keys = concerned[RECORD_KEY].to_list()
    # Two rows about one record that says something for the first time must agree on its salt.
    given = {**dict(zip(keys, new_salts(len(keys)), strict=True)), **salts}
    salt = [given[key] for key in keys]
    known = concerned.with_columns(pl.Series(SALT, salt, dtype=pl.Binary).bin.encode("hex"))
    sealed = sealer.seal_all(payloads(known, [*personal, SALT]).to_list(), keys)
    replaced = concerned.select(ROW).with_columns(
        pl.Series("sealed", sealed, dtype=pl.Binary),
        *(salted_digests(concerned[name], salt).alias(name + DIGEST_SUFFIX) for name in personal),
    )
    return frame.drop(personal).join(replaced, on=ROW, how="left", maintain_order="left")


def standing_salts(conn: Connection, frame: pl.DataFrame, contract: Contract, sealer: Sealer) -> dict[bytes, bytes]:
    """Salts of the records that stand with sealed fields, for those of ``frame`` that carry personal values."""
    if all(frame[name].null_count() == frame.height for name in contract.personal):
        return {}
    carrying = frame.filter(pl.any_horizontal(pl.col(contract.personal).is_not_null())).unique(RECORD_KEY)
    versions = versions_table(contract.record_type)
    sealed = select(versions.c.record_key, versions.c.sealed).where(
        versions.c.superseded_seq.is_(None), versions.c.sealed.is_not(None)
    )
    if carrying.height <= dialect.FEW:
        return _salts(
            conn, sealed.where(dialect.one_of(conn, versions.c.record_key, carrying[RECORD_KEY].to_list())), sealer
        )
    if conn.execute(select(versions.c.seq).limit(1)).first() is None:
        return {}
    with dialect.temporary(conn, "carrying", [Column("record_key", LargeBinary)]) as keys:
        # In the order of the index in which they are looked up.
        dialect.bulk_load(conn, keys, carrying.select(RECORD_KEY).sort(RECORD_KEY))
        # Asked for key by key: a join may read everything that stands, and would do so for every chunk.
        stands = sealed.where(versions.c.record_key == keys.c.record_key).with_only_columns(versions.c.sealed).limit(1)
        return _salts(conn, select(keys.c.record_key, stands.scalar_subquery().label("sealed")), sealer)


def _salts(conn: Connection, sealed: Select[Any], sealer: Sealer) -> dict[bytes, bytes]:
    return {
        row.record_key: bytes.fromhex(json.loads(sealer.open(row.sealed, row.record_key))[SALT])
        for row in conn.execute(sealed)
        if row.sealed is not None
    }
