"""Verifying what lies encrypted: personal fields against the digests that their record's payload carries.

What is not there any more must have been erased, and the log must say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection, select

from gateway.audit.actions import Action
from gateway.audit.tables import entries, read_body
from gateway.sealing import Sealer, salted_digest
from gateway.staging import DIGEST_SUFFIX, SALT


@dataclass
class Erased:
    """A record whose personal fields were erased, as the log tells.

    Attributes:
        through: newest feed position at that time; no version up to it may have sealed fields.
        digests: what the erased versions say of them. Versions landed since repeat these when they only link
            or withdraw, and have nothing sealed either.
    """

    through: int
    digests: set[str] = field(default_factory=set)


def erased_records(conn: Connection, record_type: str) -> dict[bytes, Erased]:
    """Record key -> erasure, from the entries of the log; their bodies are verified with all others."""
    found: dict[bytes, Erased] = {}
    bodies = select(entries.c.body).where(entries.c.action == Action.PERSON_ERASED.value).order_by(entries.c.id)
    for entry in map(read_body, conn.execute(bodies).scalars()):
        keys, through = entry.get("record_keys"), entry.get("through_seq")
        if entry.get("record_type") == record_type and isinstance(keys, list) and isinstance(through, int):
            found.update((bytes.fromhex(key), Erased(through)) for key in keys)
    return found


def sealed_faults(
    page: pl.DataFrame, personal: Sequence[str], sealer: Sealer, erased: Mapping[bytes, Erased]
) -> Iterator[tuple[int, str, str]]:
    """Compare sealed values with the digests in the payloads.

    Only the holder of the sealing key can do this; everything else is verified without it.

    Args:
        page: ``seq``, ``record_key``, ``payload`` and ``sealed``; payloads are known to be what was landed.
        erased: of the record type; pages are to come in feed order.
        personal: names of the record type's personal fields.

    Yields:
        position, and what is wrong in Chinese and English.
    """
    for seq, key, payload, sealed in page.select("seq", "record_key", "payload", "sealed").iter_rows():
        document = json.loads(payload)
        promised = {name: document[name + DIGEST_SUFFIX] for name in personal if name + DIGEST_SUFFIX in document}
        erasure = erased.get(key)
        if sealed is None:
            if erasure is not None and seq <= erasure.through:
                erasure.digests.update(promised.values())
            elif promised and not (erasure and erasure.digests.issuperset(promised.values())):
                yield seq, "个人信息密文缺失", "its personal fields are gone"
            continue
        if erasure is not None and seq <= erasure.through:
            yield (
                seq,
                "审计日志载明已删除，密文却仍在",
                "the log says that its personal fields were erased; they are there",
            )
            continue
        try:
            opened = json.loads(sealer.open(sealed, key))
        except (InvalidTag, ValueError):
            yield (
                seq,
                "个人信息密文已被改动或不属于本记录",
                "its sealed fields were altered or belong to another record",
            )
            continue
        salt = bytes.fromhex(opened.pop(SALT))
        if {name: salted_digest(value, salt) for name, value in opened.items()} != promised:
            yield seq, "个人信息与内容中的摘要不符", "its sealed fields do not have the digests in its payload"
