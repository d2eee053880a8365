"""What a witness keeps: its key, the logs it watches, and the last checkpoint of each that it cosigned.

Files under ``XINQIAO_HOME/witness``, so that a witness needs no database and no gateway of its own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from certs.keys import write_whole
from connectors.errors import Refused
from gateway.audit.cosignatures import Cosigner
from gateway.audit.keys import load_key, make_key
from gateway.audit.merkle import EMPTY_ROOT
from gateway.audit.notes import Checkpoint, NoteError, Verifier, check_name, open_checkpoint, parse_vkey
from gateway.settings import Settings

_MOST_EVIDENCE = 100


class StateLost(Refused):
    """The record of what was cosigned is gone: a witness that went on from nothing could be led astray."""


@dataclass(frozen=True)
class WitnessHome:
    """The folder of a witness."""

    folder: Path

    @property
    def vkey_path(self) -> Path:
        """The public key as auditors and logs keep it."""
        return self.folder / "witness.vkey"

    def cosigner(self) -> Cosigner:
        """Name and private key.

        Raises:
            Refused: there is no witness here.
        """
        if not self.vkey_path.exists():
            raise Refused(
                f"{self.folder} 尚无见证方；请先运行 xinqiao witness init",
                f"there is no witness in {self.folder}; run `xinqiao witness init` first",
            )
        name = self.vkey_path.read_text("utf-8").partition("+")[0]
        return Cosigner(name, load_key(self.folder / "witness.key"))

    def logs(self) -> list[Verifier]:
        """The logs that are watched, by name."""
        found = [parse_vkey(path.read_text("utf-8")) for path in self.folder.glob("logs/*/log.vkey")]
        return sorted(found, key=lambda log: log.name)

    def log(self, origin: str) -> Verifier | None:
        """The key of the log of this name; None if it is not watched."""
        try:
            return parse_vkey((self._log_folder(origin) / "log.vkey").read_text("utf-8"))
        except FileNotFoundError:
            return None

    def trust(self, log: Verifier) -> None:
        """Watch a log from now on; its first checkpoint is taken as it comes.

        Raises:
            Refused: another key is known under this name. A log does not change its key unseen.
        """
        known = self.log(log.name)
        if known is not None and known != log:
            raise Refused(
                f"已有名为 {log.name} 的另一把日志公钥", f"another key is known for {log.name}", origin=log.name
            )
        if known is None:
            folder = self._log_folder(log.name)
            # The key comes last: a log without a record of what was cosigned is one whose record was lost.
            write_whole(folder / "cosigned", b"")
            write_whole(folder / "log.vkey", f"{log.text()}\n".encode())

    def cosigned(self, log: Verifier) -> Checkpoint:
        """The newest checkpoint that was cosigned; of size 0 before the first.

        Raises:
            StateLost: the record is gone or altered.
        """
        try:
            note = (self._log_folder(log.name) / "cosigned").read_text("utf-8")
            return open_checkpoint(note, log) if note else Checkpoint(log.name, 0, EMPTY_ROOT, "")
        except (OSError, UnicodeDecodeError, NoteError) as error:
            raise StateLost(
                f"日志 {log.name} 的会签记录缺失或损坏：{error}；请停用此见证方密钥",
                f"the record of what was cosigned of {log.name} is gone or altered: {error}; retire this witness' key",
                origin=log.name,
            ) from error

    def keep(self, checkpoint: Checkpoint) -> None:
        """Record what is about to be cosigned; on disk when this returns."""
        folder = self._log_folder(checkpoint.origin)
        write_whole(folder / "cosigned", checkpoint.note.encode())
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def keep_evidence(self, checkpoint: Checkpoint) -> None:
        """Keep a signed checkpoint that contradicts the record; its log has two histories."""
        folder = self._log_folder(checkpoint.origin) / "evidence"
        path = folder / sha256(checkpoint.note.encode()).hexdigest()
        if not path.exists() and (not folder.exists() or len(list(folder.iterdir())) < _MOST_EVIDENCE):
            write_whole(path, checkpoint.note.encode())

    def evidence(self, log: Verifier) -> list[Path]:
        """The signed checkpoints that contradicted the record."""
        return sorted((self._log_folder(log.name) / "evidence").glob("[0-9a-f]*"))

    @contextmanager
    def locked(self, log: Verifier) -> Iterator[None]:
        """One request at a time for one log: looking at the record and writing it must not be two acts."""
        descriptor = os.open(self._log_folder(log.name) / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _log_folder(self, origin: str) -> Path:
        # Names come from outside and never become part of a path.
        return self.folder / "logs" / sha256(origin.encode()).hexdigest()


def witness_home(settings: Settings) -> WitnessHome:
    """The witness of an installation."""
    return WitnessHome(settings.home / "witness")


def initialise_witness(home: WitnessHome, name: str) -> Verifier:
    """Make a witness' key.

    Args:
        name: as auditors will know it, a schema-less URL such as ``audit.example.gov.cn/witness``.

    Raises:
        Refused: there is one already, or the name cannot stand in a signature line.
    """
    try:
        check_name(name)
        home.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        cosigner = Cosigner(name, make_key(home.folder / "witness.key"))
    except NoteError as error:
        raise Refused(f"名称不可用：{error}", f"the name cannot be used: {error}") from error
    except FileExistsError as error:
        raise Refused(f"{home.folder} 已有见证方密钥", f"there is a witness' key in {home.folder}") from error
    write_whole(home.vkey_path, f"{cosigner.verifier().text()}\n".encode())
    return cosigner.verifier()
