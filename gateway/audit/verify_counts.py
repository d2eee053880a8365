"""Verifying the counters: each says what is found when everything it counts is read."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.audit.problems import Problems
from gateway.store.counts import kept, recounted


def verify_counts(conn: Connection, problems: Problems) -> None:
    """Expectations are held against counters, and people look at them: a false one must not stay."""
    said, found = kept(conn), recounted(conn)
    for key in sorted(said.keys() | found.keys()):
        if said.get(key, 0) != found.get(key, 0):
            zh = (
                f"计数为 {said.get(key, 0)}，实有 {found.get(key, 0)}；"
                "停止写入后清空 counts 表并执行 xinqiao init 即可重算"
            )
            en = (
                f"the counter says {said.get(key, 0)}, {found.get(key, 0)} are there; while nothing writes, empty the "
                "table counts and run `xinqiao init` to have everything counted again"
            )
            problems.add(None, f"counter {' '.join(key)}", zh, en)
