"""The skeleton of a new source: a ``source.yml`` that loads, and a sample that cannot be mapped until someone has."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from connectors.errors import Refused
from schemas.records import RECORD_TYPES

_REQUEST = {
    "rest": "{path: /api/CHANGE_ME, paging: {kind: page, number: pageNo, size: pageSize, total: data.total}}",
    "soap": '{wsdl: "?wsdl", operation: CHANGE_ME, paging: {kind: page, number: pageNo, size: pageSize, total: total}}',
    "files": '{patterns: ["*.csv"], ready: done}',
    "tables": "{table: CHANGE_ME, key: [ID]}",
}
_DECODE = {
    "rest": "{formats: [json], rows: data.list}",
    "soap": "{formats: [xml], rows: records/record}",
    "files": "{formats: [csv], encoding: gb18030}",
    "tables": "{formats: [ndjson]}",
}


def write_skeleton(root: Path, source: str, transport: str, record_type: str) -> list[Path]:
    """Write ``source.yml`` and the sample.

    The headings are those of the shared schema; the sample has one column that nobody has declared,
    under the name ``CHANGE_ME`` where a required one should be, so that its golden test fails with
    ``SourceChanged`` until both are real.

    Args:
        root: of the project: ``connectors/agencies`` and ``tests/golden`` lie below it.
        source: ``<agency>/<source>``.
        transport: one of the four.
        record_type: what a row becomes.

    Returns:
        the files written.

    Raises:
        Refused: the folder is there already.
    """
    folder = root / "connectors" / "agencies" / source
    if folder.exists():
        raise Refused(
            f"{folder} 已存在，未改动。", f"{folder} is there already; nothing was written.", folder=str(folder)
        )
    headings = {name: field.zh for name, field in RECORD_TYPES[record_type].shared_fields().items() if field.required}
    name, content = _SAMPLES[transport](headings)
    files = {
        folder / "source.yml": _source(source, transport, record_type, headings).encode(),
        root / "tests" / "golden" / source / name: content,
    }
    for file, data in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return list(files)


def _source(source: str, transport: str, record_type: str, headings: Mapping[str, str]) -> str:
    agency, _, name = source.partition("/")
    columns = "\n".join(
        f"      {field}: {json.dumps(heading, ensure_ascii=False)}" for field, heading in headings.items()
    )
    return f"""\
# The format is described in docs/sources.md. Everything that says CHANGE_ME is yours to say.
title: {{zh: CHANGE_ME, en: CHANGE_ME}}
record_type: {record_type}
transport: {transport}
endpoint: {agency}_{name}          # name in connections.yml
delivery: changes                  # or snapshot: what is missing is withdrawn
schedule: "30 1 * * *"             # Asia/Shanghai

request: {_REQUEST[transport]}
decode: {_DECODE[transport]}

forms:
  - name: CHANGE_ME
    columns:                       # shared field: the agency's heading and its synonyms
{columns}
    ignore: {{}}                     # heading: why it is not taken over

expect: {{rows_min: 1}}

catalogue:
  code: CHANGE_ME
  category: department
  provider_zh: CHANGE_ME
  provider_uscc: CHANGE_ME_18_CHARS
  summary_zh: CHANGE_ME
  summary_en: CHANGE_ME
  share_type: conditional
  share_condition: CHANGE_ME
  update_cycle: daily
  published_on: 2026-01-01
"""


def _row(headings: Mapping[str, str]) -> dict[str, str]:
    """One row with every heading but the first, whose place CHANGE_ME takes."""
    return dict.fromkeys(["CHANGE_ME", *list(headings.values())[1:]], "CHANGE_ME")


def _json(headings: Mapping[str, str]) -> tuple[str, bytes]:
    answer = {"data": {"total": 1, "list": [_row(headings)]}}
    return "change_me.json", json.dumps(answer, ensure_ascii=False, indent=1).encode()


def _ndjson(headings: Mapping[str, str]) -> tuple[str, bytes]:
    return "change_me.ndjson", json.dumps(_row(headings), ensure_ascii=False).encode() + b"\n"


def _csv(headings: Mapping[str, str]) -> tuple[str, bytes]:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([list(_row(headings)), list(_row(headings).values())])
    return "change_me.csv", text.getvalue().encode("gb18030")


def _xml(headings: Mapping[str, str]) -> tuple[str, bytes]:
    """Chinese headings are rarely element names; the sample has the one that is to be replaced."""
    return "change_me.xml", b"<records><record><CHANGE_ME>CHANGE_ME</CHANGE_ME></record></records>\n"


_SAMPLES: dict[str, Callable[[Mapping[str, str]], tuple[str, bytes]]] = {
    "rest": _json,
    "soap": _xml,
    "files": _csv,
    "tables": _ndjson,
}
