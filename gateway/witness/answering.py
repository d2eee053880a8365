"""``add-checkpoint`` of c2sp.org/tlog-witness: what is asked, what is answered, with which status."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from gateway.audit.consistency import check_consistency
from gateway.audit.merkle import ProofError, parse_proof
from gateway.audit.notes import Checkpoint, NoteError, open_checkpoint, parse_checkpoint, split_note
from gateway.witness.home import WitnessHome

MAX_BODY_BYTES = 64 * 1024

_MAX_HASHES = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_TEXT = "text/plain; charset=utf-8"
_SIZE = "text/x.tlog.size"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str
    media_type: str = _TEXT


@dataclass(frozen=True)
class Asked:
    """An ``add-checkpoint`` request.

    Attributes:
        old: size of the checkpoint that the proof begins with.
        proof: consistency proof, 32-byte hashes.
        note: the checkpoint as it was sent.
        claimed: what the note says; not verified.
    """

    old: int
    proof: list[bytes]
    note: str
    claimed: Checkpoint


def parse_request(body: bytes) -> Asked:
    """Read a request.

    Raises:
        ValueError: malformed.
    """
    head, blank, note = body.decode().partition("\n\n")
    old, *hashes = head.split("\n")
    found = _OLD.fullmatch(old)
    if not blank or not found or len(hashes) > _MAX_HASHES:
        raise ValueError("expected a line `old <size>`, at most 63 hashes, an empty line and a checkpoint")
    return Asked(int(found[1]), parse_proof(hashes), note, parse_checkpoint(note))


def add_checkpoint(home: WitnessHome, body: bytes, now: datetime) -> Answer:
    """Cosign a checkpoint if the log was shown to begin with the one that was cosigned before.

    The record is on disk before anything is answered.

    Raises:
        StateLost: the record of what was cosigned before is gone.
    """
    try:
        asked = parse_request(body)
    except ValueError as error:
        # NoteError, ProofError and UnicodeDecodeError are ValueErrors.
        return Answer(400, f"{error}\n")
    log = home.log(asked.claimed.origin)
    if log is None:
        return Answer(404, "this log is not watched here\n")
    try:
        checkpoint = open_checkpoint(asked.note, log)
    except NoteError as error:
        return Answer(403, f"{error}\n")
    if asked.old > checkpoint.size:
        return Answer(400, "the old size is larger than the checkpoint's\n")
    with home.locked(log):
        known = home.cosigned(log)
        if asked.old != known.size:
            return Answer(409, f"{known.size}\n", _SIZE)
        refusal = _refusal(home, known, checkpoint, asked.proof)
        if refusal is not None:
            return refusal
        if checkpoint.size > known.size:
            home.keep(checkpoint)
    return Answer(200, home.cosigner().cosign(split_note(checkpoint.note)[0], now))


def _refusal(home: WitnessHome, known: Checkpoint, checkpoint: Checkpoint, proof: list[bytes]) -> Answer | None:
    if checkpoint.size == known.size and checkpoint.root != known.root:
        home.keep_evidence(checkpoint)
        return Answer(409, f"{known.size}\n", _SIZE)
    try:
        check_consistency(known.size, checkpoint.size, known.root, checkpoint.root, proof)
    except ProofError as error:
        home.keep_evidence(checkpoint)
        return Answer(422, f"{error}\n")
    return None
