"""``xinqiao certs`` as an administrator uses it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import hosts_of, open_authority, read_certificate
from certs.keys import make_key
from certs.revocation import parse_crl
from certs.verify import serial_text
from connectors.errors import Refused
from gateway.certificates_publish import pki_files
from gateway.cli.certs import certs
from gateway.server.tls import build_context
from gateway.settings import Settings
from tests.support.csrs import csr_pem, fingerprint


def run(settings: Settings, *arguments: str) -> Any:
    """Run a command and read its JSON; a listing gives a list."""
    result = CliRunner().invoke(certs, [*arguments, "--json"], obj=settings, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    documents = [json.loads(line) for line in result.output.splitlines()]
    return documents if arguments[0] in ("list", "requests", "holders") else documents[0]


def issue(settings: Settings, *more: str) -> Any:
    return run(settings, "issue", "--agency", "health", "--system", "front", *more)


def test_a_system_gets_a_certificate_and_a_key_for_its_owner_only(sqlite_settings: Settings) -> None:
    issued = issue(sqlite_settings, "--title", "卫生前置机")

    chain = x509.load_pem_x509_certificates(Path(issued["certificate"]).read_bytes())
    assert [serial_text(chain[0].serial_number), len(chain)] == [issued["serial"], 2]
    assert stat.S_IMODE(Path(issued["key"]).stat().st_mode) == 0o600


def test_with_a_csr_no_key_leaves_its_maker(sqlite_settings: Settings, tmp_path: Path) -> None:
    key = make_key()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    (tmp_path / "a.csr").write_bytes(csr.public_bytes(Encoding.PEM))

    issued = issue(sqlite_settings, "--csr", str(tmp_path / "a.csr"), "--out", str(tmp_path / "out"), "--days", "30")

    certificate = x509.load_pem_x509_certificate(Path(issued["certificate"]).read_bytes())
    assert certificate.public_key() == key.public_key()
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".pem"]


def test_what_was_issued_is_listed_and_shown(sqlite_settings: Settings) -> None:
    issued = issue(sqlite_settings)

    listed = run(sqlite_settings, "list", "--urn", "urn:xinqiao:health:front")
    shown = run(sqlite_settings, "show", issued["serial"].upper())

    assert [(row["serial"], row["profile"], row["status"]) for row in listed] == [(issued["serial"], "system", "good")]
    assert (shown["serial"], shown["urn"], shown["status"]) == (issued["serial"], "urn:xinqiao:health:front", "good")
    assert "BEGIN CERTIFICATE" in shown["pem"]


def test_revoking_publishes_a_list_with_the_certificate_on_it(sqlite_settings: Settings) -> None:
    serial = issue(sqlite_settings)["serial"]

    revoked = run(sqlite_settings, "revoke", serial, "--reason", "key_compromise")

    files = pki_files(sqlite_settings)
    crl = parse_crl(Path(revoked["crl"]).read_bytes(), open_authority(files.home).certificate)
    assert (revoked["serial"], revoked["status"], revoked["revoked"]) == (serial, "revoked", 1)
    assert [serial_text(entry.serial_number) for entry in crl] == [serial]
    assert run(sqlite_settings, "show", serial)["reason"] == "key_compromise"


def test_a_suspension_leaves_the_list_when_it_is_lifted(sqlite_settings: Settings) -> None:
    serial = issue(sqlite_settings)["serial"]

    told = [run(sqlite_settings, act, serial) for act in ("suspend", "lift")]

    assert [(one["status"], one["revoked"]) for one in told] == [("suspended", 1), ("good", 0)]
    assert told[1]["crl_number"] == told[0]["crl_number"] + 1


def test_persons_and_servers_get_certificates_too(sqlite_settings: Settings) -> None:
    person = run(sqlite_settings, "issue", "--person", "li.si", "--duty", "auditor")
    server = run(sqlite_settings, "issue", "--server", "gateway.example", "--server", "127.0.0.1")

    kinds = {row["serial"]: (row["profile"], row["urn"]) for row in run(sqlite_settings, "list")}
    assert kinds[person["serial"]] == ("person", "urn:xinqiao:person:li.si")
    assert kinds[server["serial"]] == ("server", "gateway.example")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--agency", "health"),
        ("--agency", "health", "--system", "front", "--server", "x"),
        ("--agency", "Health", "--system", "front"),
        ("--agency", "person", "--system", "front"),
        ("--agency", "../../etc", "--system", "front"),
        ("--person", "li.si"),
    ],
)
def test_a_holder_that_cannot_be_named_is_a_usage_error(sqlite_settings: Settings, arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(certs, ["issue", *arguments], obj=sqlite_settings)

    assert result.exit_code == 2


def test_an_unknown_serial_is_refused_in_words(sqlite_settings: Settings) -> None:
    with pytest.raises(Refused, match="there is no certificate with serial"):
        CliRunner().invoke(certs, ["show", "00"], obj=sqlite_settings, catch_exceptions=False)
    assert CliRunner().invoke(certs, ["show", "xyz"], obj=sqlite_settings).exit_code == 2


def test_people_get_words_and_tables(sqlite_settings: Settings) -> None:
    issued = CliRunner().invoke(certs, ["issue", "--agency", "health", "--system", "front"], obj=sqlite_settings)
    listed = CliRunner(env={"COLUMNS": "200"}).invoke(certs, ["list"], obj=sqlite_settings)
    crl = CliRunner().invoke(certs, ["crl"], obj=sqlite_settings)

    assert issued.output.startswith("serial: ")
    assert "序列号 serial" in listed.output
    assert "crl_number: " in crl.output


def test_a_request_by_file_is_approved_and_issued(sqlite_settings: Settings, tmp_path: Path) -> None:
    key = make_key()
    (tmp_path / "clinic.csr").write_text(csr_pem(key))

    asked = run(sqlite_settings, "request", "urn:xinqiao:health:clinic", "--csr", str(tmp_path / "clinic.csr"))
    issued = run(sqlite_settings, "approve", asked["id"], "--key-sha256", fingerprint(key), "--out", str(tmp_path))

    certificate = x509.load_pem_x509_certificate(Path(issued["certificate"]).read_bytes())
    (listed,) = run(sqlite_settings, "requests", "--status", "issued")
    assert (asked["status"], asked["key_sha256"], issued["status"]) == ("waiting", fingerprint(key), "issued")
    assert certificate.public_key() == key.public_key()
    assert (listed["id"], listed["serial"]) == (asked["id"], issued["serial"])


def test_a_request_is_refused_with_its_ground_or_withdrawn(sqlite_settings: Settings, tmp_path: Path) -> None:
    states = []
    for act in (("refuse", "--ground", "系统未备案"), ("withdraw",)):
        (tmp_path / "a.csr").write_text(csr_pem(make_key()))
        asked = run(sqlite_settings, "request", "urn:xinqiao:health:clinic", "--csr", str(tmp_path / "a.csr"))
        done = run(sqlite_settings, act[0], asked["id"], *act[1:])
        states.append((done["status"], done.get("ground")))

    assert states == [("refused", "系统未备案"), ("withdrawn", None)]


def test_a_holder_is_suspended_and_resumed(sqlite_settings: Settings) -> None:
    issue(sqlite_settings)
    urn = "urn:xinqiao:health:front"

    told = [run(sqlite_settings, act, urn)["status"] for act in ("suspend-holder", "resume-holder")]

    assert told == ["suspended", "active"]
    assert [(row["urn"], row["status"]) for row in run(sqlite_settings, "holders")] == [(urn, "active")]


def test_the_gateway_gets_a_new_certificate_for_its_names_or_for_others(sqlite_settings: Settings) -> None:
    files = pki_files(sqlite_settings)
    before = files.gateway.read_bytes()

    same = run(sqlite_settings, "gateway")
    other = run(sqlite_settings, "gateway", "--server", "gw.example", "--server", "10.0.0.5")

    assert (set(same["hosts"]), other["hosts"]) == ({"localhost", "127.0.0.1"}, ["gw.example", "10.0.0.5"])
    assert files.gateway.read_bytes() != before
    assert hosts_of(read_certificate(files.gateway)) == ("gw.example", "10.0.0.5")
    build_context(files)
