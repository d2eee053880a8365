"""curl and httpx over mutual TLS against a running server: who gets in, and who stops getting in."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from certs.authority import create, issue
from certs.names import SystemName
from gateway.access.giving import withdraw
from gateway.certificates_publish import pki_files
from gateway.client import client, client_context
from gateway.server import ServerProcess, start
from tests.gateway.api.installation import ONE, PURPOSE, SOURCE, TWO, Installation, System, company_list, install

pytestmark = pytest.mark.serial

ADDRESS = f"/v1/sources/{SOURCE}/deliveries"
PURPOSED = {"Xinqiao-Purpose": PURPOSE}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation made now: the server goes by the real time."""
    made = install(tmp_path_factory.mktemp("clients") / "home", datetime.now(UTC))
    made.system("urn:xinqiao:market_supervision:front")
    made.grant(made.system("urn:xinqiao:customs:risk").urn)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(real: Installation) -> Iterator[ServerProcess]:
    with start(real.settings) as running:
        yield running


@pytest.fixture
def front(real: Installation, server: ServerProcess) -> Iterator[httpx.Client]:
    with connected(real, server, real.system("urn:xinqiao:market_supervision:front")) as made:
        yield made


@pytest.fixture
def risk(real: Installation, server: ServerProcess) -> Iterator[httpx.Client]:
    with connected(real, server, real.system("urn:xinqiao:customs:risk")) as made:
        yield made


def connected(real: Installation, server: ServerProcess, system: System | None) -> httpx.Client:
    files = (system.certificate, system.key) if system else (None, None)
    return client(server.url, pki_files(real.settings).trust, *files)


def curl(real: Installation, server: ServerProcess, system: System | None, *arguments: str) -> tuple[int, str]:
    """Exit code and standard output; the last line of it is the status."""
    identity = ["--cert", str(system.certificate), "--key", str(system.key)] if system else []
    command = ["curl", "--silent", "--noproxy", "*", "--cacert", str(pki_files(real.settings).trust), *identity]
    done = subprocess.run(
        [*command, "--write-out", "\n%{http_code}", "--max-time", "30", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_curl_delivers_a_file_and_reads_the_entity(real: Installation, server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "企业名单.csv"
    file.write_bytes(company_list(("杭州甲有限公司", ONE)))
    front, risk = real.system("urn:xinqiao:market_supervision:front"), real.system("urn:xinqiao:customs:risk")

    upload = ("--data-binary", f"@{file}", "-H", "Content-Type: text/csv", f"{server.url}{ADDRESS}")
    code, delivered = curl(real, server, front, *upload)
    read, picture = curl(real, server, risk, "-H", f"Xinqiao-Purpose: {PURPOSE}", f"{server.url}/v1/entities/{ONE}")

    receipt, status = delivered.rsplit("\n", 1)
    assert (code, status in ("200", "201"), json.loads(receipt)["accepted"]) == (0, True, 1)
    assert (read, json.loads(picture.rsplit("\n", 1)[0])["name"]) == (0, "杭州甲有限公司")


def test_httpx_delivers_and_reads_the_feed(front: httpx.Client, risk: httpx.Client) -> None:
    file = company_list(("宁波乙有限公司", TWO))

    delivered = front.post(ADDRESS, content=file, headers={"Content-Type": "text/csv"})
    feed = risk.get("/v1/feeds/registration", params={"limit": 10}, headers=PURPOSED)

    lines = [json.loads(line) for line in feed.text.splitlines()]
    assert (delivered.status_code, delivered.json()["new"]) == (201, 1)
    assert "宁波乙有限公司" in {line["record"]["name"] for line in lines}
    assert feed.headers["Xinqiao-Next"] == str(lines[-1]["seq"])


def test_without_a_certificate_the_public_pages_answer_and_the_others_are_401(
    real: Installation, server: ServerProcess
) -> None:
    with connected(real, server, None) as nobody:
        public, closed = nobody.get("/healthz"), nobody.get("/v1/deliveries")

    assert (public.status_code, closed.status_code, closed.json()["code"]) == (200, 401, "certificate_missing")


def test_a_certificate_of_an_unknown_authority_does_not_get_through_the_handshake(
    real: Installation, server: ServerProcess, tmp_path: Path
) -> None:
    stranger = issue(create(tmp_path / "pki", real.now, name="Xinqiao"), SystemName("customs", "risk"), real.now)
    system = real.written("urn:xinqiao:customs:risk", stranger)

    with connected(real, server, system) as made, pytest.raises(httpx.TransportError):
        made.get("/healthz")


def test_an_expired_certificate_does_not_get_in(real: Installation, server: ServerProcess) -> None:
    begun, real.now = real.now, real.now - timedelta(days=2)
    system = real.system("urn:xinqiao:customs:expired", lifetime=timedelta(days=1))
    real.now = begun

    with connected(real, server, system) as made:
        try:
            answer = made.get("/v1/deliveries")
        except httpx.TransportError:
            return  # refused in the handshake
    assert (answer.status_code, answer.json()["code"]) == (401, "certificate_outside_validity")


def test_revocation_acts_on_the_next_request_of_an_open_connection(real: Installation, server: ServerProcess) -> None:
    system = real.system("urn:xinqiao:customs:leaver")
    real.grant(system.urn)
    with connected(real, server, system) as made:
        before = made.get("/v1/feeds/registration", headers=PURPOSED)
        stream = before.extensions["network_stream"].get_extra_info("client_addr")
        real.revoke(system)

        after = made.get("/v1/feeds/registration", headers=PURPOSED)

        assert after.extensions["network_stream"].get_extra_info("client_addr") == stream
    assert (before.status_code, after.status_code, after.json()["code"]) == (200, 401, "certificate_revoked")


def test_a_withdrawn_grant_acts_on_the_next_request_of_an_open_connection(
    real: Installation, server: ServerProcess
) -> None:
    system = real.system("urn:xinqiao:customs:former")
    grant = real.grant(system.urn)
    with connected(real, server, system) as made:
        before = made.get("/v1/feeds/registration", headers=PURPOSED)
        with real.store.write() as conn:
            withdraw(conn, grant.id, "test", datetime.now(UTC))

        after = made.get("/v1/feeds/registration", headers=PURPOSED)

    assert (before.status_code, after.status_code, after.json()["code"]) == (200, 403, "grant_withdrawn")


@pytest.mark.parametrize("stated", [True, False], ids=["stated length", "chunked"])
def test_a_body_over_the_limit_is_refused_and_the_server_goes_on(
    real: Installation, server: ServerProcess, stated: bool, tmp_path: Path
) -> None:
    file = tmp_path / "large.csv"
    file.write_bytes(b"x" * (real.settings.max_body_bytes * 20))
    chunked = () if stated else ("-H", "Transfer-Encoding: chunked")
    front = real.system("urn:xinqiao:market_supervision:front")

    _, said = curl(
        real, server, front, "-H", "Content-Type: text/csv", *chunked, "--data-binary", f"@{file}", server.url + ADDRESS
    )

    document, status = said.rsplit("\n", 1)
    assert (status, json.loads(document)["code"]) == ("413", "too_large")
    assert not list((real.settings.home / "received").glob(".arriving-*"))
    with connected(real, server, front) as made:
        assert made.get("/v1/deliveries").status_code == 200


def test_the_same_delivery_twice_at_once_gets_one_receipt(real: Installation, server: ServerProcess) -> None:
    file = company_list(("午有限公司", "91340100MA0000031N"))
    system = real.system("urn:xinqiao:market_supervision:front")

    def deliver(_: int) -> str:
        with connected(real, server, system) as made:
            answer = made.post(ADDRESS, content=file, headers={"Content-Type": "text/csv"})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["delivery_id"])

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(deliver, range(4)))

    assert len(set(ids)) == 1


@pytest.mark.parametrize(
    "path", ["/audit/tile/../../keys/seal.key", "/audit/tile/..%2f..%2fkeys%2fseal.key", "/audit/../../keys/seal.key"]
)
def test_a_path_out_of_the_log_finds_nothing(real: Installation, server: ServerProcess, path: str) -> None:
    _, said = curl(real, server, None, "--path-as-is", server.url + path)

    assert said.rsplit("\n", 1)[1] == "404"


def test_a_request_that_lies_about_its_length_is_not_a_second_request(
    real: Installation, server: ServerProcess
) -> None:
    host, port = server.url.removeprefix("https://").split(":")
    context = client_context(pki_files(real.settings).trust)
    raw = (
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
    )

    said = b""
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(raw)
        while piece := secure.recv(65536):
            said += piece

    assert said.startswith(b"HTTP/1.1 4")
    assert b'"feeds"' not in said


def test_a_read_is_sealed_into_the_log_within_seconds(real: Installation, risk: httpx.Client) -> None:
    before = checkpoint_size(risk)

    assert risk.get(f"/v1/entities/{ONE}", headers=PURPOSED).status_code in (200, 404)

    deadline = time.monotonic() + 20
    while checkpoint_size(risk) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert checkpoint_size(risk) > before


def checkpoint_size(reader: httpx.Client) -> int:
    """How many entries the published checkpoint covers."""
    return int(reader.get("/audit/checkpoint").text.splitlines()[1])
