"""A part of the log as one file that verifies offline: JSON lines, a checkpoint, then entries with their proofs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select

from connectors.errors import Refused
from gateway.audit.files import log_folder, tree_nodes
from gateway.audit.giving_proofs import newest_checkpoint
from gateway.audit.merkle import ProofError, check_inclusion, inclusion_proof, leaf_hash, parse_proof, proof_text
from gateway.audit.notes import NoteError, open_checkpoint, parse_vkey
from gateway.audit.policy import Policy
from gateway.audit.reading import touching
from gateway.audit.tables import entries, read_body
from gateway.store import Store
from schemas.canonical import canonical_json

FORMAT = "xinqiao-audit-export/1"

_AT_ONCE = 1000


@dataclass(frozen=True)
class Exported:
    """What a verified export shows.

    Attributes:
        size: entries under its checkpoint.
        entries: how many it holds, each proven to be in the log.
        complete_range: first and last place, if it holds every entry between them; else None. Of the entries about
            one entity nobody can prove that they are all: that the log holds no others is for who has the log.
        witnesses: who cosigned the checkpoint, by the names of the policy.
    """

    size: int
    entries: int
    complete_range: tuple[int, int] | None
    witnesses: tuple[str, ...]


def export(store: Store, uscc: str | None = None, first: int = 0, last: int | None = None) -> Iterator[str]:
    """The lines of an export, each with its line feed.

    Args:
        uscc: entries that name this entity, or cover a version of one of its records; None for all.
        first, last: places of the first and last entry.

    Raises:
        Refused: nothing has been sealed, or ``first`` lies beyond the log.
        ProofError: the tiles were altered; a false proof is never given out.
    """
    checkpoint = newest_checkpoint(store)
    if checkpoint is None or first >= checkpoint.size:
        size = checkpoint.size if checkpoint else 0
        raise Refused(f"日志有 {size} 条，没有第 {first} 条", f"the log has {size} entries, there is no entry {first}")
    end = checkpoint.size if last is None else min(last + 1, checkpoint.size)
    about: dict[str, object] = {"uscc": uscc} if uscc else {}
    head = {"format": FORMAT, "checkpoint": checkpoint.note, **about, "first": first, "last": end - 1}
    yield _line(head)
    nodes = tree_nodes(log_folder(store.settings), checkpoint.size)
    for index, body in _bodies(store, uscc, first, end):
        leaf = leaf_hash(body)
        proof = inclusion_proof(index, checkpoint.size, nodes)
        check_inclusion(leaf, index, checkpoint.size, proof, checkpoint.root)
        yield _line({"index": index, "entry": read_body(body), "proof": proof_text(proof)})


def _bodies(store: Store, uscc: str | None, first: int, end: int) -> Iterator[tuple[int, bytes]]:
    with store.read() as conn:
        if uscc is None:
            for start in range(first, end, _AT_ONCE):
                here = (entries.c.idx >= start) & (entries.c.idx < min(start + _AT_ONCE, end))
                yield from _rows(conn.execute(_query(here)).all())
            return
        ids = sorted(touching(conn, uscc))
        found: list[tuple[int, bytes]] = []
        for at in range(0, len(ids), _AT_ONCE):
            here = entries.c.id.in_(ids[at : at + _AT_ONCE]) & (entries.c.idx >= first) & (entries.c.idx < end)
            found += _rows(conn.execute(_query(here)).all())
        yield from sorted(found)


def _query(which: ColumnElement[bool]) -> Any:
    return select(entries.c.idx, entries.c.body).where(which).order_by(entries.c.idx)


def _rows(rows: Sequence[Any]) -> list[tuple[int, bytes]]:
    return [(row.idx, bytes(row.body)) for row in rows]


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def verify_export(lines: Iterable[str], vkey: str, policy: Policy | None = None) -> Exported:
    """Verify an export offline: signature of its checkpoint, and the proof of every entry.

    Args:
        vkey: the log's public key as one line.
        policy: who must have cosigned the checkpoint.

    Raises:
        ProofError: something of this is not so; names the line.
    """
    numbered = enumerate(lines, start=1)
    try:
        head = json.loads(next(numbered, (0, "null"))[1])
        if head["format"] != FORMAT:
            raise ProofError(f"line 1: expected format {FORMAT}, got {head['format']!r}")
        checkpoint = open_checkpoint(head["checkpoint"], parse_vkey(vkey))
        witnesses = policy.demand(checkpoint.note) if policy else ()
    except NoteError as error:
        raise ProofError(f"line 1: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ProofError(f"line 1: not the beginning of an export: {error}") from error
    places = [_place(number, line, checkpoint.size, checkpoint.root) for number, line in numbered]
    if any(one >= following for one, following in zip(places, places[1:], strict=False)):
        raise ProofError("the entries are not in the order of the log")
    is_range = places == list(range(places[0], places[-1] + 1)) if places else False
    return Exported(checkpoint.size, len(places), (places[0], places[-1]) if is_range else None, witnesses)


def _place(number: int, line: str, size: int, root: bytes) -> int:
    try:
        said = json.loads(line)
        index, leaf = said["index"], leaf_hash(canonical_json(said["entry"]))
        if not isinstance(index, int) or isinstance(index, bool):
            raise ProofError(f"index: expected a number, got {index!r}")
        check_inclusion(leaf, index, size, parse_proof(said["proof"]), root)
    except (KeyError, TypeError, ValueError) as error:
        # ProofError is a ValueError.
        raise ProofError(f"line {number}: {error}") from error
    return index
