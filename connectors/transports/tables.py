"""Front-end databases: rows of one table, read by write time and key, kept as NDJSON of text values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc

from connectors.connections import Connection
from connectors.cursors import Reached, asked_from
from connectors.delivery import Delivery, Part
from connectors.errors import SourceChanged
from connectors.request_options import TablesRequest
from connectors.spec import Cursor, SourceSpec
from connectors.transports.trouble import refused, unavailable
from connectors.vault import Vault

_ENCODER = json.JSONEncoder(ensure_ascii=False)


def receive(
    spec: SourceSpec, connection: Connection, vault: Vault, cursor: str | None, now: datetime
) -> Iterator[Delivery]:
    """Read what was written since the cursor less its overlap, in order of write time and key; a part per page.

    Rows without a write time cannot be placed in that order; all of them are read at the end of every run.

    Raises:
        Unavailable: the database cannot be reached or is locked.
        Refused: the login or the query is not accepted.
        SourceChanged: the table or a declared column is not there.
    """
    request = spec.options(TablesRequest)
    where = f"{spec.source} {connection.name}"
    engine = sa.create_engine(_url(connection), poolclass=sa.NullPool)
    parts: list[Part] = []
    reached = Reached(spec, now)
    try:
        with engine.connect() as conn:
            table = _table(conn, request)
            columns = _columns(spec, request, table)
            for rows in _pages(conn, spec, request, table, columns, cursor):
                lines = (_ENCODER.encode(_texts(row)).encode() + b"\n" for row in rows)
                name = f"{request.table}.{len(parts) + 1:05d}.ndjson"
                parts.append(vault.keep(name, "application/x-ndjson", lines))
                if spec.cursor:
                    times = (_text(row[spec.cursor.heading]) for row in rows)
                    reached.add(moment for moment in times if moment)
    except sa.exc.NoSuchTableError as error:
        raise _changed(spec, [request.table], []) from error
    except sa.exc.DBAPIError as error:
        raise _trouble(where, error) from error
    finally:
        engine.dispose()
    if spec.delivery == "snapshot" and not parts:
        parts.append(vault.keep(f"{request.table}.00001.ndjson", "application/x-ndjson", []))
    if parts:
        yield Delivery(spec.source, tuple(parts), f"pull:{connection.name}", now, reached.next_cursor(cursor))


def _url(connection: Connection) -> sa.URL:
    url = sa.make_url(connection.url)
    return url.set(password=connection.secret("password")) if "password" in connection.secrets else url


def _table(conn: sa.Connection, request: TablesRequest) -> sa.Table:
    return sa.Table(request.table, sa.MetaData(), schema=request.schema, autoload_with=conn)


def _columns(spec: SourceSpec, request: TablesRequest, table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that are read; the declared ones, key and cursor must be there."""
    needed = [*request.columns, *request.key, *([spec.cursor.heading] if spec.cursor else [])]
    if missing := [name for name in dict.fromkeys(needed) if name not in table.c]:
        raise _changed(spec, missing, [name for name in table.c.keys() if name not in needed])  # noqa: SIM118 - names
    return [table.c[name] for name in dict.fromkeys(needed)] if request.columns else list(table.c)


def _pages(
    conn: sa.Connection,
    spec: SourceSpec,
    request: TablesRequest,
    table: sa.Table,
    columns: Sequence[sa.Column[Any]],
    cursor: str | None,
) -> Iterator[Sequence[sa.RowMapping]]:
    key = [table.c[name] for name in request.key]
    everything = sa.select(*columns)
    if spec.cursor is None:
        yield from _keyset(conn, everything, key, request.page_size)
        return
    written = table.c[spec.cursor.heading]
    since = everything.where(written >= _bound(spec.cursor, written, cursor))
    yield from _keyset(conn, since, [written, *key], request.page_size)
    yield from _keyset(conn, everything.where(written.is_(None)), key, request.page_size)


def _bound(rule: Cursor, written: sa.Column[Any], cursor: str | None) -> Any:
    """The lower bound in the column's own type: a time where it is one, else text in the declared format."""
    moment = asked_from(rule, cursor).replace(tzinfo=None)
    if isinstance(written.type, sa.DateTime):
        return moment
    return moment.date() if isinstance(written.type, sa.Date) else moment.strftime(rule.format)


def _keyset(
    conn: sa.Connection, query: sa.Select[Any], order: Sequence[sa.Column[Any]], size: int
) -> Iterator[Sequence[sa.RowMapping]]:
    """Pages by position after the last row; row values are spelt out because not every database has them."""
    after: sa.RowMapping | None = None
    while True:
        page = query.order_by(*order).limit(size)
        if after is not None:
            page = page.where(_beyond(order, [after[column.name] for column in order]))
        rows = conn.execute(page).mappings().all()
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = rows[-1]


def _beyond(order: Sequence[sa.Column[Any]], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """(a, b) > (x, y) as ``a > x or (a = x and b > y)``."""
    steps = []
    for index, column in enumerate(order):
        equal = [earlier == value for earlier, value in zip(order[:index], values[:index], strict=True)]
        steps.append(sa.and_(*equal, column > values[index]))
    return sa.or_(*steps)


def _texts(row: sa.RowMapping) -> dict[str, str | None]:
    return {name: value if type(value) is str else _text(value) for name, value in row.items()}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


def _changed(spec: SourceSpec, missing: list[str], unexpected: list[str]) -> SourceChanged:
    return SourceChanged(
        f"{spec.source}：前置库缺少 {'、'.join(missing)}；未取数，请与报送单位核对。",
        f"{spec.source}: the front-end database lacks {', '.join(missing)}; nothing was read, ask the agency.",
        source=spec.source,
        missing=missing,
        unexpected=unexpected,
    )


def _trouble(where: str, error: sa.exc.DBAPIError) -> Exception:
    """Not reachable, locked or gone away: later. A login or query that is not accepted: a person.

    The driver's own text is shortened to its kind: it may carry the connection string.
    """
    kind = type(error.orig).__name__
    text = str(error.orig).lower()
    if isinstance(error, sa.exc.ProgrammingError) or "password" in text or "authentication" in text:
        return refused(
            where, f"数据库拒绝登录或查询（{kind}）。", f"the database refuses the login or the query ({kind})."
        )
    return unavailable(where, f"数据库暂不可用（{kind}）。", f"the database is not available ({kind}).", error=kind)
