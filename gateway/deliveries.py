"""The register of deliveries: received, landed, repeated or refused. Bytes first, then meaning."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, insert, select, update

from connectors.delivery import Delivery, Part
from connectors.errors import Refused
from connectors.spec import SourceSpec
from connectors.vault import Vault
from gateway.audit import Action, append
from gateway.clock import instant, parse_instant
from gateway.signatures.tables import delivery_signatures
from gateway.store import Store, counts
from gateway.store.tables import deliveries

DELIVERY, REPLAY, LINK = "delivery", "replay", "link"

# Made once: making a statement costs as much again as executing it.
_REGISTERING = insert(deliveries)
_PROOF = select(delivery_signatures.c.proof).where(delivery_signatures.c.delivery_id == deliveries.c.id)
_ROW = select(deliveries, _PROOF.scalar_subquery().label("proof")).where(deliveries.c.id == bindparam("delivery_id"))
_SETTLING = update(deliveries).where(deliveries.c.id == bindparam("settled_id"))


def _with_original(same_digest: bool) -> Select[Any]:
    """The row, and the id of the last landed delivery of its source that says the same, or None."""
    earlier = deliveries.alias("earlier")
    same = earlier.c.digest == deliveries.c.digest
    found = (
        select(earlier.c.id if same_digest else case((same, earlier.c.id)))
        .where(
            earlier.c.source == deliveries.c.source,
            earlier.c.status == "landed",
            earlier.c.id != deliveries.c.id,
            earlier.c.kind == DELIVERY,
            *([same] if same_digest else []),
        )
        # Entries are written under the feed's lock; clocks and ids may say another order.
        .order_by(earlier.c.audit_entry.desc())
        .limit(1)
    )
    return _ROW.add_columns(found.correlate(deliveries).scalar_subquery().label("original_id"))


# Changes said twice say nothing new, whenever they were said. A snapshot repeats only what the source said *last*:
# going back to an older state is news.
_WITH_ORIGINAL = {"changes": _with_original(same_digest=True), "snapshot": _with_original(same_digest=False)}
_HELD_WITH_ORIGINAL = {delivery: asked.with_for_update(of=deliveries) for delivery, asked in _WITH_ORIGINAL.items()}
_HELD_ROW = _ROW.with_for_update(of=deliveries)

# Deliveries of one run are received at the same instant; what came first must be landed first.
_ORDER = itertools.count()


def vault_of(store: Store) -> Vault:
    """Where received bytes of this installation are kept."""
    return Vault(store.settings.home, store.settings.max_unpacked_bytes)


def register(
    conn: Connection,
    delivery: Delivery,
    spec: SourceSpec,
    home: Path,
    kind: str = DELIVERY,
    replay_of: str | None = None,
) -> str:
    """Write down that a delivery has been received; its bytes are kept already.

    Args:
        kind: ``delivery``; ``replay`` for rows out of quarantine; ``link`` for records that found their entity.
        replay_of: the delivery whose rows are landed again.

    Returns:
        the delivery's id: time of receipt, order of receipt in this process and a random part, so that the
        ids of one run sort as the deliveries came.
    """
    order = next(_ORDER) % 0x1000000
    delivery_id = f"{delivery.received_at:%Y%m%dT%H%M%S}-{order:06x}{secrets.token_hex(4)}"
    row = {
        "id": delivery_id,
        "source": delivery.source,
        "record_type": spec.record_type,
        "digest": delivery.digest,
        "parts": [
            {
                "name": part.name,
                "media_type": part.media_type,
                "path": part.path.relative_to(home).as_posix(),
                "digest": part.digest,
                "size": part.size,
            }
            for part in delivery.parts
        ],
        "origin": delivery.origin,
        "received_at": instant(delivery.received_at),
        "cursor": delivery.cursor,
        "status": "received",
        "kind": kind,
        "replay_of": replay_of,
    }
    conn.execute(_REGISTERING, row)
    counts.count(conn, counts.DELIVERIES, delivery.source, "received", 1)
    return delivery_id


def load(conn: Connection, delivery_id: str, home: Path) -> Delivery:
    """A delivery as it was registered.

    Raises:
        Refused: there is none with this id.
    """
    return registered(row_of(conn, delivery_id), home)


def registered(row: Row[Any], home: Path) -> Delivery:
    """The delivery that a row of the register tells of."""
    return Delivery(
        source=row.source,
        parts=tuple(
            Part(
                p["name"], p["media_type"], home / p["path"], p["digest"], p["size"], p.get("erased"), p.get("removed")
            )
            for p in row.parts
        ),
        origin=row.origin,
        received_at=parse_instant(row.received_at),
        cursor=row.cursor,
        is_partial=row.kind != DELIVERY,
    )


def check_bytes(delivery: Delivery) -> None:
    """The kept bytes are there and are those that were received.

    Raises:
        Refused: a file is gone or was altered; it must be brought back from a copy. Or it was destroyed because
            it held the data of a person that were erased.
    """
    for part in delivery.parts:
        if part.erased and not part.path.exists():
            raise Refused(
                f"{delivery.source}：原始文件“{part.name}”含有已依法删除的个人信息，已按删除申请 {part.erased} 销毁；"
                "请向报送单位索取不含该信息的文件",
                f"{delivery.source}: the kept file {part.name!r} held personal data that were erased and was destroyed "
                f"by erasure {part.erased}; ask the agency for a file without them",
                part=part.name,
                erasure=part.erased,
            )
        try:
            with part.path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            found = None
        if found is None and part.removed:
            raise Refused(
                f"{delivery.source}：原始文件“{part.name}”已于 {part.removed} 按留存期限清除，无法重放"
                f"（SHA-256 {part.digest}）",
                f"{delivery.source}: the kept file {part.name!r} was removed at the end of its retention on "
                f"{part.removed} and cannot be replayed (SHA-256 {part.digest})",
                part=part.name,
                digest=part.digest,
            )
        if found != part.digest:
            zh, en = ("已不存在", "is gone") if found is None else ("已被改动", "was altered")
            raise Refused(
                f"{delivery.source}：保存的原始文件“{part.name}”{zh}；请从备份恢复后重试（SHA-256 {part.digest}）",
                f"{delivery.source}: the kept file {part.name!r} {en}; bring it back from a copy and try again "
                f"(SHA-256 {part.digest})",
                part=part.name,
                digest=part.digest,
            )


def row_of(conn: Connection, delivery_id: str, *, is_held: bool = False) -> Row[Any]:
    """The row of the register, and under ``proof`` what its signature proved, as receipts and the log say it.

    Args:
        is_held: nobody else may change it until the transaction ends.

    Raises:
        Refused: there is none with this id.
    """
    return _one(conn, _HELD_ROW if is_held else _ROW, delivery_id)


def _one(conn: Connection, asked: Select[Any], delivery_id: str) -> Row[Any]:
    row = conn.execute(asked, {"delivery_id": delivery_id}).one_or_none()
    if row is None:
        raise Refused(
            f"没有编号为 {delivery_id} 的交付；可用 xinqiao deliveries 查看",
            f"no delivery {delivery_id!r}; `xinqiao deliveries` lists them",
            delivery_id=delivery_id,
        )
    return row


def row_and_original(
    conn: Connection, delivery_id: str, spec: SourceSpec, *, is_held: bool = False
) -> tuple[Row[Any], Row[Any] | None]:
    """The row of the register, and that of the landed delivery that this one repeats byte for byte, or None.

    A delivery that is settled stays so: asked about once more, by a task that was killed before it
    could say so, it is its own original, or still repeats the one it repeated.

    Args:
        is_held: nobody else may change the delivery's own row until the transaction ends.

    Raises:
        Refused: there is none with this id.
    """
    row = _one(conn, (_HELD_WITH_ORIGINAL if is_held else _WITH_ORIGINAL)[spec.delivery], delivery_id)
    if row.status == "landed":
        return row, row
    original_id = row.receipt["original"] if row.status == "repeated" else row.original_id
    return row, None if original_id is None else row_of(conn, original_id)


def last_cursor(conn: Connection, source: str) -> str | None:
    """Where the next pull of a source continues: the furthest cursor of what has landed.

    The furthest, not the last: a re-run of an old window must not move it back.
    """
    landed = (
        select(deliveries.c.cursor)
        .where(
            deliveries.c.source == source,
            deliveries.c.status.in_(("landed", "repeated")),
            deliveries.c.cursor.is_not(None),
        )
        .order_by(deliveries.c.cursor.desc())
        .limit(1)
    )
    return conn.execute(landed).scalar()


def unfinished(conn: Connection, source: str) -> Sequence[str]:
    """Ids of deliveries that were received and never landed: a task was killed in between."""
    return (
        conn.execute(
            select(deliveries.c.id)
            .where(deliveries.c.source == source, deliveries.c.status == "received", deliveries.c.kind == DELIVERY)
            .order_by(deliveries.c.id)
        )
        .scalars()
        .all()
    )


def settle(
    conn: Connection,
    delivery_id: str,
    status: str,
    receipt: dict[str, object],
    at: datetime,
    entry: int,
    held: Row[Any] | None = None,
) -> None:
    """Write down how a delivery ended: landed, repeated or refused, with its receipt or the problem.

    Args:
        held: its row of the register, if this transaction holds it already.
    """
    before = held or row_of(conn, delivery_id, is_held=True)
    counts.count(conn, counts.DELIVERIES, before.source, before.status, -1)
    counts.count(conn, counts.DELIVERIES, before.source, status, 1)
    values = {"status": status, "receipt": receipt, "landed_at": instant(at), "audit_entry": entry}
    conn.execute(_SETTLING, {"settled_id": delivery_id, **values})


def note_repeat(conn: Connection, delivery_id: str, original_id: str, at: datetime, home: Path) -> None:
    """Write down that a delivery said, byte for byte, what another one had said before.

    Bytes that were destroyed because of a person's data are destroyed again.
    """
    row = row_of(conn, delivery_id)
    gone = {part["digest"]: part["erased"] for part in row_of(conn, original_id).parts if part.get("erased")}
    if gone:
        parts = [part | {"erased": gone[part["digest"]]} if part["digest"] in gone else part for part in row.parts]
        conn.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(parts=parts))
        for part in parts:
            if part.get("erased"):
                (home / part["path"]).unlink(missing_ok=True)
    facts = {"delivery_id": delivery_id, "original": original_id, "source": row.source, "digest": row.digest}
    if row.proof:
        facts["signature"] = row.proof
    entry = append(conn, Action.DELIVERY_REPEATED, row.origin, facts, at)
    settle(conn, delivery_id, "repeated", {"delivery_id": delivery_id, "original": original_id}, at, entry)
