"""What others reach with the same rows: dlt, a Singer target, sqlite-utils, and plain marshmallow with SQLAlchemy.

None of them validates identifiers, keeps versions or audits; each merges the rows by ``document_no`` into a table of
the same database, where rows whose key stands there already are updated. They are given what is easiest for them:
UTF-8, text columns, and no price for starting Python.
Each lives in an environment of its own, made by ``make peers``.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import marshmallow as ma
import polars as pl
from sqlalchemy import URL, Column, MetaData, Table, Text, create_engine, make_url
from sqlalchemy.dialects import postgresql, sqlite

from connectors.errors import Refused
from schemas.records import RECORD_TYPES

KEY = "document_no"
"""What the peers merge by: never dirty in the rows of the benchmark, and different in each."""

RECORD_TYPE = "licence"

PROGRAMS = Path(__file__).resolve().parents[2] / "scripts" / "peers"

_CHUNK = 1_000
"""Rows that plain marshmallow is given at a time; more makes it no faster."""


@dataclass(frozen=True)
class Rows:
    """The same rows for every peer.

    Attributes:
        csv: UTF-8, with a heading line of field names.
        singer: the same as Singer messages, one a line; making them is not the target's work.
        fields: names of the columns.
        count: rows.
    """

    csv: Path
    singer: Path
    fields: tuple[str, ...]
    count: int


def write_rows(frame: pl.DataFrame, folder: Path) -> Rows:
    """Give the rows of a frame of text columns the forms in which the peers take them, in a new folder."""
    folder.mkdir()
    rows = Rows(folder / "rows.csv", folder / "rows.jsonl", tuple(frame.columns), frame.height)
    frame.write_csv(rows.csv)
    write_singer(rows.csv, rows.singer)
    return rows


def write_singer(rows: Path, out: Path) -> None:
    """The rows of a CSV file as the messages of a Singer tap: the schema, a record each, the state."""
    with rows.open(encoding="utf-8", newline="") as read, out.open("w", encoding="utf-8") as write:
        reader = csv.DictReader(read)
        properties = {name: {"type": ["string", "null"]} for name in reader.fieldnames or ()}
        schema = {"type": "object", "properties": properties}
        write.write(_line({"type": "SCHEMA", "stream": RECORD_TYPE, "schema": schema, "key_properties": [KEY]}))
        for row in reader:
            write.write(_line({"type": "RECORD", "stream": RECORD_TYPE, "record": row}))
        write.write(_line({"type": "STATE", "value": {}}))


def _line(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False) + "\n"


Merge = Callable[[Path, URL, Rows, Path], float]
"""Given the folder of the environments, the database, the rows and a scratch folder, the same for all deliveries of a
round: the seconds it took."""


@dataclass(frozen=True)
class Peer:
    """One of the others.

    Attributes:
        merge: inserts rows whose key is new and updates the others.
        table: what it merges into, with the schema where it has one.
        environment: its folder among those of ``make peers``; None: it needs no more than ours.
        is_judging: leaves out rows that the record type does not accept.
    """

    merge: Merge
    table: str
    environment: str | None = None
    is_judging: bool = False


def dlt_dicts(folder: Path, url: URL, rows: Rows, scratch: Path) -> float:
    """dlt, merge, from Python dicts."""
    return _dlt("dicts", folder, url, rows, scratch)


def dlt_arrow(folder: Path, url: URL, rows: Rows, scratch: Path) -> float:
    """dlt, merge, from Arrow tables."""
    return _dlt("arrow", folder, url, rows, scratch)


def _dlt(way: str, folder: Path, url: URL, rows: Rows, scratch: Path) -> float:
    program = [_python(folder, "dlt"), str(PROGRAMS / "dlt_merge.py"), way, _libpq(url), str(rows.csv), str(scratch)]
    return _seconds_said(program, {"RUNTIME__DLTHUB_TELEMETRY": "false"}, scratch)


def singer(folder: Path, url: URL, rows: Rows, scratch: Path) -> float:
    """A Singer target (Meltano's for PostgreSQL), upsert by COPY; its start is measured alone and taken off.

    It upserts because the stream names its ``key_properties``; a stream without them is appended.
    """
    config = scratch / "singer.json"
    target = {"sqlalchemy_url": url.render_as_string(hide_password=False), "use_copy": True}
    config.write_text(
        json.dumps({**target, "add_record_metadata": False, "activate_version": False, "batch_size_rows": 10_000}),
        "utf-8",
    )
    program = [str(folder / "singer" / "bin" / "target-postgres"), "--config", str(config)]
    with rows.singer.open("rb") as messages:
        taken = _timed(program, messages, scratch)
    empty = scratch / "empty.jsonl"
    empty.write_bytes(b"")
    with empty.open("rb") as nothing:
        return taken - _timed(program, nothing, scratch)


def sqlite_utils(folder: Path, url: URL, rows: Rows, scratch: Path) -> float:
    """sqlite-utils, ``upsert_all``, into a SQLite file."""
    program = [_python(folder, "sqlite-utils"), str(PROGRAMS / "sqlite_utils_upsert.py"), url.database or ""]
    return _seconds_said([*program, str(rows.csv)], {}, scratch)


def plain(folder: Path, url: URL, rows: Rows, scratch: Path) -> float:
    """The plain way in Python: ``csv.DictReader``, ``Schema.load(many=True)``, SQLAlchemy upserts of what is left."""
    engine = create_engine(url)
    table = Table(_PLAIN_TABLE, MetaData(), *(Column(name, Text, primary_key=name == KEY) for name in rows.fields))
    dialect_insert: Any = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    statement = dialect_insert(table)
    others = {name: statement.excluded[name] for name in rows.fields if name != KEY}
    upsert = statement.on_conflict_do_update(index_elements=[KEY], set_=others)
    schema = RECORD_TYPES[RECORD_TYPE]()
    begun = time.perf_counter()
    with engine.begin() as conn:
        table.create(conn, checkfirst=True)
        for accepted in _accepted(rows.csv, schema):
            conn.execute(upsert, accepted)
    taken = time.perf_counter() - begun
    engine.dispose()
    return taken


def _accepted(path: Path, schema: ma.Schema) -> Iterator[list[dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        while chunk := list(itertools.islice(reader, _CHUNK)):
            refused: Mapping[Any, Any] = {}
            try:
                schema.load(chunk, many=True)
            except ma.ValidationError as error:
                refused = error.normalized_messages()  # type: ignore[no-untyped-call]  # marshmallow leaves it untyped
            if kept := [row for number, row in enumerate(chunk) if number not in refused]:
                yield kept


_PLAIN_TABLE = "peer_plain"
_PLAIN = Peer(plain, _PLAIN_TABLE, is_judging=True)

ON_POSTGRESQL: dict[str, Peer] = {
    "dlt_dicts": Peer(dlt_dicts, "peer_dicts.licence", "dlt"),
    "dlt_arrow": Peer(dlt_arrow, "peer_arrow.licence", "dlt"),
    "singer": Peer(singer, "melty.licence", "singer"),
    "plain": _PLAIN,
}
ON_SQLITE: dict[str, Peer] = {"sqlite_utils": Peer(sqlite_utils, "licence", "sqlite-utils"), "plain": _PLAIN}
"""Name in the report -> the peer."""


def check_installed(folder: Path, chosen: Mapping[str, Peer]) -> None:
    """The environments of the peers are there.

    Raises:
        Refused: one is not; names it and the command that makes it.
    """
    for name in dict.fromkeys(peer.environment for peer in chosen.values() if peer.environment):
        if not (folder / name / ".lock").exists():
            raise Refused(
                f"未安装对照工具 {name}（在 {folder} 中未找到）；请先运行 make peers",
                f"the peer {name!r} is not installed in {folder}; run `make peers` first",
                peer=name,
            )


def _python(folder: Path, peer: str) -> str:
    return str(folder / peer / "bin" / "python")


def _libpq(url: URL) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _seconds_said(program: list[str], environ: Mapping[str, str], scratch: Path) -> float:
    said = _run(program, None, environ, scratch)
    return float(said.split()[-1])


def _timed(program: list[str], messages: Any, scratch: Path) -> float:
    begun = time.perf_counter()
    _run(program, messages, {}, scratch)
    return time.perf_counter() - begun


def _run(program: list[str], messages: Any, environ: Mapping[str, str], scratch: Path) -> str:
    ended = subprocess.run(  # noqa: S603  # our own programs in environments made from our own locks
        program,
        stdin=messages or subprocess.DEVNULL,
        capture_output=True,
        cwd=scratch,
        env={**os.environ, **environ},
        text=True,
        check=False,
    )
    if ended.returncode:
        sys.stderr.write(ended.stderr[-4000:])
        raise Refused(
            f"对照工具运行失败（退出码 {ended.returncode}）：{program[1]}",
            f"a peer ended with {ended.returncode}: {program[1]}; what it printed stands above",
        )
    return ended.stdout
