"""A source is asked, its files are landed and only then taken away; what was interrupted is taken up again."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.errors import SourceChanged
from connectors.registry import source
from gateway import deliveries, exchange, pipeline
from gateway.store import Store
from tests.support.companies import BAKERY, DAIRY, MILL
from tests.support.deliveries import COMPANY_LIST, COMPLAINTS, company_list, complaint, complaints, pages, upload
from tests.support.standing import current, registered, told, verified

SPEC = source(COMPANY_LIST)
UNKNOWN = company_list(headings="甲,乙")


@pytest.fixture
def folder(store: Store) -> Path:
    """The drop folder of the list of companies."""
    lines = ["endpoints:", "  market_supervision_drop: {url: drop/market_supervision}", ""]
    (store.settings.home / "connections.yml").write_text("\n".join(lines), "utf-8")
    made = store.settings.home / "drop" / "market_supervision"
    made.mkdir(parents=True)
    return made


def drop(folder: Path, name: str, data: bytes) -> None:
    """A file with its flag, as the agency's program leaves it."""
    (folder / name).write_bytes(data)
    (folder / f"{name}.done").touch()


def lying(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def run(store: Store, now: datetime) -> list[str]:
    """One whole exchange; returns the status of each receipt."""
    ids = exchange.receive_source(store, SPEC, now)
    return [str(r["status"]) for r in exchange.land_received(store, SPEC, ids, lambda: now)]


def test_a_file_leaves_the_folder_only_when_it_has_landed(store: Store, folder: Path, now: datetime) -> None:
    drop(folder, "企业名单1.csv", company_list((MILL.name, MILL.uscc)))
    (folder / "企业名单2.csv").write_bytes(b"still being written")

    ids = exchange.receive_source(store, SPEC, now)
    between = lying(folder)
    exchange.land_received(store, SPEC, ids, lambda: now)

    assert between == {"企业名单1.csv", "企业名单1.csv.done", "企业名单2.csv"}
    assert lying(folder) == {"processed/企业名单1.csv", "企业名单2.csv"}
    assert (current(store, "registration", "name"), run(store, now)) == ({(MILL.name,)}, [])


def test_files_of_one_run_land_in_the_order_of_their_names(store: Store, folder: Path, now: datetime) -> None:
    for number in range(9):
        drop(folder, f"企业名单{number}.csv", company_list((f"第{number}名公司", MILL.uscc)))

    run(store, now)

    assert told(store, "registration", "name") == [("put", n + 1, f"第{n}名公司") for n in range(9)]


def test_what_an_interrupted_run_left_is_landed_once_and_in_its_order(
    store: Store, folder: Path, now: datetime
) -> None:
    for number in range(9):
        drop(folder, f"企业名单{number}.csv", company_list((f"第{number}名公司", MILL.uscc)))
    left = exchange.receive_source(store, SPEC, now)
    # The run was killed here: nothing landed, every file still lies in the folder.

    again = exchange.receive_source(store, SPEC, now + timedelta(hours=1))
    exchange.land_received(store, SPEC, again, lambda: now + timedelta(hours=1))

    assert (again[:9], len(again)) == (left, 18)
    assert told(store, "registration", "name") == [("put", n + 1, f"第{n}名公司") for n in range(9)]
    assert registered(store) == {"landed": 9, "repeated": 9}
    assert lying(folder) == {f"processed/企业名单{n}.csv" for n in range(9)}
    assert verified(store).ok


def test_a_run_killed_between_landing_and_taking_away_takes_away_the_next_time(
    store: Store, folder: Path, now: datetime
) -> None:
    drop(folder, "企业名单.csv", company_list((MILL.name, MILL.uscc)))
    (killed,) = exchange.receive_source(store, SPEC, now)
    pipeline.deliver(store, killed, SPEC, now)

    assert run(store, now) == ["landed"]
    assert (lying(folder), registered(store)) == ({"processed/企业名单.csv"}, {"landed": 1, "repeated": 1})


def test_a_refused_file_is_taken_away_and_does_not_stop_those_after_it(
    store: Store, folder: Path, now: datetime
) -> None:
    drop(folder, "企业名单1.csv", company_list((MILL.name, MILL.uscc)))
    drop(folder, "企业名单2.csv", UNKNOWN)
    drop(folder, "企业名单3.csv", company_list((DAIRY.name, DAIRY.uscc)))

    with pytest.raises(SourceChanged):
        run(store, now)

    assert {name for name in lying(folder) if name.endswith(".csv")} == {
        "processed/企业名单1.csv",
        "processed/企业名单2.csv",
        "processed/企业名单3.csv",
    }
    assert current(store, "registration", "name") == {(MILL.name,), (DAIRY.name,)}
    # Nothing is lost: the refused delivery and its bytes wait for a replay.
    assert registered(store) == {"landed": 2, "refused": 1}
    assert run(store, now) == []


def test_a_file_that_was_replaced_meanwhile_is_taken_the_next_time(store: Store, folder: Path, now: datetime) -> None:
    drop(folder, "企业名单.csv", company_list((MILL.name, MILL.uscc)))
    ids = exchange.receive_source(store, SPEC, now)
    drop(folder, "企业名单.csv", company_list((BAKERY.name, BAKERY.uscc)))

    exchange.land_received(store, SPEC, ids, lambda: now)
    then = current(store, "registration", "name")
    run(store, now)

    assert (then, current(store, "registration", "name")) == ({(MILL.name,)}, {(MILL.name,), (BAKERY.name,)})


def test_the_cursor_goes_on_from_what_has_landed_and_never_back(store: Store, now: datetime) -> None:
    def cursor() -> str | None:
        with store.read() as conn:
            return deliveries.last_cursor(conn, COMPLAINTS)

    spec, seen = source(COMPLAINTS), [cursor()]
    for number, at in enumerate(
        ("2026-06-02T08:00:00+08:00", "2026-06-03T08:00:00+08:00", "2026-06-01T08:00:00+08:00")
    ):
        page = complaints(complaint(str(number)))
        delivery_id = pages(store, COMPLAINTS, page, now=now, cursor=at)
        seen.append(cursor())
        pipeline.deliver(store, delivery_id, spec, now)
        seen.append(cursor())

    second, third = "2026-06-02T08:00:00+08:00", "2026-06-03T08:00:00+08:00"
    assert seen == [None, None, second, second, third, third, third]


def test_only_deliveries_of_the_source_itself_are_unfinished(store: Store, now: datetime) -> None:
    upload(store, "customs/import_refusals", b"x", now)
    mine = [upload(store, COMPANY_LIST, company_list((f"第{n}名公司", MILL.uscc)), now) for n in range(20)]

    with store.read() as conn:
        assert deliveries.unfinished(conn, COMPANY_LIST) == mine


def test_a_run_that_ended_red_is_in_the_log(sqlite_store: Store, now: datetime) -> None:
    exchange.note_failure(sqlite_store, COMPANY_LIST, "连不上" * 5000, "run-1", now)

    assert verified(sqlite_store).ok
