"""The front-end database of the health commission: rows, marks, the passing of days, misbehaviour."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.sandbox.serve import Sandbox, start
from connectors.sandbox.tables_service import ENDPOINT, FRXZCF, FRXZXK


def rows(sandbox: Sandbox, table: sa.Table, *conditions: Any) -> list[dict[str, Any]]:
    """What a reader finds, in order of the record id."""
    url = sandbox.connections()["endpoints"][ENDPOINT]["url"]
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": 0.2})
    with engine.connect() as connection:
        found = connection.execute(sa.select(table).where(*conditions).order_by(table.c.JLID)).mappings()
        return [dict(row) for row in found]


def test_each_public_place_has_its_licence_and_the_showcase_is_clean(sandbox: Sandbox) -> None:
    licences = rows(sandbox, FRXZXK)

    places = {e.health_licence_no for e in sandbox.world.entities if e.health_licence_no}
    assert {row["XK_WSH"] for row in licences} == places
    showcase = sandbox.world.showcase
    found = [row for row in licences if row["XK_XDR_SHXYM"] == showcase.uscc]
    assert [(row["XK_XDR"], row["XK_WSH"], row["SJBZ"]) for row in found] == [
        (showcase.name, showcase.health_licence_no, "I")
    ]


def test_every_row_is_text_with_a_mark_and_a_write_time(sandbox: Sandbox) -> None:
    everything = rows(sandbox, FRXZXK) + rows(sandbox, FRXZCF)

    assert {type(value) for row in everything for value in row.values()} <= {str, type(None)}
    assert {row["SJBZ"] for row in everything} <= {"I", "U", "D"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["XRQZKSJ"]) for row in everything)
    assert len({row["JLID"] for row in everything}) == len(everything)


def test_penalties_are_of_penalised_entities_only(sandbox: Sandbox) -> None:
    penalised = {e.organisation_code for e in sandbox.world.having("penalised")}

    fined = {row["CF_XDR_ZDM"] for row in rows(sandbox, FRXZCF)}

    assert sandbox.world.showcase.organisation_code in fined
    assert fined <= penalised


def test_a_night_marks_rows_and_writes_new_ones_later_than_all_before(tmp_path: Path) -> None:
    sandbox = start(tmp_path, seed=7, size=300)
    try:
        before = {row["JLID"]: row for row in rows(sandbox, FRXZXK)}

        sandbox.advance()
        sandbox.advance()

        after = {row["JLID"]: row for row in rows(sandbox, FRXZXK)}
    finally:
        sandbox.stop()
    written = {number: row for number, row in after.items() if before.get(number) != row}
    marks = Counter(row["SJBZ"] for row in written.values())
    assert marks["U"] == 2
    assert marks["D"] >= 2
    assert set(before) <= set(after)
    assert min(row["XRQZKSJ"] for row in written.values()) > max(row["XRQZKSJ"] for row in before.values())


def test_a_renamed_place_is_taken_back_under_its_old_name(tmp_path: Path) -> None:
    sandbox = start(tmp_path, seed=7, size=300, share=0.0)
    try:
        while not (moved := [e for e in sandbox.world.changed_since(sandbox.world.today) if _moved(sandbox, e)]):
            sandbox.advance()
        by_code = rows(sandbox, FRXZXK, moved[0].uscc == FRXZXK.c.XK_XDR_SHXYM)
    finally:
        sandbox.stop()

    assert [(row["XK_XDR"], row["SJBZ"]) for row in by_code] == [
        (moved[0].former_names[-1], "D"),
        (moved[0].name, "I"),
    ]


def _moved(sandbox: Sandbox, entity: Any) -> bool:
    known = entity.number < sandbox.world.size and sandbox.world.day > 0
    return bool(known and entity.health_licence_no and entity.former_names and entity.status_code != "4")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("timeout", "database is locked"),
        ("truncated", "malformed"),
        ("error_500", "not a database"),
        ("renamed_column", "no such column"),
    ],
)
def test_the_file_breaks_on_request_and_is_whole_again(own_sandbox: Sandbox, how: str, says: str) -> None:
    whole = rows(own_sandbox, FRXZXK)
    own_sandbox.misbehave(ENDPOINT, how)

    with pytest.raises(sa.exc.DatabaseError, match=says):
        rows(own_sandbox, FRXZXK)

    own_sandbox.misbehave(ENDPOINT, None)
    assert rows(own_sandbox, FRXZXK) == whole


def test_what_a_file_cannot_do_is_refused(own_sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="cannot do 'expired_certificate'"):
        own_sandbox.misbehave(ENDPOINT, "expired_certificate")

    assert rows(own_sandbox, FRXZXK)
