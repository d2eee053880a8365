"""The PostgreSQL of the tests: one server, and of each worker one database that every test finds as if it were new.

Putting a database back as it was costs a tenth of making a new one: ours has some hundred tables and three hundred
indexes, most of them empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from gateway.bench.postgres import database, running_postgres

_FILLED = """
SELECT relname FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0 ORDER BY 1
"""
_STRUCTURE = """
SELECT concat_ws(' ', 'relation', relname, relkind, relpersistence, relhastriggers, reloptions, relacl)
  FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT concat_ws(' ', 'column', c.relname, attname, atttypid, atttypmod, attnotnull, attisdropped, atthasdef)
  FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND attnum > 0
UNION ALL
SELECT concat_ws(' ', 'constraint', conname, contype, conrelid::regclass, convalidated)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT concat_ws(' ', 'index', indexrelid::regclass, indkey, indisunique, indisvalid, indpred IS NULL)
  FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT concat_ws(' ', 'trigger', tgname, tgrelid::regclass, tgenabled) FROM pg_trigger
UNION ALL
SELECT concat_ws(' ', 'function', proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT concat_ws(' ', 'view', viewname, md5(definition)) FROM pg_views WHERE schemaname = 'public'
UNION ALL
SELECT concat_ws(' ', 'schema', nspname) FROM pg_namespace WHERE nspname NOT LIKE 'pg_%temp_%'
ORDER BY 1
"""
_SEQUENCES = "SELECT sequencename, last_value, start_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@contextmanager
def server_for_tests() -> Iterator[URL]:
    """A throw-away server that does not wait for the disk: no test survives a power cut, and no row has to."""
    with running_postgres() as url:
        with psycopg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
        ) as conn:
            conn.execute("ALTER SYSTEM SET fsync = off")
            conn.execute("ALTER SYSTEM SET full_page_writes = off")
            conn.execute("SELECT pg_reload_conf()")
        yield url


class Reused:
    """A copy of a template, with the template's structure, rows and sequences again whenever it is lent.

    What a test has changed in the structure is not mended: then the database is dropped and copied once more.
    """

    def __init__(self, template: URL, name: str) -> None:
        self._template, self._name = template, name
        self._made = ExitStack()
        self._url: URL | None = None
        with _connection(template) as conn:
            self._structure = _structure(conn)
            self._sequences = conn.execute(_SEQUENCES).fetchall()
            self._rows = {table: _content(conn, table) for table in _filled(conn)}

    @contextmanager
    def lent(self) -> Iterator[URL]:
        """The database, for one test at a time."""
        if self._url is None:
            self._url = self._made.enter_context(database(self._template, self._name, self._template.database))
        yield self._url
        with _connection(self._url) as conn:
            conn.execute(_END_OTHERS)
            is_as_before = _structure(conn) == self._structure
            if is_as_before:
                self._put_back(conn)
        if not is_as_before:
            self.close()

    def close(self) -> None:
        """Drop the database; lent again, it is copied anew."""
        self._made.close()
        self._url = None

    def _put_back(self, conn: psycopg.Connection) -> None:
        if written := _filled(conn):
            tables = sql.SQL(", ").join(map(sql.Identifier, written))
            conn.execute(sql.SQL("TRUNCATE {} CASCADE").format(tables))
        # Tables refer to each other, and rows are put back in no particular order.
        conn.execute("SET session_replication_role = replica")
        for table, content in self._rows.items():
            with conn.cursor().copy(sql.SQL("COPY {} FROM STDIN BINARY").format(sql.Identifier(table))) as copy:
                copy.write(content)
        for name, last, start in self._sequences:
            conn.execute("SELECT setval(%s::regclass, %s, %s)", (f'"{name}"', last or start, last is not None))


@contextmanager
def _connection(url: URL) -> Iterator[psycopg.Connection]:
    """One transaction."""
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as conn:
        yield conn


def _structure(conn: psycopg.Connection) -> list[tuple[object, ...]]:
    return conn.execute(_STRUCTURE).fetchall()


def _filled(conn: psycopg.Connection) -> list[str]:
    """Tables that hold rows, or held some that were deleted."""
    return [name for (name,) in conn.execute(_FILLED)]


def _content(conn: psycopg.Connection, table: str) -> bytes:
    with conn.cursor().copy(sql.SQL("COPY {} TO STDOUT BINARY").format(sql.Identifier(table))) as copy:
        return b"".join(bytes(piece) for piece in copy)
