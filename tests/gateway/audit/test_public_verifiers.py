"""Other people's verifiers agree with us: sigstore, and the Go implementation that these formats come from."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import LogCheckpoint, SignedNote
from sigstore._internal.trust import Keyring
from sigstore.errors import VerificationError
from sigstore_models.common.v1 import PublicKey, PublicKeyDetails
from sqlalchemy import select

from gateway.audit.files import log_folder
from gateway.audit.giving_proofs import consistency, inclusion_at
from gateway.audit.keys import load_verifier
from gateway.audit.log import append, current_checkpoint, seal
from gateway.audit.merkle import leaf_hashes, parse_proof, root
from gateway.audit.notes import Checkpoint
from gateway.audit.tables import entries
from gateway.store import Store
from tests.conftest import NOW

COUNT = 300
"""Entries: one full tile and a part of the next, so that two levels take part."""


@pytest.fixture
def sealed(sqlite_store: Store) -> Store:
    with sqlite_store.write() as conn:
        for number in range(COUNT):
            append(conn, "run.failed", "xinqiao", {"number": number}, NOW)
    seal(sqlite_store, NOW)
    return sqlite_store


def checkpoint_of(store: Store) -> Checkpoint:
    checkpoint = current_checkpoint(store)
    assert checkpoint is not None
    return checkpoint


def bodies(store: Store) -> list[bytes]:
    with store.read() as conn:
        return list(conn.execute(select(entries.c.body).order_by(entries.c.idx)).scalars())


def test_sigstore_reads_and_verifies_our_checkpoint(sealed: Store) -> None:
    ours, verifier = checkpoint_of(sealed), load_verifier(sealed.settings)
    der = Ed25519PublicKey.from_public_bytes(verifier.public_key).public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    key = PublicKey(raw_bytes=base64.b64encode(der), key_details=PublicKeyDetails.PKIX_ED25519)
    keyring: Any = Keyring([key])
    key_id: Any = verifier.key_id

    note = SignedNote.from_text(ours.note)
    theirs = LogCheckpoint.from_text(note.note)
    note.verify(keyring, key_id)

    assert (theirs.origin, theirs.log_size, theirs.log_hash) == (ours.origin, ours.size, ours.root.hex())
    with pytest.raises(VerificationError):
        SignedNote.from_text(ours.note.replace(f"\n{ours.size}\n", "\n7\n")).verify(keyring, key_id)


def test_sigstore_verifies_our_proofs_of_inclusion(sealed: Store) -> None:
    ours, all_bodies = checkpoint_of(sealed), bodies(sealed)

    def rekor_entry(index: int, body: bytes) -> Any:
        given = inclusion_at(sealed, index)
        proof = SimpleNamespace(
            log_index=given["index"],
            tree_size=given["size"],
            hashes=parse_proof(given["proof"]),
            root_hash=ours.root,
        )
        return SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=body))

    for index in (0, 1, 127, 255, 256, ours.size - 1):
        verify_merkle_inclusion(rekor_entry(index, all_bodies[index]))
    with pytest.raises(VerificationError):
        verify_merkle_inclusion(rekor_entry(5, all_bodies[6]))


@pytest.fixture(scope="session")
def go_verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference implementation, compiled from Debian's source package."""
    go = shutil.which("go") or "/usr/lib/go/bin/go"
    assert Path(go).exists(), "first: sh scripts/install_go_verifier.sh"
    program = tmp_path_factory.mktemp("go") / "verify"
    source = Path(__file__).parents[2] / "go_verifier" / "main.go"
    environment = {
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOFLAGS": "-buildvcs=false",
        "CGO_ENABLED": "0",
    }
    subprocess.run([go, "build", "-o", str(program), str(source)], env=os.environ | environment, check=True)
    return program


def test_the_reference_implementation_verifies_our_log_and_makes_the_same_proofs(
    sealed: Store, go_verifier: Path
) -> None:
    ours, leaves = checkpoint_of(sealed), leaf_hashes(bodies(sealed))
    indexes, firsts = [0, 1, 127, 255, 256, ours.size - 1], [1, 2, 3, 128, 255, 256, 257, ours.size - 1]
    inclusions = [(index, inclusion_at(sealed, index)["proof"]) for index in indexes]
    beginnings = [(first, consistency(sealed, first)["proof"]) for first in firsts]
    asked = {
        "folder": str(log_folder(sealed.settings)),
        "vkey": load_verifier(sealed.settings).text(),
        "inclusions": [
            *({"index": index, "leaf": text(leaves[index]), "proof": proof} for index, proof in inclusions),
            {"index": 5, "leaf": text(leaves[6]), "proof": inclusions[0][1]},
        ],
        "consistencies": [
            *({"first": one, "firstRoot": text(root(leaves[:one])), "proof": proof} for one, proof in beginnings),
            {"first": 7, "firstRoot": text(root(leaves[1:8])), "proof": beginnings[0][1]},
        ],
    }

    done = subprocess.run([str(go_verifier)], input=json.dumps(asked), capture_output=True, text=True, check=True)

    answer = json.loads(done.stdout)
    assert (answer["Origin"], answer["Size"], answer["Root"]) == (ours.origin, ours.size, text(ours.root))
    assert answer["Inclusions"] == [True] * len(indexes) + [False]
    assert answer["Consistencies"] == [True] * len(firsts) + [False]
    theirs = [proof for number, proof in enumerate(answer["OwnProofs"]) if number not in (len(indexes), 15)]
    assert theirs == [proof for _, proof in (*inclusions, *beginnings)]


def test_the_reference_implementation_refuses_an_altered_checkpoint(sealed: Store, go_verifier: Path) -> None:
    checkpoint = log_folder(sealed.settings) / "checkpoint"
    checkpoint.write_text(checkpoint.read_text("utf-8").replace("/log\n", "/lob\n", 1), "utf-8")
    asked = {"folder": str(log_folder(sealed.settings)), "vkey": load_verifier(sealed.settings).text()}

    done = subprocess.run([str(go_verifier)], input=json.dumps(asked), capture_output=True, text=True, check=False)

    assert (done.returncode, "invalid signature" in done.stderr) == (1, True)


def text(hash_: bytes) -> str:
    return base64.b64encode(hash_).decode()
