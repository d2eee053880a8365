"""What the gateway signs: receipts, grants and exports, verifiable by others' tools and by the command line."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from joserfc import jws as jose
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from certs.errors import KeyUnusable
from certs.signed import jws
from certs.signed.proof import SignatureInvalid, SignatureKeyRefused
from certs.suites import read_private_key
from certs.suites.encoding import der_signature
from gateway.certificates_files import pki_files
from gateway.cli.root import cli
from gateway.home import initialise
from gateway.settings import Settings
from gateway.signatures.own import own_key, signed, verify_document
from gateway.store import Store
from schemas.canonical import canonical_json
from tests.gateway.signatures.test_files import certified
from tests.support.companies import MILL
from tests.support.deliveries import COMPANY_LIST, company_list, land

DOCUMENT = {"delivery_id": "d-1", "rows": 3, "例": "甲"}


def root_of(settings: Settings) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pki_files(settings).root.read_bytes())


@pytest.fixture(params=["international", "guomi"])
def suited(request: pytest.FixtureRequest, sqlite_settings: Settings, now: datetime) -> Settings:
    """The installation under each suite; a changed suite gets its key at the next ``xinqiao init``."""
    settings = replace(sqlite_settings, suite=request.param)
    initialise(settings, now)
    return settings


def test_a_document_is_signed_in_the_suite_of_the_settings(suited: Settings) -> None:
    proven = verify_document(signed(suited, DOCUMENT), root_of(suited))
    assert proven.algorithm.name == {"international": "ecdsa-p256-sha256", "guomi": "sm2-sm3"}[suited.suite]


def test_the_chain_leads_to_the_root_for_openssl(suited: Settings, tmp_path: Path) -> None:
    leaf, issuing = (x509.load_der_x509_certificate(der).public_bytes(serialization()) for der in own_key(suited).chain)
    (tmp_path / "leaf.pem").write_bytes(leaf)
    (tmp_path / "issuing.pem").write_bytes(issuing)
    subprocess.run(
        ["openssl", "verify", "-attime", "1795230000", "-CAfile", pki_files(suited).root,
         "-untrusted", tmp_path / "issuing.pem", tmp_path / "leaf.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def serialization() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


def test_openssl_verifies_the_signature_itself(suited: Settings, tmp_path: Path) -> None:
    document = signed(suited, DOCUMENT)
    protected, _, signature = document["jws"].split(".")
    header = json.loads(jws.decode(protected))
    # Nothing of ours from here on: JSON with sorted names and no blanks, base64, OpenSSL.
    plain = {name: value for name, value in document.items() if name != "jws"}
    payload = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signing_input = protected.encode() + b"." + base64.urlsafe_b64encode(payload).rstrip(b"=")
    (tmp_path / "input").write_bytes(signing_input)
    (tmp_path / "signature").write_bytes(der_signature(base64.urlsafe_b64decode(signature + "==")))
    (tmp_path / "leaf.der").write_bytes(base64.b64decode(header["x5c"][0]))
    key = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-in", tmp_path / "leaf.der", "-pubkey", "-noout"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    (tmp_path / "key.pem").write_bytes(key)
    digest = {
        "international": ["-digest", "sha256"],
        "guomi": ["-digest", "sm3", "-pkeyopt", "distid:1234567812345678"],
    }
    subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "key.pem", "-in", tmp_path / "input",
         "-sigfile", tmp_path / "signature", "-rawin", *digest[suited.suite]],
        check=True, capture_output=True,
    )  # fmt: skip


def test_an_independent_jose_library_verifies(sqlite_settings: Settings) -> None:
    document = signed(sqlite_settings, DOCUMENT)
    protected, _, signature = document["jws"].split(".")
    key = ECKey.import_key(own_key(sqlite_settings).key.pem())
    whole = f"{protected}.{jws.encode(canonical_json(DOCUMENT))}.{signature}"
    registry = JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    registry.max_header_length = 10_000
    assert json.loads(jose.deserialize_compact(whole, key, registry=registry).payload) == DOCUMENT


@pytest.mark.parametrize(
    "change", [{"rows": 4}, {"more": 1}, {"jws": ""}, {"jws": "a..b"}, {"jws": None}, {"例": "乙"}]
)
def test_a_document_that_says_something_else_is_refused(sqlite_settings: Settings, change: dict[str, Any]) -> None:
    with pytest.raises(SignatureInvalid):
        verify_document({**signed(sqlite_settings, DOCUMENT), **change}, root_of(sqlite_settings))


def test_a_system_cannot_sign_a_receipt_with_its_own_certificate(sqlite_store: Store, now: datetime) -> None:
    folder = certified(sqlite_store, "customs", now)
    own = own_key(sqlite_store.settings)
    leaf = x509.load_pem_x509_certificate((folder / "signer.pem").read_bytes())
    key = read_private_key((folder / "signer.key").read_bytes())
    from cryptography.hazmat.primitives.serialization import Encoding

    header = jws.chain_header([leaf.public_bytes(Encoding.DER), own.chain[1]])
    forged = {**DOCUMENT, "jws": jws.sign(key, [canonical_json(DOCUMENT)], header)}
    with pytest.raises(SignatureKeyRefused, match="not one for signing"):
        verify_document(forged, root_of(sqlite_store.settings))


def test_a_chain_that_a_signer_made_itself_is_refused(sqlite_settings: Settings) -> None:
    own = own_key(sqlite_settings)
    for chain in ((own.chain[0],), (own.chain[1],), own.chain[::-1], (own.chain[0], own.chain[0])):
        forged = {**DOCUMENT, "jws": jws.sign(own.key, [canonical_json(DOCUMENT)], jws.chain_header(chain))}
        with pytest.raises(SignatureInvalid):
            verify_document(forged, root_of(sqlite_settings))


def test_another_installation_does_not_pass_for_this_one(
    sqlite_settings: Settings, tmp_path: Path, now: datetime
) -> None:
    other = Settings(home=tmp_path / "other")
    initialise(other, now)
    with pytest.raises(SignatureKeyRefused):
        verify_document(signed(other, DOCUMENT), root_of(sqlite_settings))


def test_the_same_document_has_the_same_signature(sqlite_settings: Settings) -> None:
    assert signed(sqlite_settings, DOCUMENT) == signed(sqlite_settings, DOCUMENT)


def test_the_key_is_replaced_before_its_certificate_ends_and_what_it_signed_still_verifies(
    sqlite_settings: Settings, now: datetime
) -> None:
    before = signed(sqlite_settings, DOCUMENT)
    initialise(sqlite_settings, now + timedelta(days=600))
    assert own_key(sqlite_settings).header["kid"] == jws.header_of(before["jws"])["kid"]
    initialise(sqlite_settings, now + timedelta(days=700))
    assert own_key(sqlite_settings).header["kid"] != jws.header_of(before["jws"])["kid"]
    verify_document(before, root_of(sqlite_settings))


def test_without_a_key_the_next_step_is_named(sqlite_settings: Settings) -> None:
    (sqlite_settings.home / "keys" / "signing-international.key").unlink()
    with pytest.raises(KeyUnusable, match="xinqiao init"):
        signed(sqlite_settings, DOCUMENT)


def said(home: Path, *arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, list(arguments), env={"XINQIAO_HOME": str(home)}, **options)


def test_the_command_line_verifies_receipts_with_their_signature(
    sqlite_store: Store, tmp_path: Path, now: datetime
) -> None:
    home = sqlite_store.settings.home
    receipt = land(sqlite_store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now=now)
    (tmp_path / "receipt.json").write_text(json.dumps(receipt), "utf-8")
    told = said(home, "audit", "verify-receipt", str(tmp_path / "receipt.json"), "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["signed_by"] == own_key(sqlite_store.settings).header["kid"]

    # Findings are not in the log: only the signature holds them.
    (tmp_path / "forged.json").write_text(json.dumps({**receipt, "findings": ["nothing was wrong"]}), "utf-8")
    told = said(home, "audit", "verify-receipt", str(tmp_path / "forged.json"))
    assert told.exit_code == 1
    unsigned = {name: value for name, value in receipt.items() if name != "jws"}
    (tmp_path / "unsigned.json").write_text(json.dumps(unsigned), "utf-8")
    assert said(home, "audit", "verify-receipt", str(tmp_path / "unsigned.json")).exit_code == 0
    root = str(pki_files(sqlite_store.settings).root)
    assert said(home, "audit", "verify-receipt", str(tmp_path / "unsigned.json"), "--ca", root).exit_code == 1


def test_an_export_is_signed_over_exactly_what_was_printed(sqlite_store: Store, tmp_path: Path, now: datetime) -> None:
    home = sqlite_store.settings.home
    land(sqlite_store, COMPANY_LIST, company_list((MILL.name, MILL.uscc)), now=now)
    signature = str(tmp_path / "feed.jws")
    told = said(home, "feed", "registration", "--signature", signature)
    assert told.exit_code == 0, told.output
    (tmp_path / "feed").write_bytes(told.stdout_bytes)
    assert said(home, "audit", "verify-signature", str(tmp_path / "feed"), "--signature", signature).exit_code == 0
    (tmp_path / "feed").write_bytes(told.stdout_bytes[:-1])
    assert said(home, "audit", "verify-signature", str(tmp_path / "feed"), "--signature", signature).exit_code == 1
