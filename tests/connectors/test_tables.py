"""Front-end tables: keyset pages by write time, types to text, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.connections import Connections
from connectors.delivery import Delivery
from connectors.errors import SourceChanged, Unavailable
from connectors.receive import receive
from connectors.spec import SourceSpec
from connectors.vault import Vault
from tests.connectors.support import COMPLAINTS, NOW, any_headings, connection, decode, make_spec

TABLES = (
    COMPLAINTS.replace("transport: files", "transport: tables\nendpoint: endpoint")
    .replace('{patterns: ["*.csv"]}', "{table: ts, key: [id], page_size: 2}")
    .replace("formats: [csv]", "formats: [ndjson]")
    .replace("forms:", 'cursor: {heading: written, overlap_seconds: 3600, start: "2024-01-01T00:00:00"}\nforms:')
)
SPEC = make_spec(TABLES)
SNAPSHOT = make_spec(
    TABLES,
    ("delivery: changes", "delivery: snapshot"),
    ('cursor: {heading: written, overlap_seconds: 3600, start: "2024-01-01T00:00:00"}\n', ""),
)


def database(home: Path, written: sa.types.TypeEngine[Any], *rows: Mapping[str, object]) -> None:
    engine = sa.create_engine(f"sqlite:///{home}/front.db")
    metadata = sa.MetaData()
    table = sa.Table(
        "ts",
        metadata,
        sa.Column("id", sa.Integer),
        sa.Column("written", written),
        sa.Column("amount", sa.Numeric(10, 2)),
        sa.Column("day", sa.Date),
        sa.Column("name", sa.String),
    )
    metadata.create_all(engine)
    with engine.begin() as conn:
        if rows:
            conn.execute(table.insert(), list(rows))
    engine.dispose()


def taken(spec: SourceSpec, home: Path, cursor: str | None = None) -> list[Delivery]:
    connections = Connections({"endpoint": connection(f"sqlite:///{home}/front.db", home)})
    return list(receive(spec, connections, Vault(home), cursor, NOW))


def ids(deliveries: list[Delivery], spec: SourceSpec = SPEC) -> list[str]:
    return [value for delivery in deliveries for value in decode(delivery, any_headings(spec)).frame["id"].to_list()]


def test_rows_come_in_order_of_write_time_and_key_whatever_the_page_size(tmp_path: Path) -> None:
    times = [
        "2024-05-01 00:00:00",
        "2024-05-02 00:00:00",
        "2024-05-02 00:00:00",
        "2024-05-02 00:00:00",
        "2023-01-01 00:00:00",
    ]
    database(tmp_path, sa.String(), *({"id": 9 - i, "written": time} for i, time in enumerate(times)))

    (found,) = taken(SPEC, tmp_path)

    assert ids([found]) == ["9", "6", "7", "8"]
    assert (len(found.parts), found.cursor, found.origin) == (2, "2024-05-02T00:00:00+08:00", "pull:endpoint")


def test_the_next_run_goes_on_from_the_cursor_less_the_overlap(tmp_path: Path) -> None:
    times = ["2024-05-01 22:59:59", "2024-05-01 23:00:00", "2024-05-02 00:00:00"]
    database(tmp_path, sa.String(), *({"id": i, "written": time} for i, time in enumerate(times)))

    assert ids(taken(SPEC, tmp_path, "2024-05-02T00:00:00+08:00")) == ["1", "2"]


def test_rows_without_a_write_time_are_read_on_every_run(tmp_path: Path) -> None:
    database(
        tmp_path,
        sa.String(),
        {"id": 1, "written": "2024-05-01 00:00:00"},
        *({"id": i, "written": None} for i in (4, 3, 2)),
    )

    assert ids(taken(SPEC, tmp_path)) == ["1", "2", "3", "4"]
    assert ids(taken(SPEC, tmp_path, "2025-01-01T00:00:00+08:00")) == ["2", "3", "4"]


def test_real_times_dates_and_amounts_become_text(tmp_path: Path) -> None:
    database(
        tmp_path,
        sa.DateTime(),
        {"id": 1, "written": datetime(2024, 5, 1, 8), "amount": Decimal("1.50"), "day": date(2024, 5, 1), "name": "甲"},
    )

    (found,) = taken(SPEC, tmp_path)

    assert decode(found, any_headings(SPEC)).frame.drop("_row", "_part", "_line").rows() == [
        ("1", "2024-05-01 08:00:00", "1.50", "2024-05-01", "甲")
    ]


def test_nothing_new_is_no_delivery_and_an_empty_snapshot_is_one(tmp_path: Path) -> None:
    database(tmp_path, sa.String())

    assert taken(SPEC, tmp_path) == []
    assert [delivery.size for delivery in taken(SNAPSHOT, tmp_path)] == [0]


def test_a_missing_table_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceChanged) as no_table:
        taken(SPEC, tmp_path)
    database(tmp_path, sa.String())
    with pytest.raises(SourceChanged) as no_column:
        taken(make_spec(TABLES, ("key: [id]", "key: [JLID]")), tmp_path)

    assert no_table.value.details["missing"] == ["ts"]
    assert (no_column.value.details["missing"], no_column.value.details["unexpected"]) == (
        ["JLID"],
        ["id", "amount", "day", "name"],
    )


def test_a_locked_database_is_unavailable_and_its_address_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "front.db").mkdir()

    with pytest.raises(Unavailable) as found:
        taken(SPEC, tmp_path)

    assert found.value.en == (
        "agency/source endpoint: the database is not available (OperationalError). It will be tried again."
    )
