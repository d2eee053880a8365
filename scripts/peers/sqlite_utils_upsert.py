"""The peer sqlite-utils: upsert the rows of a CSV file into SQLite. Run by its own environment.

Prints the seconds of the run, without the start of Python and the imports.
"""

from __future__ import annotations

import csv
import sys
import time

import sqlite_utils


def main(database: str, path: str) -> None:
    """Upsert once, print the seconds."""
    begun = time.perf_counter()
    tables = sqlite_utils.Database(database)
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123  # path is text
        tables["licence"].upsert_all(csv.DictReader(file), pk="document_no", batch_size=10_000)
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:])
