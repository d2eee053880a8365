"""`xinqiao identify` as a person or a script meets it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from gateway.cli.identify import identify


def test_each_line_is_answered_by_one_json_object_in_order() -> None:
    lines = "\ufeff91350100m000100y43\r\n无\n\n350100M000100Y4"

    result = CliRunner().invoke(identify, ["--json"], input=lines.encode())

    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "input": "91350100m000100y43",
            "kind": "uscc",
            "normalized": "91350100M000100Y43",
            "valid": True,
            "problems": [],
            "candidates": [],
        },
        {"input": "无", "kind": "placeholder", "normalized": "", "valid": False, "problems": [], "candidates": []},
        {"input": "", "kind": "placeholder", "normalized": "", "valid": False, "problems": [], "candidates": []},
        {
            "input": "350100M000100Y4",
            "kind": "taxpayer_15",
            "normalized": "350100M000100Y4",
            "valid": True,
            "problems": [],
            "candidates": ["91350100M000100Y43"],
        },
    ]


def test_more_lines_than_one_read_are_answered_without_a_seam() -> None:
    codes = "\n".join(["91350100M000100Y43"] * 250_000)

    result = CliRunner().invoke(identify, ["--json"], input=codes.encode())

    answers = result.stdout.splitlines()
    assert len(answers) == 250_000
    assert set(answers) == {
        '{"input":"91350100M000100Y43","kind":"uscc","normalized":"91350100M000100Y43","valid":true,'
        '"problems":[],"candidates":[]}'
    }


@pytest.mark.parametrize(("encoding", "arguments"), [("utf-8", []), ("gb18030", ["--encoding", "gb18030"])])
def test_chinese_lines_are_read_in_the_encoding_that_was_named(encoding: str, arguments: list[str]) -> None:
    result = CliRunner().invoke(identify, ["--json", *arguments], input="企合苏总字第000063\n".encode(encoding))

    assert json.loads(result.stdout)["kind"] == "text"


@pytest.mark.parametrize(
    ("arguments", "words"), [([], "--encoding gb18030"), (["--encoding", "klingon"], "unknown encoding: klingon")]
)
def test_a_wrong_encoding_stops_with_the_remedy(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(
        identify, ["--json", *arguments], input="无\n".encode("gb18030").replace(b"\n", b"\xff\n")
    )

    assert result.exit_code != 0
    assert words in result.stderr


def test_people_get_a_table_with_brackets_intact_and_a_total() -> None:
    result = CliRunner().invoke(identify, [], input=b"[red]91350100M000100Y44\n")

    assert "[red]9135" in result.stdout
    assert "unknown" in result.stdout
    assert "合计 total" in result.stdout


def test_no_lines_give_no_answers() -> None:
    result = CliRunner().invoke(identify, ["--json"], input=b"")

    assert (result.exit_code, result.stdout) == (0, "")
