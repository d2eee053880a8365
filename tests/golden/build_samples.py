"""Builds the golden samples that are not plain text: workbooks, GB18030 files, a ZIP with a GBK name.

``python -m tests.golden.build_samples`` writes them; a test compares what lies there with what is built.
The samples that are plain text (JSON, XML, NDJSON, UTF-8 CSV) are edited as they are.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from connectors.sandbox.files_workbook import Cell, Page, workbook
from tests.golden import rows_publicity as publicity
from tests.golden import rows_tables as tables

HERE = Path(__file__).parent


def sheet(rows: Sequence[Sequence[Cell]], merges: Sequence[str] = ()) -> bytes:
    """A workbook of one worksheet."""
    return workbook([Page("Sheet1", rows, merges)])


def gb18030(rows: Sequence[Sequence[str]]) -> bytes:
    """A CSV without byte order mark."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("gb18030")


def licences_zip() -> bytes:
    """Two counties in one archive, each in its own form."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, rows in (
            ("余杭.xlsx", publicity.licences_2018()),
            ("晋安.xlsx", publicity.licences_numbered_three()),
        ):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), sheet(rows))
    return packed.getvalue()


def produce_zip() -> bytes:
    """The file's name in GBK without the UTF-8 flag, as old archivers write it."""
    name = "农产品监督抽查.csv".encode("gbk")
    stand_in = b"\x7f" * len(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(stand_in.decode(), (2026, 1, 1, 0, 0, 0)), gb18030(tables.PRODUCE))
    return packed.getvalue().replace(stand_in, name)


SAMPLES: dict[str, Callable[[], bytes]] = {
    "market_supervision/licences/form_2015.xlsx": lambda: sheet(publicity.licences_2015(), ["A1:U1"]),
    "market_supervision/licences/form_2018.xlsx": lambda: sheet(publicity.licences_2018()),
    "market_supervision/licences/uscc_numbered_three.xlsx": lambda: sheet(publicity.licences_numbered_three()),
    "market_supervision/licences/two_forms_in_a_zip.zip": licences_zip,
    "market_supervision/penalties/form_2015_two_kinds.xlsx": lambda: sheet(publicity.penalties_2015()),
    "market_supervision/penalties/form_2018_amounts.xlsx": lambda: sheet(
        publicity.penalties_2018(), ["A1:AD1", "A2:M2", "N2:AD2"]
    ),
    "market_supervision/food_sampling/one_sample_three_rows.xlsx": lambda: sheet(
        tables.sampling_combined(), tables.SAMPLING_MERGES
    ),
    "market_supervision/food_sampling/separate_columns.xlsx": lambda: sheet(tables.sampling_columns()),
    "market_supervision/food_sampling/two_heading_rows.xlsx": lambda: sheet(
        tables.sampling_two_headings(), tables.TWO_HEADINGS_MERGES
    ),
    "market_supervision/food_sampling/qualified.xlsx": lambda: sheet(tables.sampling_qualified()),
    "agriculture/produce_sampling/gbk_name_in_zip.zip": produce_zip,
    "agriculture/produce_sampling/gb18030.csv": lambda: gb18030(tables.PRODUCE[:3]),
    "customs/import_refusals/month_as_csv.csv": lambda: gb18030(tables.REFUSALS),
    "customs/import_refusals/month_as_workbook.xlsx": lambda: sheet(
        [["未准入境食品信息"], *tables.REFUSALS], ["A1:M1"]
    ),
}
"""Place of each sample under ``tests/golden`` -> its bytes."""


def main() -> None:
    """Write every sample to its place."""
    for name, build in SAMPLES.items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(build())


if __name__ == "__main__":
    main()
