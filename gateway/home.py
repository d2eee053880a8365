"""Preparing an installation: folders, keys, certificates, tables. Asks nothing; makes only what is missing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from certs.keys import write_whole
from certs.suites import suite_named
from connectors.errors import Refused
from gateway.access import tables as access_tables
from gateway.audit import Action, append
from gateway.audit.holds import holds
from gateway.audit.keys import create_log_key, vkey_path
from gateway.audit.log import seal
from gateway.certificates_publish import DEFAULT_HOSTS, prepare
from gateway.clock import instant
from gateway.erasure import tables as erasure_tables
from gateway.keyring import create_ring, legacy_path, ring_path
from gateway.notifications import tables as notification_tables
from gateway.resolve import ENTITIES
from gateway.settings import Settings
from gateway.signatures import tables as signature_tables
from gateway.signatures.own import prepare_own_key
from gateway.store import Store, open_store
from gateway.store.counts import recount_missing
from gateway.store.tables import all_tables, positions
from gateway.store.views import create_views
from schemas.records import RECORD_TYPES

_FOLDERS = ("received", "deliveries", "keys", "pki", "log", "secrets", "drop")
_NO_CONNECTIONS = "# How each endpoint is reached; see docs/sources.md.\nendpoints: {}\n"


def initialise(settings: Settings, now: datetime) -> bool:
    """Make what an installation needs; what is there stays as it is.

    Returns:
        True if this was a new installation.
    """
    home = settings.home
    home.mkdir(parents=True, exist_ok=True, mode=0o750)
    # Whoever made the folder: the database in it has the umask's mode, and other users must not get as far.
    home.chmod(home.stat().st_mode & 0o7770)
    for folder in _FOLDERS:
        (home / folder).mkdir(exist_ok=True, mode=0o750)
    is_new = not (ring_path(home).exists() or legacy_path(home).exists())
    if not ring_path(home).exists():
        create_ring(home, now, suite_named(settings.suite))
    if not vkey_path(settings).exists():
        create_log_key(settings)
    if not (home / "connections.yml").exists():
        write_whole(home / "connections.yml", _NO_CONNECTIONS.encode())
    with open_store(settings) as store:
        _prepare_tables(store, now)
        if is_new:
            with store.write() as conn:
                append(conn, Action.HOME_INITIALISED, "cli", {"log_origin": settings.log_origin}, now)
        authority = prepare(store, now, "cli", list(dict.fromkeys([*DEFAULT_HOSTS, settings.host])))
        prepare_own_key(store, authority, "cli", now)
        seal(store, now)
    return is_new


def open_home(settings: Settings) -> Store:
    """Open an installation that has been initialised.

    Raises:
        Refused: it has not.
    """
    if not ring_path(settings.home).exists():
        raise Refused(
            f"{settings.home} 尚未初始化；请先运行 xinqiao init",
            f"{settings.home} has not been initialised; run `xinqiao init` first",
            home=str(settings.home),
        )
    return open_store(settings)


def _prepare_tables(store: Store, now: datetime) -> None:
    metadata = all_tables()
    declared = (
        access_tables.grants,
        erasure_tables.erasures,
        holds,
        notification_tables.notifications,
        signature_tables.signing_keys,
    )
    if any(table.metadata is not metadata for table in declared):
        raise AssertionError("every table is declared on the one metadata, or it would not be made here")
    with store.write() as conn:
        metadata.create_all(conn)
        create_views(conn)
        recount_missing(conn)
        known = set(conn.execute(select(positions.c.record_type)).scalars())
        missing = [name for name in (*RECORD_TYPES, ENTITIES) if name not in known]
        if missing:
            rows = [{"record_type": name, "last_seq": 0, "last_landed_at": instant(now)} for name in missing]
            conn.execute(positions.insert(), rows)
