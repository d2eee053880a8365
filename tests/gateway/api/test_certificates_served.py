"""Certificates against the running gateway: real connections to several workers, and OpenSSL's own clients."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs import ceremony
from certs.authority import issue
from certs.csr import key_sha256
from certs.keys import make_key
from certs.names import PersonName, SystemName
from gateway.authorities import open_issuing
from gateway.certificates_publish import pki_files, publish_crls, renew_gateway, renew_responder
from gateway.client import client
from gateway.clock import utc_now
from gateway.server import ServerProcess, start
from tests.certs.support import openssl
from tests.gateway.api.installation import Installation, System, certificate_of, install
from tests.gateway.api.open_connections import connections_to_every_worker, open_client, own_port
from tests.gateway.server.conftest import Holder
from tests.gateway.server.openssl_client import s_client
from tests.support.csrs import csr_pem
from tests.support.token import Token

pytestmark = pytest.mark.serial

WORKERS = 2
MINE = "/v1/grants"
"""An address that any system may read."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = install(tmp_path_factory.mktemp("served") / "home", utc_now())
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(home: Installation) -> Iterator[ServerProcess]:
    with start(replace(home.settings, workers=WORKERS, threads=4)) as running:
        yield running


@pytest.fixture(scope="module")
def security(home: Installation, server: ServerProcess) -> Iterator[httpx.Client]:
    """The security administrator, signed in."""
    with open_client(home, server, home.person(PersonName("zhang.san", "security_administrator"))) as opened:
        yield opened


def statuses(connections: list[httpx.Client]) -> set[tuple[int, str]]:
    """What each open connection is answered, and the code if it is refused."""
    answers = [one.get(MINE) for one in connections]
    return {(one.status_code, "" if one.status_code == 200 else one.json()["code"]) for one in answers}


@pytest.mark.parametrize(
    ("closing", "opening", "refused"),
    [
        ("/v1/certificates/{serial}/suspension", "/v1/certificates/{serial}/resumption", "certificate_revoked"),
        ("/v1/holders/{urn}/suspension", "/v1/holders/{urn}/resumption", "holder_not_active"),
    ],
)
def test_closing_and_opening_act_on_the_next_request_of_connections_to_every_worker(
    home: Installation, server: ServerProcess, security: httpx.Client, closing: str, opening: str, refused: str
) -> None:
    system = home.system(f"urn:xinqiao:health:{refused}")
    about = {"serial": system.serial, "urn": system.urn}

    with connections_to_every_worker(home, server, system, WORKERS) as connections:
        ports, seen = [own_port(one) for one in connections], [statuses(connections)]
        for act in (closing, opening):
            security.post(act.format(**about)).raise_for_status()
            seen.append(statuses(connections))
        after = [own_port(one) for one in connections]

    assert seen == [{(200, "")}, {(401, refused)}, {(200, "")}]
    assert after == ports


def test_a_revocation_acts_on_every_worker_and_is_published_at_once(
    home: Installation, server: ServerProcess, security: httpx.Client
) -> None:
    system = home.system("urn:xinqiao:health:gone")

    with connections_to_every_worker(home, server, system, WORKERS) as connections:
        before = statuses(connections)
        said = {"reason": "key_compromise"}
        security.post(f"/v1/certificates/{system.serial}/revocation", json=said).raise_for_status()
        after = statuses(connections)

    listed = x509.load_der_x509_crl(security.get("/pki/crl").content)
    assert (before, after) == ({(200, "")}, {(401, "certificate_revoked")})
    assert system.serial in {f"{one.serial_number:040x}" for one in listed}


def test_a_new_gateway_certificate_drops_no_connection_and_reaches_every_worker(
    home: Installation, server: ServerProcess
) -> None:
    system = home.system("urn:xinqiao:health:steady")
    failures: list[Exception] = []
    ended = threading.Event()

    def keep_asking() -> None:
        """New connections all the while: each must get one certificate or the other, never none."""
        while not ended.is_set():
            try:
                with open_client(home, server, system) as fresh:
                    fresh.get(MINE).raise_for_status()
            except Exception as error:
                failures.append(error)

    with connections_to_every_worker(home, server, system, WORKERS) as connections:
        ports, old = [own_port(one) for one in connections], served(home, server)
        asking = threading.Thread(target=keep_asking)
        asking.start()
        renew_gateway(home.store, open_issuing(home.settings), ["127.0.0.1", "localhost"], "tests", utc_now())
        during = [statuses(connections) for _ in range(10)]
        new = {eventually_other(home, server, old) for _ in range(12)}
        ended.set()
        asking.join()
        after = [own_port(one) for one in connections]

    assert failures == []
    assert during == [{(200, "")}] * 10
    assert after == ports
    assert len(new) == 1
    assert new != {old}


def served(home: Installation, server: ServerProcess) -> str:
    """Serial of the certificate that a new connection is shown."""
    told = s_client(port(server), pki_files(home.settings).root, "-showcerts")
    (pem, *_) = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", told, re.DOTALL)
    return f"{certificate_of(pem).serial_number:040x}"


def eventually_other(home: Installation, server: ServerProcess, before: str) -> str:
    """What is served once the worker has looked at its files again; it looks every half second."""
    deadline = time.monotonic() + 5
    while (seen := served(home, server)) == before and time.monotonic() < deadline:
        time.sleep(0.1)
    return seen


def port(server: ServerProcess) -> int:
    return httpx.URL(server.url).port or 0


def test_an_issuing_authority_takes_over_while_the_gateway_serves(home: Installation, server: ServerProcess) -> None:
    old, files, now = home.system("urn:xinqiao:health:before"), pki_files(home.settings), utc_now()

    with connections_to_every_worker(home, server, old, WORKERS) as connections:
        csr = ceremony.request_issuing(files.home, "Issuing CA 2", None)
        signed = ceremony.sign_issuing(
            files.root_key.parent, csr.public_bytes(Encoding.PEM), key_sha256(csr.public_key()), now, None
        )
        ceremony.install_issuing(
            files.home, signed.public_bytes(Encoding.PEM), files.root.read_bytes(), files.root_crl.read_bytes(), now
        )
        publish_crls(home.store, utc_now())
        new = home.system("urn:xinqiao:health:after")
        time.sleep(0.6)  # workers look at the trust file every half second
        with connections_to_every_worker(home, server, new, WORKERS) as fresh:
            seen = statuses(connections), statuses(fresh)

    issuers = {x509.load_der_x509_certificate(one.chain[0]).issuer.rfc4514_string() for one in (old, new)}
    assert seen == ({(200, "")}, {(200, "")})
    assert issuers == {"CN=Xinqiao Issuing CA", "CN=Issuing CA 2"}


def holder(system: System) -> Holder:
    return Holder(system.certificate, system.key, system.serial)


def test_openssl_connects_with_a_certificate_and_trusts_the_gateway(home: Installation, server: ServerProcess) -> None:
    system = home.system("urn:xinqiao:health:openssl")
    request = f"GET {MINE} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"

    told = s_client(
        port(server), pki_files(home.settings).root, "-x509_strict", "-verify_return_error", "-verify_ip",
        "127.0.0.1", "-ign_eof", holder=holder(system), typed=request,
    )  # fmt: skip

    assert "Verify return code: 0 (ok)" in told
    assert "HTTP/1.1 200 OK" in told


@pytest.mark.parametrize("delegated", [False, True])
def test_openssl_asks_the_gateway_how_certificates_stand(
    home: Installation, server: ServerProcess, tmp_path: Path, delegated: bool
) -> None:
    authority, files = open_issuing(home.settings), pki_files(home.settings)
    names = [f"urn:xinqiao:health:{word}{int(delegated)}" for word in ("fine", "bad")]
    good, bad = (home.issue(home.system(name).urn) for name in names)
    home.revoke(bad)
    strange = tmp_path / "strange.pem"
    stranger = issue(authority, SystemName("health", "nobody"), utc_now()).certificate
    strange.write_bytes(stranger.public_bytes(Encoding.PEM))
    if delegated:
        renew_responder(home.store, authority, "tests", utc_now())

    told = {
        name: openssl(
            "ocsp", "-issuer", files.issuing, "-cert", file, "-url", f"{server.url}/pki/ocsp", "-CAfile", files.root,
            "-nonce",
        )
        for name, file in (("good", good.certificate), ("revoked", bad.certificate), ("unknown", strange))
    }  # fmt: skip

    for word, answer in told.items():
        assert "Response verify OK" in answer.stderr, answer.stderr
        assert "WARNING: no nonce" not in answer.stderr
        assert f": {word}" in answer.stdout
    assert "Reason: keyCompromise" in told["revoked"].stdout


def test_openssl_verifies_against_the_list_that_the_gateway_hands_out(
    home: Installation, server: ServerProcess, tmp_path: Path
) -> None:
    files = pki_files(home.settings)
    good, bad = (home.issue(home.system(f"urn:xinqiao:health:{word}").urn) for word in ("listed", "delisted"))
    home.revoke(bad)
    publish_crls(home.store, utc_now())
    with client(server.url, files.root) as anybody:
        for name, address in (("ca.pem", "/pki/ca.pem"), ("crl.der", "/pki/crl")):
            (tmp_path / name).write_bytes(anybody.get(address).raise_for_status().content)

    shown = openssl("crl", "-inform", "DER", "-in", tmp_path / "crl.der", "-out", tmp_path / "crl.pem", "-crlnumber")
    verified = [
        openssl(
            "verify", "-crl_check", "-CAfile", tmp_path / "ca.pem", "-CRLfile", tmp_path / "crl.pem", one.certificate
        )
        for one in (good, bad)
    ]

    assert "crlNumber=" in shown.stdout
    assert [answer.returncode for answer in verified] == [0, 2]
    assert "certificate revoked" in verified[1].stderr


def test_a_gateway_with_encrypted_keys_signs_in_a_token(
    tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", "a passphrase of the service")
    made = install(tmp_path / "home", utc_now())
    files = pki_files(made.settings)
    uri = token.uri("served")
    csr = ceremony.request_issuing(files.home, "Issuing CA in a token", None, uri)
    root_passphrase = b"a passphrase of the service"
    signed = ceremony.sign_issuing(
        files.root_key.parent,
        csr.public_bytes(Encoding.PEM),
        key_sha256(csr.public_key()),
        utc_now(),
        root_passphrase,
    )
    ceremony.install_issuing(
        files.home, signed.public_bytes(Encoding.PEM), files.root.read_bytes(), files.root_crl.read_bytes(), utc_now()
    )
    publish_crls(made.store, utc_now())
    system = made.system("urn:xinqiao:health:token")

    with start(replace(made.settings, workers=WORKERS, threads=2)) as running:
        with connections_to_every_worker(made, running, system, WORKERS) as connections:
            renewed = [one.post("/v1/certificates", json={"csr": csr_pem(make_key())}) for one in connections[-2:]]
        asked = openssl(
            "ocsp", "-issuer", files.issuing, "-cert", system.certificate, "-url", f"{running.url}/pki/ocsp",
            "-CAfile", files.root,
        )  # fmt: skip
    made.close()

    assert [one.status_code for one in renewed] == [201, 201]
    for one in renewed:
        certificate_of(one.json()["pem"]).verify_directly_issued_by(signed)
    assert ("Response verify OK" in asked.stderr, ": good" in asked.stdout) == (True, True)
