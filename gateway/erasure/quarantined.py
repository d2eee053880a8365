"""Erasing a person from quarantine and from challenges: rows stay, the person's cells go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
import polars as pl
from sqlalchemy import Connection, LargeBinary, Row, bindparam, select, update

from gateway.access.tables import challenges
from gateway.judge import RECORD_KEY, record_keys
from gateway.quarantine import rejection_context
from gateway.sealing import Sealer
from gateway.store.tables import rejections, versions_table
from schemas.columnar import Contract
from schemas.judgement import OPERATION, ROW

_PAGE = 500

LONG = 6
"""From so many characters on a value is taken for the person's wherever it stands; shorter ones, such as names, only
as the whole of a cell."""


@dataclass(frozen=True)
class Person:
    """Whom to look for.

    Attributes:
        contract: of the record type.
        fields: personal fields that are about the person.
        keys: record keys, with the source each record comes from.
        values: what the records said of the person.
    """

    contract: Contract
    fields: Sequence[str]
    keys: Mapping[bytes, str]
    values: frozenset[str]

    def is_in(self, text: str | None) -> bool:
        """Whether a text holds one of the values."""
        if not text:
            return False
        return text.strip() in self.values or any(value in text for value in self.values if len(value) >= LONG)


def erase_rejections(conn: Connection, sealer: Sealer, person: Person) -> int:
    """Blank the person's cells in quarantined rows of the records' sources; returns how many rows it was in."""
    done = 0
    for page in _pages(conn, person):
        contents = [json.loads(sealer.open(row.sealed, rejection_context(row.delivery_id, row.row))) for row in page]
        keys = _keys(page, contents, person)
        for row, content, key in zip(page, contents, keys, strict=True):
            faults = [_without(fault, person) for fault in row.faults]
            if not _redact(content, key in person.keys, person) and faults == row.faults:
                continue
            sealed = sealer.seal(
                json.dumps(content, ensure_ascii=False).encode(), rejection_context(row.delivery_id, row.row)
            )
            conn.execute(update(rejections).where(rejections.c.id == row.id).values(sealed=sealed, faults=faults))
            done += 1
    return done


def erase_challenges(conn: Connection, sealer: Sealer, person: Person) -> int:
    """Erase what challengers said of the records' personal fields, or of the person elsewhere; returns how many."""
    versions = versions_table(person.contract.record_type)
    about = (
        select(challenges.c.id, challenges.c.field, challenges.c.sealed, versions.c.record_key)
        .join(versions, versions.c.seq == challenges.c.seq)
        .where(challenges.c.record_type == person.contract.record_type, challenges.c.sealed.is_not(None))
    )
    hit = [
        row.id
        for row in conn.execute(about)
        if (bytes(row.record_key) in person.keys and row.field in person.fields)
        or any(map(person.is_in, json.loads(sealer.open(row.sealed, challenge_context(row.id))).values()))
    ]
    if hit:
        statement = update(challenges).where(challenges.c.id == bindparam("which"))
        conn.execute(
            statement.values(sealed=bindparam("gone", type_=LargeBinary)), [{"which": i, "gone": None} for i in hit]
        )
    return len(hit)


def challenge_context(challenge_id: str) -> bytes:
    """What the sealed words of a challenge are bound to."""
    return f"challenge:{challenge_id}".encode()


def _pages(conn: Connection, person: Person) -> Iterator[list[Row[Any]]]:
    after = 0
    where = (rejections.c.record_type == person.contract.record_type) & rejections.c.source.in_(
        sorted(set(person.keys.values()))
    )
    while True:
        query = select(rejections).where(where, rejections.c.id > after).order_by(rejections.c.id).limit(_PAGE)
        page = list(conn.execute(query))
        if not page:
            return
        yield page
        after = page[-1].id


def _keys(page: Sequence[Row[Any]], contents: Iterable[dict[str, Any]], person: Person) -> list[bytes | None]:
    """The record that each row is about, where its key can be read."""
    found: list[bytes | None] = [None] * len(page)
    rows = [
        {ROW: number, OPERATION: "withdraw", **{name: content["mapped"].get(name) for name in person.contract.key}}
        for number, content in enumerate(contents)
    ]
    schema = {ROW: pl.UInt32, OPERATION: pl.String, **dict.fromkeys(person.contract.key, pl.String)}
    # Judged as withdrawals, rows are held against their key fields only.
    readable = person.contract.judge(pl.DataFrame(rows, schema=schema)).accepted
    for source in set(person.keys.values()):
        keyed = readable.select(ROW).with_columns(record_keys(readable, person.contract, source))
        for number, key in keyed.select(ROW, RECORD_KEY).iter_rows():
            if page[number].source == source:
                found[number] = key
    return found


def _redact(content: dict[str, dict[str, str | None]], is_same_record: bool, person: Person) -> bool:
    """Blank the person's cells; tells whether there were any."""
    mapped, words = content["mapped"], set()
    for name in person.fields:
        text = mapped.get(name)
        if text and (is_same_record or _canonical(person.contract, name, text) in person.values):
            words.add(text)
    gone = False
    for cells in content.values():
        for name, text in cells.items():
            if text is not None and (text in words or person.is_in(text)):
                cells[name], gone = None, True
    return gone


def _canonical(contract: Contract, name: str, text: str) -> str | None:
    try:
        value: str | None = contract.fields[name].deserialize(text)
    except ma.ValidationError:
        return None
    return value


def _without(fault: dict[str, Any], person: Person) -> dict[str, Any]:
    """A fault that quotes the person, without what it quotes."""
    said = (fault.get("value"), fault.get("zh"), fault.get("en"), *fault.get("candidates", ()))
    if not any(person.is_in(text) for text in said):
        return fault
    rule = fault["rule"]
    hidden = {"zh": f"不符合规则 {rule}（内容已删除）", "en": f"breaks rule {rule} (value erased)"}
    return {**fault, "value": None, "candidates": [], **hidden}
