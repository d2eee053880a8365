"""Proofs that leave the house, and their verification with nothing but the log's public key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import Refused
from gateway.audit.consistency import check_consistency
from gateway.audit.giving_proofs import inclusion
from gateway.audit.leaves import accepted_leaves
from gateway.audit.merkle import (
    ProofError,
    check_inclusion,
    inclusion_proof,
    leaf_hash,
    parents,
    parse_proof,
    proof_text,
)
from gateway.audit.notes import Checkpoint, NoteError, open_checkpoint, parse_vkey
from gateway.audit.policy import Policy
from gateway.audit.reading import landing_entry
from gateway.store import Store
from schemas.canonical import canonical_json

AUDIT = "audit"
"""Where a receipt carries its proof."""


@dataclass(frozen=True)
class Proven:
    """What a verified receipt shows.

    Attributes:
        index: place of the entry in the log.
        size: entries under the checkpoint that proves it.
        entry: the entry as the log has it.
        unproven: fields of the receipt that the entry does not carry; they are said, not proven.
        witnesses: who cosigned the checkpoint, by the names of the policy; none without a policy.
    """

    index: int
    size: int
    entry: dict[str, Any]
    unproven: tuple[str, ...]
    witnesses: tuple[str, ...] = ()


SIGNATURE = "jws"
"""Member of a receipt with the gateway's signature over the others, which is verified apart from the log."""


def verify_receipt(receipt: Mapping[str, Any], vkey: str, policy: Policy | None = None) -> Proven:
    """Verify a receipt offline.

    Signature of the checkpoint, place of the entry under it, hash of the entry, and that the
    receipt says nothing other than its entry.

    Args:
        receipt: with its proof under ``audit``, or such a proof itself.
        vkey: the log's public key as one line.
        policy: who must have cosigned the checkpoint.

    Raises:
        ProofError: anything of this is not so; the message says what.
    """
    proof = receipt.get(AUDIT, receipt)
    try:
        checkpoint = open_checkpoint(proof["checkpoint"], parse_vkey(vkey))
        witnesses = policy.demand(checkpoint.note) if policy else ()
        entry, index = proof["entry"], proof["index"]
        path = parse_proof(proof["proof"])
        leaf = leaf_hash(canonical_json(entry))
        claimed = (proof["size"], proof["leaf_hash"])
    except NoteError as error:
        raise ProofError(str(error)) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ProofError(f"not a receipt with a proof: {type(error).__name__} {error}") from error
    if not isinstance(index, int) or isinstance(index, bool):
        raise ProofError(f"index: expected a number, got {index!r}")
    if claimed != (checkpoint.size, leaf.hex()):
        raise ProofError("size or leaf hash of the receipt are not those of its checkpoint and entry")
    check_inclusion(leaf, index, checkpoint.size, path, checkpoint.root)
    return Proven(index, checkpoint.size, entry, _unproven(receipt, entry), witnesses)


def _unproven(receipt: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields that only the receipt has; the others must be the same. What is null is not in the log."""
    if AUDIT not in receipt:
        return ()
    said = {name: value for name, value in receipt.items() if name not in (AUDIT, SIGNATURE)}
    for name in said.keys() & entry.keys():
        if said[name] != entry[name]:
            raise ProofError(f"{name}: the receipt says {said[name]!r}, the log {entry[name]!r}")
    return tuple(sorted(name for name in said.keys() - entry.keys() if said[name] is not None))


def verify_consistency(proof: Mapping[str, Any], earlier: str, vkey: str) -> Checkpoint:
    """Verify offline that a log begins with what an earlier checkpoint of it covers.

    Args:
        proof: as `gateway.audit.giving_proofs.consistency` gives it.
        earlier: the signed note that was kept.
        vkey: the log's public key as one line.

    Returns:
        the later checkpoint.

    Raises:
        ProofError: it is not shown; or one of the checkpoints is not signed by this key.
    """
    try:
        verifier = parse_vkey(vkey)
        first, second = open_checkpoint(earlier, verifier), open_checkpoint(proof["checkpoint"], verifier)
        path, said = parse_proof(proof["proof"]), (proof["first"], proof["second"])
    except NoteError as error:
        raise ProofError(str(error)) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ProofError(f"not a proof of consistency: {type(error).__name__} {error}") from error
    if said != (first.size, second.size):
        raise ProofError(
            f"the proof is from {said[0]} to {said[1]}, the checkpoints are of {first.size} and {second.size}"
        )
    check_consistency(first.size, second.size, first.root, second.root, path)
    return second


def accepted_count(entry: Mapping[str, Any]) -> int:
    """How many records a landed delivery said, repetitions counted once: the leaves under its accepted root."""
    return sum(int(entry[kind]) for kind in ("new", "changed", "unchanged"))


def record_proof(store: Store, delivery_id: str, content_hash: bytes) -> dict[str, Any]:
    """The proof that one record was in a delivery: under its accepted root, which is in its audit entry.

    Args:
        content_hash: RFC 6962 leaf hash of the record's payload.

    Raises:
        Refused: no landed delivery of this id, or the record was not in it.
        Unavailable: its entry waits to be sealed.
        ProofError: files were altered.
    """
    with store.read() as conn:
        entry_id = landing_entry(conn, delivery_id)
    if entry_id is None:
        raise Refused(f"交付 {delivery_id} 没有入库", f"delivery {delivery_id} has not landed", delivery_id=delivery_id)
    leaves = accepted_leaves(store.settings.home, delivery_id)
    if content_hash not in leaves:
        raise Refused(
            f"交付 {delivery_id} 中没有内容摘要为 {content_hash.hex()} 的记录",
            f"delivery {delivery_id} had no record with content hash {content_hash.hex()}",
            delivery_id=delivery_id,
        )
    index = leaves.index(content_hash)
    proof = {
        "content_hash": content_hash.hex(),
        "index": index,
        "size": len(leaves),
        "proof": proof_text(inclusion_proof(index, len(leaves), _memory_nodes(leaves))),
        AUDIT: inclusion(store, entry_id),
    }
    _check_record(proof, content_hash)
    return proof


def verify_record_proof(proof: Mapping[str, Any], payload: bytes, vkey: str) -> Proven:
    """Verify offline that a record was in the delivery the log tells of.

    Args:
        payload: the record as canonical JSON, as the feed gives it.

    Raises:
        ProofError: it is not shown to have been there.
    """
    try:
        proven = verify_receipt(proof[AUDIT], vkey)
        _check_record(proof, leaf_hash(payload))
    except (KeyError, TypeError, AttributeError) as error:
        raise ProofError(f"not a proof of a record: {type(error).__name__} {error}") from error
    return proven


def _check_record(proof: Mapping[str, Any], content_hash: bytes) -> None:
    entry = proof[AUDIT]["entry"]
    if proof["size"] != accepted_count(entry):
        raise ProofError(f"the delivery said {accepted_count(entry)} records, the proof says {proof['size']}")
    root = bytes.fromhex(entry["accepted_root"])
    check_inclusion(content_hash, proof["index"], proof["size"], parse_proof(proof["proof"]), root)


def _memory_nodes(leaves: Sequence[bytes]) -> Callable[[int, int], bytes]:
    levels: list[Sequence[bytes]] = [leaves]
    while len(levels[-1]) > 1:
        levels.append(parents(levels[-1]))
    return lambda level, index: levels[level][index]
