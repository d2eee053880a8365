"""Time-stamps of a real authority: OpenSSL's, behind a small server on the loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.errors import Refused, Unavailable
from gateway.audit.files import log_folder
from gateway.audit.keys import load_verifier
from gateway.audit.log import append, seal
from gateway.audit.merkle import ProofError
from gateway.audit.stamping import CHECKPOINT_FILE, TOKEN_FILE, verify_stamp
from gateway.audit.static_log import log_in_folder, verify_static
from gateway.audit.timestamps import is_due, roots_path, stamp
from gateway.audit.verify import verify
from gateway.cli.audit import audit
from gateway.store import Store
from tests.conftest import NOW

CONFIGURATION = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def certify(subject: str, key: rsa.RSAPrivateKey, issuer: str, issuer_key: rsa.RSAPrivateKey) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
    )
    if subject != issuer:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address and folder of the authority; its root is ``root.pem``."""
    folder = tmp_path_factory.mktemp("tsa")
    root_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    root = certify("Time Root", root_key, "Time Root", root_key)
    for name, certificate in (("root", root), ("tsa", certify("Time", key, "Time Root", root_key))):
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tsa.key").write_bytes(pem)
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))

    class Responder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            command = [
                "openssl",
                "ts",
                "-reply",
                "-config",
                str(folder / "tsa.cnf"),
                "-queryfile",
                str(folder / "query"),
            ]
            answer = subprocess.run(command, capture_output=True, check=True).stdout
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Responder) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()
        thread.join()


@pytest.fixture
def store(sqlite_store: Store, authority: tuple[str, Path]) -> Store:
    url, folder = authority
    settings = replace(sqlite_store.settings, tsa_url=url)
    roots_path(settings).write_bytes((folder / "root.pem").read_bytes())
    return replace(sqlite_store, settings=settings)


def test_a_checkpoint_is_stamped_and_openssl_agrees(store: Store, authority: tuple[str, Path]) -> None:
    stamped = stamp(store)

    assert stamped is not None
    assert abs(stamped.at - datetime.now(UTC)) < timedelta(minutes=5)
    folder = log_folder(store.settings)
    checked = subprocess.run(
        ["openssl", "ts", "-verify", "-data", str(folder / CHECKPOINT_FILE), "-in", str(folder / TOKEN_FILE)]
        + ["-CAfile", str(authority[1] / "root.pem")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, "Verification: OK" in checked.stdout + checked.stderr) == (0, True)
    assert verify(store).ok


def test_whoever_verifies_the_log_can_demand_a_stamp(store: Store) -> None:
    log, verifier = log_in_folder(log_folder(store.settings)), load_verifier(store.settings)
    roots = roots_path(store.settings).read_bytes()
    with pytest.raises(ProofError, match=r"timestamp\.checkpoint: is missing"):
        verify_static(log, verifier, stamp_roots=roots)

    stamped = stamp(store)
    with store.write() as conn:
        append(conn, "run.failed", "xinqiao", {}, NOW)
    seal(store, NOW)

    report = verify_static(log, verifier, stamp_roots=roots)
    assert stamped is not None
    assert (report.stamped_size, report.stamped_at, report.size) == (stamped.size, stamped.at, stamped.size + 1)


def test_a_stamp_of_something_else_or_of_somebody_else_is_none(store: Store) -> None:
    stamped = stamp(store)
    assert stamped is not None
    note = (log_folder(store.settings) / CHECKPOINT_FILE).read_text("utf-8")
    roots = roots_path(store.settings).read_bytes()
    key = rsa.generate_private_key(65537, 2048)
    other = certify("Other", key, "Other", key).public_bytes(serialization.Encoding.PEM)

    assert verify_stamp(note, stamped.token, roots) == stamped.at
    for case in (
        (note + "x", stamped.token, roots, None),
        (note, stamped.token, other, None),
        (note, stamped.token[:-9], roots, None),
        (note, b"", roots, None),
        (note, stamped.token, roots, 1),
        (note, stamped.token, b"", None),
    ):
        with pytest.raises(ProofError):
            verify_stamp(*case)


def test_without_an_authority_or_an_answer_it_says_so(store: Store) -> None:
    with pytest.raises(Unavailable, match="gave no good time-stamp"):
        stamp(replace(store, settings=replace(store.settings, tsa_url="http://127.0.0.1:9")))
    with pytest.raises(Refused, match="XINQIAO_TSA_URL"):
        stamp(replace(store, settings=replace(store.settings, tsa_url="")))


def test_a_running_gateway_is_stamped_every_hour(store: Store) -> None:
    begun = is_due(store, datetime.now(UTC))
    result = CliRunner().invoke(audit, ["timestamp"], obj=store.settings)

    assert (begun, result.exit_code) == (True, 0), result.output
    assert not is_due(store, datetime.now(UTC))
    assert is_due(store, datetime.now(UTC) + timedelta(hours=1, seconds=1))
