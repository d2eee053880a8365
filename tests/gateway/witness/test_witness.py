"""A witness cosigns while a log only grows, and catches an operator who rewrites it with its own key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from gateway.audit.consistency import consistency_proof
from gateway.audit.cosignatures import cosignatures
from gateway.audit.files import log_folder
from gateway.audit.giving_proofs import inclusion_at
from gateway.audit.keys import load_signer, load_verifier
from gateway.audit.log import append, seal
from gateway.audit.merkle import ProofError, leaf_hash, leaf_hashes, proof_text, root
from gateway.audit.notes import Checkpoint, Signer, sign_checkpoint
from gateway.audit.policy import Policy, read_policy
from gateway.audit.proofs import verify_receipt
from gateway.audit.static_log import log_in_folder, verify_static
from gateway.audit.tables import entries, ranges, seal_state, subjects
from gateway.audit.verify import verify
from gateway.audit.witnessing import Witnessing, collect, policy_path
from gateway.cli.audit import audit
from gateway.cli.witness import witness
from gateway.settings import Settings
from gateway.store import Store
from gateway.witness.answering import add_checkpoint
from gateway.witness.home import WitnessHome, initialise_witness
from gateway.witness.serving import witness_app
from tests.conftest import NOW
from tests.gateway.audit.altering import registers

LEAVES = leaf_hashes(bytes([number]) for number in range(40))


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@dataclass(frozen=True)
class Running:
    """A witness of another agency, served over HTTP."""

    home: WitnessHome
    url: str
    vkey: str


@pytest.fixture
def running(sqlite_store: Store, tmp_path: Path) -> Iterator[Running]:
    home = WitnessHome(tmp_path / "elsewhere" / "witness")
    verifier = initialise_witness(home, "audit.example/witness")
    home.trust(load_verifier(sqlite_store.settings))
    with make_server("127.0.0.1", 0, witness_app(home, lambda: NOW), handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield Running(home, f"http://127.0.0.1:{server.server_port}", verifier.text())
        server.shutdown()
        thread.join()


@pytest.fixture
def policy(sqlite_store: Store, running: Running) -> Policy:
    path = policy_path(sqlite_store.settings)
    path.write_text(f"witness w1 {running.vkey} {running.url}/\nquorum w1\n", "utf-8")
    return read_policy(path)


def act(store: Store, *numbers: int) -> None:
    with store.write() as conn:
        for number in numbers:
            append(conn, "run.failed", "xinqiao", {"number": number}, NOW)
    seal(store, NOW)


def rewritten(store: Store, *numbers: int) -> None:
    """What only the operator can do: forget everything, and write and sign another history with the log's own key."""
    with store.write() as conn:
        for table in (subjects, ranges, entries, seal_state, *registers()):
            conn.execute(delete(table))
    shutil.rmtree(log_folder(store.settings) / "tile")
    (log_folder(store.settings) / "checkpoint").unlink()
    act(store, *numbers)


def test_a_log_that_grows_is_cosigned_and_published_so(sqlite_store: Store, running: Running, policy: Policy) -> None:
    first = collect(sqlite_store, policy, NOW)
    act(sqlite_store, *range(300))
    second = collect(sqlite_store, policy, NOW)

    assert [one.outcome for one in (*first, *second)] == ["cosigned", "cosigned"]
    report = verify_static(
        log_in_folder(log_folder(sqlite_store.settings)), load_verifier(sqlite_store.settings), policy
    )
    assert (report.witnessed_size, report.witnesses) == (report.size, ("w1",))
    assert running.home.cosigned(load_verifier(sqlite_store.settings)).size == report.size
    seal(sqlite_store, NOW)
    assert verify(sqlite_store).ok


def test_until_the_witnesses_answer_the_checkpoint_before_has_the_quorum(
    sqlite_store: Store, running: Running, policy: Policy
) -> None:
    [asked] = collect(sqlite_store, policy, NOW)
    act(sqlite_store, 1, 2, 3)

    report = verify_static(
        log_in_folder(log_folder(sqlite_store.settings)), load_verifier(sqlite_store.settings), policy
    )

    assert (report.witnessed_size, report.size) == (asked.size, asked.size + 3)


def test_a_receipt_carries_the_cosignatures_and_can_be_held_to_them(
    sqlite_store: Store, running: Running, policy: Policy
) -> None:
    vkey = load_verifier(sqlite_store.settings).text()
    with pytest.raises(ProofError, match="the quorum w1 is not met"):
        verify_receipt(inclusion_at(sqlite_store, 0), vkey, policy)

    collect(sqlite_store, policy, NOW)
    act(sqlite_store, 1)

    assert verify_receipt(inclusion_at(sqlite_store, 0), vkey, policy).witnesses == ("w1",)


@pytest.mark.parametrize("length", [8, 3, 12])
def test_an_operator_who_rewrites_history_is_caught(
    sqlite_store: Store, running: Running, policy: Policy, length: int
) -> None:
    rewritten(sqlite_store, *range(8))
    [before] = collect(sqlite_store, policy, NOW)
    witnessed = (log_folder(sqlite_store.settings) / "witnessed").read_text("utf-8")

    rewritten(sqlite_store, 0, 1, 99, *range(3, length))

    assert verify(sqlite_store).ok, "the operator's own log agrees with itself"
    [after] = collect(sqlite_store, policy, NOW)
    assert (before.outcome, after.outcome) == ("cosigned", "contradicted")
    assert running.home.cosigned(load_verifier(sqlite_store.settings)).size == 8
    log = log_in_folder(log_folder(sqlite_store.settings))
    with pytest.raises(ProofError, match="witnessed"):
        verify_static(log, load_verifier(sqlite_store.settings), policy)
    (log_folder(sqlite_store.settings) / "witnessed").unlink()
    with pytest.raises(ProofError, match="the quorum w1 is not met"):
        verify_static(log, load_verifier(sqlite_store.settings), policy)
    with pytest.raises(ProofError):
        verify_static(log, load_verifier(sqlite_store.settings), earlier=witnessed)


def test_the_command_line_ends_with_one_when_a_witness_contradicts(
    sqlite_store: Store, running: Running, policy: Policy
) -> None:
    def ask() -> int:
        return CliRunner().invoke(audit, ["cosign"], obj=sqlite_store.settings).exit_code

    rewritten(sqlite_store, 1, 2)
    first = ask()
    rewritten(sqlite_store, 3, 4)

    assert (first, ask()) == (0, 1)
    listed = CliRunner().invoke(audit, ["witnesses", "--json"], obj=sqlite_store.settings)
    assert '"outcome": "contradicted"' in listed.stdout
    [log] = (
        CliRunner()
        .invoke(witness, ["logs", "--json"], obj=Settings(home=running.home.folder.parent))
        .stdout.splitlines()
    )
    assert '"evidence": 1' in log


def test_a_witness_that_is_not_there_holds_up_nothing(sqlite_store: Store, running: Running) -> None:
    path = policy_path(sqlite_store.settings)
    path.write_text(f"witness w1 {running.vkey} http://127.0.0.1:9/\nquorum w1\n", "utf-8")

    act(sqlite_store, 1)
    [asked] = collect(sqlite_store, read_policy(path), NOW)

    assert asked.outcome == "unreachable"
    assert verify(sqlite_store).ok


def test_a_running_gateway_collects_by_itself(sqlite_store: Store, running: Running, policy: Policy) -> None:
    log = log_folder(sqlite_store.settings) / "witnessed"
    thread = Witnessing(sqlite_store, lambda: NOW, every_s=0.02)
    thread.start()
    try:
        for _ in range(500):
            if log.exists():
                break
            thread.join(0.02)
    finally:
        thread.stop()

    assert policy.demand(log.read_text("utf-8")) == ("w1",)


@pytest.fixture
def home(tmp_path: Path) -> WitnessHome:
    made = WitnessHome(tmp_path / "witness")
    initialise_witness(made, "audit.example/witness")
    return made


@pytest.fixture
def signer(sqlite_settings: Settings) -> Signer:
    return load_signer(sqlite_settings)


def signed(signer: Signer, size: int, leaves: list[bytes] = LEAVES) -> Checkpoint:
    return sign_checkpoint(signer, size, root(leaves[:size]))


def request(checkpoint: Checkpoint, old: int, proof: list[bytes] | None = None) -> bytes:
    if proof is None:
        proof = consistency_proof(
            old, checkpoint.size, lambda level, index: root(LEAVES[index << level : (index + 1) << level])
        )
    return "\n".join([f"old {old}", *proof_text(proof), "", checkpoint.note]).encode()


def test_every_status_is_the_one_of_the_specification(home: WitnessHome, signer: Signer) -> None:
    def answer(body: bytes) -> tuple[int, str, str]:
        given = add_checkpoint(home, body, NOW)
        return given.status, given.body if given.media_type.startswith("text/x") else "", given.media_type

    unknown = answer(request(signed(signer, 5), 0))
    home.trust(signer.verifier())
    other = Signer(signer.name, Ed25519PrivateKey.generate())
    cosigned = add_checkpoint(home, request(signed(signer, 5), 0), NOW)

    assert unknown[0] == 404
    assert cosigned.status == 200
    assert cosignatures(signed(signer, 5).note + cosigned.body, [home.cosigner().verifier()]) == {
        home.cosigner().verifier(): NOW
    }
    assert answer(request(sign_checkpoint(other, 7, root(LEAVES[:7])), 5))[0] == 403
    assert answer(request(signed(signer, 4), 5, []))[0] == 400
    assert answer(request(signed(signer, 9), 4)) == (409, "5\n", "text/x.tlog.size")
    assert answer(request(signed(signer, 9), 0)) == (409, "5\n", "text/x.tlog.size")
    fork = signed(signer, 5, [*LEAVES[:4], leaf_hash(b"another")])
    assert answer(request(fork, 5, [])) == (409, "5\n", "text/x.tlog.size")
    assert answer(request(signed(signer, 9), 5, []))[0] == 422
    assert answer(request(signed(signer, 9), 5, [LEAVES[0]] * 3))[0] == 422
    assert answer(request(signed(signer, 5), 5))[0] == 200
    assert answer(request(signed(signer, 9), 5))[0] == 200
    assert len(home.evidence(signer.verifier())) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 00\n\n{note}",
        b"old -1\n\n{note}",
        b"old 0 \n\n{note}",
        b"old 0\nAAAA\n\n{note}",
        b"old 0\n" + b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 64 + b"\n{note}",
        b"\xff\xfe\n\n{note}",
        b"old 0\n\nnot a checkpoint\n",
    ],
)
def test_what_is_no_request_is_told_so(home: WitnessHome, signer: Signer, body: bytes) -> None:
    home.trust(signer.verifier())

    assert add_checkpoint(home, body.replace(b"{note}", signed(signer, 3).note.encode()), NOW).status == 400


@given(body=st.binary(max_size=300))
def test_whatever_comes_is_answered(body: bytes) -> None:
    assert add_checkpoint(WitnessHome(Path("/nonexistent")), body, NOW).status in (400, 404)


def test_a_witness_whose_record_is_gone_cosigns_nothing(home: WitnessHome, signer: Signer) -> None:
    home.trust(signer.verifier())
    add_checkpoint(home, request(signed(signer, 5), 0), NOW)
    for path in home.folder.rglob("cosigned"):
        path.unlink()

    statuses: list[str] = []
    environ: dict[str, Any] = {"PATH_INFO": "/add-checkpoint", "REQUEST_METHOD": "POST"}
    sent = request(signed(signer, 5), 0)
    app = witness_app(home, lambda: NOW)
    environ = {**environ, "CONTENT_LENGTH": str(len(sent)), "wsgi.input": BytesIO(sent)}
    body = app(environ, lambda status, headers: statuses.append(status))

    assert (statuses, b"retire this witness' key" in b"".join(body)) == (["500 Internal Server Error"], True)


def test_a_log_does_not_change_its_key_unseen(home: WitnessHome, signer: Signer, tmp_path: Path) -> None:
    other = Signer(signer.name, Ed25519PrivateKey.generate()).verifier()
    file = tmp_path / "other.vkey"
    file.write_text(other.text(), "utf-8")
    home.trust(signer.verifier())

    result = CliRunner().invoke(witness, ["trust", str(file)], obj=Settings(home=home.folder.parent))

    assert result.exit_code != 0
    assert home.logs() == [signer.verifier()]
