"""The recorded result: one line for every case, and what is said about each case in which we differ."""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import yaml

HERE = Path(__file__).parent
RESULTS = HERE / "results.tsv"
EXPLANATIONS = HERE / "explanations.yml"

AGREE, UNEXPLAINED = "agree", "unexplained"
VERDICTS = ("stricter", "not_applicable")
"""What an explanation may come to. There is no word for being laxer: that is mended."""


@dataclass(frozen=True)
class Result:
    """One line.

    Attributes:
        id: of the case.
        expected: by the suite, SUCCESS or FAILURE.
        ours: SUCCESS, FAILURE or HANG.
        verdict: ``agree``, or key of an explanation.
        why: step at which we refuse and the reason.
    """

    id: str
    expected: str
    ours: str
    verdict: str
    why: str


@dataclass(frozen=True)
class Explanation:
    """Why we differ in some cases.

    Attributes:
        key: short name.
        verdict: one of ``VERDICTS``.
        because: the reason, for a person.
        ids: of the cases, with ``*``.
        why: regular expression that the recorded reason must match.
        ours: what we must have said.
    """

    key: str
    verdict: str
    because: str
    ids: Sequence[str]
    why: str
    ours: str

    def fits(self, result: Result) -> bool:
        """Whether it speaks of this case and this outcome."""
        is_named = any(fnmatch.fnmatchcase(result.id, pattern) for pattern in self.ids)
        return is_named and result.ours == self.ours and re.search(self.why, result.why) is not None


@dataclass(frozen=True)
class Suite:
    """What was run: where it is from, how many cases it has, and which (SHA-256 over the sorted ids, one a line)."""

    source: str
    commit: str
    ran_on: str
    cases: int
    ids_sha256: str


def read_explanations() -> tuple[Suite, tuple[Explanation, ...]]:
    """What ``explanations.yml`` says."""
    said = yaml.safe_load(EXPLANATIONS.read_text("utf-8"))
    explanations = (
        Explanation(key, e["verdict"], e["because"], e["ids"], e.get("why", ""), e["ours"])
        for key, e in said["explanations"].items()
    )
    return Suite(**said["suite"]), tuple(explanations)


def verdict_of(result: Result, explanations: Iterable[Explanation]) -> str:
    """``agree``, the key of the first explanation that fits, or ``unexplained``."""
    if result.ours == result.expected:
        return AGREE
    return next((e.key for e in explanations if e.fits(result)), UNEXPLAINED)


def ids_digest(ids: Iterable[str]) -> str:
    """Names a set of cases."""
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(ids)).encode()).hexdigest()


def read_results(path: Path = RESULTS) -> list[Result]:
    """The lines of a record."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if rows[0] != [f.name for f in fields(Result)]:
        raise ValueError(f"{path}: expected the columns of Result, got {rows[0]}")
    return [Result(*row) for row in rows[1:]]


def write_results(results: Iterable[Result], path: Path = RESULTS) -> None:
    """Write a record, in the order of the ids."""
    lines = [[f.name for f in fields(Result)], *(astuple(r) for r in sorted(results, key=lambda r: r.id))]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), "utf-8")
