"""Real nginx, configured as docs/operations/nginx.md has it, in front of the real gateway on a Unix socket."""

from __future__ import annotations

import getpass
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from certs.authority import create, issue
from gateway.api.peer import CERTIFICATE_HEADER, peer_chain, proxied_chain
from gateway.certificates import revoke
from gateway.certificates_publish import pki_files
from gateway.client import client
from gateway.clock import utc_now
from gateway.server import ServerProcess, start
from tests.gateway.server.conftest import APP, CUSTOMS, Holder, Installation
from tests.gateway.server.openssl_client import s_client

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations" / "nginx.md"

pytestmark = pytest.mark.serial


def nginx_program() -> str:
    """The machine's nginx, or the one that scripts/install_nginx.sh unpacked beside this interpreter."""
    unpacked = Path(sys.prefix) / "nginx" / "usr" / "sbin" / "nginx"
    program = shutil.which("nginx") or (str(unpacked) if unpacked.exists() else None)
    assert program, "nginx is needed for this test: sh scripts/install_nginx.sh .venv"
    return program


def configuration(home: Path, folder: Path, port: int) -> str:
    """The documented file, with the places of this test in it."""
    (text,) = re.findall(r"<!-- tested: nginx.conf -->\n```nginx\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    for documented, ours in {
        "/srv/xinqiao": str(home),
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "/var/log/nginx/error.log": f"{folder}/error.log",
        "127.0.0.1:8443": f"127.0.0.1:{port}",
        # Started by root, nginx would change to a user who may not enter the folder of the test.
        "worker_processes auto": f"user {getpass.getuser()};\nworker_processes 1",
        "http {\n": f"http {{\n{temporary}",
    }.items():
        assert documented in text, documented
        text = text.replace(documented, ours)
    return text


@pytest.fixture(scope="module")
def socket_path(installation: Installation) -> Path:
    return installation.settings.home / "run" / "gateway.sock"


@pytest.fixture(scope="module")
def behind(installation: Installation) -> Iterator[ServerProcess]:
    with start(replace(installation.settings, proxy_socket="run/gateway.sock"), APP) as running:
        yield running


@pytest.fixture(scope="module")
def nginx(installation: Installation, behind: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    file = folder / "nginx.conf"
    file.write_text(configuration(installation.settings.home, folder, port))
    process = subprocess.Popen(
        [nginx_program(), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(file), "-g", "daemon off;"]
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until and not is_open(port):
            assert process.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.05)
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def through(nginx: str, installation: Installation, holder: Holder | None = None) -> httpx.Client:
    ca = pki_files(installation.settings).root
    return client(nginx, ca, holder and holder.certificate, holder and holder.key, timeout=10)


def direct(socket_path: Path) -> httpx.Client:
    """What a process on this machine can do that may connect to the socket."""
    return httpx.Client(
        base_url="http://gateway", transport=httpx.HTTPTransport(uds=str(socket_path)), timeout=10, trust_env=False
    )


def escaped(holder: Holder) -> str:
    """A certificate as nginx writes it into a header."""
    return quote(
        holder.certificate.read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    )


def test_the_certificate_that_nginx_proved_says_which_system_calls(nginx: str, installation: Installation) -> None:
    holder = installation.issue()

    with through(nginx, installation, holder) as client:
        answer = client.get("/whoami")

    assert (answer.status_code, answer.json()) == (200, {"urn": CUSTOMS.urn, "serial": holder.serial})


def test_public_pages_need_no_certificate_and_bodies_pass(nginx: str, installation: Installation) -> None:
    with through(nginx, installation) as client:
        answers = client.get("/healthz"), client.post("/count", content=b"x" * 50_000), client.get("/whoami")

    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert answers[1].json()["size"] == 50_000


@pytest.mark.parametrize("name", [CERTIFICATE_HEADER, CERTIFICATE_HEADER.lower(), CERTIFICATE_HEADER.replace("-", "_")])
def test_a_client_s_own_header_does_not_pass_nginx(nginx: str, installation: Installation, name: str) -> None:
    victim, caller = installation.issue(), installation.issue()

    with through(nginx, installation) as client:
        nobody = client.get("/whoami", headers={name: escaped(victim)})
    with through(nginx, installation, caller) as client:
        somebody = client.get("/whoami", headers={name: escaped(victim)})

    assert (nobody.status_code, nobody.json()["code"]) == (401, "certificate_missing")
    assert somebody.json()["serial"] == caller.serial


def test_revocation_acts_on_the_next_request_of_an_open_connection(nginx: str, installation: Installation) -> None:
    holder = installation.issue()

    with through(nginx, installation, holder) as client:
        before = client.get("/whoami").status_code
        with installation.store.write() as conn:
            revoke(conn, holder.serial, "key_compromise", "tests", utc_now())
        after = client.get("/whoami")

    assert (before, after.status_code, after.json()["code"]) == (200, 403, "certificate_revoked")


def test_strangers_are_stopped_at_nginx(nginx: str, installation: Installation, tmp_path: Path) -> None:
    stranger = installation.keep(issue(create(tmp_path, utc_now()), CUSTOMS, utc_now()))

    with through(nginx, installation, stranger) as client:
        assert client.get("/whoami").status_code == 400


def test_old_tls_and_renegotiation_are_refused_by_the_documented_configuration(
    nginx: str, installation: Installation
) -> None:
    port, ca = httpx.URL(nginx).port or 0, pki_files(installation.settings).root

    old = s_client(port, ca, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    again = s_client(port, ca, "-tls1_2", typed="R\n")

    assert "protocol version" in old or "no protocols available" in old
    assert "RENEGOTIATING" in again
    assert "no renegotiation" in again


def test_the_socket_is_open_to_owner_and_group_only(behind: ServerProcess, socket_path: Path) -> None:
    assert behind.url == f"unix:{socket_path}"
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "said",
    [
        "nonsense",
        "-----BEGIN CERTIFICATE-----",
        quote("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"),
        quote("-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n"),
        quote("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "%00" * 100,
    ],
)
def test_a_header_that_is_no_certificate_is_refused(behind: ServerProcess, socket_path: Path, said: str) -> None:
    with direct(socket_path) as client:
        answer = client.get("/whoami", headers={CERTIFICATE_HEADER: said})

    assert (answer.status_code, answer.json()["code"]) == (403, "certificate_malformed")


def test_two_certificates_are_none(behind: ServerProcess, socket_path: Path, installation: Installation) -> None:
    both = [(CERTIFICATE_HEADER, escaped(installation.issue()))] * 2

    with direct(socket_path) as client:
        answers = (
            client.get("/whoami", headers=both),
            client.get("/whoami", headers={CERTIFICATE_HEADER: both[0][1] * 2}),
        )

    assert {answer.json()["code"] for answer in answers} == {"certificate_malformed"}


def test_what_else_a_proxy_may_say_is_not_believed(behind: ServerProcess, socket_path: Path) -> None:
    headers = {"X-Forwarded-Proto": "https", "SCRIPT_NAME": "/healthz", "PATH_INFO": "/whoami"}

    with direct(socket_path) as client:
        assert client.get("/healthz", headers=headers).text == "ok"


def test_a_header_counts_on_a_unix_socket_only(installation: Installation) -> None:
    said = {"HTTP_XINQIAO_CLIENT_CERTIFICATE": escaped(installation.issue())}
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there, socket.socket(socket.AF_INET) as network:
        assert len(proxied_chain(said | {"gunicorn.socket": here})) == 1
        assert proxied_chain(said | {"gunicorn.socket": network}) == ()
        assert proxied_chain(said) == ()
        assert peer_chain(said | {"gunicorn.socket": here}) == ()
