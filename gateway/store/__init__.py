"""The store: one table of versions per record type is state, history and feed.

SQLite (WAL) is the embedded default, PostgreSQL the real one; what differs between them
lives in ``gateway/store/dialect.py`` alone.
"""

from gateway.store.engine import Store, open_store

__all__ = ["Store", "open_store"]
