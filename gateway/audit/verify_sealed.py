"""Verifying what lies encrypted: personal fields against the digests that their record's payload carries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import polars as pl
from cryptography.exceptions import InvalidTag

from gateway.sealing import Sealer, salted_digest
from gateway.staging import DIGEST_SUFFIX, SALT


def sealed_faults(page: pl.DataFrame, personal: Sequence[str], sealer: Sealer) -> Iterator[tuple[int, str, str]]:
    """Compare sealed values with the digests in the payloads.

    Only the holder of the sealing key can do this; everything else is verified without it.

    Args:
        page: ``seq``, ``record_key``, ``payload`` and ``sealed``; payloads are known to be what was landed.
        personal: names of the record type's personal fields.

    Yields:
        position, and what is wrong in Chinese and English.
    """
    for seq, key, payload, sealed in page.select("seq", "record_key", "payload", "sealed").iter_rows():
        document = json.loads(payload)
        promised = {name: document[name + DIGEST_SUFFIX] for name in personal if name + DIGEST_SUFFIX in document}
        if sealed is None:
            if promised:
                yield seq, "个人信息密文缺失", "its personal fields are gone"
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
