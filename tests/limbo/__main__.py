"""``python -m tests.limbo LIMBO_JSON``: run every case, write the record, fail if one differs and nobody says why."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cryptography.utils import CryptographyDeprecationWarning

from tests.limbo.bounded import judge_bounded
from tests.limbo.judge import Case, judge
from tests.limbo.record import RESULTS, UNEXPLAINED, Result, ids_digest, read_explanations, verdict_of, write_results


def main() -> int:
    """Run the suite; 0 if every case agrees or is explained and the suite is the one that the record names."""
    parser = argparse.ArgumentParser(prog="python -m tests.limbo", description=__doc__)
    parser.add_argument("limbo", type=Path, help="limbo.json of C2SP/x509-limbo")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the record is written")
    options = parser.parse_args()
    # Certificates of the suite are odd on purpose.
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    suite, explanations = read_explanations()
    results = [replace(r, verdict=verdict_of(r, explanations)) for r in run(json.loads(options.limbo.read_text()))]
    write_results(results, options.out)
    verdicts = Counter(result.verdict for result in results)
    for verdict, count in verdicts.most_common():
        say(f"{count:6d} {verdict}")
    for result in results:
        if result.verdict == UNEXPLAINED:
            say(f"{result.id}: expected {result.expected}, ours {result.ours} ({result.why})")
    digest = ids_digest(result.id for result in results)
    if (len(results), digest) != (suite.cases, suite.ids_sha256):
        say(f"another suite than the one recorded: {len(results)} cases, ids_sha256 {digest}; see explanations.yml")
        return 1
    return int(UNEXPLAINED in verdicts)


def say(line: str) -> None:
    """One line of the report."""
    sys.stdout.write(line + "\n")


def run(limbo: dict[str, list[Case]]) -> Iterator[Result]:
    """The outcome of every case, with its verdict still open."""
    for case in limbo["testcases"]:
        outcome = judge_bounded(case) if "denial-of-service" in case["features"] else judge(case)
        yield Result(case["id"], case["expected_result"], outcome.ours, "", outcome.why)


if __name__ == "__main__":
    sys.exit(main())
