"""Judging a case that may go on for ever, in a process that is ended then (``python -m tests.limbo.bounded``)."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.limbo.judge import HANG, Case, Outcome, judge

# A path is found in a millisecond; who needs longer than this lets a caller stop a thread.
PATIENCE_SECONDS = 20.0


def judge_bounded(case: Case, patience: float = PATIENCE_SECONDS) -> Outcome:
    """The outcome of a case, or ``HANG``."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.limbo.bounded"]
    try:
        done = subprocess.run(
            command, input=json.dumps(case), capture_output=True, text=True, timeout=patience, check=True
        )
    except subprocess.TimeoutExpired:
        return Outcome(HANG, "no answer")
    return Outcome(*json.loads(done.stdout))


if __name__ == "__main__":
    outcome = judge(json.load(sys.stdin))
    sys.stdout.write(json.dumps([outcome.ours, outcome.why]))
