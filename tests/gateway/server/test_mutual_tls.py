"""Who gets in over mutual TLS, against the running server with real sockets."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from certs.authority import Authority, create, issue, issue_server
from certs.names import SystemName
from gateway.api.peer import peer_chain
from gateway.certificates import lift, revoke, suspend
from gateway.certificates_holders import resume_holder, suspend_holder
from gateway.certificates_publish import pki_files, renew_gateway
from gateway.client import client_context
from gateway.clock import utc_now
from gateway.server import ServerProcess
from tests.gateway.server.conftest import CUSTOMS, Call, Holder, Installation
from tests.support.foreign_authority import found

pytestmark = pytest.mark.serial

# OpenSSL refuses in the handshake; with TLS 1.3 the client learns of it at its first read.
REFUSED_IN_HANDSHAKE = httpx.TransportError


def own_port(client: httpx.Client) -> int:
    """Our end of the open connection: the same port is the same connection."""
    return int(client.get("/healthz").extensions["network_stream"].get_extra_info("client_addr")[1])


def test_the_certificate_says_which_system_calls(installation: Installation, call: Call) -> None:
    holder = installation.issue()

    with call(holder) as client:
        answer = client.get("/whoami")

    assert (answer.status_code, answer.json()) == (200, {"urn": "urn:xinqiao:customs:h2018", "serial": holder.serial})


def test_public_pages_need_no_certificate_and_all_others_do(call: Call) -> None:
    with call() as client:
        public, other = client.get("/healthz"), client.get("/whoami")

    assert (public.status_code, public.text) == (200, "ok")
    assert (other.status_code, other.json()["code"]) == (401, "certificate_missing")


@pytest.mark.parametrize(
    "header", ["X-Client-Cert", "X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Ssl-Client-Cert", "Client-Cert"]
)
def test_a_header_that_pretends_to_carry_a_certificate_is_nothing(
    installation: Installation, call: Call, header: str
) -> None:
    pem = installation.issue().certificate.read_text().strip().replace("\n", " ")

    with call() as client:
        answer = client.get("/whoami", headers={header: pem, "X-Forwarded-Proto": "https"})

    assert (answer.status_code, answer.json()["code"]) == (401, "certificate_missing")


def strangers(installation: Installation, folder: Path) -> dict[str, Holder]:
    """Certificates that are wrong in one way each."""
    ours, now = installation.authority, utc_now()
    unknown = create(folder / "unknown", now, name="Somebody Else")
    same_name = create(folder / "same", now)
    return {
        "an unknown authority": installation.keep(issue(unknown, CUSTOMS, now)),
        "an authority of the same name": installation.keep(issue(same_name, CUSTOMS, now)),
        "expired": installation.keep(issue(ours, CUSTOMS, now - timedelta(days=2), lifetime=timedelta(days=1))),
        "not yet valid": installation.keep(issue(ours, CUSTOMS, now + timedelta(days=1))),
        "a server's certificate": installation.keep(issue_server(ours, ["127.0.0.1"], now)),
    }


def test_strangers_are_refused_in_the_handshake(installation: Installation, call: Call, tmp_path: Path) -> None:
    answered = {}

    for name, holder in strangers(installation, tmp_path).items():
        with call(holder) as client:
            try:
                answered[name] = client.get("/healthz").status_code
            except REFUSED_IN_HANDSHAKE:
                continue

    assert answered == {}


def test_the_server_still_answers_after_refusing_strangers(call: Call) -> None:
    with call() as client:
        assert client.get("/healthz").status_code == 200


def test_a_certificate_of_ours_that_the_registry_does_not_know_is_refused(
    installation: Installation, call: Call
) -> None:
    holder = installation.keep(issue(installation.authority, CUSTOMS, utc_now()))

    with call(holder) as client:
        answer = client.get("/whoami")

    assert (answer.status_code, answer.json()["code"]) == (403, "certificate_revocation_unknown")


def test_revocation_acts_on_the_next_request_of_an_open_connection(installation: Installation, call: Call) -> None:
    holder = installation.issue()

    with call(holder) as client:
        first, before, between = own_port(client), client.get("/whoami"), own_port(client)
        with installation.store.write() as conn:
            revoke(conn, holder.serial, "key_compromise", "tests", utc_now())
        after, last = client.get("/whoami"), own_port(client)

    assert (before.status_code, after.status_code) == (200, 403)
    assert after.json()["code"] == "certificate_revoked"
    assert "key_compromise" in after.json()["en"]
    assert len({first, between, last}) == 1


def test_suspension_acts_on_an_open_connection_and_can_be_lifted(installation: Installation, call: Call) -> None:
    holder = installation.issue()
    codes = []

    with call(holder) as client:
        codes.append(client.get("/whoami").status_code)
        with installation.store.write() as conn:
            suspend(conn, holder.serial, "tests", utc_now())
        codes.append(client.get("/whoami").status_code)
        with installation.store.write() as conn:
            lift(conn, holder.serial, "tests", utc_now())
        codes.append(client.get("/whoami").status_code)

    assert codes == [200, 403, 200]


def test_a_suspended_system_is_refused_with_every_certificate_it_holds(installation: Installation, call: Call) -> None:
    name = SystemName("health", "front")
    with call(installation.issue(name)) as old, call(installation.issue(name)) as new:
        before = [client.get("/whoami").status_code for client in (old, new)]
        with installation.store.write() as conn:
            suspend_holder(conn, name.urn, "tests", utc_now())
        during = [client.get("/whoami").json().get("code") for client in (old, new)]
        with installation.store.write() as conn:
            resume_holder(conn, name.urn, "tests", utc_now())
        after = [client.get("/whoami").status_code for client in (old, new)]

    assert (before, during, after) == ([200, 200], ["holder_not_active"] * 2, [200, 200])


def raw_get(connection: ssl.SSLSocket, path: str) -> tuple[int, dict[str, str]]:
    """One request over a TLS connection that the test made itself."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n".encode())
    content = b""
    while received := connection.recv(65536):
        content += received
    head, _, body = content.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def connect(
    installation: Installation, server: ServerProcess, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=10)
    return context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)


def test_a_resumed_session_is_checked_like_a_new_one(installation: Installation, server: ServerProcess) -> None:
    holder = installation.issue()
    context = client_context(pki_files(installation.settings).root, holder.certificate, holder.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # 1.3 resumes by tickets only, and there are none
    with connect(installation, server, context) as connection:
        before = raw_get(connection, "/whoami")[0]

    # OpenSSL forgets the session of a connection that ended, so the first one stays open. Each
    # worker remembers its own sessions, so it takes a few connections to meet the right one.
    with connect(installation, server, context) as first:
        with installation.store.write() as conn:
            revoke(conn, holder.serial, "superseded", "tests", utc_now())
        answers = []
        for _ in range(20):
            with connect(installation, server, context, first.session) as again:
                answers.append((again.session_reused, *raw_get(again, "/whoami")))

    assert before == 200
    assert {(status, body["code"]) for _, status, body in answers} == {(403, "certificate_revoked")}
    assert any(reused for reused, _, _ in answers)


def test_tls_1_3_gives_out_no_session_tickets(installation: Installation, server: ServerProcess) -> None:
    holder = installation.issue()
    context = client_context(pki_files(installation.settings).root, holder.certificate, holder.key)

    with connect(installation, server, context) as connection:
        version, (status, _) = connection.version(), raw_get(connection, "/whoami")
        session = connection.session

    assert (version, status) == ("TLSv1.3", 200)
    assert session is None or not session.has_ticket


def test_tls_1_1_is_refused(installation: Installation, server: ServerProcess) -> None:
    context = client_context(pki_files(installation.settings).root)
    context.set_ciphers("ALL:@SECLEVEL=0")  # our own library would not even offer it otherwise
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(ssl.SSLError, match="(?i)protocol.version|unsupported.protocol"):
        connect(installation, server, context)


def served_serial(installation: Installation, server: ServerProcess) -> str:
    with connect(installation, server, client_context(pki_files(installation.settings).root)) as connection:
        return str((connection.getpeercert() or {})["serialNumber"])


def test_a_new_gateway_certificate_is_served_without_a_restart(
    installation: Installation, server: ServerProcess, call: Call
) -> None:
    before = served_serial(installation, server)
    with call() as client:
        client.get("/healthz")
        renew_gateway(installation.store, installation.authority, ["127.0.0.1", "localhost"], "tests", utc_now())
        seen = eventually_other(installation, server, before)
        open_before = client.get("/healthz").status_code

    assert seen != before
    assert open_before == 200


def eventually_other(installation: Installation, server: ServerProcess, before: str) -> str:
    """What is served once the server has looked at its files again; it looks every half second."""
    deadline = time.monotonic() + 5
    while (seen := served_serial(installation, server)) == before and time.monotonic() < deadline:
        time.sleep(0.1)
    return seen


def test_a_newly_trusted_authority_is_believed_without_a_restart(
    installation: Installation, call: Call, tmp_path: Path
) -> None:
    files = pki_files(installation.settings)
    other: Authority = create(tmp_path, utc_now(), name="Partner")
    holder = installation.keep(issue(other, CUSTOMS, utc_now()))
    kept = files.trust.read_bytes()
    files.trust.write_bytes(kept + (tmp_path / "trust.pem").read_bytes())
    time.sleep(0.6)

    try:
        with call(holder) as client:
            client.get("/healthz")
            answer = client.get("/whoami")
    finally:
        files.trust.write_bytes(kept)

    # Its authority is believed now; but nobody says that the certificate is not revoked.
    assert (answer.status_code, answer.json()["code"]) == (403, "certificate_revocation_unknown")


def test_a_system_of_an_external_authority_enters_without_a_restart_and_leaves_with_its_description(
    installation: Installation, call: Call, tmp_path: Path
) -> None:
    foreign = found(tmp_path, utc_now())
    holder = installation.keep(foreign.issue(CUSTOMS))
    installation.issue()  # so that the system is registered
    foreign.folder = pki_files(installation.settings).home / "external"
    description = foreign.describe()
    foreign.publish()
    time.sleep(0.6)

    try:
        with call(holder) as client:
            client.get("/healthz")
            entered = client.get("/whoami")
            description.unlink()
            refused = client.get("/whoami")
    finally:
        shutil.rmtree(foreign.folder)

    assert (entered.status_code, entered.json()["urn"]) == (200, CUSTOMS.urn)
    assert (refused.status_code, refused.json()["code"]) == (403, "certificate_chain")


def test_without_tls_there_is_no_certificate() -> None:
    with socket.socket() as plain:
        assert peer_chain({"gunicorn.socket": plain}) == ()
        assert peer_chain({"HTTP_X_CLIENT_CERT": "x"}) == ()
