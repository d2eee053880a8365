"""The README's commands are run as they stand there, so that it cannot say what is not so.

Blocks after ``<!-- tested -->`` run in order, in one shell and one temporary home. A line of
output in the README is found again in what the command printed, in the same order, with ``…``
standing for anything; a line that is only ``…`` stands for any number of lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.spec_file import load_spec
from tests.connectors.test_agencies import outcome

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
MARK = "@@next@@"


@dataclass(frozen=True)
class Step:
    """One command of the README and what it says that it prints."""

    command: str
    printed: tuple[str, ...]


def blocks_to_run(text: str) -> list[str]:
    return re.findall(r"<!-- tested -->\n```console\n(.*?)```", text, re.DOTALL)


def steps(block: str) -> list[Step]:
    """Cut a block at its prompts; a here-document belongs to its command."""
    found = []
    for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = piece.splitlines()
        here = re.search(r"<<'(\w+)'", lines[0])
        end = lines.index(here[1]) + 1 if here else 1
        found.append(Step("\n".join(lines[:end]), tuple(lines[end:])))
    return found


def run(commands: list[str], folder: Path) -> list[str]:
    """What each command printed; all of them run in one shell, as a person would type them."""
    script = "\n".join(f"{command}\necho '{MARK}'" for command in commands)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = os.environ | {"XINQIAO_HOME": str(folder / "home"), "PATH": path, "COLUMNS": "160", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-e"], input=script, cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout.split(f"{MARK}\n")[:-1]


def unmatched(printed: tuple[str, ...], output: str) -> str | None:
    """The first line of the README that the output does not have behind the one before; None if all are there."""
    rest = output.splitlines()
    for line in printed:
        if line.strip() == "…":
            continue
        # Tables are as wide as the terminal; how many blanks fill a cell says nothing.
        wanted = re.escape(" ".join(line.split())).replace("…", ".*")
        place = next((n for n, found in enumerate(rest) if re.fullmatch(wanted, " ".join(found.split()))), None)
        if place is None:
            return line
        rest = rest[place + 1 :]
    return None


def example(name: str) -> str:
    """The worked example's file of that name."""
    found = re.search(rf"<!-- worked example: {re.escape(name)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found is not None, f"README.md has no worked example {name}"
    return found[1]


@pytest.mark.timeout(240)
def test_the_first_steps_print_what_the_readme_says(tmp_path: Path) -> None:
    first_steps = [step for block in blocks_to_run(README) for step in steps(block)]

    printed = run([step.command for step in first_steps], tmp_path)

    assert len(printed) == len(first_steps) >= 10
    missing = {
        step.command.splitlines()[0]: (line, output[-800:])
        for step, output in zip(first_steps, printed, strict=True)
        if (line := unmatched(step.printed, output)) is not None
    }
    assert missing == {}


def test_the_worked_example_of_a_new_source_becomes_what_the_readme_says(tmp_path: Path) -> None:
    folder = tmp_path / "connectors" / "agencies" / "tax" / "penalties"
    folder.mkdir(parents=True)
    (folder / "source.yml").write_text(example("source.yml"), "utf-8")
    sample = tmp_path / "sample.csv"
    sample.write_bytes(example("sample.csv").encode("gb18030"))

    found = outcome(sample, load_spec(folder), tmp_path)

    assert [(row["uscc"], row["decided_on"], row["penalty_kind_codes"]) for row in found["accepted"]] == [
        ("91330110WQ82000126", "2026-03-02", "2"),
        ("91510104WQ8200020G", "2026-03-09", "1;2"),
    ]
    assert [(fault["_row"], fault["rule"]) for fault in found["faults"]] == [
        (3, "code.unknown"),
        (3, "uscc.check_character"),
    ]
    assert [(finding["rule"], finding["count"]) for finding in found["findings"]] == [("lookup.unknown_word", 1)]
