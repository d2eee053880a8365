"""REST services: paging, tokens, signatures, and errors inside answers that say 200."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.connections import Connections
from connectors.delivery import Delivery
from connectors.errors import Refused, SourceChanged, Unavailable
from connectors.receive import receive
from connectors.spec import SourceSpec
from connectors.transports import rest
from connectors.vault import Vault
from tests.connectors.support import COMPLAINTS, NOW, any_headings, connection, decode, make_spec

REQUEST = (
    "{path: /rows, timeout_seconds: 0.5, paging: {kind: page, number: no, size: size, per_page: 2, total: data.total}}"
)
REST = (
    COMPLAINTS.replace("transport: files", "transport: rest\nendpoint: endpoint")
    .replace('{patterns: ["*.csv"]}', REQUEST)
    .replace("formats: [csv]", "formats: [json], rows: data.list")
)
PAGED = make_spec(REST)

Asked = dict[str, str]
Answer = tuple[int, bytes] | dict[str, Any]


class Quiet(ThreadingHTTPServer):
    """Clients that stop waiting are part of the tests, not a mishap of the server."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            raise


class Agency:
    """A service that answers what the test says and remembers what it was asked."""

    def __init__(self, answer: Callable[[str, Asked, dict[str, str]], Answer]) -> None:
        self.asked: list[tuple[str, Asked]] = []
        agency = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                self._reply(address.path, dict(parse_qsl(address.query, keep_blank_values=True)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                is_json = "json" in self.headers["Content-Type"]
                self._reply(self.path, json.loads(body) if is_json else dict(parse_qsl(body)))

            def _reply(self, path: str, asked: Asked) -> None:
                agency.asked.append((path, asked))
                given = answer(path, asked, dict(self.headers))
                status, body = given if isinstance(given, tuple) else (200, json.dumps(given).encode())
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the tests read what was asked."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def agency() -> Iterator[Callable[..., Agency]]:
    running: list[Agency] = []

    def start(answer: Callable[[str, Asked, dict[str, str]], Answer]) -> Agency:
        running.append(Agency(answer))
        return running[-1]

    yield start
    for one in running:
        one.close()


def taken(spec: SourceSpec, url: str, home: Path, cursor: str | None = None) -> list[Delivery]:
    secrets = {"id": "x1", "app_key": "key1", "app_secret": "s3cret"}
    connections = Connections({"endpoint": connection(url, home, secrets=secrets)})
    return list(receive(spec, connections, Vault(home), cursor, NOW))


def numbered(rows: list[dict[str, str]], total: int | None = None) -> Callable[..., Answer]:
    def answer(path: str, asked: Asked, headers: dict[str, str]) -> Answer:
        start, size = (int(asked["no"]) - 1) * int(asked["size"]), int(asked["size"])
        return {"data": {"total": len(rows) if total is None else total, "list": rows[start : start + size]}}

    return answer


ROWS = [{"编号": str(i)} for i in range(5)]


def test_numbered_pages_are_asked_until_the_announced_total(agency: Any, tmp_path: Path) -> None:
    service = agency(numbered(ROWS))

    (found,) = taken(PAGED, service.url, tmp_path)

    assert [asked for _, asked in service.asked] == [{"size": "2", "no": str(page)} for page in (1, 2, 3)]
    assert decode(found, any_headings(PAGED)).frame["编号"].to_list() == ["0", "1", "2", "3", "4"]
    assert [part.name for part in found.parts] == ["rows.00001.json", "rows.00002.json", "rows.00003.json"]


def test_an_answer_over_the_limit_is_broken_off(agency: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "MAX_ANSWER_BYTES", 100)
    service = agency(numbered([{"编号": "x" * 100}]))

    with pytest.raises(Refused, match="larger than 100 bytes"):
        taken(PAGED, service.url, tmp_path)


def test_without_a_total_a_short_page_is_the_last(agency: Any, tmp_path: Path) -> None:
    spec = make_spec(REST, (", total: data.total", ""))
    service = agency(numbered(ROWS[:4]))

    (found,) = taken(spec, service.url, tmp_path)

    assert [asked["no"] for _, asked in service.asked] == ["1", "2", "3"]
    assert decode(found, any_headings(spec)).frame.height == 4


def test_pages_by_cursor_follow_the_token(agency: Any, tmp_path: Path) -> None:
    spec = make_spec(
        REST,
        (
            "{kind: page, number: no, size: size, per_page: 2, total: data.total}",
            "{kind: cursor, token: after, per_page: 2}",
        ),
    )
    service = agency(
        lambda path, asked, headers: {
            "data": {"list": [{"编号": asked.get("after", "a")}]},
            "next": {"": "b", "b": "c", "c": None}[asked.get("after", "")],
        }
    )

    (found,) = taken(spec, service.url, tmp_path)

    assert decode(found, any_headings(spec)).frame["编号"].to_list() == ["a", "b", "c"]


def test_a_page_that_repeats_an_earlier_one_is_unavailable(agency: Any, tmp_path: Path) -> None:
    service = agency(lambda path, asked, headers: {"data": {"total": 9, "list": ROWS[:2]}, "page": asked["no"]})

    with pytest.raises(Unavailable, match="page 2 repeats page 1"):
        taken(PAGED, service.url, tmp_path)


def test_pages_that_end_before_the_announced_total_are_unavailable(agency: Any, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="announced 7 rows, but 4 pages hold 5"):
        taken(PAGED, agency(numbered(ROWS, total=7)).url, tmp_path)


def test_no_news_is_no_delivery_and_an_empty_snapshot_is_one(agency: Any, tmp_path: Path) -> None:
    url = agency(numbered([])).url

    assert taken(PAGED, url, tmp_path) == []
    assert len(taken(make_spec(REST, ("delivery: changes", "delivery: snapshot")), url, tmp_path)) == 1


TIMED = make_spec(
    REST,
    ("path: /rows,", 'path: /rows, arguments: {since: "{cursor}"},'),
    ("forms:", "cursor: {heading: 时间.改, overlap_seconds: 60}\nforms:"),
)


def test_changes_are_asked_from_the_cursor_and_the_next_one_is_the_latest_seen(agency: Any, tmp_path: Path) -> None:
    service = agency(numbered([{"时间": {"改": f"2024-05-0{i} 00:00:00"}} for i in (1, 3, 2)]))

    (found,) = taken(TIMED, service.url, tmp_path, "2024-05-01T00:00:00+08:00")

    assert service.asked[0][1]["since"] == "2024-04-30 23:59:00"
    assert found.cursor == "2024-05-03T00:00:00+08:00"


def test_a_time_of_change_that_has_been_renamed_stops_the_run(agency: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceChanged, match=r"time of change in '时间.改'"):
        taken(TIMED, agency(numbered([{"改": "2024-05-01"}])).url, tmp_path)


CODED = make_spec(
    REST, ("timeout_seconds", 'ok: {path: code, value: "00", message: msg, retry: ["50"]}, timeout_seconds')
)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({"code": "40", "msg": "无权"}, Refused, r"answered with code 40 \(无权\)"),
        ({"code": 50}, Unavailable, "answered with code 50"),
        ({"data": {"list": []}}, Unavailable, "answered with code None"),
        ((200, b'{"code": "00", "data"'), Unavailable, "the answer is not whole JSON"),
        ((200, b"<html>gateway time-out</html>"), Unavailable, "the answer is not whole JSON"),
        ((503, b""), Unavailable, "status 503"),
        ((429, b""), Unavailable, "status 429"),
        ((403, b""), Refused, "status 403"),
        ((302, b""), Refused, "status 302"),
        ((401, b""), Refused, "status 401"),
    ],
)
def test_answers_that_are_errors_are_named_by_what_happens_next(
    agency: Any, tmp_path: Path, answer: Answer, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        taken(CODED, agency(lambda path, asked, headers: answer).url, tmp_path)


def test_a_service_that_does_not_answer_is_unavailable(agency: Any, tmp_path: Path) -> None:
    wait = threading.Event()
    service = agency(lambda path, asked, headers: wait.wait(5) and {} or {})

    with pytest.raises(Unavailable, match="ReadTimeout"):
        taken(PAGED, service.url, tmp_path)
    wait.set()


def test_a_service_that_is_not_there_is_unavailable(agency: Any, tmp_path: Path) -> None:
    service = agency(numbered(ROWS))
    service.close()

    with pytest.raises(Unavailable, match="ConnectError"):
        taken(PAGED, service.url, tmp_path)


TOKEN = make_spec(
    REST,
    ("timeout_seconds", 'token: {path: /token, arguments: {id: "{secret:id}"}, found_at: a.token}, timeout_seconds'),
)


def test_a_token_is_fetched_once_and_renewed_when_it_is_refused(agency: Any, tmp_path: Path) -> None:
    given: list[str] = []

    def answer(path: str, asked: Asked, headers: dict[str, str]) -> Answer:
        if path == "/token":
            given.append(f"t{len(given)}")
            return {"a": {"token": given[-1]}}
        fresh = headers["Authorization"] == f"Bearer t{len(given) - 1}"
        if asked["no"] == "2" and len(given) == 1:
            return (401, b"")
        return numbered(ROWS)(path, asked, headers) if fresh else (401, b"")

    service = agency(answer)

    (found,) = taken(TOKEN, service.url, tmp_path)

    assert decode(found, any_headings(TOKEN)).frame.height == 5
    assert [asked for path, asked in service.asked if path == "/token"] == [{"id": "x1"}, {"id": "x1"}]


def test_a_fresh_token_that_is_refused_needs_a_person(agency: Any, tmp_path: Path) -> None:
    service = agency(lambda path, asked, headers: {"a": {"token": "t"}} if path == "/token" else (401, b""))

    with pytest.raises(Refused, match="a token fetched a moment ago is refused as well"):
        taken(TOKEN, service.url, tmp_path)


def test_a_token_service_without_a_token_needs_a_person(agency: Any, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"has no a\.token"):
        taken(TOKEN, agency(lambda path, asked, headers: {"error": "invalid_client"}).url, tmp_path)


SIGNED = make_spec(
    REST, ("path: /rows,", "path: /rows, method: POST, signature: {fields: [appKey, no, missing, timestamp]},")
)


def test_signed_requests_carry_an_hmac_over_the_declared_arguments(agency: Any, tmp_path: Path) -> None:
    service = agency(numbered(ROWS[:1]))

    taken(SIGNED, service.url, tmp_path)

    ((_, asked),) = service.asked
    text = f"appKey=key1&no=1&timestamp={asked['timestamp']}"
    assert asked["sign"] == hmac.new(b"s3cret", text.encode(), hashlib.sha256).hexdigest()
    assert (asked["size"], len(asked["timestamp"])) == ("2", 13)
