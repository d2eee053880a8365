"""Whether memory stays flat: a delivery of every kind received, decoded, mapped and judged, and one a tenth its size.

Each delivery is read by a process of its own, whose highest resident memory the kernel tells at its end.
"""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import sqlalchemy as sa

from connectors.connections import Connection
from connectors.decode import decode_chunks
from connectors.delivery import Delivery
from connectors.mapping import map_sheet
from connectors.request_options import Paging, RestRequest, SoapRequest, TablesRequest
from connectors.spec import SourceSpec
from connectors.transports import rest, soap, tables
from connectors.vault import Vault
from gateway.bench.pages import serving_pages, serving_soap
from gateway.bench.rows import bench_spec, registration_rows
from gateway.clock import utc_now
from schemas.columnar import contract

BLOCK = 100_000
"""Rows that are made once and then repeated: making them is not what is measured."""
_PAGE = 1_000
_UNPACKED = 64 * 1024**3


@dataclass(frozen=True)
class _Agency:
    """What the measured process needs in order to fetch and to read one delivery."""

    spec: SourceSpec
    fetch: Callable[[SourceSpec, str, Vault], Delivery]
    address: str


def run(kind: str, rows: int, seed: int, told: Callable[[str], None], *, only_decode: bool = False) -> dict[str, Any]:
    """Read a delivery of ``rows`` rows, and before it one of a tenth.

    Args:
        kind: ``csv`` (one GB18030 file), ``xlsx`` (a ZIP of workbooks), ``rest`` and ``soap`` (pages of
            1,000 rows over HTTP) or ``tables`` (a SQLite front-end database).
        rows: rounded up to whole blocks of 100,000 for ``csv`` and ``xlsx``.
        told: called with the name of each step.
        only_decode: neither map nor judge, for sizes at which that would take hours.

    Returns:
        rows and bytes kept, seconds of receiving and of decoding, mapping and judging, ``rows_per_s`` of the latter,
        ``peak_rss_mb`` of both sizes and their ratio.
    """
    with tempfile.TemporaryDirectory(prefix="xinqiao-memory-") as folder:
        block = registration_rows(BLOCK if kind in ("csv", "xlsx") else _PAGE, seed).drop("_row", "_op")
        sizes = {}
        for name, size in (("tenth", max(1, rows // 10)), ("whole", rows)):
            told(f"{kind}: {size} rows")
            with _AGENCIES[kind](block, size, Path(folder)) as agency:
                sizes[name] = _in_a_process_of_its_own(agency, Path(folder), only_decode)
        whole, tenth = sizes["whole"], sizes["tenth"]
        peaks = {"peak_rss_mb": whole["peak_rss_mb"], "peak_rss_mb_of_a_tenth": tenth["peak_rss_mb"]}
        ratio = round(whole["peak_rss_mb"] / tenth["peak_rss_mb"], 2)
        return {"kind": kind, **whole, **peaks, "ratio_to_a_tenth": ratio}


def _in_a_process_of_its_own(agency: _Agency, folder: Path, only_decode: bool) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(dir=folder) as home,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
    ):
        return process.submit(_read, agency, Path(home), only_decode).result()


def _read(agency: _Agency, home: Path, only_decode: bool) -> dict[str, Any]:
    begun = time.perf_counter()
    delivery = agency.fetch(agency.spec, agency.address, Vault(home))
    received = time.perf_counter()
    rules = contract(agency.spec.record_type)
    rows = accepted = 0
    for sheet in decode_chunks(delivery, agency.spec, _UNPACKED):
        rows += sheet.frame.height
        if not only_decode:
            accepted += rules.judge(map_sheet(sheet, agency.spec).frame).accepted.height
    spent = time.perf_counter() - received
    return {
        "rows": rows,
        "accepted": None if only_decode else accepted,
        "mb": round(delivery.size / 1e6),
        "receive_s": round(received - begun, 1),
        "decode_s" if only_decode else "decode_map_judge_s": round(spent, 1),
        "rows_per_s": round(rows / spent),
        "peak_rss_mb": peak_rss_mb(),
    }


def peak_rss_mb() -> int:
    """Highest resident memory of this process; unlike ``getrusage`` not that of the one it was started from."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024)
    raise OSError("/proc/self/status has no VmHWM")


def _spec(block: pl.DataFrame, **changes: Any) -> SourceSpec:
    spec = bench_spec("registration", block.columns)
    formats = changes.pop("formats")
    return replace(spec, decode=replace(spec.decode, formats=formats, rows=changes.pop("at", "")), **changes)


@contextmanager
def _csv(block: pl.DataFrame, rows: int, folder: Path) -> Iterator[_Agency]:
    file = folder / "rows.csv"
    heading = ",".join(block.columns).encode() + b"\n"
    body = block.write_csv(include_header=False).encode("gb18030")
    with file.open("wb") as out:
        out.write(heading)
        for _ in range(0, rows, BLOCK):
            out.write(body)
    yield _Agency(_spec(block, formats=("csv",)), _fetch_file, str(file))
    file.unlink()


@contextmanager
def _xlsx(block: pl.DataFrame, rows: int, folder: Path) -> Iterator[_Agency]:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    for row in [block.columns, *block.iter_rows()]:
        sheet.append(row)
    book.save(folder / "rows.xlsx")
    with zipfile.ZipFile(folder / "rows.zip", "w") as archive:
        for number in range(0, rows, BLOCK):
            archive.write(folder / "rows.xlsx", f"{number}.xlsx")
    yield _Agency(_spec(block, formats=("zip", "xlsx")), _fetch_file, str(folder / "rows.zip"))
    (folder / "rows.zip").unlink()


@contextmanager
def _rest(block: pl.DataFrame, rows: int, folder: Path) -> Iterator[_Agency]:
    paging = Paging("page", per_page=_PAGE, total="total")
    spec = _spec(
        block, formats=("json",), at="rows", transport="rest", request=RestRequest("rows", paging=paging), cursor=None
    )
    with serving_pages(block, rows) as address:
        yield _Agency(spec, _fetch_pages, address)


@contextmanager
def _soap(block: pl.DataFrame, rows: int, folder: Path) -> Iterator[_Agency]:
    request = SoapRequest("rows", paging=Paging("page", per_page=_PAGE, total="total"))
    at = "rowsResponse/row"
    spec = _spec(block, formats=("xml",), at=at, transport="soap", request=request, cursor=None)
    with serving_soap(block, rows) as address:
        yield _Agency(spec, _fetch_envelopes, address)


@contextmanager
def _tables(block: pl.DataFrame, rows: int, folder: Path) -> Iterator[_Agency]:
    file = folder / "front.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as conn:
        sample = block.with_row_index("k")
        table = sa.Table("sample", sa.MetaData(), *(sa.Column(name, sa.String) for name in sample.columns))
        table.create(conn)
        conn.execute(table.insert(), sample.cast(pl.String).to_dicts())
        conn.exec_driver_sql("CREATE TABLE front AS SELECT 0 AS id, * FROM sample WHERE 0")
        conn.exec_driver_sql("CREATE UNIQUE INDEX front_id ON front (id)")
        conn.execute(
            sa.text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
                "INSERT INTO front SELECT i, s.* FROM n CROSS JOIN sample s ON s.rowid = 1 + i % :page"
            ),
            {"rows": rows, "page": block.height},
        )
    engine.dispose()
    request = TablesRequest("front", ("id",), columns=tuple(block.columns))
    spec = _spec(block, formats=("ndjson",), transport="tables", request=request, cursor=None)
    yield _Agency(spec, _fetch_table, str(file))
    file.unlink()


_AGENCIES = {"csv": _csv, "xlsx": _xlsx, "rest": _rest, "soap": _soap, "tables": _tables}
KINDS = tuple(_AGENCIES)
"""Kinds of delivery that can be measured."""


def _fetch_file(spec: SourceSpec, address: str, vault: Vault) -> Delivery:
    with Path(address).open("rb") as file:
        part = vault.keep("rows", "application/octet-stream", iter(lambda: file.read(1 << 20), b""))
    return Delivery(spec.source, (part,), "bench", utc_now())


def _fetch_pages(spec: SourceSpec, address: str, vault: Vault) -> Delivery:
    return next(rest.receive(spec, Connection("bench", address, vault.root), vault, None, utc_now()))


def _fetch_envelopes(spec: SourceSpec, address: str, vault: Vault) -> Delivery:
    return next(soap.receive(spec, Connection("bench", address, vault.root), vault, None, utc_now()))


def _fetch_table(spec: SourceSpec, address: str, vault: Vault) -> Delivery:
    endpoint = Connection("bench", f"sqlite:///{address}", vault.root)
    return next(tables.receive(spec, endpoint, vault, None, utc_now()))
