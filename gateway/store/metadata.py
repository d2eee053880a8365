"""The one MetaData on which every table of the gateway is declared."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData(
    # Fixed constraint names, so that both databases and later migrations speak of the same things.
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
