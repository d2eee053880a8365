"""Settings: where things live and how they listen. Read once at the edge and passed in."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from certs.suites import suite_named


@dataclass(frozen=True)
class Settings:
    """Everything an installation can choose.

    Each field is read from the environment as ``XINQIAO_<FIELD>``, else from
    ``XINQIAO_HOME/xinqiao.toml``, else it is the default here.

    Attributes:
        home: keys, database, received bytes and the log live here; default ``var``.
        database_url: SQLAlchemy URL; empty means SQLite in ``home``.
        host: address the gateway listens on.
        port: port the gateway listens on; 0 lets the system choose.
        proxy_socket: Unix socket on which a proxy of this machine hands over requests and client certificates,
            relative to ``home``; empty means that the gateway itself listens on ``host`` and ``port`` and does TLS.
        workers: gateway processes.
        threads: threads per gateway process.
        max_body_bytes: largest request body; larger ones are refused before they are read.
        max_unpacked_bytes: largest total a compressed file may unpack to.
        part_bytes: about how large the parts are that workers stage beside each other: minutes of landing, so that
            what a lost worker loses is little; a smaller delivery is not divided.
        staging_processes: that judge and stage a large delivery beside each other; 0: one for each core that this
            process may use.
        erased_again: what is done with a personal value that was erased and is delivered again: ``refuse`` leaves it
            out, ``flag`` lands it; the receipt says so either way.
        log_origin: name of the transparency log, first line of every checkpoint.
        tsa_url: address of an RFC 3161 time-stamping authority for checkpoints; empty for none.
        quota_requests: reads per minute of a system that has no quota of its own; 0 = no limit.
        quota_records: records per day of such a system; 0 = no limit.
        suite: algorithms the gateway itself signs and seals with: ``international`` or ``guomi``.
        accepted_suites: suites whose signatures are accepted, with commas; empty means ``suite`` alone.
        public_url: address at which others reach this gateway; stands in certificates, for lists and OCSP.
        key_passphrase_file: credential file with the passphrase of the gateway's own keys; empty means
            ``XINQIAO_KEY_PASSPHRASE`` in the environment, or keys in clear.
        ca_passphrase_file: the same for the issuing key, or the PIN of its token.
        signature_max_age_seconds: how old the signature of a request may be.
    """

    home: Path = Path("var")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8443
    proxy_socket: str = ""
    workers: int = 2
    threads: int = 8
    max_body_bytes: int = 200 * 1024 * 1024
    max_unpacked_bytes: int = 2 * 1024 * 1024 * 1024
    part_bytes: int = 256 * 1024 * 1024
    staging_processes: int = 0
    erased_again: str = "refuse"
    log_origin: str = "xinqiao.local/log"
    tsa_url: str = ""
    quota_requests: int = 0
    quota_records: int = 0
    suite: str = "international"
    accepted_suites: str = ""
    public_url: str = ""
    key_passphrase_file: str = ""
    ca_passphrase_file: str = ""
    signature_max_age_seconds: int = 300

    def __post_init__(self) -> None:
        """Refuse a suite that does not exist before anything is signed with it, and other words nobody knows.

        Raises:
            ValueError: there is no suite of such a name, or no such way with erased values, or no such address.
        """
        if self.erased_again not in ("refuse", "flag"):
            raise ValueError(f"setting erased_again: expected refuse or flag, got {self.erased_again!r}")
        if self.public_url and not self.public_url.startswith(("https://", "http://")):
            raise ValueError(f"setting public_url: expected https://..., got {self.public_url!r}")
        for name in (self.suite, *self._accepted()):
            suite_named(name)

    @property
    def accepted_algorithms(self) -> frozenset[str]:
        """Names of the signature algorithms that are accepted."""
        return frozenset(a.name for name in self._accepted() for a in suite_named(name).algorithms)

    def _accepted(self) -> list[str]:
        return [name.strip() for name in (self.accepted_suites or self.suite).split(",")]

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings of this process.

        Raises:
            ValueError: a value is not of the field's type, or the file names an unknown setting.
        """
        home = Path(environ.get("XINQIAO_HOME", "var")).absolute()
        file = home / "xinqiao.toml"
        stored = tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
        known = {f.name: f for f in fields(cls) if f.name != "home"}
        if unknown := sorted(set(stored) - set(known)):
            raise ValueError(f"{file}: unknown settings {unknown}; known: {sorted(known)}")
        chosen = {name: environ.get(f"XINQIAO_{name.upper()}", stored.get(name)) for name in known}
        settings = cls(home=home)
        for name, value in chosen.items():
            if value is not None:
                settings = replace(settings, **{name: _typed(name, value, getattr(settings, name))})
        return settings

    @property
    def store_url(self) -> str:
        """The database that is used: the one named, or SQLite in ``home``."""
        return self.database_url or f"sqlite:///{self.home / 'xinqiao.db'}"


def _typed(name: str, value: object, default: object) -> Any:
    if not isinstance(default, int):
        return str(value)
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"setting {name}: expected a whole number, got {value!r}") from None
