"""`xinqiao identify`: what kind of code is on each line, is it right, and if not, what may it have been."""

from __future__ import annotations

import codecs
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import click
import polars as pl
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.identifiers import identify as identify_codes

_CHUNK_BYTES = 1 << 22


@click.command("identify")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: 每行输出一个JSON对象")
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of the lines, e.g. gb18030: 输入编码")
def identify(as_json: bool, encoding: str) -> None:
    """Identify codes read from standard input, one a line. 识别标准输入中的代码（每行一个）。

    Each line is answered with: input, kind (uscc, registration_15, cooperative_15, registration_13,
    organisation_9, taxpayer_15, placeholder, text, unknown), normalized, valid, problems, candidates.
    A problem begins with "error" or "warning"; warnings leave a code valid. Candidates are
    suggestions for a person to confirm.
    """
    chunks = map(identify_codes, _read_lines(sys.stdin.buffer, encoding))
    if as_json:
        _write_json(chunks, sys.stdout.buffer)
    else:
        _print_tables(chunks, Console())


def _read_lines(stream: BinaryIO, encoding: str) -> Iterator[pl.Series]:
    """Lines as they come, some megabytes at a time; a line that is not finished waits for the next read."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError as unknown:
        raise click.BadParameter(f"未知编码 / unknown encoding: {encoding}", param_hint="--encoding") from unknown
    read_some = getattr(stream, "read1", stream.read)
    rest, is_first = "", True
    while True:
        received = read_some(_CHUNK_BYTES)
        text = rest + _decoded(decoder, received, encoding)
        if is_first:
            text, is_first = text.removeprefix("\ufeff"), False
        *lines, rest = text.split("\n")
        if not received and rest:
            lines.append(rest)
        if lines:
            yield pl.Series("input", [line.removesuffix("\r") for line in lines], dtype=pl.String)
        if not received:
            return


def _decoded(decoder: codecs.IncrementalDecoder, received: bytes, encoding: str) -> str:
    try:
        return decoder.decode(received, final=not received)
    except UnicodeDecodeError as wrong:
        raise click.ClickException(
            f"输入不是{encoding}编码，请用 --encoding 指明（如 gb18030） / "
            f"the input is not {encoding}; name its encoding, for instance --encoding gb18030"
        ) from wrong


def _write_json(chunks: Iterator[pl.DataFrame], out: BinaryIO) -> None:
    for chunk in chunks:
        out.write(chunk.write_ndjson().encode())
        out.flush()


def _print_tables(chunks: Iterator[pl.DataFrame], console: Console) -> None:
    tally: Counter[tuple[str, bool]] = Counter()
    for chunk in chunks:
        console.print(_table(chunk))
        tally.update(zip(chunk["kind"], chunk["valid"], strict=True))
    summary = Table("种类 kind", "有效 valid", "行数 lines", title="合计 total")
    for (kind, is_valid), count in sorted(tally.items()):
        summary.add_row(kind, _yes_no(is_valid), f"{count:,}")
    console.print(summary)


def _table(chunk: pl.DataFrame) -> Table:
    table = Table("输入 input", "种类 kind", "有效 valid", box=SIMPLE)
    table.add_column("规范形式、问题、候选 normalized, problems, candidates", overflow="fold")
    for row in chunk.iter_rows(named=True):
        table.add_row(Text(row["input"]), row["kind"], _yes_no(row["valid"]), _remarks(row))
    return table


def _remarks(row: dict[str, Any]) -> Text:
    """Text, not markup: a code may hold square brackets."""
    normalized = [row["normalized"]] if row["normalized"] != row["input"] else []
    candidates = [f"→ {', '.join(row['candidates'])}"] if row["candidates"] else []
    return Text("\n".join([*normalized, *row["problems"], *candidates]))


def _yes_no(is_valid: bool) -> str:
    return "是 yes" if is_valid else "否 no"
