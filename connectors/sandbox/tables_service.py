"""The front-end database of the health commission: an SQLite file with two tables that rows are written, marked and
taken back in. Rows are only ever added to or marked, as the agency's pushing program does it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path

import sqlalchemy as sa

from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.service import Service, State
from connectors.sandbox.tables_records import licence_row, licence_rows, penalty_row, penalty_rows
from connectors.sandbox.world import FIRST_DAY, SandboxEntity, World

ENDPOINT = "health_front"
LICENCES = (
    "XK_XDR_SHXYM",
    "XK_XDR_GSDJ",
    "XK_XDR_ZDM",
    "XK_XDR_SWDJ",
    "XK_XDR",
    "XK_XMMC",
    "XK_WSH",
    "XK_NR",
    "XK_SPLB",
    "XK_BM",
    "XK_XZJG",
    "XK_JDRQ",
    "XK_JZQ",
    "XK_SYFW",
    "XK_FR",
    "XK_SFZ",
    "BZ",
)
PENALTIES = (
    "CF_XDR_MC",
    "CF_XDR_SHXYM",
    "CF_XDR_GSDJ",
    "CF_XDR_ZDM",
    "CF_XDR_SWDJ",
    "CF_FR",
    "CF_SFZ",
    "CF_AJMC",
    "CF_WSH",
    "CF_BM",
    "CF_CFLB1",
    "CF_CFLB2",
    "CF_SY",
    "CF_YJ",
    "CF_JG",
    "CF_JDRQ",
    "CF_XZJG",
    "CF_GSJZQ",
    "BZ",
    "CF_SYFW",
)
metadata = sa.MetaData()


def _table(name: str, columns: Sequence[str]) -> sa.Table:
    """All text but the audit columns: JLID record id, SJBZ I/U/D mark, XRQZKSJ local time of writing."""
    return sa.Table(
        name,
        metadata,
        sa.Column("JLID", sa.String(32), primary_key=True),
        *(sa.Column(column, sa.String) for column in columns),
        sa.Column("SJBZ", sa.String(1), nullable=False),
        sa.Column("XRQZKSJ", sa.String(19), nullable=False, index=True),
    )


FRXZXK = _table("frxzxk", LICENCES)
FRXZCF = _table("frxzcf", PENALTIES)
NOT_POSSIBLE = ("expired_certificate", "duplicate_page")
"""Misbehaviour that a database file cannot have."""


def build(world: World, dirt: Dirt, state: State) -> list[Service]:
    """``health_front``: made anew under ``home/front``."""
    path = state.folder("front") / "health.db"
    path.unlink(missing_ok=True)
    front = FrontDatabase(path, world, dirt)
    front.fill()
    return [
        Service(
            endpoint=ENDPOINT,
            agency="health",
            entry={"url": f"sqlite:///{path}"},
            advance=front.advance,
            misbehaved=front.misbehave,
            stop=front.close,
        )
    ]


class FrontDatabase:
    """The file and the program that writes into it.

    Args:
        path: of the SQLite file.
        world: what is written about.
        dirt: what clerks do to it.
    """

    def __init__(self, path: Path, world: World, dirt: Dirt) -> None:
        self._path, self._world, self._dirt = path, world, dirt
        # No pool: the file is exchanged while it misbehaves. No WAL: a writer then really locks readers out.
        self._engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
        self._lock: sa.Connection | None = None
        self._written = 0

    @property
    def _kept(self) -> Path:
        return self._path.with_suffix(".kept")

    def fill(self) -> None:
        """Everything known on the first day, written over the weeks before; a few rows were taken back since."""
        metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            for table, rows in (
                (FRXZXK, licence_rows(self._world, self._dirt)),
                (FRXZCF, penalty_rows(self._world, self._dirt)),
            ):
                twice = self._dirt.at(table.name, "twice").duplicated(rows)
                for place, row in enumerate(twice):
                    spared = place == 0
                    mark = "D" if not spared and self._dirt.at(table.name, "back", place).strikes(1 / 3) else "I"
                    self._insert(connection, table, row, mark)

    def advance(self) -> None:
        """The pushing program of one night: renamed places, new places, one corrected and one withdrawn licence."""
        rng = self._world.rng("front", self._world.day)
        moved = [e for e in self._world.changed_since(self._world.today) if e.health_licence_no]
        with self._engine.begin() as connection:
            for entity in moved:
                self._renew(connection, entity)
            standing = self._standing(connection, FRXZXK, {entity.uscc for entity in moved})
            corrected, withdrawn = rng.sample(standing, 2)
            self._mark(connection, FRXZXK, corrected, "U", XK_NR="准予卫生许可；量化分级：A级")
            self._mark(connection, FRXZXK, withdrawn, "D")
            if fines := self._standing(connection, FRXZCF, set()):
                self._mark(connection, FRXZCF, rng.choice(fines), "D")

    def misbehave(self, how: str | None) -> None:
        """Break the file in the given way, or with None put back what was there.

        Raises:
            ValueError: a database file cannot do that.
        """
        if how in NOT_POSSIBLE:
            raise ValueError(f"{ENDPOINT} is a database file: it cannot do {how!r}")
        self._restore()
        if how is None:
            return
        shutil.copyfile(self._path, self._kept)
        if how == "timeout":
            self._lock = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._lock.execute(sa.text("BEGIN EXCLUSIVE"))
        elif how == "truncated":
            content = self._path.read_bytes()
            self._path.write_bytes(content[: len(content) // 2])
        elif how == "error_500":
            self._path.write_bytes("数据库维护中".encode() * 200)
        elif how == "renamed_column":
            self._rename()
        else:
            self._halve()

    def close(self) -> None:
        """Put back what was there and let the file go."""
        self._restore()
        self._engine.dispose()

    def _renew(self, connection: sa.Connection, entity: SandboxEntity) -> None:
        """Take back what is there under the old name and write the licence under the new one."""
        for table, make in ((FRXZXK, licence_row), (FRXZCF, penalty_row)):
            code = table.c.XK_XDR_SHXYM if table is FRXZXK else table.c.CF_XDR_SHXYM
            old = connection.execute(sa.select(table.c.JLID).where(code == entity.uscc, table.c.SJBZ != "D")).scalars()
            numbers = list(old)
            for number in numbers:
                self._mark(connection, table, number, "D")
            closed = entity.status_code == "4"
            if not closed and (numbers or table is FRXZXK):
                self._insert(connection, table, make(entity, self._world, self._dirt), "I")

    def _insert(self, connection: sa.Connection, table: sa.Table, row: Row, mark: str) -> None:
        self._written += 1
        values = {"JLID": f"{self._written:012d}", "SJBZ": mark, "XRQZKSJ": self._write_time()}
        connection.execute(table.insert().values({**row, **values}))

    def _mark(self, connection: sa.Connection, table: sa.Table, number: str, mark: str, **changed: str) -> None:
        self._written += 1
        values: Mapping[str, str] = {"SJBZ": mark, "XRQZKSJ": self._write_time(), **changed}
        connection.execute(table.update().where(table.c.JLID.in_([number])).values(values))

    def _standing(self, connection: sa.Connection, table: sa.Table, without: set[str]) -> list[str]:
        """Record ids of rows not taken back, in order; never those of the showcase or of the given codes."""
        code = table.c.XK_XDR_SHXYM if table is FRXZXK else table.c.CF_XDR_SHXYM
        kept = {*without, self._world.showcase_uscc}
        asked = sa.select(table.c.JLID).where(table.c.SJBZ != "D", code.not_in(kept)).order_by(table.c.JLID)
        return list(connection.execute(asked).scalars())

    def _write_time(self) -> str:
        """Local time: the first load at any minute of three weeks before, later rows at two in the night."""
        if self._world.day == 0:
            minutes = self._written * 37 % (21 * 24 * 60)
            moment = datetime.combine(FIRST_DAY - timedelta(days=21), time()) + timedelta(minutes=minutes)
        else:
            moment = datetime.combine(self._world.today, time(2)) + timedelta(seconds=self._written % 3600)
        return f"{moment:%Y-%m-%d %H:%M:%S}"

    def _rename(self) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE frxzxk RENAME COLUMN XK_XDR TO XK_XDR_MC"))
            connection.execute(sa.text("ALTER TABLE frxzcf RENAME COLUMN CF_XDR_MC TO CF_XDR"))

    def _halve(self) -> None:
        """Two rows of three are gone, without a mark."""
        with self._engine.begin() as connection:
            for table in (FRXZXK, FRXZCF):
                numbers = list(connection.execute(sa.select(table.c.JLID).order_by(table.c.JLID)).scalars())
                gone = [number for place, number in enumerate(numbers) if place % 3]
                connection.execute(table.delete().where(table.c.JLID.in_(gone)))

    def _restore(self) -> None:
        if self._lock is not None:
            self._lock.execute(sa.text("ROLLBACK"))
            self._lock.close()
            self._lock = None
        if self._kept.exists():
            shutil.copyfile(self._kept, self._path)
            self._kept.unlink()
