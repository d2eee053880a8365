"""Connections to the running gateway that stay open, among them at least one to each worker process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from gateway.certificates_publish import pki_files
from gateway.client import client as https_client
from gateway.server import ServerProcess
from tests.gateway.api.installation import PURPOSE, Installation, System


@contextmanager
def connections_to_every_worker(
    home: Installation, server: ServerProcess, system: System, workers: int = 2
) -> Iterator[list[httpx.Client]]:
    """Open connections of one system until each worker holds one."""
    with ExitStack() as stack:
        opened: list[httpx.Client] = []
        reached: set[int] = set()
        while len(reached) < workers:
            assert len(opened) < 100, "no connection reached the last worker"
            opened.append(stack.enter_context(open_client(home, server, system)))
            reached.add(worker_of(opened[-1]))
        yield opened


def open_client(home: Installation, server: ServerProcess, system: System) -> httpx.Client:
    """A client of the running gateway; its connection opens with the first request."""
    opened = https_client(server.url, pki_files(home.settings).trust, system.certificate, system.key)
    opened.headers["Xinqiao-Purpose"] = PURPOSE
    return opened


def own_port(client: httpx.Client) -> int:
    """Our end of the open connection: the same port is the same connection."""
    return int(client.get("/healthz").extensions["network_stream"].get_extra_info("client_addr")[1])


def worker_of(client: httpx.Client) -> int:
    """The process that holds the server's end of the connection."""
    ours = f":{own_port(client):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = [line[9] for line in lines if line[2].endswith(ours) and line[3] == "01"]
    holders = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) == f"socket:[{inode}]":
                holders.append(int(link.parts[2]))
        except OSError:
            continue
    (holder,) = holders
    return holder
