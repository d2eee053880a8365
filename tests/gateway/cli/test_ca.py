"""The ceremonies of docs/operations/ceremony.md, run as they stand there, on two machines that are two environments."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlalchemy import select

from certs.authority import key_id
from certs.errors import ChainBroken
from certs.revocation import parse_crl
from certs.trust import TrustFile
from certs.verify import Identity, verify
from gateway.audit.tables import entries
from gateway.certificates import RegistrySource
from gateway.certificates_publish import current_crl, ocsp_answer, pki_files
from gateway.cli.root import cli
from gateway.settings import Settings
from gateway.store import open_store
from tests.certs.support import openssl
from tests.support.token import PIN, Token

ROOT = Path(__file__).resolve().parents[3]
CEREMONY = re.findall(
    r"<!-- ceremony -->\n```sh\n(.*?)```", (ROOT / "docs/operations/ceremony.md").read_text("utf-8"), re.DOTALL
)
MAKE_ROOT, REQUEST, SIGN, INSTALL, YEARLY, ROLLOVER, RETIRE, LEAKED = CEREMONY


class Ceremony:
    """The two machines: what uses the root's folder is offline and has another passphrase and no home."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, Settings(home=folder / "home")
        self.known = {"ROOT": folder / "root", "TRANSFER": folder / "transfer", "XINQIAO_HOME": folder / "home"}
        (folder / "transfer").mkdir()
        for machine in ("offline", "gateway"):
            (folder / machine).write_text(f"passphrase {machine}\n")
            (folder / machine).chmod(0o400)

    def run(self, block: str, **more: str) -> list[str]:
        """Run the lines of a block; gives what each said."""
        return [self._line(line, more) for line in block.strip().splitlines()]

    def _line(self, line: str, more: dict[str, str]) -> str:
        noted = self.folder / "transfer/request.json"
        known: dict[str, Any] = {**self.known, **more}
        if noted.exists():
            known["NOTED"] = json.loads(noted.read_text())["key_sha256"]
        command, _, copy = Template(line).substitute(known).partition(" | tee ")
        verb, *arguments = shlex.split(command)
        if verb == "cp":
            for source in arguments[:-1]:
                shutil.copy(source, arguments[-1])
            return ""
        assert verb == "xinqiao", line
        said = self.xinqiao(*arguments, offline='--root "$ROOT"' in line)
        if copy:
            Path(shlex.split(copy)[0]).write_text(said)
        return said

    def xinqiao(self, *arguments: str, offline: bool = False) -> str:
        environment = {
            "XINQIAO_HOME": str(self.folder / ("nowhere" if offline else "home")),
            "XINQIAO_CA_PASSPHRASE_FILE": str(self.folder / ("offline" if offline else "gateway")),
        }
        done = CliRunner().invoke(cli, arguments, env=environment, catch_exceptions=False)
        assert done.exit_code == 0, f"{arguments}\n{done.output}"
        return done.stdout

    def issue(self, system: str) -> x509.Certificate:
        issued = json.loads(self.xinqiao("certs", "issue", "--agency", "health", "--system", system, "--json"))
        return x509.load_pem_x509_certificate(Path(issued["certificate"]).read_bytes())

    def who(self, certificate: x509.Certificate) -> Identity:
        trust = TrustFile(pki_files(self.settings).trust).current()
        with open_store(self.settings) as store, store.read() as conn:
            der = certificate.public_bytes(Encoding.DER)
            return verify([der], trust, RegistrySource(conn), datetime.now(UTC))

    def acts(self) -> list[str]:
        with open_store(self.settings) as store, store.read() as conn:
            query = select(entries.c.action).where(entries.c.action.like("authority.%")).order_by(entries.c.id)
            return list(conn.scalars(query))


@pytest.fixture
def ceremony(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ceremony:
    """After the first three steps: a root in its folder, a gateway that never saw the root's key."""
    made = Ceremony(tmp_path)
    # What `ceremony.settings` opens in this process is opened at the gateway.
    monkeypatch.setenv("XINQIAO_CA_PASSPHRASE_FILE", str(tmp_path / "gateway"))
    made.settings = Settings(home=made.settings.home, ca_passphrase_file=str(tmp_path / "gateway"))
    for block in (MAKE_ROOT, REQUEST, SIGN, INSTALL):
        made.run(block)
    return made


def test_the_root_key_is_never_on_the_gateway(ceremony: Ceremony) -> None:
    issued = ceremony.issue("clinic")

    keys = [path.name for path in ceremony.settings.home.rglob("*.key")]
    assert "root.key" not in keys
    assert b"ENCRYPTED" in (ceremony.folder / "root/root.key").read_bytes()
    assert ceremony.who(issued).urn == "urn:xinqiao:health:clinic"
    assert ceremony.acts() == ["authority.installed"]


def test_both_authorities_are_trusted_while_one_follows_the_other(ceremony: Ceremony, tmp_path: Path) -> None:
    files = pki_files(ceremony.settings)
    first = x509.load_pem_x509_certificate(files.issuing.read_bytes())
    old = ceremony.issue("old")

    listing = ceremony.run(ROLLOVER)[-1]
    new = ceremony.issue("new")

    second = x509.load_pem_x509_certificate(files.issuing.read_bytes())
    assert (old.issuer, new.issuer) == (first.subject, second.subject)
    assert [ceremony.who(one).system for one in (old, new)] == ["old", "new"]
    assert all(key_id(one)[:12] in listing for one in (first, second))
    for one in (old, new):
        (tmp_path / "leaf.pem").write_bytes(one.public_bytes(Encoding.PEM))
        assert openssl("verify", "-CAfile", files.trust, tmp_path / "leaf.pem").returncode == 0
    assert ceremony.acts() == ["authority.installed", "authority.requested", "authority.installed"]


def test_each_authority_goes_on_answering_for_its_own_certificates(ceremony: Ceremony) -> None:
    files, now = pki_files(ceremony.settings), datetime.now(UTC)
    first = x509.load_pem_x509_certificate(files.issuing.read_bytes())
    old = ceremony.issue("old")
    ceremony.run(ROLLOVER)
    new = ceremony.issue("new")
    second = x509.load_pem_x509_certificate(files.issuing.read_bytes())

    ceremony.xinqiao("certs", "revoke", f"{old.serial_number:x}", "--reason", "superseded")

    with open_store(ceremony.settings) as store:
        lists = {name: parse_crl(current_crl(store, now, key_id(c)), c) for name, c in (("1", first), ("2", second))}
        with store.read() as conn:
            said = []
            for certificate, issuer in ((old, first), (new, second)):
                asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256()).build()
                answer = ocsp_answer(conn, ceremony.settings, asked.public_bytes(Encoding.DER), now)
                said.append(ocsp.load_der_ocsp_response(answer).certificate_status.name)
    assert {name: [one.serial_number for one in crl] for name, crl in lists.items()} == {
        "1": [old.serial_number],
        "2": [],
    }
    assert said == ["REVOKED", "GOOD"]


def test_an_authority_is_retired_when_nobody_comes_with_its_certificates(ceremony: Ceremony) -> None:
    first = key_id(x509.load_pem_x509_certificate(pki_files(ceremony.settings).issuing.read_bytes()))
    old = ceremony.issue("old")
    ceremony.run(ROLLOVER)

    with pytest.raises(AssertionError, match="has 1 good certificates that have not ended"):
        ceremony.run(RETIRE, PREVIOUS=first)
    ceremony.xinqiao("certs", "revoke", f"{old.serial_number:x}", "--reason", "superseded")
    ceremony.run(RETIRE, PREVIOUS=first)

    with pytest.raises(ChainBroken):
        ceremony.who(old)
    assert ceremony.acts()[-1] == "authority.retired"
    assert (ceremony.settings.home / "pki/retired" / first / "issuing.pem").exists()


def test_an_authority_whose_key_leaked_is_revoked_by_the_root(ceremony: Ceremony) -> None:
    first = key_id(x509.load_pem_x509_certificate(pki_files(ceremony.settings).issuing.read_bytes()))
    old = ceremony.issue("old")
    ceremony.run(ROLLOVER)

    ceremony.run(LEAKED, LEAKED=first)

    with pytest.raises(ChainBroken):
        ceremony.who(old)
    assert ceremony.who(ceremony.issue("new")).system == "new"


def test_the_yearly_list_of_the_root_has_the_next_number(ceremony: Ceremony) -> None:
    files = pki_files(ceremony.settings)
    root = x509.load_pem_x509_certificate(files.root.read_bytes())
    before = files.root_crl.read_bytes()

    ceremony.run(YEARLY)

    numbers = [
        parse_crl(crl, root).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for crl in (before, files.root_crl.read_bytes())
    ]
    assert numbers == [1, 2]
    (ceremony.folder / "old.pem").write_bytes(before)
    with pytest.raises(AssertionError, match="its number 1 is below 2"):
        ceremony.xinqiao("ca", "install-root-crl", str(ceremony.folder / "old.pem"))


def test_the_issuing_key_may_be_made_in_a_token(tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Ceremony(tmp_path)
    (tmp_path / "gateway").chmod(0o600)
    (tmp_path / "gateway").write_text(f"{PIN}\n")
    uri = token.uri("ceremony", with_pin=False)

    made.run(MAKE_ROOT)
    made.run(REQUEST.replace("ca request", f"ca request --token '{uri}'"))
    for block in (SIGN, INSTALL):
        made.run(block)

    issued = made.issue("clinic")
    assert made.who(issued).system == "clinic"
    assert (pki_files(made.settings).home / "issuing.uri").read_text().strip() == uri
    assert [path.name for path in made.settings.home.rglob("issuing.key")] == []


def test_a_csr_that_is_not_the_one_noted_is_not_signed(ceremony: Ceremony) -> None:
    ceremony.run(REQUEST)
    (ceremony.folder / "transfer/request.json").write_text(json.dumps({"key_sha256": "00" * 32}))

    with pytest.raises(AssertionError, match="the key differs"):
        ceremony.run(SIGN)


def test_a_certificate_over_another_key_or_of_another_root_does_not_take_over(ceremony: Ceremony) -> None:
    kept = (ceremony.folder / "transfer/issuing.pem").read_bytes()
    ceremony.run(REQUEST)
    install = INSTALL.splitlines()[0]

    with pytest.raises(AssertionError, match="not over the key that was requested"):
        ceremony.run(install)
    ceremony.run(MAKE_ROOT.replace("$ROOT", "$TRANSFER/other").replace('"$TRANSFER/"', '"$TRANSFER/"'))
    with pytest.raises(AssertionError, match="not over the key|another than the one that is trusted"):
        ceremony.run(install)

    files = pki_files(ceremony.settings)
    assert x509.load_pem_x509_certificate(files.issuing.read_bytes()) == x509.load_pem_x509_certificate(kept)


def test_a_second_request_does_not_replace_the_open_one(ceremony: Ceremony) -> None:
    ceremony.run(REQUEST)

    with pytest.raises(AssertionError, match="a request is open already"):
        ceremony.run(REQUEST)
