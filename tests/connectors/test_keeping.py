"""Bytes are kept before anyone looks at them; endpoints and secrets stay where they belong; cursors only go forward."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.connections import Connections
from connectors.cursors import Reached, asked_from, read_time
from connectors.errors import Refused, SourceChanged
from connectors.templates import fill
from connectors.vault import Vault
from tests.connectors.support import COMPLAINTS, NOW, connection, make_spec

TIMED = make_spec(
    COMPLAINTS, ("forms:", 'cursor: {heading: 更新时间, format: "%Y/%m/%d %H:%M", overlap_seconds: 3600}\nforms:')
)


def test_bytes_lie_under_their_digest_whatever_the_agency_calls_them(tmp_path: Path) -> None:
    part = Vault(tmp_path).keep("../../etc/passwd", "text/csv", [b"ab", b"c"])

    digest = hashlib.sha256(b"abc").hexdigest()
    assert (part.name, part.digest, part.size) == ("../../etc/passwd", digest, 3)
    assert part.path == tmp_path / "received" / digest[:2] / digest
    assert part.path.read_bytes() == b"abc"


def test_the_same_bytes_twice_are_one_file(tmp_path: Path) -> None:
    first, second = (Vault(tmp_path).keep(name, "text/csv", [b"abc"]) for name in ("a", "b"))

    assert first.path == second.path
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 1


def test_a_sender_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    def breaking_off() -> Iterator[bytes]:
        yield b"abc"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        Vault(tmp_path).keep("a", "text/csv", breaking_off())

    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_an_endpoint_has_its_files_and_secrets_below_the_home(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("s3cret\n")
    (tmp_path / "ca.pem").write_text("pem")
    (tmp_path / "connections.yml").write_text(
        "endpoints:\n  a: {url: https://x, ca: ca.pem, secrets: {app_key: key}, options: {zone: 'east'}}\n"
    )

    found = Connections.load(tmp_path).of("a")

    assert (found.url, found.ca, found.secret("app_key"), dict(found.options)) == (
        "https://x",
        tmp_path / "ca.pem",
        "s3cret",
        {"zone": "east"},
    )
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("endpoints: {a: {url: https://x, ca: ../ca.pem}}", "'../ca.pem' is missing or not inside"),
        ("endpoints: {a: {url: https://x, key: /etc/hostname}}", "'/etc/hostname' is missing or not inside"),
        ("endpoints: {a: {url: https://x, secrets: {k: nothing}}}", "'nothing' is missing or not inside"),
        ("endpoints: {a: {uri: https://x}}", "not in the format"),
        ("endpoints: [", "cannot be read"),
    ],
)
def test_a_wrong_connections_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "connections.yml").write_text(text)

    with pytest.raises(Refused, match=said.replace("[", r"\[")):
        Connections.load(tmp_path)


def test_an_endpoint_that_is_not_there_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no endpoint 'b'; there are: none"):
        Connections.load(tmp_path).of("b")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-05-01 08:00:00", "2023-05-01T08:00:00+08:00"),
        ("2023/5/1 8:00", "2023-05-01T08:00:00+08:00"),
        ("2023-05-01T00:00:00Z", "2023-05-01T08:00:00+08:00"),
        ("2023-05-01T09:00:00.123+0900", "2023-05-01T08:00:00+08:00"),
        ("2023-05-01", "2023-05-01T00:00:00+08:00"),
        ("1682899200000", "2023-05-01T08:00:00+08:00"),
        ("2023-02-30", None),
        ("昨天", None),
    ],
)
def test_times_of_change_are_read_as_agencies_write_them(text: str, moment: str | None) -> None:
    found = read_time(text)

    assert (found.isoformat() if found else None) == moment


def test_the_next_cursor_is_the_latest_believable_time_and_never_goes_back() -> None:
    times = ["2023-05-01 08:00:00", None, "2062-01-01 00:00:00", "2023-05-02"]
    reached = Reached(TIMED, NOW)

    for page in (times[:1], times[1:]):
        reached.add(page)

    assert reached.next_cursor(None) == "2023-05-02T00:00:00+08:00"
    assert reached.next_cursor("2024-01-01T00:00:00+08:00") == "2024-01-01T00:00:00+08:00"
    assert Reached(TIMED, NOW).next_cursor("2024-01-01T00:00:00+08:00") == "2024-01-01T00:00:00+08:00"


def test_rows_that_never_say_when_they_changed_stop_the_delivery() -> None:
    reached = Reached(TIMED, NOW)
    reached.add([None, "?"])

    with pytest.raises(SourceChanged) as found:
        reached.next_cursor(None)

    assert found.value.details["missing"] == ["更新时间"]


def test_the_first_question_asks_from_the_start_and_later_ones_overlap() -> None:
    assert TIMED.cursor is not None
    later = asked_from(TIMED.cursor, "2024-01-01T08:00:00+08:00")

    assert asked_from(TIMED.cursor, None).isoformat() == "2000-01-01T00:00:00+08:00"
    assert later.isoformat() == "2024-01-01T07:00:00+08:00"


def test_templates_are_filled_in_and_braces_can_be_meant(tmp_path: Path) -> None:
    endpoint = connection("x", tmp_path, secrets={"id": "s3cret"})
    templates = {"a": "{cursor}", "b": "{now}|{today}", "c": "{secret:id}", "d": '{{"x": 1}}'}

    found = fill(templates, TIMED, endpoint, "2024-01-01T08:00:00+08:00", NOW + timedelta(hours=20))

    assert found == {
        "a": "2024/01/01 07:00",
        "b": "2026-11-22T06:00:00+08:00|2026-11-22",
        "c": "s3cret",
        "d": '{"x": 1}',
    }


@pytest.mark.parametrize("template", ["{password}", "{secret:other}"])
def test_a_template_that_cannot_be_filled_in_is_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(Refused):
        fill({"a": template}, TIMED, connection("x", tmp_path), None, NOW)
