"""From resolved rows to what is stored: payload bytes, content hash, sealed personal fields, facets."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from gateway.judge import RECORD_KEY
from gateway.sealing import Sealer
from gateway.steps import ENTITY, ENTITY_BY
from schemas.canonical import canonical_json, leaf_hashes, payloads
from schemas.columnar import Contract

DIGEST_SUFFIX = "_digest"
"""What a payload says of a personal field ``x`` stands under ``x_digest``: its salted SHA-256."""


def stage(frame: pl.DataFrame, contract: Contract, sealer: Sealer) -> pl.DataFrame:
    """Make the rows that ``gateway.store.landing.land`` takes.

    Args:
        frame: ``_op``, ``record_key``, ``entity_uscc``, ``entity_by`` and the typed fields of the record type.

    Returns:
        the columns of ``landing.STAGED`` and the facets; payload, sealed and hash are null for withdrawals,
        which repeat the bytes of what they withdraw.
    """
    frame = seal_personal(frame, contract.personal, sealer)
    payload = payloads(frame, payload_fields(contract))
    put = pl.col("op") == "put"
    return frame.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("ord"),
        pl.col(RECORD_KEY),
        pl.col("_op").alias("op"),
        pl.col(ENTITY).alias("uscc"),
        payload.alias("payload"),
        pl.col("sealed"),
        leaf_hashes(payload).alias("content_hash"),
        *contract.facets,
    ).with_columns(pl.when(put).then(pl.col(name)).alias(name) for name in ("payload", "sealed", "content_hash"))


def payload_fields(contract: Contract) -> list[str]:
    """Names that may stand in the payload of a record type, in no particular order."""
    personal = set(contract.personal)
    open_fields = [name for name in contract.fields if name not in personal]
    return [*open_fields, *(name + DIGEST_SUFFIX for name in contract.personal), ENTITY, ENTITY_BY]


def seal_personal(frame: pl.DataFrame, personal: Sequence[str], sealer: Sealer) -> pl.DataFrame:
    """Replace personal columns by their digests and put the values, encrypted, into ``sealed``.

    The salt lies sealed with the values: who may see them can check the digest, and once they
    are erased the digest tells nobody anything.
    """
    if not personal:
        return frame.with_columns(pl.lit(None, pl.Binary).alias("sealed"))
    concerned = frame.select(RECORD_KEY, *personal).filter(pl.any_horizontal(pl.col(personal).is_not_null()))
    sealed: list[bytes] = []
    digests: dict[str, list[str | None]] = {name: [] for name in personal}
    for key, *values in concerned.iter_rows():
        known = {name: value for name, value in zip(personal, values, strict=True) if value is not None}
        for name in personal:
            digests[name].append(sealer.digest(known[name], key) if name in known else None)
        sealed.append(sealer.seal(canonical_json(known | {"salt": sealer.salt(key).hex()}), key))
    replaced = concerned.select(RECORD_KEY).with_columns(
        pl.Series("sealed", sealed, dtype=pl.Binary),
        *(pl.Series(name + DIGEST_SUFFIX, column, dtype=pl.String) for name, column in digests.items()),
    )
    return frame.drop(personal).join(replaced, on=RECORD_KEY, how="left", maintain_order="left")
