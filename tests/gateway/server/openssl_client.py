"""OpenSSL's own TLS client, for what Python's cannot be made to do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.gateway.server.conftest import Holder


def s_client(port: int, ca: Path, *arguments: object, holder: Holder | None = None, typed: str = "") -> str:
    """Connect, type something, and give everything that was said, by the server and about the connection."""
    program = shutil.which("openssl")
    assert program, "the openssl command is needed for this test and is not installed"
    own = ["-cert", holder.certificate, "-key", holder.key] if holder else []
    command = [program, "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", ca, *own, *arguments]
    done = subprocess.run(
        [str(word) for word in command], input=typed, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout + done.stderr
