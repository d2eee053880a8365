"""Clients that ask over mutual TLS as fast as they are answered; for a process of its own, away from the server's.

Plain sockets and ready-made requests, so that little of what is measured is the client. For servers of ours on the
loopback only.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

from gateway.client import client_context

_PATIENCE_S = 30.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Access:
    """Where to ask, and as whom.

    Attributes:
        url: ``https://host:port`` of the loopback.
        ca: PEM of the authorities that the server's certificate leads to.
        certificate, key: PEM files of the client.
    """

    url: str
    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Answered:
    """What came of one turn.

    Attributes:
        seconds: from the first request to the last answer.
        latencies_ms: one for each answer.
    """

    seconds: float
    latencies_ms: list[float]

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.latencies_ms) / self.seconds


def get(path: str, **headers: str) -> bytes:
    """A request as it goes over the line."""
    said = {"Host": "gateway", **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def keep_asking(access: Access, requests: Sequence[bytes], clients: int, seconds: float) -> Answered:
    """Each client asks on one open connection of its own, the next request when the last is answered.

    Raises:
        AssertionError: an answer was not 200.
    """
    context = client_context(access.ca, access.certificate, access.key)
    ready = threading.Barrier(clients)

    def ask(number: int) -> tuple[float, float, list[float]]:
        with _connect(access, context) as connection:
            asked = islice(cycle(requests), number * 7, None)
            # A connection on which nothing was asked yet holds a thread of the server; one that waits between
            # requests does not.
            _exchange(connection, next(asked))
            ready.wait(_PATIENCE_S)
            return _repeat(lambda: _exchange(connection, next(asked)), seconds)

    return _at_once(ask, clients)


def keep_connecting(access: Access, request: bytes, clients: int, seconds: float) -> Answered:
    """Each client makes a new connection for every request, with a whole handshake.

    Raises:
        AssertionError: an answer was not 200.
    """
    context = client_context(access.ca, access.certificate, access.key)

    def once() -> None:
        with _connect(access, context) as connection:
            _exchange(connection, request)

    return _at_once(lambda number: _repeat(once, seconds), clients)


def _at_once(act: Callable[[int], tuple[float, float, list[float]]], clients: int) -> Answered:
    with ThreadPoolExecutor(clients) as pool:
        turns = list(pool.map(act, range(clients)))
    begun, ended = min(turn[0] for turn in turns), max(turn[1] for turn in turns)
    return Answered(ended - begun, [latency for turn in turns for latency in turn[2]])


def _repeat(act: Callable[[], None], seconds: float) -> tuple[float, float, list[float]]:
    """When it began, when it ended, and the milliseconds of each time."""
    begun = at = time.perf_counter()
    latencies: list[float] = []
    while at - begun < seconds:
        act()
        done = time.perf_counter()
        latencies.append((done - at) * 1000)
        at = done
    return begun, at, latencies


def _connect(access: Access, context: ssl.SSLContext) -> ssl.SSLSocket:
    parts = urlsplit(access.url)
    if parts.hostname not in _LOOPBACK:
        raise AssertionError(f"only servers on the loopback are put under load, not {parts.hostname}")
    plain = socket.create_connection((parts.hostname, parts.port or 443), _PATIENCE_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname=parts.hostname)


def _exchange(connection: ssl.SSLSocket, request: bytes) -> None:
    connection.sendall(request)
    received = connection.recv(65536)
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise AssertionError(f"not answered: {received[:500].decode('utf-8', 'replace')}")
    left = _length(head) - len(body)
    while left > 0:
        left -= len(_more(connection))


def _more(connection: ssl.SSLSocket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise AssertionError("the connection ended within an answer")
    return received


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise AssertionError("an answer without its length")
