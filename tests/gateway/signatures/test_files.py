"""Signatures beside files: in drop folders and by hand, with what becomes of file and signature."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import open_authority
from certs.keys import save_key
from certs.names import SystemName
from certs.signed import jws
from certs.suites import read_private_key
from connectors.errors import SignatureRefused
from connectors.registry import source
from connectors.spec import Signature
from gateway import certificates, exchange
from gateway.audit.reading import what_did
from gateway.certificates_files import pki_files
from gateway.certificates_holders import register
from gateway.cli.root import cli
from gateway.store import Store
from tests.support.companies import DAIRY, MILL
from tests.support.deliveries import COMPANY_LIST, company_list
from tests.support.standing import registered, verified

SPEC = replace(source(COMPANY_LIST), signature=Signature(required=True))
ONE, TWO = company_list((MILL.name, MILL.uscc)), company_list((DAIRY.name, DAIRY.uscc))


@pytest.fixture
def folder(store: Store) -> Path:
    """The drop folder of the list of companies."""
    lines = ["endpoints:", "  market_supervision_drop: {url: drop/market_supervision}", ""]
    (store.settings.home / "connections.yml").write_text("\n".join(lines), "utf-8")
    made = store.settings.home / "drop" / "market_supervision"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def signer(store: Store, now: datetime) -> Path:
    """Key and certificate of a system of the agency: ``signer.key`` and ``signer.pem``."""
    return certified(store, "market_supervision", now)


def certified(store: Store, agency: str, now: datetime) -> Path:
    name = SystemName(agency, "front")
    authority = open_authority(pki_files(store.settings).home)
    with store.write() as conn:
        register(conn, name, "前置机", "test", now)
        # OpenSSL signs with today's clock, the gateway's stands still; the certificate must hold at both.
        issued = certificates.issue_certificate(conn, authority, name, "test", now)
    assert issued.key is not None
    folder = store.settings.home / agency
    folder.mkdir()
    save_key(folder / "signer.key", issued.key)
    (folder / "signer.pem").write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    return folder


def drop(folder: Path, name: str, data: bytes, signature: bytes | None = None, ending: str = ".jws") -> None:
    (folder / name).write_bytes(data)
    if signature is not None:
        (folder / f"{name}{ending}").write_bytes(signature)
    (folder / f"{name}.done").touch()


def by_jws(signer: Path, data: bytes, **header: object) -> bytes:
    certificate = subprocess.run(
        ["openssl", "x509", "-in", signer / "signer.pem", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    key = read_private_key((signer / "signer.key").read_bytes())
    return jws.sign(key, [data], {**jws.chain_header([certificate]), **header}, is_unencoded=True).encode()


def by_cms(signer: Path, data: bytes) -> bytes:
    (signer / "content").write_bytes(data)
    return subprocess.run(
        ["openssl", "cms", "-sign", "-binary", "-in", signer / "content", "-signer", signer / "signer.pem",
         "-inkey", signer / "signer.key", "-outform", "DER"], capture_output=True, check=True,
    ).stdout  # fmt: skip


def run(store: Store, now: datetime) -> list[str]:
    """One whole exchange; the status of each receipt."""
    ids = exchange.receive_source(store, SPEC, now)
    return [str(r["status"]) for r in exchange.land_received(store, SPEC, ids, lambda: now)]


def lying(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_signed_files_land_and_take_their_signatures_with_them(
    store: Store, folder: Path, signer: Path, now: datetime
) -> None:
    drop(folder, "企业名单一.csv", ONE, by_jws(signer, ONE))
    drop(folder, "企业名单二.csv", TWO, by_cms(signer, TWO), ".p7s")

    assert run(store, now) == ["landed", "landed"]
    assert lying(folder) == {
        f"processed/{name}" for name in ("企业名单一.csv", "企业名单一.csv.jws", "企业名单二.csv", "企业名单二.csv.p7s")
    }
    with store.read() as conn:
        entries = [e.entry for e in reversed(what_did(conn, f"drop:{folder}"))]
    assert [(e["signature"]["form"], e["signature"]["holder"]) for e in entries] == [
        ("jws", "urn:xinqiao:market_supervision:front"),
        ("cms", "urn:xinqiao:market_supervision:front"),
    ]
    assert verified(store).ok


def test_an_unsigned_or_badly_signed_file_is_refused_once_and_does_not_stop_the_others(
    store: Store, folder: Path, signer: Path, now: datetime
) -> None:
    drop(folder, "企业名单一.csv", ONE)
    drop(folder, "企业名单二.csv", ONE + b"\r\n", by_jws(signer, ONE))
    drop(folder, "企业名单三.csv", TWO, by_jws(signer, TWO))

    ids = exchange.receive_source(store, SPEC, now)
    with pytest.raises(SignatureRefused) as refused:
        exchange.land_received(store, SPEC, ids, lambda: now)

    assert refused.value.code == "signature_missing"
    assert registered(store) == {"refused": 2, "landed": 1}
    assert not any(name.count("/") == 0 for name in lying(folder))
    assert run(store, now) == []
    with store.read() as conn:
        codes = {e.entry["code"] for e in what_did(conn, f"drop:{folder}") if e.action == "delivery.refused"}
    assert codes == {"signature_missing", "signature_invalid"}


def test_a_system_of_another_agency_cannot_sign_for_this_one(store: Store, folder: Path, now: datetime) -> None:
    drop(folder, "企业名单一.csv", ONE, by_jws(certified(store, "customs", now), ONE))
    ids = exchange.receive_source(store, SPEC, now)
    with pytest.raises(SignatureRefused) as refused:
        exchange.land_received(store, SPEC, ids, lambda: now)
    assert refused.value.code == "signature_key_refused"


def test_a_signature_that_is_still_being_written_is_waited_for(
    store: Store, folder: Path, signer: Path, now: datetime
) -> None:
    from connectors.request_options import FilesRequest
    from connectors.transports.files import ready_files

    drop(folder, "企业名单一.csv", ONE, by_jws(signer, ONE))
    request = FilesRequest(patterns=("*.csv*",), ready="stable", settle_seconds=3600)
    assert ready_files(folder, request) == []
    assert [file.name for file in ready_files(folder, replace(request, settle_seconds=0))] == [
        "企业名单一.csv",
        "企业名单一.csv.done",
    ]


def test_an_old_snapshot_with_its_old_signature_does_not_come_back(
    store: Store, folder: Path, signer: Path, now: datetime
) -> None:
    snapshot = replace(SPEC, delivery="snapshot", cursor=None, operation=None)

    def exchanged(name: str, data: bytes, signature: bytes, at: datetime) -> None:
        drop(folder, name, data, signature)
        ids = exchange.receive_source(store, snapshot, at)
        exchange.land_received(store, snapshot, ids, lambda: at)

    old = by_jws(signer, ONE)
    exchanged("企业名单一.csv", ONE, old, now)
    exchanged("企业名单一.csv", ONE, old, now + timedelta(hours=1))
    exchanged("企业名单二.csv", TWO, by_jws(signer, TWO), now + timedelta(hours=2))
    with pytest.raises(SignatureRefused) as refused:
        exchanged("企业名单三.csv", ONE, old, now + timedelta(hours=3))
    assert refused.value.code == "signature_replayed"
    exchanged("企业名单四.csv", ONE, by_jws(signer, ONE, iat=1_795_226_400), now + timedelta(hours=4))
    assert registered(store) == {"landed": 3, "repeated": 1, "refused": 1}


def test_a_file_by_hand_takes_the_signature_beside_it(sqlite_store: Store, tmp_path: Path) -> None:
    from gateway.clock import utc_now

    signer = certified(sqlite_store, "market_supervision", utc_now())
    (tmp_path / "企业名单一.csv").write_bytes(ONE)
    (tmp_path / "企业名单一.csv.p7s").write_bytes(by_cms(signer, ONE))
    environment = {"XINQIAO_HOME": str(sqlite_store.settings.home)}
    said = CliRunner().invoke(
        cli, ["deliver", COMPANY_LIST, str(tmp_path / "企业名单一.csv"), "--json"], env=environment
    )
    assert said.exit_code == 0, said.output
    receipt = json.loads(said.stdout)
    assert (receipt["signature"]["form"], receipt["signature"]["evidence"]["name"]) == ("cms", "企业名单一.csv.p7s")
    (tmp_path / "企业名单二.csv").write_bytes(TWO)
    said = CliRunner().invoke(
        cli,
        [
            "deliver",
            COMPANY_LIST,
            str(tmp_path / "企业名单二.csv"),
            "--signature",
            str(tmp_path / "企业名单一.csv.p7s"),
        ],
        env=environment,
    )
    assert said.exit_code == 1
    assert "signature_invalid" in said.stderr


def test_signing_keys_are_registered_listed_and_revoked_from_the_command_line(
    sqlite_store: Store, tmp_path: Path
) -> None:
    from gateway.clock import utc_now

    certified(sqlite_store, "market_supervision", utc_now())
    made = subprocess.run(
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2 | openssl pkey -pubout",
        shell=True, capture_output=True, check=True,
    ).stdout  # fmt: skip
    (tmp_path / "sm2.pub").write_bytes(made)
    urn = "urn:xinqiao:market_supervision:front"

    def said(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            cli, ["signing-keys", *arguments], env={"XINQIAO_HOME": str(sqlite_store.settings.home)}
        )
        return result.exit_code, result.output

    code, told = said("register", urn, str(tmp_path / "sm2.pub"))
    key_id = told.split()[-1]
    assert (code, len(key_id)) == (0, 64)
    assert said("register", urn, str(tmp_path / "sm2.pub"))[0] == 1
    assert said("register", "urn:xinqiao:customs:nobody", str(tmp_path / "sm2.pub"))[0] == 1
    assert json.loads(said("list", "--json")[1])["algorithm"] == "sm2-sm3"
    assert said("revoke", key_id, "--reason", "key_compromise")[0] == 0
    assert said("revoke", key_id, "--reason", "key_compromise")[0] == 1
    assert json.loads(said("list", "--json")[1])["status"] == "revoked"
