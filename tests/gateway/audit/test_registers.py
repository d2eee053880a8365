"""Certificates, grants and duties are derivable from the log: a row that is edited beside it is found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, inspect, select, update

from certs.names import SystemName
from gateway import certificates as registry
from gateway import certificates_holders as holders
from gateway.access.giving import give, new_grant, withdraw
from gateway.access.grants import Grant
from gateway.access.tables import grants
from gateway.audit.actions import Action
from gateway.audit.log import seal
from gateway.audit.registers import REGISTERS, rows_told
from gateway.audit.tables import entries
from gateway.audit.verify import verify
from gateway.authorities import open_issuing
from gateway.certificates_tables import certificates, systems
from gateway.store import Store
from tests.conftest import NOW
from tests.gateway.audit.altering import Alter, alter, found

GATEWAY = Path(__file__).parents[3] / "gateway"
NAME = SystemName("customs", "risk")


def grant(purpose: str) -> Grant:
    return new_grant(
        system_urn=NAME.urn,
        record_type="licence",
        columns="*",
        purpose=purpose,
        legal_basis="测试",
        valid_from=NOW.date(),
        valid_until=NOW.date() + timedelta(days=9),
        given_by="test",
        now=NOW,
    )


@pytest.fixture
def held(store: Store) -> Store:
    """A home with a registered system, its suspended certificate, and two grants, one of them ended."""
    with store.write() as conn:
        holders.register(conn, NAME, "风险系统", "test", NOW)
        issued = registry.issue_certificate(conn, open_issuing(store.settings), NAME, "test", NOW)
        registry.suspend(conn, f"{issued.certificate.serial_number:040x}", "test", NOW)
        give(conn, grant("查验"), NOW)
        withdraw(conn, give(conn, grant("核查"), NOW).id, "test", NOW)
    seal(store, NOW)
    return store


def test_what_the_acts_left_is_what_the_log_says(held: Store) -> None:
    assert found(verify(held)) == []


@pytest.mark.parametrize(
    ("how", "where"),
    [
        (lambda conn: conn.execute(update(certificates).values(status="good", reason="")), "certificates/"),
        (lambda conn: conn.execute(update(certificates).values(not_after="2099-01-01T00:00:00Z")), "certificates/"),
        (lambda conn: conn.execute(update(grants).values(status="active", withdrawn_by=None)), "grants/"),
        (lambda conn: conn.execute(update(grants).values(unmasked=["name"])), "grants/"),
        (lambda conn: conn.execute(update(grants).values(purpose="随意")), "grants/"),
        (lambda conn: conn.execute(update(systems).values(title="别的系统")), "systems/"),
    ],
)
def test_an_edit_beside_the_log_is_found(held: Store, how: Alter, where: str) -> None:
    report = alter(held, how)

    problems = found(report)
    assert problems
    assert all(name.startswith(where) and en == "the row is not as its entry left it" for _, name, en in problems)
    assert report.first_bad is not None


def test_a_row_that_is_gone_and_a_row_that_was_smuggled_in_are_found(held: Store) -> None:
    def smuggle(conn):  # type: ignore[no-untyped-def]
        row = conn.execute(select(grants)).mappings().first()
        conn.execute(grants.insert().values({**row, "id": "g-smuggled"}))
        conn.execute(delete(systems))

    assert {(name.split("/")[0], en) for _, name, en in found(alter(held, smuggle))} == {
        ("grants", "no entry tells of this row"),
        ("systems", "the row is gone, and its entry does not say so"),
    }


def test_a_table_that_is_no_register_cannot_be_told_of(store: Store) -> None:
    with store.read() as conn, pytest.raises(ValueError, match="audit_entries is no register"):
        rows_told(conn, (entries, 1))


def test_every_register_is_a_table_with_one_key(store: Store) -> None:
    tables = inspect(store.engine)

    keys = {name: tables.get_pk_constraint(name)["constrained_columns"] for name in REGISTERS}

    assert {name: len(columns) for name, columns in keys.items()} == dict.fromkeys(REGISTERS, 1)


def modules() -> Sequence[tuple[str, str]]:
    return [(path.relative_to(GATEWAY).as_posix(), path.read_text("utf-8")) for path in sorted(GATEWAY.rglob("*.py"))]


def test_whoever_writes_a_register_tells_of_its_rows() -> None:
    names = {name: {f"{name}", *(("separation",) if name == "duties_separation" else ())} for name in REGISTERS}
    writing = re.compile(r"\b(?:insert|update|delete)\((\w+)\)")
    known = {alias for aliases in names.values() for alias in aliases} | {"holds"}

    silent = [
        module
        for module, text in modules()
        if any(written in known for written in writing.findall(text)) and "rows_told" not in text
    ]

    # Erasure takes sealed words away, which no digest covers, and says so in entries of its own.
    assert silent == ["erasure/quarantined.py"]


def test_every_act_of_the_list_is_written_somewhere() -> None:
    said = " ".join(text for module, text in modules() if module != "audit/actions.py")
    # Made from the status of a row: f"quarantine.{status}".
    built = {Action.QUARANTINE_CORRECTED, Action.QUARANTINE_DISMISSED, Action.QUARANTINE_REPLAYED}

    unwritten = {act.name for act in Action if act not in built and f"Action.{act.name}" not in said}

    assert unwritten == set()
