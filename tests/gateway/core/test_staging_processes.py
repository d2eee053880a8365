"""Chunks staged by several processes: the same outcome, loud when one is killed, and nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import SourceChanged, Unavailable, Undecodable
from connectors.registry import source
from connectors.spec import Expect
from gateway import parts, pipeline, staging_processes
from gateway.settings import Settings
from gateway.store import Store, stage
from tests.support.chunks import cut_into, watch_judging
from tests.support.companies import BAKERY, DAIRY, MILL, WRONG_CHECK
from tests.support.deliveries import COMPANY_LIST, company_list, upload
from tests.support.standing import counts, feed, rejected, status, told, verified


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_into(monkeypatch, 2)
    monkeypatch.setattr(staging_processes, "WORTH_BYTES", 0)


@pytest.fixture
def judged_here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """First row of each chunk that this process judged itself."""
    return watch_judging(monkeypatch, lambda mapped: [mapped.frame["_row"][0]])


SPEC = replace(source(COMPANY_LIST), expect=Expect())


FIRST_ROWS = [1, 3, 4, 6, 8, 10, 12]
"""Of the chunks into which ``_twelve`` is decoded; the first two are given away while others still start."""


def _twelve() -> bytes:
    companies = [(each.name, each.uscc) for each in (MILL, DAIRY, BAKERY)]
    return company_list(*companies, ("错公司", WRONG_CHECK), *((f"丙{n}公司", WRONG_CHECK) for n in range(8)))


def test_the_outcome_is_that_of_one_process(store: Store, now: datetime, judged_here: list[int]) -> None:
    receipt = pipeline.deliver(store, upload(store, COMPANY_LIST, _twelve(), now), SPEC, now, processes=2)

    assert judged_here == [row for row in FIRST_ROWS[2:] if row in judged_here]
    assert counts(receipt) == {"received": 12, "accepted": 3, "rejected": 9, "new": 3}
    assert told(store, "registration", "name") == [("put", 1, each.name) for each in (MILL, DAIRY, BAKERY)]
    assert [row["row"] for row in rejected(store)] == list(range(4, 13))
    assert verified(store).ok
    once_more = upload(store, COMPANY_LIST, _twelve().replace(b"2015-11-04", b"2015/11/04"), now)
    alone = pipeline.deliver(store, once_more, SPEC, now, processes=1)
    assert (counts(alone)["unchanged"], alone["accepted_root"]) == (3, receipt["accepted_root"])


def test_a_killed_process_stops_the_delivery_and_what_was_staged_is_not_done_again(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch, judged_here: list[int]
) -> None:
    delivery_id = upload(store, COMPANY_LIST, _twelve(), now)
    write = parts._write

    def written_and_killed(*chunk: Any) -> None:
        write(*chunk)
        for other in multiprocessing.active_children():
            other.kill()

    with monkeypatch.context() as patched:
        patched.setattr(parts, "_write", written_and_killed)
        with pytest.raises(Unavailable, match="a process that staged the delivery was ended"):
            pipeline.deliver(store, delivery_id, SPEC, now, processes=2)
    left = (feed(store, "registration"), status(store, delivery_id))
    with store.read() as conn:
        staged = [chunk.chunk for chunk in stage.chunks_of(conn, delivery_id)]
    judged_here.clear()

    receipt = pipeline.deliver(store, delivery_id, SPEC, now, processes=1)

    assert left == ([], "received")
    assert 0 < len(staged) < len(FIRST_ROWS)
    assert judged_here == [row for number, row in enumerate(FIRST_ROWS) if number not in staged]
    assert counts(receipt) == {"received": 12, "accepted": 3, "rejected": 9, "new": 3}
    assert verified(store).ok


def test_bytes_that_cannot_be_read_are_told_as_by_one_process(sqlite_store: Store, now: datetime) -> None:
    lines = _twelve().split(b"\r\n")
    lines[5] = lines[5].replace("公司".encode(), b"\xb9\xab\xcb\xbe")
    found = []
    for processes in (1, 2):
        delivery_id = upload(sqlite_store, COMPANY_LIST, b"\r\n".join(lines), now)
        with pytest.raises(Undecodable) as caught:
            pipeline.deliver(sqlite_store, delivery_id, SPEC, now, processes=processes)
        found.append((caught.value.zh, caught.value.en, caught.value.details))
        assert status(sqlite_store, delivery_id) == "refused"

    assert found[0] == found[1]
    assert multiprocessing.active_children() == []


ADAPTER = """
from connectors.errors import SourceChanged

def prepare(sheet):
    if sheet.frame["_row"][0] == {row}:
        raise SourceChanged("列变了", "a column has changed", missing=["企业名称"], rows=sheet.frame["_row"].to_list())
    return sheet
"""


def test_what_another_process_finds_is_raised_here_as_itself(
    sqlite_store: Store, now: datetime, tmp_path: Path, judged_here: list[int]
) -> None:
    (tmp_path / "agency" / "source").mkdir(parents=True)
    (tmp_path / "agency" / "source" / "adapter.py").write_text(ADAPTER.format(row=1), "utf-8")
    spec = replace(SPEC, folder=tmp_path / "agency" / "source")
    delivery_id = upload(sqlite_store, COMPANY_LIST, _twelve(), now)

    with pytest.raises(SourceChanged) as caught:
        pipeline.deliver(sqlite_store, delivery_id, spec, now, processes=2)

    assert 1 not in judged_here
    assert (caught.value.zh, caught.value.en) == ("列变了", "a column has changed")
    assert caught.value.details == {"missing": ["企业名称"], "rows": [1, 2]}
    assert status(sqlite_store, delivery_id) == "refused"


def test_an_interrupted_delivery_leaves_no_process_behind(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "judge", interrupted)
    delivery_id = upload(sqlite_store, COMPANY_LIST, _twelve(), now)

    with pytest.raises(KeyboardInterrupt):
        pipeline.deliver(sqlite_store, delivery_id, SPEC, now, processes=2)

    assert multiprocessing.active_children() == []
    assert status(sqlite_store, delivery_id) == "received"


KILLED = """
import os, signal, sys, time
from pathlib import Path
from gateway.settings import Settings
from gateway.staging_processes import _started

if __name__ == "__main__":
    pool = _started(Settings(home=Path(sys.argv[1])), "registration", 1)
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_with_the_one_that_started_them(sqlite_settings: Settings, tmp_path: Path) -> None:
    program = tmp_path / "killed.py"
    program.write_text(KILLED, "utf-8")

    ended = subprocess.run(
        [sys.executable, str(program), str(sqlite_settings.home)], stdout=subprocess.PIPE, cwd=Path.cwd(), check=False
    )

    assert ended.returncode == -signal.SIGKILL
    other = int(ended.stdout)
    for _ in range(100):
        if not _runs(other):
            break
        time.sleep(0.05)
    assert not _runs(other)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may have taken note of its end yet.
    return ") Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_as_many_processes_as_cores_unless_the_settings_say_otherwise(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    on_postgres = replace(sqlite_settings, database_url="postgresql+psycopg://nobody@localhost/none")

    assert staging_processes.allowed(on_postgres) == 16
    assert staging_processes.allowed(replace(on_postgres, staging_processes=3)) == 3
    assert staging_processes.allowed(sqlite_settings) == 4
    assert staging_processes.allowed(replace(sqlite_settings, staging_processes=1)) == 1


def test_a_small_delivery_starts_no_process(
    sqlite_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch, judged_here: list[int]
) -> None:
    monkeypatch.setattr(staging_processes, "WORTH_BYTES", 24 * 2**20)
    monkeypatch.setattr(staging_processes, "ProcessPoolExecutor", None)

    pipeline.deliver(sqlite_store, upload(sqlite_store, COMPANY_LIST, _twelve(), now), SPEC, now)

    assert judged_here == FIRST_ROWS
