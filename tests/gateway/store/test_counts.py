"""The counters say what is there, after every act and after none that failed, and cost nothing to ask."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import delete, event, update

from connectors.errors import Refused, Undecodable
from gateway import quarantine
from gateway.api.metrics import counters
from gateway.home import initialise
from gateway.replay import correct
from gateway.store import Store
from gateway.store.counts import DELIVERIES, REJECTIONS, STANDING, count, counts, kept, recounted
from tests.support.companies import BAKERY, DAIRY, MILL, WRONG_CHECK
from tests.support.deliveries import COMPANY_LIST, company_list, land, upload
from tests.support.standing import verified


def said(store: Store) -> dict[tuple[str, str, str], int]:
    """What the counters say, which must be what is there."""
    with store.read() as conn:
        assert kept(conn) == recounted(conn)
        return kept(conn)


def about(**numbers: int) -> dict[tuple[str, str, str], int]:
    """Counters of the one source these tests deliver to, by status."""
    whats = dict.fromkeys(("landed", "received", "refused", "repeated"), DELIVERIES)
    whats |= dict.fromkeys(("open", "corrected", "dismissed"), REJECTIONS) | {"registration": STANDING}
    return {(whats[state], COMPANY_LIST, state): n for state, n in numbers.items()}


def test_what_is_received_landed_refused_repeated_and_settled_is_counted(store: Store, now: datetime) -> None:
    rows = company_list((MILL.name, MILL.uscc), (DAIRY.name, DAIRY.uscc), ("丙公司", WRONG_CHECK), ("丁公司", "无"))
    upload(store, COMPANY_LIST, b"received, not landed", now)
    land(store, COMPANY_LIST, rows, now=now)
    land(store, COMPANY_LIST, rows, now=now)
    with pytest.raises(Undecodable):
        land(store, COMPANY_LIST, b"\x89PNG nothing of ours", now=now)
    assert said(store) == about(landed=1, received=1, repeated=1, refused=1, open=2, registration=2)
    with store.read() as conn:
        first, second = (row["id"] for row in quarantine.listing(conn))

    quarantine.dismiss(store, first, "不是企业", "person", now)
    correct(store, second, {"uscc": BAKERY.uscc}, "person", now)

    assert said(store) == about(landed=2, received=1, repeated=1, refused=1, corrected=1, dismissed=1, registration=3)
    assert verified(store).ok


def test_an_act_that_is_rolled_back_counts_nothing(store: Store, now: datetime) -> None:
    land(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc), ("丁公司", "无")), now=now)
    before = said(store)
    with store.read() as conn:
        (row,) = quarantine.listing(conn)

    with pytest.raises(Refused, match="1 of the rows"), store.write() as conn:
        quarantine.settle(conn, [row["id"], 0], "dismissed", actor="person", now=now)

    assert said(store) == before


def test_deliveries_at_once_are_all_counted(store: Store, now: datetime) -> None:
    files = [company_list((f"第{n}公司", MILL.uscc if n == 0 else None)) for n in range(6)]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda data: upload(store, COMPANY_LIST, data, now), files))

    assert said(store) == about(received=6)


def test_the_metrics_read_counters_and_no_table_that_grows(store: Store, now: datetime) -> None:
    land(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc), ("丁公司", "无")), now=now)
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *of: asked.append(of[2]))

    text = counters(store)

    assert 'xinqiao_standing_records{source="market_supervision/company_list",record_type="registration"} 1\n' in text
    tables = {statement.split("FROM ")[1].split()[0] for statement in asked if "FROM" in statement}
    assert tables == {"counts", "positions"}


def test_a_false_counter_is_named_and_counted_again_by_init(store: Store, now: datetime) -> None:
    land(store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now=now)
    with store.write() as conn:
        conn.execute(update(counts).where(counts.c.what == STANDING).values(n=7))
    assert "counter standing market_supervision/company_list registration: the counter says 7, 1 are there" in str(
        verified(store).first_bad
    )

    with store.write() as conn:
        conn.execute(delete(counts))
    initialise(store.settings, now)

    assert said(store) == about(landed=1, registration=1)
    assert verified(store).ok


@pytest.mark.parametrize("number", [1, 8, 9])
def test_few_counters_and_many_are_added_to_alike(store: Store, number: int) -> None:
    wanted = {(DELIVERIES, f"agency/source_{place:02}", "landed"): place + 1 for place in range(number)}

    for _ in range(2):
        with store.write() as conn:
            for key, n in reversed(wanted.items()):
                count(conn, *key, n)

    with store.read() as conn:
        assert kept(conn) == {key: 2 * n for key, n in wanted.items()}
