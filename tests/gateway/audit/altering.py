"""Doing something behind the log's back, and what verification then says."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Table, select

from gateway.audit.registers import REGISTERS
from gateway.audit.tables import entries
from gateway.audit.verify import VerifyReport, verify
from gateway.store import Store
from gateway.store.metadata import metadata
from gateway.store.tables import deliveries

Alter = Callable[[Connection], object]


def alter(store: Store, how: Alter) -> VerifyReport:
    """Do something behind the log's back, and verify."""
    with store.write() as conn:
        how(conn)
    return verify(store)


def found(report: VerifyReport) -> list[tuple[int | None, str, str]]:
    """The problems without their Chinese sentences; counters that are wrong in consequence have tests of their own."""
    problems = [problem for problem in report.problems if not problem.where.startswith("counter ")]
    return [(problem.entry, problem.where, problem.en) for problem in problems]


def entry_id(idx: int) -> ScalarSelect[int]:
    return select(entries.c.id).where(entries.c.idx == idx).scalar_subquery()


def registers() -> list[Table]:
    """The tables of which each row is told by an entry."""
    return [metadata.tables[name] for name in REGISTERS if name in metadata.tables]


def told_by(idx: int) -> ColumnElement[bool]:
    return deliveries.c.audit_entry == entry_id(idx)
