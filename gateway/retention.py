"""Retention: received files that have been kept long enough are removed, and the log says which.

Nothing else is ever removed by it. Entries, tiles, versions and the hashes of accepted rows are what every proof
and every answer about the past rests on; a delivery's digest stays in its receipt and its entry, so a copy that
somebody kept can still be shown to be what was received.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update

from connectors.errors import Refused
from gateway.audit import Action, append
from gateway.audit.holds import Hold, held_deliveries
from gateway.audit.merkle import root
from gateway.clock import instant
from gateway.store import Store
from gateway.store.tables import deliveries, rejections

FLOOR_DAYS = 184
"""The least that is kept: not less than six months (Cybersecurity Law of the PRC, article 21; 184 days are the
longest six months there are)."""

REMOVED = "removed"
"""In a part of the register: since when its file is gone."""

_NAMED = 200
"""Deliveries that an entry names; beyond that it gives their number and the root over all digests."""


@dataclass(frozen=True)
class Removal:
    """What retention may remove now.

    Attributes:
        before: received before this instant.
        files: path below home -> digest.
        size: bytes.
        delivery_ids: whose files they are.
        held: deliveries that would be among them but for a hold.
    """

    before: str
    files: Mapping[str, str]
    size: int
    delivery_ids: tuple[str, ...]
    held: Mapping[str, Hold]


def removable(conn: Connection, days: int, now: datetime) -> Removal:
    """Files of settled deliveries received more than ``days`` ago that nobody needs any more.

    Kept are: what is under hold, what has rows waiting in quarantine, and what a younger delivery sent again.

    Raises:
        Refused: fewer days than `FLOOR_DAYS`.
    """
    if days < FLOOR_DAYS:
        raise Refused(
            f"留存期限不得少于 {FLOOR_DAYS} 天（网络安全法第二十一条），实为 {days} 天。",
            f"nothing is removed before {FLOOR_DAYS} days (Cybersecurity Law, article 21), got {days}",
            days=days,
        )
    before = instant(now - timedelta(days=days))
    rows = conn.execute(select(deliveries.c.id, deliveries.c.source, deliveries.c.parts, _is_old(before))).all()
    waiting = set(conn.execute(select(rejections.c.delivery_id).where(rejections.c.status == "open")).scalars())
    old = [row for row in rows if row.is_old and row.id not in waiting]
    held = held_deliveries(conn, [(row.id, row.source) for row in old])
    going = {row.id for row in old} - held.keys()
    needed = {part["path"] for row in rows if row.id not in going for part in row.parts}
    parts = [part for row in old if row.id in going for part in row.parts]
    files = {part["path"]: part for part in parts if part["path"] not in needed and not _is_gone(part)}
    concerned = tuple(row.id for row in old if any(part["path"] in files for part in row.parts))
    return Removal(
        before=before,
        files={path: part["digest"] for path, part in sorted(files.items())},
        size=sum(part["size"] for part in files.values()),
        delivery_ids=concerned,
        held=dict(sorted(held.items())),
    )


def remove(store: Store, days: int, by: str, now: datetime) -> Removal:
    """Remove what may be removed: first the register and the log say so, then the files go.

    Cut off in between, the next run removes what is marked.

    Raises:
        Refused: fewer days than `FLOOR_DAYS`.
    """
    with store.write() as conn:
        removal = removable(conn, days, now)
        if removal.files:
            _mark(conn, removal, now)
            append(conn, Action.BYTES_REMOVED, by, _facts(removal, days), now)
        marked = _marked(conn)
    limit = (now - timedelta(days=days)).timestamp()
    for path in marked:
        _unlink_old(store.settings.home / path, limit)
    return removal


def _unlink_old(path: Path, limit: float) -> None:
    # The same bytes may be arriving again right now and not be registered yet: then the file is new.
    with suppress(FileNotFoundError):
        if path.stat().st_mtime < limit:
            path.unlink()


def _is_old(before: str) -> Any:
    settled = deliveries.c.status.in_(("landed", "repeated", "refused"))
    return (settled & (deliveries.c.received_at < before)).label("is_old")


def _is_gone(part: Mapping[str, Any]) -> bool:
    return bool(part.get(REMOVED) or part.get("erased"))


def _mark(conn: Connection, removal: Removal, now: datetime) -> None:
    rows = conn.execute(select(deliveries.c.id, deliveries.c.parts).where(deliveries.c.id.in_(removal.delivery_ids)))
    for row in rows.all():
        parts = [part | {REMOVED: instant(now)} if part["path"] in removal.files else part for part in row.parts]
        conn.execute(update(deliveries).where(deliveries.c.id == row.id).values(parts=parts))


def _facts(removal: Removal, days: int) -> dict[str, object]:
    digests = sorted(bytes.fromhex(digest) for digest in removal.files.values())
    return {
        "before": removal.before,
        "days": days,
        "files": len(removal.files),
        "bytes": removal.size,
        "digests_root": root(digests).hex(),
        "deliveries": list(removal.delivery_ids[:_NAMED]),
        "held": len(removal.held),
    }


def _marked(conn: Connection) -> set[str]:
    """Paths that are marked and that no delivery needs: what was delivered again meanwhile is there again."""
    parts = [part for row in conn.execute(select(deliveries.c.parts)) for part in row.parts]
    needed = {part["path"] for part in parts if not _is_gone(part)}
    return {str(Path(part["path"])) for part in parts if part.get(REMOVED)} - needed
