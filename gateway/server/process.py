"""The server as a process of its own: started, waited for, stopped. For the demo, the tests and the bench."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from connectors.errors import Unavailable
from gateway.certificates_files import pki_files
from gateway.client import client
from gateway.server.run import GATEWAY_APP, UNIX
from gateway.settings import Settings

START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class ServerProcess:
    """A running server.

    Attributes:
        url: where it answers, ``https://host:port``, or ``unix:<path>`` behind a proxy.
        log: what it wrote to standard error.
    """

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> int:
        """End it gracefully, or hard after 20 s; gives its exit code. May be called twice."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                # The workers are of its process group; killing the master alone would leave them.
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(settings: Settings, app_import: str = GATEWAY_APP, wait_seconds: float = START_SECONDS) -> ServerProcess:
    """Start a server and wait until it answers a request.

    Args:
        settings: port 0 takes a free one; ``.url`` of the result tells which.
        app_import: ``module:function``, a function that takes the settings and gives a WSGI application.

    Raises:
        Unavailable: it ended, or does not answer in time; the message ends with the last lines it wrote.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    descriptor, log_name = tempfile.mkstemp(dir=settings.home, prefix="server-", suffix=".log")
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "gateway.server", "--app", app_import, "--ready-fd", str(writing)]
    with os.fdopen(reading, "rb") as pipe:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter with our own module
                command,
                env=environment(settings),
                pass_fds=(writing,),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
            )
        finally:
            # A signal may end this while the process is there and nobody knows it: it ends when nobody is left who
            # would read its address.
            os.close(writing)
            os.close(descriptor)
        server = ServerProcess("", Path(log_name), process)
        deadline = time.monotonic() + wait_seconds
        try:
            server = ServerProcess(_reported_url(pipe, deadline), Path(log_name), process)
            _await_answer(server, settings, deadline)
        except BaseException as error:
            server.stop()
            if isinstance(error, TimeoutError):
                raise _not_started(server) from error
            raise
    return server


def environment(settings: Settings) -> dict[str, str]:
    """This process' environment with the settings in it, as ``Settings.load`` reads them."""
    return dict(os.environ) | {f"XINQIAO_{f.name.upper()}": str(getattr(settings, f.name)) for f in fields(settings)}


def _reported_url(pipe: IO[bytes], deadline: float) -> str:
    """Wait for the one line; its end without a line means that the process is gone."""
    readable, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
    line = pipe.readline() if readable else b""
    if not line:
        raise TimeoutError("no address was reported")
    return str(json.loads(line)["url"])


def _await_answer(server: ServerProcess, settings: Settings, deadline: float) -> None:
    """Any HTTP answer counts: the port is bound before the workers have loaded the application."""
    with _probe(server.url, settings) as probe:
        while server.process.poll() is None and time.monotonic() < deadline:
            try:
                probe.get("/healthz")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
    raise TimeoutError("no answer")


def _probe(url: str, settings: Settings) -> httpx.Client:
    if not url.startswith(UNIX):
        return client(url, pki_files(settings).trust, timeout=5.0)
    transport = httpx.HTTPTransport(uds=url.removeprefix(UNIX))
    return httpx.Client(base_url="http://gateway", transport=transport, timeout=5.0, trust_env=False)


def _not_started(server: ServerProcess) -> Unavailable:
    said = server.log.read_text("utf-8", "replace")[-2000:]
    return Unavailable(
        f"网关服务未能启动（退出码 {server.process.returncode}）；日志 {server.log} 末尾：{said}",
        f"the server did not start (exit code {server.process.returncode}); the log {server.log} ends: {said}",
        log=str(server.log),
    )
