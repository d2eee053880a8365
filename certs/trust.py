"""Trust: which authorities are believed, read from files. Not who they vouch for; that is ``verify``."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.x509.verification import Store

from certs.errors import AuthorityMissing
from certs.external import FOLDER, External, read_externals
from certs.files import file_stamp, folder_stamp

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Trust:
    """The authorities this gateway believes.

    An intermediate is believed only when it is in the file: taking it out of the file is how it
    is revoked, and a path through one that a client brings along is not even tried.

    Attributes:
        roots: self-signed anchors.
        intermediates: authorities between a root and an end entity.
        externals: authorities of others, each with the agencies it may name; our own come first.
    """

    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()
    externals: tuple[External, ...] = ()

    @cached_property
    def store(self) -> Store:
        """The anchors as the path validation wants them."""
        return Store(list(self.roots))

    @cached_property
    def memory(self) -> dict[bytes, object]:
        """What ``verify`` remembers about certificates under exactly this trust; gone when the file changes."""
        return {}


def read_trust(path: Path) -> Trust:
    """Read a PEM file of authorities; who signed itself is an anchor.

    Raises:
        AuthorityMissing: no such file, nothing readable in it, or no self-signed certificate among them.
    """
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _no_anchor(path, str(error)) from error
    roots = tuple(c for c in found if c.issuer == c.subject)
    if not roots:
        raise _no_anchor(path, "no self-signed certificate")
    return Trust(roots, tuple(c for c in found if c not in roots))


class TrustFile:
    """The trust file and the folder of external authorities, read again when they changed: no restart for a new one.

    Safe to share between threads. A trust file that cannot be read is reported by ``current`` as an error: trust
    is never a guess. A description of an external authority that cannot be used is logged, and it is not believed.
    """

    def __init__(self, path: Path, externals: Path | None = None) -> None:
        self._path, self._externals = path, externals or path.parent / FOLDER
        self._lock = threading.Lock()
        self._read: tuple[object, Trust] | None = None

    def current(self) -> Trust:
        """The authorities the files name now.

        Raises:
            AuthorityMissing: as ``read_trust``.
        """
        with self._lock:
            stamp = (file_stamp(self._path), folder_stamp(self._externals))
            if self._read is None or self._read[0] != stamp:
                self._read = (stamp, self._all())
            return self._read[1]

    def _all(self) -> Trust:
        externals, problems = read_externals(self._externals)
        for problem in problems:
            log.warning("external authority unusable, it is not believed", error=problem.en)
        return replace(read_trust(self._path), externals=externals)


def _no_anchor(path: Path, problem: str) -> AuthorityMissing:
    return AuthorityMissing(
        f"信任文件 {path} 不可用：{problem}；请先执行 xinqiao init，或放入受信任的根证书。",
        f"trust file {path} is unusable: {problem}; run xinqiao init first, or put a trusted root into it",
        path=str(path),
    )
