"""The peers take their turn beside ours: the same deliveries, one after the other, in a database that was empty."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import URL, Text, cast, column, create_engine, select, table

from connectors.errors import Refused
from gateway.bench import peers
from gateway.bench.peers import KEY, RECORD_TYPE, Peer, Rows
from gateway.bench.stores import empty_database
from gateway.store import dialect
from schemas.columnar import contract
from schemas.judgement import ROW

FIRST, RELOAD = "first", "reload"
"""Names of deliveries: into an empty table, and again with some of the rows changed."""


@dataclass
class Beside:
    """The peers of one run, none if they were not asked for.

    Attributes:
        folder: of their environments.
        chosen: name in the report -> the peer.
        scratch: where what they are given lies.
        given: name of a delivery -> its rows; each peer gets them in this order.
        seconds: name of the delivery -> name of the peer -> the time of each round.
    """

    folder: Path
    chosen: Mapping[str, Peer]
    scratch: Path
    given: dict[str, Rows] = field(default_factory=dict)
    seconds: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def give(self, delivery: str, frame: pl.DataFrame) -> None:
        """Write down, as the peers read them, the rows of a delivery: what ours are made of, in the same order."""
        if self.chosen:
            self.given[delivery] = peers.write_rows(frame, self.scratch / delivery)

    def take_turns(self, server: URL | None, number: int, told: Callable[[str], None]) -> None:
        """Each peer merges every delivery into its own table of a new database of the same server.

        Raises:
            Refused: a peer failed, or its table does not hold exactly the rows of what it was given last.
        """
        if not self.chosen:
            return
        with empty_database(server, number) as url:
            for name, peer in self.chosen.items():
                self._take_turn(name, peer, url, told)

    def _take_turn(self, name: str, peer: Peer, url: URL, told: Callable[[str], None]) -> None:
        with tempfile.TemporaryDirectory(dir=self.scratch) as scratch:
            for delivery, rows in self.given.items():
                told(f"{name}, {delivery}")
                taken = peer.merge(self.folder, url, rows, Path(scratch))
                self.seconds.setdefault(delivery, {}).setdefault(name, []).append(taken)
                demand_merged(url, name, peer, rows)

    def figures(self, rows: int, ours: Mapping[str, float]) -> dict[str, float]:
        """What the peers reached, medians: empty if there were none.

        Args:
            rows: of each delivery.
            ours: name of the delivery -> seconds that ours took.

        Returns:
            ``<peer>_rows_per_s`` and ``ratio_to_<peer>``, our rate against theirs, of the first load; with
            ``reload_`` before ``rows_per_s`` and ``ratio_to`` of the second; ``<peer>_reload_ratio``, their own time of
            the second against their first.
        """
        taken = {
            delivery: {name: statistics.median(spent) for name, spent in of.items()}
            for delivery, of in self.seconds.items()
        }
        rates: dict[str, float] = {}
        against: dict[str, float] = {}
        for delivery, of in taken.items():
            prefix = "" if delivery == FIRST else f"{delivery}_"
            rates |= {f"{name}_{prefix}rows_per_s": round(rows / spent) for name, spent in of.items()}
            against |= {f"{prefix}ratio_to_{name}": round(spent / ours[delivery], 2) for name, spent in of.items()}
        again = taken.get(RELOAD, {})
        own = {f"{name}_reload_ratio": round(spent / taken[FIRST][name], 2) for name, spent in again.items()}
        return rates | own | against


@contextmanager
def beside(folder: Path | None, postgres: bool, record_type: str) -> Iterator[Beside]:
    """The peers for one kind of database; none of them without a folder of environments.

    Raises:
        Refused: a peer is not installed, or other rows are measured than the peers merge.
    """
    if folder is not None and record_type != RECORD_TYPE:
        raise Refused(
            f"对照工具（--peers）仅用于 {RECORD_TYPE}，不能与 {record_type} 一起测",
            f"peers (--peers) go with {RECORD_TYPE} alone, not with {record_type}",
        )
    chosen = {} if folder is None else peers.ON_POSTGRESQL if postgres else peers.ON_SQLITE
    folder = (folder or Path()).absolute()
    peers.check_installed(folder, chosen)
    with tempfile.TemporaryDirectory(prefix="xinqiao-peers-") as scratch:
        yield Beside(folder, chosen, Path(scratch))


def demand_merged(url: URL, name: str, peer: Peer, rows: Rows) -> None:
    """A peer's table holds exactly the rows that it was given last, each once and with every value of theirs.

    Of a peer that judges, those that the contract accepts. Not timed; what reading them warms up, the peer may have.

    Raises:
        Refused: it holds others; tells how many of both and one that differs.
    """
    expected = pl.read_csv(rows.csv, infer_schema=False)
    if peer.is_judging:
        expected = expected.filter(_accepted(expected))
    expected = _comparable(expected)
    found = _comparable(_merged(url, peer, expected.columns))
    if found.equals(expected):
        return
    missing = expected.join(found, on=expected.columns, how="anti")
    more = found.join(expected, on=expected.columns, how="anti")
    example = pl.concat([missing, more]).head(1).to_dicts()
    raise Refused(
        f"对照工具 {name} 的表不符：应有 {expected.height} 行，实有 {found.height} 行；"
        f"缺 {missing.height} 行，多 {more.height} 行，例如 {example}；其速率不可比较",
        f"the table of the peer {name!r} is not what it was given: {expected.height} rows expected, {found.height} "
        f"found; {missing.height} missing, {more.height} too many, such as {example}; its rate means nothing",
        peer=name,
    )


def _accepted(rows: pl.DataFrame) -> pl.Series:
    """Which rows the contract accepts: those that ``Schema.load`` accepts, found by other code."""
    judged = contract(RECORD_TYPE).judge(rows.with_columns(pl.lit("put").alias("_op")).with_row_index(ROW, 1))
    return pl.int_range(1, rows.height + 1, eager=True).is_in(judged.accepted[ROW].implode())


def _comparable(rows: pl.DataFrame) -> pl.DataFrame:
    """In order of the key; nothing is an empty text, as in CSV."""
    return rows.with_columns(pl.col(pl.String).fill_null("")).sort(KEY)


def _merged(url: URL, peer: Peer, fields: list[str]) -> pl.DataFrame:
    """What stands in a peer's table, as text."""
    schema, _, name = peer.table.rpartition(".")
    shown: list[Any] = [cast(column(one), Text).label(one) for one in fields]
    query = select(*shown).select_from(table(name, schema=schema or None))
    engine = create_engine(url)
    try:
        with engine.connect() as conn:
            return dialect.fetch(conn, query, dict.fromkeys(fields, pl.String()))
    finally:
        engine.dispose()
