"""Checkpoints, receipts, consistency proofs, tiles: what somebody hands in to be verified."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.audit import Action, append
from gateway.audit.giving_proofs import consistency, inclusion_at
from gateway.audit.keys import vkey_path
from gateway.audit.log import current_checkpoint, seal
from gateway.audit.merkle import ProofError
from gateway.audit.notes import Checkpoint, NoteError, open_checkpoint, parse_vkey
from gateway.audit.policy import PolicyError, parse_policy
from gateway.audit.proofs import verify_consistency, verify_receipt
from gateway.audit.tiles import parse_path, split_bundle, split_hashes
from gateway.home import initialise, open_home
from gateway.settings import Settings
from gateway.store import Store
from tests.conftest import NOW
from tests.fuzz.target import Finding, Made, Target

_MODULES = ("gateway.audit", "schemas.canonical")


@contextmanager
def _log() -> Iterator[tuple[Store, str, Checkpoint, Checkpoint]]:
    """A log with its key and two checkpoints, the second some entries later."""
    with tempfile.TemporaryDirectory(prefix="xinqiao-fuzz-") as folder:
        settings = Settings(home=Path(folder))
        initialise(settings, NOW)
        with open_home(settings) as store:
            earlier = _sealed(store, 3)
            yield store, vkey_path(settings).read_text("utf-8"), earlier, _sealed(store, 6)


def _sealed(store: Store, count: int) -> Checkpoint:
    with store.write() as conn:
        for number in range(count):
            append(conn, Action.RUN_FAILED, "test", {"source": "a/b", "reason": str(number), "run_id": "r"}, NOW)
    seal(store, NOW)
    checkpoint = current_checkpoint(store)
    if checkpoint is None:
        raise AssertionError("a sealed log has a checkpoint")
    return checkpoint


@contextmanager
def _checkpoints() -> Iterator[Made]:
    with _log() as (_, vkey, earlier, latest):
        verifier = parse_vkey(vkey)
        signed = {(one.size, one.root) for one in (earlier, latest)}

        def run(data: bytes) -> None:
            text = data.decode("utf-8", "replace")
            with suppress(PolicyError):
                parse_policy(text)
            try:
                found = open_checkpoint(text, verifier)
            except NoteError:
                return
            if (found.size, found.root) not in signed:
                raise Finding("a checkpoint is believed that the log never signed")

        yield Made(run, [earlier.note.encode(), latest.note.encode()])


@contextmanager
def _receipts() -> Iterator[Made]:
    with _log() as (store, vkey, _, latest):
        genuine = [inclusion_at(store, index) for index in range(latest.size)]
        known = [proof["entry"] for proof in genuine]

        def run(data: bytes) -> None:
            receipt = _object(data)
            if receipt is None:
                return
            try:
                proven = verify_receipt(receipt, vkey)
            except ProofError:
                return
            if proven.entry not in known:
                raise Finding("an entry is proven that is not in the log")

        yield Made(run, [json.dumps(proof, ensure_ascii=False).encode() for proof in genuine])


@contextmanager
def _consistency() -> Iterator[Made]:
    with _log() as (store, vkey, earlier, latest):
        genuine = consistency(store, earlier.size)

        def run(data: bytes) -> None:
            proof = _object(data)
            if proof is None:
                return
            try:
                found = verify_consistency(proof, earlier.note, vkey)
            except ProofError:
                return
            if found.root not in (earlier.root, latest.root):
                raise Finding("a log is believed to go on from another one")

        yield Made(run, [json.dumps(genuine).encode()])


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def _tiles() -> Iterator[Made]:
    def run(data: bytes) -> None:
        path = data.decode("utf-8", "replace")
        tile = parse_path(path)
        if tile is not None and (tile.path != path or ".." in path or path.startswith("/")):
            raise Finding(f"{path!r} is taken for the path of a tile")
        for split in (split_hashes, split_bundle):
            with suppress(ValueError):
                split(data)

    yield Made(run, [b"tile/0/x001/x234/067.p/8", b"tile/entries/000", b"\x00\x02{}" * 3, bytes(64)])


TARGETS = (
    Target("checkpoints", _MODULES, _checkpoints),
    Target("receipts", _MODULES, _receipts),
    Target("consistency-proofs", _MODULES, _consistency),
    Target("tiles", _MODULES, _tiles),
)
