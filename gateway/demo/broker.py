"""A Redis of the demo's own: on loopback, with a password nobody needs to know, gone when it is stopped."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import Unavailable

_START_SECONDS = 15.0


@dataclass
class Broker:
    """Where Celery's workers get their tasks.

    Attributes:
        folder: for its log; nothing is saved to disk.
        url: ``redis://…``, with the password; for the environment of components, never printed.
    """

    folder: Path
    url: str = field(default="", repr=False)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            Unavailable: there is no ``redis-server`` on this machine, or it ended at once.
        """
        program = shutil.which("redis-server")
        if program is None:
            raise Unavailable(
                "未找到 redis-server；请安装（Debian：apt-get install redis-server）",
                "there is no redis-server; install it (Debian: apt-get install redis-server)",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        port, password = free_port(), secrets.token_urlsafe(24)
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        lines = (
            f"port {port}",
            "bind 127.0.0.1",
            f"requirepass {password}",
            'save ""',
            "appendonly no",
            "daemonize no",
        )
        with (self.folder / "redis.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # found on the path, arguments of ours
                # From standard input: a password on the command line stands in every process list.
                [program, "-"],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self._process.stdin is not None:
            self._process.stdin.write("\n".join(lines).encode() + b"\n")
            self._process.stdin.close()
        self._await(port)

    def _await(self, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "redis.log").read_text("utf-8", "replace")[-1000:]
                raise Unavailable(f"redis-server 未能启动：{said}", f"redis-server did not start: {said}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
