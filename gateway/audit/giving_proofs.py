"""Proofs made from the home's own log: that an entry is in it, that it begins with an earlier checkpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, select

from connectors.errors import Refused, Unavailable
from gateway.audit.consistency import check_consistency, consistency_proof
from gateway.audit.files import log_folder, tree_nodes
from gateway.audit.keys import load_verifier
from gateway.audit.log import Published, current_checkpoint
from gateway.audit.merkle import check_inclusion, inclusion_proof, leaf_hash, proof_text, range_root
from gateway.audit.notes import Checkpoint, NoteError, open_checkpoint
from gateway.audit.static_log import WITNESSED
from gateway.audit.tables import entries, read_body
from gateway.store import Store

_BY_ID = select(entries.c.idx, entries.c.body).where(entries.c.id == bindparam("which"))
_BY_PLACE = select(entries.c.idx, entries.c.body).where(entries.c.idx == bindparam("which"))


def inclusion(store: Store, entry_id: int, sealed: Published | None = None) -> dict[str, Any]:
    """The proof that an entry is in the log, as a receipt carries it under ``audit``.

    Args:
        sealed: what a seal has just published, if there was one; what it knows is not asked for.

    Returns:
        ``entry`` (the body), ``index``, ``size``, ``leaf_hash`` (hex), ``proof`` (base64, lowest
        first) and ``checkpoint`` (the signed note of a log of ``size`` entries).

    Raises:
        Refused: no such entry.
        Unavailable: the entry waits to be sealed; a second later it is.
        ProofError: the tiles were altered; a false proof is never given out.
    """
    zh, en = f"编号为 {entry_id} 的审计条目", f"audit entry with id {entry_id}"
    known = sealed.numbered.get(entry_id) if sealed else None
    place, body = known or _entry(store, _BY_ID, entry_id, zh, en)
    return _inclusion(store, place, body, zh, en, sealed.checkpoint if sealed else None)


def inclusion_at(store: Store, index: int) -> dict[str, Any]:
    """`inclusion` of the entry at a place in the log.

    Raises:
        Refused: the log is not that long.
    """
    zh, en = f"序号为 {index} 的审计条目", f"entry {index}"
    return _inclusion(store, *_entry(store, _BY_PLACE, index, zh, en), zh, en)


def _entry(store: Store, which: Select[Any], number: int, zh: str, en: str) -> tuple[int | None, bytes]:
    """Place in the log and body of an entry."""
    with store.ask() as conn:
        row = conn.execute(which, {"which": number}).one_or_none()
    if row is None:
        raise Refused(f"没有{zh}", f"no {en}")
    return row.idx, row.body


def _inclusion(
    store: Store, place: int | None, body: bytes, zh: str, en: str, newest: Checkpoint | None = None
) -> dict[str, Any]:
    checkpoint = _checkpoint_over(store, place, newest)
    if place is None or checkpoint is None or place >= checkpoint.size:
        raise Unavailable(f"{zh}尚未封存，请稍后再取", f"{en} is not sealed yet; ask again")
    leaf = leaf_hash(body)
    proof = inclusion_proof(place, checkpoint.size, tree_nodes(log_folder(store.settings), checkpoint.size))
    check_inclusion(leaf, place, checkpoint.size, proof, checkpoint.root)
    return {
        "entry": read_body(body),
        "index": place,
        "size": checkpoint.size,
        "leaf_hash": leaf.hex(),
        "proof": proof_text(proof),
        "checkpoint": checkpoint.note,
    }


def newest_checkpoint(store: Store) -> Checkpoint | None:
    """The newest checkpoint, with the cosignatures it has so far; None before the first seal."""
    newest = current_checkpoint(store)
    if newest is None:
        return None
    try:
        filed = (log_folder(store.settings) / "checkpoint").read_text("utf-8")
    except FileNotFoundError:
        return newest
    # The file repeats the database's note; witnesses' lines follow below it.
    return replace(newest, note=filed) if filed.startswith(newest.note) else newest


def _checkpoint_over(store: Store, index: int | None, newest: Checkpoint | None) -> Checkpoint | None:
    """The newest checkpoint with the cosignatures of a quorum, if it covers the entry; else the newest there is."""
    witnessed = witnessed_checkpoint(store)
    if witnessed is not None and index is not None and index < witnessed.size:
        return witnessed
    return newest or current_checkpoint(store)


def witnessed_checkpoint(store: Store) -> Checkpoint | None:
    """The newest checkpoint that a quorum cosigned; None if there is none that this log signed."""
    try:
        note = (log_folder(store.settings) / WITNESSED).read_text("utf-8")
        return open_checkpoint(note, load_verifier(store.settings))
    except (FileNotFoundError, UnicodeDecodeError, NoteError):
        return None


def consistency(store: Store, first: int) -> dict[str, Any]:
    """The proof that the log begins with its first ``first`` entries; see `verify_consistency`.

    Returns:
        ``first`` and ``first_root`` (hex), ``second`` and ``second_root``, ``proof`` (base64), and
        ``checkpoint``: the signed note of a log of ``second`` entries.

    Raises:
        Refused: the log has never been sealed, or is shorter than that.
        ProofError: the tiles were altered; a false proof is never given out.
    """
    checkpoint = current_checkpoint(store)
    if checkpoint is None or not 0 <= first <= checkpoint.size:
        size = checkpoint.size if checkpoint else 0
        raise Refused(
            f"日志有 {size} 条，不能从 {first} 条起证明", f"the log has {size} entries, expected at least {first}"
        )
    proof, first_root = proof_from(store, checkpoint, first)
    return {
        "first": first,
        "first_root": first_root.hex(),
        "second": checkpoint.size,
        "second_root": checkpoint.root.hex(),
        "proof": proof_text(proof),
        "checkpoint": checkpoint.note,
    }


def proof_from(store: Store, checkpoint: Checkpoint, first: int) -> tuple[list[bytes], bytes]:
    """The consistency proof from ``first`` entries to a checkpoint of this log, verified; and the root at ``first``.

    Raises:
        ProofError: the tiles were altered.
    """
    nodes = tree_nodes(log_folder(store.settings), checkpoint.size)
    proof, first_root = consistency_proof(first, checkpoint.size, nodes), range_root(0, first, nodes)
    check_consistency(first, checkpoint.size, first_root, checkpoint.root, proof)
    return proof, first_root
