"""Requests for certificates: each step, who may not take it, and what the log says of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from certs.authority import Authority, open_authority
from certs.errors import RequestRefused
from certs.keys import make_key
from certs.names import PersonName, SystemName
from certs.verify import serial_text
from connectors.errors import Refused
from gateway.access.errors import Conflict, NotFound
from gateway.audit.tables import entries
from gateway.certificates import certificate_rows, revoke
from gateway.certificates_holders import holder_rows, register, suspend_holder
from gateway.certificates_publish import pki_files
from gateway.certificates_requests import (
    MAX_WAITING,
    CertificateRequest,
    approve,
    fulfil,
    list_requests,
    read_request,
    refuse,
    submit,
    withdraw,
)
from gateway.store import Store
from tests.support.csrs import fingerprint, make_csr

TRACE = SystemName("agriculture", "trace")
AGENCY, SECURITY = "urn:xinqiao:person:wang.wu", "urn:xinqiao:person:zhang.san"
KEY = make_key()


@pytest.fixture
def authority(store: Store) -> Authority:
    return open_authority(pki_files(store.settings).home)


@pytest.fixture
def waiting(store: Store, now: datetime) -> CertificateRequest:
    """A request of the agency's administrator for a system that is not registered yet."""
    with store.write() as conn:
        return submit(conn, TRACE, make_csr(KEY), AGENCY, now, "农产品追溯", 90)


def acts(store: Store) -> list[tuple[str, str, dict[str, str]]]:
    """Action, actor and facts of what the two people did, in order."""
    with store.read() as conn:
        rows = conn.execute(select(entries.c.action, entries.c.actor, entries.c.body).order_by(entries.c.id)).all()
    return [(row.action, row.actor, json.loads(row.body)) for row in rows if row.actor in (AGENCY, SECURITY)]


def test_a_request_becomes_a_certificate_over_the_key_of_its_csr(
    store: Store, authority: Authority, waiting: CertificateRequest, now: datetime
) -> None:
    with store.write() as conn:
        approve(conn, waiting.id, fingerprint(KEY), SECURITY, now)
        done, issued = fulfil(conn, authority, waiting.id, SECURITY, now)

    with store.read() as conn:
        (row,) = certificate_rows(conn, TRACE.urn)
        holders = [(one["urn"], one["title"], one["status"]) for one in holder_rows(conn)]
    assert (done.status, done.serial) == ("issued", serial_text(issued.certificate.serial_number))
    assert x509.load_pem_x509_certificate(row["pem"].encode()).public_key() == KEY.public_key()
    assert issued.certificate.not_valid_after_utc == now + timedelta(days=90)
    assert holders == [(TRACE.urn, "农产品追溯", "active")]


def test_every_step_is_in_the_log_with_who_took_it_and_the_key(
    store: Store, authority: Authority, waiting: CertificateRequest, now: datetime
) -> None:
    with store.write() as conn:
        approve(conn, waiting.id, fingerprint(KEY), SECURITY, now)
        fulfil(conn, authority, waiting.id, SECURITY, now)

    told = acts(store)
    assert [(action, actor) for action, actor, _ in told] == [
        ("certificate.requested", AGENCY),
        ("certificate.approved", SECURITY),
        ("system.registered", SECURITY),
        ("certificate.issued", SECURITY),
        ("certificate.fulfilled", SECURITY),
    ]
    assert {facts["key_sha256"] for _, _, facts in told if "key_sha256" in facts} == {fingerprint(KEY)}


def test_a_refusal_says_its_ground_and_is_final(store: Store, waiting: CertificateRequest, now: datetime) -> None:
    with store.write() as conn:
        refused = refuse(conn, waiting.id, "系统未备案", SECURITY, now)

    assert (refused.status, refused.ground, refused.decided_by) == ("refused", "系统未备案", SECURITY)
    assert (acts(store)[-1][0], acts(store)[-1][2]["ground"]) == ("certificate.refused", "系统未备案")
    with pytest.raises(Conflict, match=r"is refused, expected one of \['waiting'\]"), store.write() as conn:
        approve(conn, waiting.id, fingerprint(KEY), SECURITY, now)


def test_a_request_that_was_withdrawn_is_not_decided_any_more(
    store: Store, waiting: CertificateRequest, now: datetime
) -> None:
    with store.write() as conn:
        withdraw(conn, waiting.id, AGENCY, now)

    with pytest.raises(Conflict, match="is withdrawn"), store.write() as conn:
        refuse(conn, waiting.id, "x", SECURITY, now)
    assert acts(store)[-1][0] == "certificate.withdrawn"


def test_nothing_is_issued_before_it_is_approved(
    store: Store, authority: Authority, waiting: CertificateRequest, now: datetime
) -> None:
    with pytest.raises(Conflict, match="is waiting, expected one of"), store.write() as conn:
        fulfil(conn, authority, waiting.id, SECURITY, now)

    with store.read() as conn:
        assert certificate_rows(conn) == [row for row in certificate_rows(conn) if row["urn"] != TRACE.urn]


def test_approving_names_the_key_that_was_compared(store: Store, waiting: CertificateRequest, now: datetime) -> None:
    right = fingerprint(KEY)
    spelt = ":".join(right[i : i + 2] for i in range(0, 64, 2)).upper()

    with pytest.raises(Conflict, match="the key differs"), store.write() as conn:
        approve(conn, waiting.id, fingerprint(make_key()), SECURITY, now)
    with store.write() as conn:
        approved = approve(conn, waiting.id, spelt, SECURITY, now)

    assert approved.status == "approved"


def test_nobody_approves_what_he_asked_for_or_will_hold(store: Store, now: datetime) -> None:
    mine, other = make_key(), make_key()
    me = PersonName("zhang.san", "security_administrator")
    with store.write() as conn:
        asked = submit(conn, TRACE, make_csr(mine), SECURITY, now)
        held = submit(conn, me, make_csr(other), AGENCY, now)

    for request, key in ((asked, mine), (held, other)):
        with pytest.raises(Refused, match="another security administrator must approve it"), store.write() as conn:
            approve(conn, request.id, fingerprint(key), SECURITY, now)


def test_the_same_request_again_is_the_one_that_waits(store: Store, waiting: CertificateRequest, now: datetime) -> None:
    with store.write() as conn:
        again = submit(conn, TRACE, make_csr(KEY), AGENCY, now + timedelta(hours=1))

    with store.read() as conn:
        assert (again, len(list_requests(conn))) == (waiting, 1)


def test_a_csr_that_proves_no_possession_is_not_stored(store: Store, now: datetime) -> None:
    csr = make_csr(KEY).public_bytes(Encoding.DER)
    forged = x509.load_der_x509_csr(csr[:-1] + bytes([csr[-1] ^ 1]))

    with pytest.raises(RequestRefused, match="nothing proves"), store.write() as conn:
        submit(conn, TRACE, forged, AGENCY, now)
    with store.read() as conn:
        assert list_requests(conn) == []


def test_one_key_is_not_certified_for_two_holders(
    store: Store, authority: Authority, waiting: CertificateRequest, now: datetime
) -> None:
    with store.write() as conn:
        approve(conn, waiting.id, fingerprint(KEY), SECURITY, now)
        fulfil(conn, authority, waiting.id, SECURITY, now)

    with pytest.raises(Refused, match="of another holder"), store.write() as conn:
        submit(conn, SystemName("customs", "h2018"), make_csr(KEY), AGENCY, now)


def test_a_compromised_key_never_comes_back(
    store: Store, authority: Authority, waiting: CertificateRequest, now: datetime
) -> None:
    with store.write() as conn:
        approve(conn, waiting.id, fingerprint(KEY), SECURITY, now)
        done, _ = fulfil(conn, authority, waiting.id, SECURITY, now)
        revoke(conn, done.serial or "", "key_compromise", SECURITY, now)

    with pytest.raises(Refused, match="which was compromised"), store.write() as conn:
        submit(conn, TRACE, make_csr(KEY), AGENCY, now)


def test_a_suspended_holder_gets_nothing(store: Store, now: datetime) -> None:
    with store.write() as conn:
        register(conn, TRACE, "农产品追溯", SECURITY, now)
        suspend_holder(conn, TRACE.urn, SECURITY, now)

    with pytest.raises(Refused, match="is suspended"), store.write() as conn:
        submit(conn, TRACE, make_csr(KEY), AGENCY, now)


def test_one_agency_cannot_flood_the_list(sqlite_store: Store, now: datetime) -> None:
    names = [SystemName("health", f"s{n}") for n in range(MAX_WAITING)]
    with sqlite_store.write() as conn:
        for name in names:
            submit(conn, name, make_csr(make_key()), AGENCY, now)
        submit(conn, TRACE, make_csr(make_key()), AGENCY, now)

    with pytest.raises(Refused, match=f"{MAX_WAITING} requests waiting"), sqlite_store.write() as conn:
        submit(conn, SystemName("health", "more"), make_csr(make_key()), AGENCY, now)


def test_an_unknown_request_is_said_to_be_none(store: Store) -> None:
    with pytest.raises(NotFound, match="There is no certificate request q-none"), store.read() as conn:
        read_request(conn, "q-none")
