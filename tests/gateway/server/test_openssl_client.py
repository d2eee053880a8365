"""The running server against OpenSSL's own client: old TLS, renegotiation, and sessions kept over a revocation."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from gateway.certificates import revoke
from gateway.certificates_publish import pki_files
from gateway.clock import utc_now
from gateway.server import ServerProcess
from tests.gateway.server.conftest import Holder, Installation
from tests.gateway.server.openssl_client import s_client

pytestmark = pytest.mark.serial

WHOAMI = "GET /whoami HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"


class Asking:
    """OpenSSL's client at this server."""

    def __init__(self, installation: Installation, server: ServerProcess) -> None:
        self._port = httpx.URL(server.url).port or 0
        self._ca = pki_files(installation.settings).root

    def __call__(self, *arguments: object, holder: Holder | None = None, typed: str = "") -> str:
        return s_client(self._port, self._ca, *arguments, holder=holder, typed=typed)


@pytest.fixture
def asking(installation: Installation, server: ServerProcess) -> Asking:
    return Asking(installation, server)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_tls_below_1_2_gets_no_handshake(asking: Asking, version: str) -> None:
    said = asking(version, "-cipher", "ALL:@SECLEVEL=0", typed=WHOAMI)

    assert "alert protocol version" in said
    assert "HTTP/1.1" not in said


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "NULL-SHA256"])
def test_ciphers_without_forward_secrecy_or_authentication_get_none(asking: Asking, cipher: str) -> None:
    said = asking("-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0", typed=WHOAMI)

    assert "handshake failure" in said
    assert "HTTP/1.1" not in said


def test_a_renegotiation_is_refused(asking: Asking, installation: Installation) -> None:
    said = asking("-tls1_2", holder=installation.issue(), typed="R\n")

    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_kept_over_a_revocation_opens_nothing(
    asking: Asking, installation: Installation, tmp_path: Path, version: str
) -> None:
    holder, kept = installation.issue(), tmp_path / "session.pem"
    before = asking(version, "-ign_eof", "-sess_out", kept, holder=holder, typed=WHOAMI)
    with installation.store.write() as conn:
        revoke(conn, holder.serial, "key_compromise", "tests", utc_now())
    resuming = ("-sess_in", kept) if kept.exists() else ()
    # The key is not shown again: whatever the server knows of the client, it knows from the session.
    after = asking(version, "-ign_eof", *resuming, typed=WHOAMI)
    again = asking(version, "-ign_eof", *resuming, holder=holder, typed=WHOAMI)

    assert '"urn":"urn:xinqiao:customs:h2018"' in before
    assert "urn:xinqiao:customs" not in after + again
    assert "certificate_revoked" in again
