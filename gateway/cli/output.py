"""What listings share: a table for people, one JSON document per line for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_ELSEWHERE = 120

# What a terminal obeys instead of showing: C0 and C1 controls (ESC and CSI among them) and the marks that
# turn the direction of writing (UAX #9). Line feeds stay, headings have them.
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

json_option = click.option("--json", "as_json", is_flag=True, help="每行一个 JSON / one JSON document per line")

always_json = click.option("--json", is_flag=True, expose_value=False, help="总是 JSON / JSON it always is")
"""For verbs that print JSON with or without being asked, so that asking is no error."""


def working(zh: str, en: str) -> AbstractContextManager[object]:
    """Tell a person at a terminal that long work goes on, until the block ends; nothing anywhere else."""
    return Console(stderr=True).status(f"{zh} / {en} …")


def shown(text: str) -> str:
    """Text that a terminal shows and does not obey: file names and cells come from agencies."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def print_json(document: Mapping[str, Any]) -> None:
    """One document on one line, Chinese as it is."""
    print_json_text(json.dumps(document, ensure_ascii=False, default=str))


def print_json_text(text: str) -> bytes:
    """One line of JSON as it is stored, without what a terminal would obey; gives the bytes that went out, UTF-8."""
    # What JSON itself does not escape is escaped as JSON does, so that a program reads the same text.
    safe = _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    click.echo(safe)
    return safe.encode() + b"\n"


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, str]], as_json: bool, caption: str | None = None
) -> None:
    """A listing.

    Args:
        columns: key of the row and heading, in order; JSON shows every key.
    """
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table(caption=caption, caption_justify="left")
    for number, (_, heading) in enumerate(columns):
        # The first column names the row and is what people copy.
        table.add_column(heading, no_wrap=number == 0, overflow="fold")
    for row in rows:
        # Text, not markup: what agencies send may hold square brackets.
        table.add_row(*(Text("" if row.get(key) is None else shown(str(row[key]))) for key, _ in columns))
    # Written to a file or a pipe there is no window to fit into.
    Console(width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE).print(table)
