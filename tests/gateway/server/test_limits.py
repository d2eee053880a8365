"""The limit on request bodies, alone and in front of the running server."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import httpx
import pytest
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.certificates_publish import pki_files
from gateway.client import client_context
from gateway.server import ServerProcess
from gateway.server.limits import LimitedBody
from tests.gateway.server.conftest import LIMIT, Call, Installation


def test_a_body_of_exactly_the_limit_is_given_whole() -> None:
    assert LimitedBody(io.BytesIO(b"12345"), 5).read() == b"12345"


def read_to_the_end(body: LimitedBody, size: int | None) -> None:
    while body.read(size):
        continue


@pytest.mark.parametrize("size", [-1, None, 1, 3, 6, 100])
def test_one_byte_more_than_the_limit_is_refused_however_it_is_read(size: int | None) -> None:
    body = LimitedBody(io.BytesIO(b"123456"), 5)

    with pytest.raises(RequestEntityTooLarge):
        read_to_the_end(body, size)


def test_lines_are_limited_like_bytes() -> None:
    assert LimitedBody(io.BytesIO(b"1\n2\n"), 4).readlines() == [b"1\n", b"2\n"]
    with pytest.raises(RequestEntityTooLarge):
        list(LimitedBody(io.BytesIO(b"1\n2\n3"), 4))


@pytest.mark.serial
def test_a_body_at_the_limit_passes(call: Call) -> None:
    with call() as client:
        answer = client.post("/count", content=b"x" * LIMIT)

    assert (answer.status_code, answer.json()["size"]) == (200, LIMIT)


@pytest.mark.serial
def test_a_body_over_the_limit_is_answered_413_before_any_of_it_is_sent(
    installation: Installation, server: ServerProcess
) -> None:
    context = client_context(pki_files(installation.settings).root)
    plain = socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=10)

    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(b"POST /ignore HTTP/1.1\r\nHost: gateway\r\nContent-Length: 209715201\r\n\r\n")
        head = connection.recv(65536)

    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in head
    assert b"Connection: close" in head


@pytest.mark.serial
def test_a_client_that_sends_too_much_all_the_same_reads_why(call: Call) -> None:
    with call() as client:
        answer = client.post("/count", content=b"x" * (LIMIT + 1))

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["details"]) == ("too_large", {"limit_bytes": LIMIT})


@pytest.mark.serial
def test_a_body_without_a_stated_length_is_cut_off_at_the_limit(call: Call) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        yield from [b"x" * 10_000] * count

    with call() as client:
        allowed = client.post("/count", content=chunks(10))
        refused = client.post("/count", content=chunks(11))

    assert (allowed.status_code, allowed.json()["size"]) == (200, LIMIT)
    assert refused.status_code == 413
