"""Recomputing everything from nothing: entries, tree, signature, files, and the versions the log tells of.

Nothing is written and nothing that is checked is trusted; only the public key is.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.audit.files import log_folder
from gateway.audit.keys import load_verifier
from gateway.audit.notes import Checkpoint, NoteError, Verifier, open_checkpoint
from gateway.audit.problems import Problem, Problems, Progress, place
from gateway.audit.registers import verify_registers
from gateway.audit.verify_counts import verify_counts
from gateway.audit.verify_exports import verify_exports
from gateway.audit.verify_log import verify_log
from gateway.audit.verify_quarantine import verify_quarantine
from gateway.audit.verify_versions import verify_register, verify_versions
from gateway.settings import Settings
from gateway.store import Store


@dataclass(frozen=True)
class VerifyReport:
    """The outcome of `verify`.

    Attributes:
        ok: nothing was found wrong.
        entries: sealed entries that were recomputed.
        unsealed: entries that still wait for their place.
        checked_versions: stored versions that were recomputed.
        root: root over the entries, hex.
        first_bad: the first bad entry and what is wrong with it; None if all is well.
        problems: lowest entry first, at most a hundred or so.
        problem_count: all of them.
    """

    ok: bool
    entries: int
    unsealed: int
    checked_versions: int
    root: str
    first_bad: str | None
    problems: tuple[Problem, ...]
    problem_count: int


def verify(
    store: Store,
    vkey: Verifier | None = None,
    earlier: str | None = None,
    progress: Progress = lambda what, so_far: None,
) -> VerifyReport:
    """Verify the whole log and everything stored that it vouches for.

    Sees one state of the database, also while others write.

    Args:
        vkey: the log's public key as the auditor keeps it; by default the one in the home.
        earlier: a signed checkpoint somebody kept; the log must begin with it, so that not even
            its operator could have written it anew.

    Raises:
        FileNotFoundError: no public key was given and the home has none.
    """
    problems = Problems()
    verifier = vkey or load_verifier(store.settings)
    kept = _opened(earlier, "earlier checkpoint", verifier, problems)
    filed = _opened(_file_text(store.settings, problems), "checkpoint file", verifier, problems)
    # Serializable and read-only: one snapshot on PostgreSQL; SQLite gives nothing less.
    with store.engine.connect().execution_options(
        isolation_level="SERIALIZABLE", postgresql_readonly=True, postgresql_deferrable=True
    ) as conn:
        log = verify_log(conn, store, verifier, filed, kept, problems, progress)
        versions = verify_versions(conn, store.settings, log.landings, problems, progress)
        verify_register(conn, log.landings, problems)
        verify_registers(conn, log.rows, problems)
        verify_quarantine(conn, log.landings, problems)
        verify_counts(conn, problems)
        verify_exports(conn, problems)
    ordered = sorted(problems.found, key=place)
    return VerifyReport(
        ok=not ordered,
        entries=log.size,
        unsealed=log.unsealed,
        checked_versions=versions,
        root=log.root.hex(),
        first_bad=_named(ordered[0]) if ordered else None,
        problems=tuple(ordered),
        problem_count=problems.count,
    )


def _named(problem: Problem) -> str:
    entry = "" if problem.entry is None else f"entry {problem.entry}: "
    return f"{entry}{problem.where}: {problem.en}"


def _file_text(settings: Settings, problems: Problems) -> str | None:
    path = log_folder(settings) / "checkpoint"
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        problems.add(None, "checkpoint file", f"无法读取：{error}", f"cannot be read: {error}")
        return None


def _opened(note: str | None, name: str, verifier: Verifier, problems: Problems) -> Checkpoint | None:
    if note is None:
        return None
    try:
        return open_checkpoint(note, verifier)
    except NoteError as error:
        problems.add(None, name, f"无法验证：{error}", str(error))
        return None
