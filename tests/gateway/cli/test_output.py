"""What agencies send is shown on a terminal, never obeyed by it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from connectors.errors import Refused
from gateway.cli import root
from gateway.cli.output import print_json, print_rows, working

NAME = "a\x1b[2J\x9b31mb\u202egpj.exe"
ESCAPED = "a\\x1b[2J\\x9b31mb\\u202egpj.exe"


def obeyed(text: str) -> list[str]:
    return [char for char in text if char in "\x1b\x9b\u202e"]


def test_a_table_shows_control_characters_as_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"part": NAME}], [("part", "part")], as_json=False)

    out = capsys.readouterr().out
    assert (obeyed(out), ESCAPED in out) == ([], True)


def test_json_has_them_escaped_and_reads_back_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"part": NAME})

    out = capsys.readouterr().out
    assert (obeyed(out), json.loads(out)) == ([], {"part": NAME})


def test_an_error_that_quotes_an_agency_is_shown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Refused(f"文件 {NAME}", f"file {NAME}", part=NAME)

    monkeypatch.setattr(root.Settings, "load", refuse)

    result = CliRunner().invoke(root.cli, ["deliveries"])

    assert (result.exit_code, obeyed(result.output), result.output.count(ESCAPED)) == (1, [], 2)


LISTINGS = [
    *("sources", "deliveries", "feed", "quarantine list", "quarantine show", "grants list", "grants applications"),
    *("certs list", "audit entries", "audit who-read", "audit who-changed", "audit what-did"),
]


@pytest.mark.parametrize("verb", LISTINGS)
def test_every_listing_takes_json(verb: str) -> None:
    result = CliRunner().invoke(root.cli, [*verb.split(), "--help"])

    assert (result.exit_code, "--json" in result.output) == (0, True)


def test_what_goes_on_is_told_at_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    with working("正在入库", "landing"):
        pass

    assert capsys.readouterr() == ("", "")
