"""What listings share: a table for people, one JSON document per line for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_ELSEWHERE = 120

json_option = click.option("--json", "as_json", is_flag=True, help="每行一个 JSON / one JSON document per line")


def print_json(document: Mapping[str, Any]) -> None:
    """One document on one line, Chinese as it is."""
    click.echo(json.dumps(document, ensure_ascii=False, default=str))


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
        table.add_row(*(Text("" if row.get(key) is None else str(row[key])) for key, _ in columns))
    # Written to a file or a pipe there is no window to fit into.
    Console(width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE).print(table)
