"""Asking witnesses to cosign what was sealed, and publishing their cosignatures. Never in a seal's way."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import httpx
import structlog

from certs.keys import write_whole
from gateway.audit.cosignatures import cosignatures, good_lines
from gateway.audit.files import log_folder
from gateway.audit.giving_proofs import proof_from, witnessed_checkpoint
from gateway.audit.log import current_checkpoint, publishing
from gateway.audit.merkle import ProofError, proof_text
from gateway.audit.notes import Checkpoint, split_note
from gateway.audit.policy import Policy, Witness, read_policy
from gateway.audit.static_log import WITNESSED
from gateway.audit.timestamps import is_due, stamp
from gateway.clock import instant, utc_now
from gateway.settings import Settings
from gateway.store import Store

TIMEOUT_S = 5.0
"""For connecting, and for each silence of a witness."""

AGAIN_S = 15.0
"""After so long a witness that gave no cosignature is asked again."""

_MOST_BYTES = 64 * 1024
_STATUS = "witnesses.json"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Asked:
    """What came of asking one witness.

    Attributes:
        witness: name in the policy.
        size: of the checkpoint it was asked about.
        outcome: ``cosigned``, ``unreachable``, ``refused`` (it does not know this log, or not this key) or
            ``contradicted``: what it cosigned before is not the beginning of this log.
        at: instant text.
        detail: what it said, where that helps.
        lines: its cosignature lines; empty if it gave none.
    """

    witness: str
    size: int
    outcome: str
    at: str
    detail: str
    lines: str


def policy_path(settings: Settings) -> Path:
    """The policy of this log: which witnesses are asked, and how many of them are a quorum (C2SP tlog-policy)."""
    return settings.home / "witnesses.policy"


def collect(store: Store, policy: Policy, now: datetime, known: dict[str, int] | None = None) -> list[Asked]:
    """Ask every witness that has an address to cosign the newest checkpoint, all at once, and publish what they gave.

    Args:
        known: witness -> size it cosigned last, as far as this process remembers; kept up to date.

    Returns:
        what came of it, one per witness; empty if nothing has been sealed.
    """
    checkpoint = current_checkpoint(store)
    witnesses = [witness for witness in policy.witnesses.values() if witness.url]
    if checkpoint is None or not witnesses:
        return []
    sizes = known if known is not None else {}
    with ThreadPoolExecutor(len(witnesses)) as pool:
        asked = list(pool.map(lambda one: ask(store, one, checkpoint, sizes.get(one.name, 0), instant(now)), witnesses))
    sizes.update({one.witness: one.size for one in asked if one.outcome == "cosigned"})
    _publish(store, policy, checkpoint, "".join(one.lines for one in asked))
    _tell(store.settings, asked)
    return asked


def ask(store: Store, witness: Witness, checkpoint: Checkpoint, old: int, at: str) -> Asked:
    """Ask one witness (tlog-witness, "add-checkpoint"); if it was further than we remember, once more from there."""

    def told(outcome: str, detail: str = "", lines: str = "") -> Asked:
        return Asked(witness.name, checkpoint.size, outcome, at, detail, lines)

    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            answer = _post(client, witness, _request(store, checkpoint, old))
            if answer[0] == 409:
                stands = int(answer[1].strip())
                if stands == old or stands > checkpoint.size:
                    # It has cosigned another tree of this size, or a longer one than we have.
                    return told("contradicted", f"it stands at {stands}")
                answer = _post(client, witness, _request(store, checkpoint, stands))
    except (httpx.HTTPError, ValueError) as error:
        # A ValueError is an answer that is none, or a proof that our altered tiles do not give.
        outcome = "contradicted" if isinstance(error, ProofError) else "unreachable"
        return told(outcome, f"{type(error).__name__}: {error}"[:200])
    status, body = answer
    if status == 200:
        lines = good_lines(split_note(checkpoint.note)[0], body, witness.verifier)
        return told("cosigned", "", lines) if lines else told("refused", "its answer has no good cosignature")
    return told("contradicted" if status in (409, 422) else "refused", f"HTTP {status}: {body.strip()[:150]}")


def _request(store: Store, checkpoint: Checkpoint, old: int) -> str:
    proof, _ = proof_from(store, checkpoint, old)
    return "".join(f"{line}\n" for line in (f"old {old}", *proof_text(proof), "")) + checkpoint.note


def _post(client: httpx.Client, witness: Witness, body: str) -> tuple[int, str]:
    with client.stream("POST", f"{witness.url.rstrip('/')}/add-checkpoint", content=body.encode()) as answer:
        content = b""
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > _MOST_BYTES:
                raise ValueError(f"an answer of more than {_MOST_BYTES} bytes")
        return answer.status_code, content.decode()


def _publish(store: Store, policy: Policy, checkpoint: Checkpoint, lines: str) -> None:
    """Put cosignatures under the checkpoint while it is the newest, and into ``witnessed`` if they are a quorum."""
    if not lines:
        return
    folder = log_folder(store.settings)
    note = checkpoint.note + lines
    with publishing(store.settings):
        if (folder / "checkpoint").read_text("utf-8").startswith(checkpoint.note):
            write_whole(folder / "checkpoint", note.encode())
        verifiers = [witness.verifier for witness in policy.witnesses.values()]
        older = witnessed_checkpoint(store)
        is_newer = older is None or older.size <= checkpoint.size
        if is_newer and policy.is_met_by(cosignatures(note, verifiers)):
            write_whole(folder / WITNESSED, note.encode())


def _tell(settings: Settings, asked: list[Asked]) -> None:
    """Keep what came of it for the operator; whoever contradicts this log is shouted about."""
    write_whole(settings.home / _STATUS, json.dumps([asdict(one) for one in asked]).encode())
    for one in asked:
        if one.outcome == "contradicted":
            log.error("a witness contradicts this log", witness=one.witness, size=one.size, detail=one.detail)
        elif one.outcome != "cosigned":
            log.warning("no cosignature", witness=one.witness, outcome=one.outcome, detail=one.detail)


def last_asked(settings: Settings) -> list[Mapping[str, object]]:
    """What came of asking the witnesses last, one document per witness; empty if none was ever asked."""
    try:
        found: list[Mapping[str, object]] = json.loads((settings.home / _STATUS).read_text("utf-8"))
    except FileNotFoundError:
        return []
    return [{name: value for name, value in one.items() if name != "lines"} for one in found]


class Witnessing(threading.Thread):
    """Asks the witnesses after each seal, and the time-stamping authority; one process of an installation does.

    The policy is read anew whenever it is needed, so that witnesses come and go without a restart.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now, every_s: float = 1.0) -> None:
        super().__init__(name="audit-witnessing", daemon=True)
        self._store, self._clock, self._every_s = store, clock, every_s
        self._stopping = threading.Event()
        self._known: dict[str, int] = {}
        self._done: tuple[int, float] = (-1, 0.0)
        self._stamp_again = 0.0

    def run(self) -> None:
        """Ask until stopped."""
        descriptor = os.open(self._store.settings.home / "log" / ".witnessing", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not self._stopping.wait(self._every_s):
                if self._is_ours(descriptor):
                    self._ask()
                    self._stamp()
        finally:
            os.close(descriptor)

    def stop(self, timeout_s: float = 2 * TIMEOUT_S) -> None:
        """End the thread."""
        self._stopping.set()
        self.join(timeout_s)

    def _is_ours(self, descriptor: int) -> bool:
        """Whether this process is the one that asks; once it is, it stays so until it ends."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _stamp(self) -> None:
        if time.monotonic() < self._stamp_again or not is_due(self._store, self._clock()):
            return
        self._stamp_again = time.monotonic() + AGAIN_S
        try:
            stamp(self._store)
        # As below: the next round tries again.
        except Exception:
            log.exception("no time-stamp")

    def _ask(self) -> None:
        try:
            path = policy_path(self._store.settings)
            checkpoint = current_checkpoint(self._store) if path.exists() else None
            size, at = self._done
            if checkpoint is None or (checkpoint.size == size and time.monotonic() < at):
                return
            asked = collect(self._store, read_policy(path), self._clock(), self._known)
            is_done = all(one.outcome == "cosigned" for one in asked)
            self._done = (checkpoint.size, time.monotonic() + (float("inf") if is_done else AGAIN_S))
        # The edge of a thread: what is not caught here would end witnessing unseen.
        except Exception:
            log.exception("witnesses could not be asked")
