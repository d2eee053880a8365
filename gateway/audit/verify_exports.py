"""Verifying the register of exports: whose a file is, under which grant and until when is what its entry says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from gateway.audit.actions import Action
from gateway.audit.problems import Problems
from gateway.audit.tables import entries, read_body
from gateway.audit.verify_entries import UNREADABLE
from gateway.store.metadata import metadata

REGISTER = "exports"
"""Name of the table; that a file is gone at the end of its day needs no entry, so ``removed_at`` is not compared."""


def verify_exports(conn: Connection, problems: Problems) -> None:
    """Every export has its entry and the other way round, and the register says of it nothing else."""
    table = metadata.tables.get(REGISTER)
    if table is None:
        return
    made = select(entries.c.id, entries.c.idx, entries.c.body).where(entries.c.action == Action.EXPORT_MADE.value)
    told = {row.id: row for row in conn.execute(made)}
    columns = [column for column in table.c if column.name != "removed_at"]
    for row in conn.execute(select(*columns).order_by(table.c.id)).mappings():
        entry = told.pop(row["entry_id"], None)
        where = f"{REGISTER}/{row['id']}"
        if entry is None:
            problems.add(None, where, "没有审计条目说明此导出", "no entry tells of this export")
        elif different := _different(dict(row), _body(entry.body)):
            zh, en = f"登记内容与审计条目不符：{different}", f"the register differs from its entry: {different}"
            problems.add(entry.idx, where, zh, en)
    for entry in told.values():
        export_id = _body(entry.body).get("export")
        problems.add(entry.idx, f"{REGISTER}/{export_id}", "登记缺失", "the register does not know it")


def _different(row: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    manifest = row["manifest"] if isinstance(row["manifest"], dict) else {}
    said = {
        "id": entry.get("export"),
        "system_urn": entry.get("actor"),
        "grant_id": (entry.get("filter") or {}).get("grant"),
        "made_at": entry.get("at"),
        "expires_at": entry.get("expires_at"),
    }
    wrong = [name for name, value in said.items() if row[name] != value]
    return wrong + ["manifest"] * (not manifest or any(entry.get(name) != value for name, value in manifest.items()))


def _body(body: bytes) -> Mapping[str, Any]:
    try:
        return read_body(body)
    except UNREADABLE:
        # Told already, where all entries are verified.
        return {}
