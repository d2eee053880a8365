"""What the command line writes into its log."""

from __future__ import annotations

import json

import pytest
import structlog
from click.testing import CliRunner

from gateway.cli.root import cli


def test_a_trace_of_the_command_line_shows_no_local_values(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    CliRunner().invoke(cli, ["identify", "--json"], input="")

    try:
        _failing("-".join(["330106", "19900101", "1234"]))
    except ValueError:
        structlog.get_logger().exception("failed")

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("failed", "error")
    assert "_failing" in line["exception"]
    assert "330106-19900101-1234" not in json.dumps(line)


def _failing(identity_no: str) -> None:
    raise ValueError(f"{len(identity_no)} characters")
