"""Landing with remembered rows is landing without them: the same receipts, versions, quarantine, leaves and entities.

Generated deliveries, one after the other, go through two installations: one remembers, the other does not. Rows are
changed, added, taken out, moved, sent twice, contradicted, spoiled and mended; quarantined ones are corrected.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.errors import ExpectationFailed, Refused
from connectors.registry import source
from connectors.spec import Expect, SourceSpec
from gateway import deliveries, parts, pipeline, quarantine, replay, staging
from gateway.audit.leaves import accepted_leaves
from gateway.remembered.rows import Recogniser
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.tables import deliveries as register
from gateway.store.tables import entities, entity_names, versions_table
from tests.conftest import NOW
from tests.support.chunks import cut_into
from tests.support.companies import BAKERY, DAIRY, MILL, WRONG_CHECK
from tests.support.deliveries import COMPANY_LIST, COMPLAINTS, Row, company_list, complaint, complaints, pages
from tests.support.standing import rejected, verified

SHORT, LONG = range(1), range(100, 110)
STEPS = 5

Rows = list[Row]


def _row(chance: random.Random, number: int) -> Row:
    """A complaint that is good, carries a remark, is refused or can only be linked by its name."""
    known = chance.choice((MILL, DAIRY, BAKERY))
    code = chance.choice((known.uscc,) * 6 + (WRONG_CHECK, ""))
    return complaint(
        f"c{number}" if chance.random() < 0.97 else "",
        known.name,
        code,
        chance.choice((known.address, "")),
        topic=chance.choice("甲乙丙"),
        areacode=chance.choice(("", "", "330110", "610131")),
        receive_time=chance.choice(("2026-06-01 9:30:00", "2026-06-02 9:30:00", "2026-13-01")),
        complainant={"name": chance.choice("周吴郑"), "phone": chance.choice(("", "10000000001"))},  # type: ignore[arg-type]
    )


def _added(chance: random.Random, rows: Rows) -> Rows:
    at = chance.randrange(len(rows) + 1)
    return [*rows[:at], *(_row(chance, chance.randrange(24)) for _ in range(chance.randrange(1, 4))), *rows[at:]]


def _taken_out(chance: random.Random, rows: Rows) -> Rows:
    return [row for row in rows if chance.random() < 0.9]


def _moved(chance: random.Random, rows: Rows) -> Rows:
    at = chance.randrange(len(rows) + 1)
    return [*rows[at:], *rows[:at]]


def _changed(chance: random.Random, rows: Rows) -> Rows:
    return [{**row, "topic": "丁"} if chance.random() < 0.1 else row for row in rows]


def _sent_twice(chance: random.Random, rows: Rows) -> Rows:
    again = chance.sample(rows, min(2, len(rows)))
    # The same with a blank behind it is the same statement in another text.
    return [*rows, *again, *({**row, "topic": row["topic"] + " "} for row in again[:1])]


def _contradicted(chance: random.Random, rows: Rows) -> Rows:
    other = [{**row, "topic": "戊"} for row in chance.sample(rows, min(1, len(rows)))]
    return [*other, *rows] if chance.random() < 0.5 else [*rows, *other]


def _spoiled(chance: random.Random, rows: Rows) -> Rows:
    return [{**row, "receive_time": "不详"} if chance.random() < 0.1 else row for row in rows]


def _once(chance: random.Random, rows: Rows) -> Rows:
    return list({row["complaint_no"]: row for row in rows}.values())


_EDITS: tuple[Callable[[random.Random, Rows], Rows], ...] = (
    _added,
    _taken_out,
    _moved,
    _changed,
    _sent_twice,
    _contradicted,
    _spoiled,
    _once,
)


def _steps(seed: int) -> list[Rows]:
    """What the source says, time after time."""
    chance = random.Random(seed)  # generated deliveries, not a secret
    said = [[_row(chance, number) for number in range(16)]]
    while len(said) < STEPS:
        rows = said[-1]
        for edit in chance.sample(_EDITS, 2):
            rows = edit(chance, rows)
        said.append(rows)
    return said


def _corrected(store: Store, seed: int, now: datetime) -> list[Any]:
    """What came of correcting the first quarantined row: it may change a record that a later delivery repeats."""
    waiting = rejected(store)
    if not waiting or seed % 2:
        return []
    try:
        receipt = replay.correct(store, waiting[0]["id"], {"received_on": "2026-06-03", "uscc": None}, "test", now)
    except Refused as error:
        return [error.en]
    return [_told(receipt)]


def _lived(store: Store, spec: SourceSpec, seed: int) -> list[Any]:
    """Every receipt of a life of deliveries, and everything that stands after it."""
    receipts: list[Any] = []
    now = NOW
    for number, rows in enumerate(_steps(seed)):
        now += timedelta(minutes=1)
        if number == 2:
            known = [(each.name, each.uscc) for each in (MILL, DAIRY)]
            receipts.append(_told(_delivered(store, source(COMPANY_LIST), company_list(*known), now)))
        receipts.append(_told(_delivered(store, spec, complaints(*rows), now)))
        receipts += _corrected(store, seed + number, now + timedelta(seconds=30))
    assert verified(store).ok
    return [*receipts, *_standing(store)]


def _delivered(store: Store, spec: SourceSpec, content: bytes, now: datetime) -> dict[str, Any]:
    delivery_id = pages(store, spec.source, content, now=now)
    try:
        return pipeline.deliver(store, delivery_id, spec, now)
    except ExpectationFailed as error:
        return {"refused": error.en, **error.details}


def _told(receipt: dict[str, Any]) -> dict[str, Any]:
    # Keys and log of the two installations are their own.
    return {name: said for name, said in receipt.items() if name not in ("audit", "signature")}


def _standing(store: Store) -> Iterator[Any]:
    with store.read() as conn:
        for record_type in ("complaint", "registration"):
            table = versions_table(record_type)
            columns = [c for c in table.c if c.name != "sealed"]
            yield [tuple(row) for row in conn.execute(select(*columns).order_by(table.c.seq))]
        for table in (entities, entity_names):
            yield sorted(map(repr, conn.execute(select(table)).all()))
        landed = conn.execute(select(register.c.id).where(register.c.status == "landed").order_by(register.c.id))
        for delivery_id in landed.scalars().all():
            yield accepted_leaves(store.settings.home, delivery_id)
        for row in rejected(store, status=None):
            opened = quarantine.open_rejection(conn, store, row["id"])
            yield {**row, "sent": opened.sent, "mapped": opened.mapped}


@contextmanager
def _installation(request: pytest.FixtureRequest, kind: str, home: Path) -> Iterator[Store]:
    with ExitStack() as opened:
        if kind == "sqlite":
            shutil.copytree(request.getfixturevalue("sqlite_home"), home)
            settings = Settings(home=home)
        else:
            template, reused = request.getfixturevalue("postgres_home")
            shutil.copytree(template, home)
            own = opened.enter_context(reused.lent())
            settings = Settings(home=home, database_url=own.render_as_string(hide_password=False))
        store = open_store(settings)
        opened.callback(store.close)
        yield store


@pytest.fixture(autouse=True)
def _the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_into(monkeypatch, 5)
    monkeypatch.setattr(staging, "new_salts", lambda number: [b"s" * 32] * number)
    monkeypatch.setattr("gateway.deliveries.secrets.token_hex", lambda size: "0" * 2 * size)


@pytest.fixture
def recognised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that were recognised, chunk by chunk."""
    counts: list[int] = []
    find = Recogniser.find

    def counted(self: Recogniser, *chunk: Any) -> Any:
        found = find(self, *chunk)
        counts.append(found.height)
        return found

    monkeypatch.setattr(Recogniser, "find", counted)
    return counts


class Check:
    """Two lives of the same deliveries, of which only one remembers."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path, recognised: list[int]) -> None:
        self._request, self._folder, self._recognised = request, folder, recognised

    def __call__(self, kind: str, delivery: str, seed: int) -> None:
        spec = replace(source(COMPLAINTS), delivery=delivery, expect=Expect(keeps=0.5 if seed % 3 == 0 else 0.0))
        with_memory = self._life("remembers", kind, spec, seed)
        met = sum(self._recognised)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(parts, "recall", lambda *_: None)
            without = self._life("does_not", kind, spec, seed)

        for one, other in zip(with_memory, without, strict=True):
            assert one == other, f"seed {seed}"
        assert sum(self._recognised) == met > 0

    def _life(self, name: str, kind: str, spec: SourceSpec, seed: int) -> list[Any]:
        with (
            _installation(self._request, kind, self._folder / name) as store,
            pytest.MonkeyPatch.context() as patched,
        ):
            patched.setattr(deliveries, "_ORDER", itertools.count())
            return _lived(store, spec, seed)


@pytest.fixture
def check(request: pytest.FixtureRequest, tmp_path: Path, recognised: list[int]) -> Check:
    return Check(request, tmp_path, recognised)


@pytest.mark.parametrize("seed", SHORT)
@pytest.mark.parametrize("delivery", ["snapshot", "changes"])
def test_landing_with_memory_is_landing_without(check: Check, delivery: str, seed: int) -> None:
    check("sqlite", delivery, seed)


def test_landing_with_memory_is_landing_without_on_postgresql(check: Check) -> None:
    check("postgresql", "snapshot", 3)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG)
@pytest.mark.parametrize("delivery", ["snapshot", "changes"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_landings_with_memory_are_landings_without(check: Check, kind: str, delivery: str, seed: int) -> None:
    check(kind, delivery, seed)
