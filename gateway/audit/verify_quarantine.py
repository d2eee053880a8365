"""Verifying the quarantine: as many rows lie there as the entries of their deliveries say were refused."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from gateway.audit.problems import Problems
from gateway.audit.verify_entries import Landing
from gateway.store.tables import rejections


def verify_quarantine(conn: Connection, landings: Sequence[Landing], problems: Problems) -> None:
    """Every refused row of every landed delivery is kept; a settled one stays where it is."""
    counted = select(rejections.c.delivery_id, func.count()).group_by(rejections.c.delivery_id)
    kept = {str(row[0]): int(row[1]) for row in conn.execute(counted)}
    for landing in landings:
        delivery_id = str(landing.entry.get("delivery_id"))
        said, count = landing.entry.get("rejected", 0), kept.pop(delivery_id, 0)
        if said != count:
            zh = f"隔离区应有 {said} 行，实有 {count} 行"
            en = f"{said} rows were refused, {count} lie in quarantine"
            problems.add(landing.index, f"delivery {delivery_id}", zh, en)
    for delivery_id in sorted(kept):
        problems.add(
            None,
            f"delivery {delivery_id}",
            "隔离区有行，但没有审计条目说明其来历",
            "rows of it lie in quarantine and no entry tells of its landing",
        )
