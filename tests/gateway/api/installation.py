"""A real installation in a temporary folder: keys, authority, tables, certified systems, landed records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from certs.authority import Issued, open_authority
from certs.keys import save_key, write_whole
from certs.names import PersonName, SystemName
from gateway import certificates
from gateway import certificates_holders as holders
from gateway.access.giving import give, new_grant
from gateway.access.grants import WHOLE, Grant
from gateway.api import create_app
from gateway.api.callers import services
from gateway.certificates_publish import pki_files
from gateway.home import initialise
from gateway.settings import Settings
from gateway.store import Store, open_store

CHAIN = "tests.peer_chain"
PURPOSE = "joint-supervision"
SOURCE = "market_supervision/company_list"

HEADINGS = "企业名称,统一社会信用代码,注册日期,注册资金,所在省份,地区"
ONE, TWO, BAD = "91330100MA0000015W", "91330200MA0000023W", "91330100MA0000015X"
"""Synthetic codes; ``BAD`` has a wrong check character."""


@dataclass(frozen=True)
class System:
    """A system with its certificate."""

    urn: str
    chain: tuple[bytes, ...]
    certificate: Path
    key: Path
    serial: str


@dataclass
class Installation:
    """A home with what tests do to it; the clock stands where a test puts it."""

    settings: Settings
    store: Store
    now: datetime
    systems: dict[str, System] = field(default_factory=dict)
    apps: list[Flask] = field(default_factory=list)

    def system(self, urn: str, lifetime: timedelta | None = None) -> System:
        """The system of this name; registered and issued a certificate at its first use."""
        if urn not in self.systems:
            _, _, agency, name = urn.split(":")
            with self.store.write() as conn:
                holders.register(conn, SystemName(agency, name), urn, "test", self.now)
            self.systems[urn] = self.issue(urn, lifetime)
        return self.systems[urn]

    def person(self, name: PersonName) -> System:
        """A person with a certificate, registered with the duty."""
        authority = open_authority(pki_files(self.settings).home)
        with self.store.write() as conn:
            holders.register(conn, name, name.person, "test", self.now)
            issued = certificates.issue_certificate(conn, authority, name, "test", self.now)
        return self.written(name.urn, issued)

    def issue(self, urn: str, lifetime: timedelta | None = None) -> System:
        """Another certificate for a registered system."""
        _, _, agency, name = urn.split(":")
        authority = open_authority(pki_files(self.settings).home)
        with self.store.write() as conn:
            issued = certificates.issue_certificate(
                conn, authority, SystemName(agency, name), "test", self.now, lifetime=lifetime
            )
        return self.written(urn, issued)

    def written(self, urn: str, issued: Issued) -> System:
        """The files that a client uses."""
        serial = f"{issued.certificate.serial_number:040x}"
        folder = self.settings.home / "clients"
        folder.mkdir(exist_ok=True)
        assert issued.key is not None
        save_key(folder / f"{serial}.key", issued.key)
        write_whole(folder / f"{serial}.pem", issued.pem)
        chain = (issued.certificate.public_bytes(Encoding.DER),)
        return System(urn, chain, folder / f"{serial}.pem", folder / f"{serial}.key", serial)

    def revoke(self, system: System) -> None:
        """Revoke its certificate."""
        with self.store.write() as conn:
            certificates.revoke(conn, system.serial, "key_compromise", "test", self.now)

    def grant(
        self,
        urn: str,
        record_type: str = "registration",
        columns: Sequence[str] | Literal["*"] = WHOLE,
        *,
        purpose: str = PURPOSE,
        valid_from: date | None = None,
        valid_until: date | None = None,
        region_prefixes: Sequence[str] = (),
        sources: Sequence[str] = (),
        percent: int = 100,
        unmasked: Sequence[str] = (),
    ) -> Grant:
        """Give a grant that holds today unless a test says otherwise."""
        grant = new_grant(
            system_urn=urn,
            record_type=record_type,
            columns=columns,
            purpose=purpose,
            legal_basis="测试",
            valid_from=valid_from or self.now.date() - timedelta(days=1),
            valid_until=valid_until or self.now.date() + timedelta(days=30),
            given_by="test",
            now=self.now,
            region_prefixes=region_prefixes,
            sources=sources,
            percent=percent,
            unmasked=unmasked,
        )
        with self.store.write() as conn:
            return give(conn, grant, self.now)

    def client(self) -> FlaskClient:
        """A client of the application in this process; ``ask`` says as whom."""
        app = create_app(self.settings, clock=lambda: self.now, peer_chain=_stated_chain)
        self.apps.append(app)
        return app.test_client()

    def close(self) -> None:
        """Close every database connection, those of the applications too."""
        for app in self.apps:
            with app.app_context():
                services().store.close()
        self.store.close()


def _stated_chain(environ: Mapping[str, Any]) -> Sequence[bytes]:
    chain: Sequence[bytes] = environ.get(CHAIN, ())
    return chain


def install(home: Path, now: datetime, database_url: str = "") -> Installation:
    """A new installation.

    Args:
        home: an empty folder.
        now: when it is made, and where its clock stands.
        database_url: an empty database; without one SQLite in ``home``.
    """
    settings = Settings(home=home, database_url=database_url, port=0, workers=1, threads=4, max_body_bytes=200_000)
    initialise(settings, now)
    return Installation(settings, open_store(settings), now)


def ask(
    client: FlaskClient, system: System | None, method: str, path: str, *, purpose: str | None = PURPOSE, **options: Any
) -> TestResponse:
    """One request as a system, or as nobody; ``environ`` puts raw values into the WSGI environment."""
    headers = {**({"Xinqiao-Purpose": purpose} if purpose else {}), **options.pop("headers", {})}
    environ = {**options.pop("environ", {}), **({CHAIN: system.chain} if system else {})}
    return client.open(path, method=method, headers=headers, environ_overrides=environ, **options)


def company_list(*rows: tuple[str, str]) -> bytes:
    """A file of ``market_supervision/company_list``: one line per name and code."""
    lines = [f'{name},{code},2015-11-04,"1,000(万元)",浙江,杭州' for name, code in rows]
    return "\r\n".join([HEADINGS, *lines, ""]).encode("utf-8-sig")


def problem(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a problem document; fails if the answer is none in two languages."""
    document = answer.get_json()
    assert answer.mimetype == "application/problem+json", answer.get_data(as_text=True)
    assert document["zh"] != document["en"]
    return document["status"], document["code"]


def certificate_of(pem: str) -> x509.Certificate:
    """The first certificate of a PEM text."""
    return x509.load_pem_x509_certificates(pem.encode())[0]
