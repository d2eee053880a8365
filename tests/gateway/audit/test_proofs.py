"""Receipts verify offline with the public key alone, and not a word of them can be changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.errors import Refused, Unavailable
from gateway.audit.giving_proofs import inclusion
from gateway.audit.keys import create_log_key, load_verifier
from gateway.audit.log import append, seal
from gateway.audit.merkle import ProofError, leaf_hash
from gateway.audit.proofs import record_proof, verify_receipt, verify_record_proof
from gateway.audit.tables import entries
from gateway.receipts import proven
from gateway.settings import Settings
from gateway.store import Store
from tests.gateway.audit.landings import ADA, BOB, complaint, land_complaints


@pytest.fixture
def landed(store: Store, now: datetime) -> tuple[Store, str]:
    """A store in which one delivery of five complaints has landed and is sealed, with its id."""
    delivery_id = land_complaints(store, [complaint(f"c{number}", ADA) for number in range(5)], now)
    seal(store, now)
    return store, delivery_id


def by_mail(document: dict[str, Any]) -> dict[str, Any]:
    """The document as somebody else reads it."""
    read: dict[str, Any] = json.loads(json.dumps(document, ensure_ascii=False))
    return read


def test_a_receipt_is_verified_with_nothing_but_the_public_key(landed: tuple[Store, str]) -> None:
    store, delivery_id = landed
    receipt = by_mail(proven(store, delivery_id))

    shown = verify_receipt(receipt, load_verifier(store.settings).text())

    assert (shown.index, shown.size, shown.entry["delivery_id"], shown.unproven) == (1, 2, delivery_id, ("status",))


def test_a_proof_without_a_receipt_around_it_is_verified_too(store: Store, now: datetime) -> None:
    with store.write() as conn:
        entry_id = append(conn, action="grant.given", actor="zhang", at=now, facts={"grant": "g1"})
    seal(store, now)

    shown = verify_receipt(by_mail(inclusion(store, entry_id)), load_verifier(store.settings).text())

    assert (shown.entry["grant"], shown.unproven) == ("g1", ())


def _set(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


def _grow(proof: dict[str, Any]) -> None:
    """One entry more in the checkpoint, without the key to sign it."""
    size = proof["size"]
    proof.update(checkpoint=proof["checkpoint"].replace(f"\n{size}\n", f"\n{size + 1}\n"), size=size + 1)


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "count in the receipt": _set("new", value=6),
    "count in the entry": _set("audit", "entry", "new", value=6),
    "fact slipped into the entry": _set("audit", "entry", "more", value=1),
    "actor": _set("audit", "entry", "actor", value="somebody"),
    "place": _set("audit", "index", value=0),
    "place that is no number": _set("audit", "index", value="1"),
    "place that is a yes": _set("audit", "index", value=True),
    "size": _set("audit", "size", value=99),
    "leaf hash": _set("audit", "leaf_hash", value="00" * 32),
    "hash of the proof": _set("audit", "proof", 0, value="A" * 43 + "="),
    "proof that is none": _set("audit", "proof", value=None),
    "proof of numbers": _set("audit", "proof", value=[1]),
    "longer proof": lambda receipt: receipt["audit"]["proof"].append("A" * 43 + "="),
    "shorter proof": lambda receipt: receipt["audit"]["proof"].pop(),
    "checkpoint": lambda receipt: _grow(receipt["audit"]),
    "no checkpoint": lambda receipt: receipt["audit"].pop("checkpoint"),
    "checkpoint that is none": _set("audit", "checkpoint", value=7),
    "entry that is none": _set("audit", "entry", value=[]),
    "no proof": lambda receipt: receipt.pop("audit"),
    "proof that is text": _set("audit", value="trust me"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_receipt_with_one_lie_is_not_proven(sqlite_store: Store, now: datetime, lie: str) -> None:
    with sqlite_store.write() as conn:
        facts = {"delivery_id": "d1", "new": 5}
        entry_id = append(conn, action="delivery.landed", actor="test", at=now, facts=facts)
    seal(sqlite_store, now)
    vkey = load_verifier(sqlite_store.settings).text()
    receipt = by_mail({**facts, "audit": inclusion(sqlite_store, entry_id)})
    size = receipt["audit"]["size"]
    assert verify_receipt(receipt, vkey).index == size - 1
    false = copy.deepcopy(receipt)

    LIES[lie](false)

    assert false != receipt
    with pytest.raises(ProofError):
        verify_receipt(false, vkey)


def test_a_receipt_of_another_log_is_not_proven(landed: tuple[Store, str], tmp_path: Path) -> None:
    store, delivery_id = landed
    stranger = create_log_key(Settings(home=tmp_path / "stranger"))

    with pytest.raises(ProofError, match="not signed by"):
        verify_receipt(proven(store, delivery_id), stranger.text())


def test_one_record_is_proven_to_have_been_in_a_delivery(landed: tuple[Store, str]) -> None:
    store, delivery_id = landed
    vkey = load_verifier(store.settings).text()
    payload = complaint("c3", ADA).payload

    proof = by_mail(record_proof(store, delivery_id, leaf_hash(payload)))

    assert verify_record_proof(proof, payload, vkey).entry["delivery_id"] == delivery_id
    assert (proof["index"], proof["size"]) == (3, 5)
    with pytest.raises(ProofError):
        verify_record_proof(proof, complaint("c3", BOB).payload, vkey)
    with pytest.raises(ProofError):
        verify_record_proof(proof | {"index": 2}, payload, vkey)
    with pytest.raises(ProofError):
        verify_record_proof(proof | {"size": 6}, payload, vkey)
    with pytest.raises(ProofError, match="not a proof of a record"):
        verify_record_proof({"audit": proof["audit"]}, payload, vkey)


def test_what_was_not_in_a_delivery_is_not_proven(landed: tuple[Store, str], now: datetime) -> None:
    store, delivery_id = landed
    waiting = land_complaints(store, [complaint("c9", BOB)], now)

    with pytest.raises(Refused, match="no record with content hash"):
        record_proof(store, delivery_id, bytes(32))
    with pytest.raises(Refused, match="has not landed"):
        record_proof(store, "another", bytes(32))
    with pytest.raises(Unavailable):
        record_proof(store, waiting, leaf_hash(complaint("c9", BOB).payload))


def test_the_entry_in_a_receipt_is_the_stored_one(landed: tuple[Store, str]) -> None:
    store, delivery_id = landed

    entry = proven(store, delivery_id)["audit"]["entry"]

    with store.read() as conn:
        body = conn.execute(select(entries.c.body).where(entries.c.idx == 1)).scalar_one()
    assert entry == json.loads(body)
