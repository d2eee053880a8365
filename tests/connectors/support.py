"""Small real things for the tests of connectors: a source written as YAML, and deliveries of given bytes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from connectors.connections import Connection
from connectors.decode import decode_chunks
from connectors.decode.sheets import one_sheet
from connectors.delivery import Delivery, Mapped, Sheet
from connectors.mapping import map_sheet
from connectors.spec import SourceSpec
from connectors.spec_file import load_spec
from connectors.vault import DEFAULT_MAX_UNPACKED_BYTES, Vault

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)

SCRATCH = Path(tempfile.mkdtemp(prefix="xinqiao-test-"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)

CATALOGUE = """
catalogue: {code: "307001/000001", category: department, provider_zh: 示例局, provider_uscc: 11330000000000000D,
  summary_zh: 示例, summary_en: example, share_type: unconditional, update_cycle: daily, published_on: 2024-01-01}
"""

COMPLAINTS = """
title: {zh: 投诉, en: complaints}
record_type: complaint
transport: files
delivery: changes
request: {patterns: ["*.csv"]}
decode: {formats: [csv]}
forms:
  - name: only
    columns:
      complaint_no: [编号, 投诉编号]
      kind_code: {from: [类型], lookup: kind}
      subject_name: 被投诉企业
      received_on: 日期
      remark_less: 备注
    ignore: {序号: running number}
lookups:
  kind:
    - {words: [投诉], code: "1", because: the agency's manual}
    - {words: [举报], code: "2", because: the agency's manual}
""".replace("      remark_less: 备注\n", "")


def make_spec(text: str = COMPLAINTS, *changes: tuple[str, str]) -> SourceSpec:
    """A source from YAML text, after replacing pieces of it; each piece must be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    folder = Path(tempfile.mkdtemp(dir=SCRATCH)) / "agency" / "source"
    folder.mkdir(parents=True)
    (folder / "source.yml").write_text(text + CATALOGUE, "utf-8")
    return load_spec(folder)


def deliver(spec: SourceSpec, *parts: tuple[str, bytes]) -> Delivery:
    """A delivery of the given files."""
    vault = Vault(Path(tempfile.mkdtemp(dir=SCRATCH)))
    kept = tuple(vault.keep(name, "application/octet-stream", [data]) for name, data in parts)
    return Delivery(spec.source, kept, "test", NOW)


def decode(delivery: Delivery, spec: SourceSpec, limit: int = DEFAULT_MAX_UNPACKED_BYTES) -> Sheet:
    """All rows of a small delivery as one sheet."""
    return one_sheet(decode_chunks(delivery, spec, limit))


def any_headings(spec: SourceSpec) -> SourceSpec:
    """The source without a demand on headings, for tests of what stands below them."""
    forms = [
        replace(form, columns=tuple(replace(column, optional=True) for column in form.columns)) for form in spec.forms
    ]
    return replace(spec, forms=tuple(forms))


def read(spec: SourceSpec, data: bytes, name: str = "file", limit: int = DEFAULT_MAX_UNPACKED_BYTES) -> Sheet:
    """Decode one file."""
    return decode(deliver(spec, (name, data)), spec, limit)


def mapped(spec: SourceSpec, data: bytes, name: str = "file") -> Mapped:
    """Decode and map one file."""
    return map_sheet(read(spec, data, name), spec)


def rows(sheet: Sheet) -> list[tuple[object, ...]]:
    """Line and cells of every row."""
    return sheet.frame.drop("_row", "_part").rows()


def connection(url: str, home: Path, **more: object) -> Connection:
    """An endpoint."""
    return Connection(name="endpoint", url=url, home=home, **more)  # type: ignore[arg-type]  # the test knows the fields
