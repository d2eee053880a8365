"""What a grant lets through of stored versions: all bytes as they lie, or named fields of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from gateway.access.grants import WHOLE, Grant
from gateway.access.masking import mask
from gateway.sealing import Sealer
from gateway.staging import DIGEST_SUFFIX
from gateway.steps import ENTITY, ENTITY_BY
from gateway.store.reading import Version
from gateway.store.streaming import HEAD
from schemas.columnar import contract

ALWAYS = (ENTITY, ENTITY_BY)
"""Shown under every grant: which entity the record belongs to and how that is known."""


def head(version: Version) -> dict[str, object]:
    """What surrounds the record of a version in an answer."""
    return {name: getattr(version, name) for name in HEAD}


def line(version: Version) -> bytes:
    """A version as one JSON object; the payload's bytes are put in as they are, not written again."""
    around = json.dumps(head(version), ensure_ascii=False, separators=(",", ":")).encode()
    return around[:-1] + b',"record":' + version.payload + b"}"


def project(versions: Sequence[Version], grant: Grant, sealer: Sealer) -> list[Version]:
    """What ``grant`` lets through, in the same order.

    A grant over the whole payload gives back the stored bytes. Otherwise only the granted fields
    stay; a personal field that is granted by name is opened. Restricted and personal fields are masked
    unless the grant says that they are shown in clear. Which records the grant is about has been
    applied by the query that gave the versions.
    """
    masked = _restricted(grant.record_type, tuple(sorted(grant.unmasked)))
    if grant.columns == WHOLE:
        return [replace(version, payload=_masked(version.payload, masked), sealed=None) for version in versions]
    personal = [name for name in grant.columns if name in contract(grant.record_type).personal]
    keep = {*grant.columns, *ALWAYS, *(name + DIGEST_SUFFIX for name in personal)}
    decoded = json.loads(b"[" + b",".join(_masked(version.payload, masked) for version in versions) + b"]")
    return [
        _shown(version, {name: value for name, value in record.items() if name in keep}, personal, grant, sealer)
        for version, record in zip(versions, decoded, strict=True)
    ]


def mask_block(lines: bytes, grant: Grant) -> bytes:
    """Lines of stored bytes as a grant over the whole payload shows them; no head has a member of a field's name."""
    return _masked(lines, _restricted(grant.record_type, tuple(sorted(grant.unmasked))))


@cache
def restricted_fields(record_type: str) -> tuple[str, ...]:
    """Fields that lie open in the payload, and are masked unless a grant shows them in clear."""
    return tuple(name for name, field in contract(record_type).fields.items() if field.sensitivity == "restricted")


@cache
def _restricted(record_type: str, unmasked: tuple[str, ...]) -> re.Pattern[bytes] | None:
    names = [name for name in restricted_fields(record_type) if name not in unmasked]
    if not names:
        return None
    # A payload is canonical and flat: inside a text every quotation mark follows a backslash, so what
    # looks like a member of this name is one, and the bytes around it stay as they lie.
    return re.compile(rb'(?<=[{,])("(?:%s)":)("(?:[^"\\]|\\.)*")' % "|".join(names).encode())


def _masked(payload: bytes, fields: re.Pattern[bytes] | None) -> bytes:
    return payload if fields is None else fields.sub(_mask_text, payload)


def _mask_text(found: re.Match[bytes]) -> bytes:
    return found[1] + json.dumps(mask(json.loads(found[2])), ensure_ascii=False).encode()


def _shown(
    version: Version, record: dict[str, object], personal: Sequence[str], grant: Grant, sealer: Sealer
) -> Version:
    if personal and version.sealed is not None:
        key = bytes.fromhex(version.record_key)
        record |= _opened(version.sealed, key, personal, grant.unmasked, sealer)
    return replace(version, payload=_json(record), sealed=None)


def _opened(
    sealed: bytes, record_key: bytes, names: Iterable[str], unmasked: Sequence[str], sealer: Sealer
) -> dict[str, object]:
    values: dict[str, object] = json.loads(sealer.open(sealed, record_key))
    return {name: values[name] if name in unmasked else mask(str(values[name])) for name in names if name in values}


def _json(record: Mapping[str, object]) -> bytes:
    # A payload is flat and its names are ASCII, for which this is RFC 8785.
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
