"""The peer dlt: merge the rows of a CSV file into PostgreSQL, from dicts or from Arrow. Run by its own environment.

Prints the seconds of the run, without the start of Python and the imports.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from typing import Any

import dlt
import pyarrow.csv
from dlt.destinations import postgres

KEY = "document_no"
# New columns and other types are refused, as far as dlt validates at all.
SCHEMA_CONTRACT = {"tables": "evolve", "columns": "freeze", "data_type": "freeze"}


def from_dicts(path: str) -> Iterator[dict[str, str]]:
    """The rows as Python dicts, as most dlt sources yield them."""
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123  # path is text
        yield from csv.DictReader(file)


def from_arrow(path: str) -> Iterator[pyarrow.Table]:
    """The rows as Arrow tables of text, the fastest way into dlt."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # path is text
        names = next(csv.reader(file))
    options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=True)
    reading = pyarrow.csv.ReadOptions(block_size=16 * 1024 * 1024)
    with pyarrow.csv.open_csv(path, read_options=reading, convert_options=options) as batches:
        for batch in batches:
            yield pyarrow.Table.from_batches([batch])


def main(way: str, url: str, path: str, folder: str) -> None:
    """Merge once, print the seconds."""
    # A server on a Unix socket: dlt demands a host, libpq takes the last one that is named.
    destination: Any = postgres(url.replace("@/", "@localhost/", 1))
    pipeline = dlt.pipeline(f"peer_{way}", destination=destination, dataset_name=f"peer_{way}", pipelines_dir=folder)
    rows = {"dicts": from_dicts, "arrow": from_arrow}[way](path)
    columns: dict[str, Any] = {KEY: {"data_type": "text"}}
    resource = dlt.resource(
        rows,
        name="licence",
        write_disposition="merge",
        primary_key=KEY,
        columns=columns,
        schema_contract=SCHEMA_CONTRACT,
    )
    begun = time.perf_counter()
    pipeline.run(resource)
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:])
