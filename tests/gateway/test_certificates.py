"""The registry of certificates: acts, their order, their audit entries, and what is published of them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as x509_ocsp
from sqlalchemy import select

from certs.authority import Authority, create, issue, open_authority
from certs.names import PersonName, SystemName
from certs.revocation import Standing, Status, parse_crl, reason_of
from certs.verify import serial_text
from connectors.errors import Refused
from gateway.audit.tables import entries
from gateway.certificates import (
    RegistrySource,
    certificate_row,
    certificate_rows,
    issue_certificate,
    lift,
    revoke,
    suspend,
)
from gateway.certificates_holders import register, resume_holder, suspend_holder
from gateway.certificates_publish import (
    crl_is_due,
    current_crl,
    latest_crl,
    next_crl,
    ocsp_answer,
    pki_files,
    prepare,
    publish_crl,
)
from gateway.store import Store

TRACE = SystemName("agriculture", "trace")
ACTOR = "urn:xinqiao:person:zhang.san"


@pytest.fixture
def authority(store: Store) -> Authority:
    return open_authority(pki_files(store.settings).home)


@pytest.fixture
def serial(store: Store, authority: Authority, now: datetime) -> str:
    """The serial of a good certificate of a registered system."""
    with store.write() as conn:
        register(conn, TRACE, "农产品追溯", ACTOR, now)
        issued = issue_certificate(conn, authority, TRACE, ACTOR, now)
    return serial_text(issued.certificate.serial_number)


def standing(store: Store, serial: str, now: datetime) -> Standing:
    with store.read() as conn:
        row = certificate_row(conn, serial)
        assert row is not None
        certificate = x509.load_pem_x509_certificate(row["pem"].encode())
        return RegistrySource(conn).standing(certificate, certificate, now)


def acts(store: Store) -> list[tuple[str, str, str]]:
    """Action, actor and serial of the audit entries about systems and certificates, in order."""
    with store.read() as conn:
        rows = conn.execute(select(entries.c.action, entries.c.actor, entries.c.body).order_by(entries.c.id)).all()
    told = [(row.action, row.actor, json.loads(row.body).get("serial", "")) for row in rows]
    return [act for act in told if act[1] == ACTOR]


def test_an_issued_certificate_is_good_and_its_holder_active(store: Store, serial: str, now: datetime) -> None:
    assert standing(store, serial, now) == Standing(Status.GOOD, holder="active")


def test_every_act_is_in_the_log_with_its_actor(store: Store, serial: str, now: datetime) -> None:
    with store.write() as conn:
        suspend(conn, serial, ACTOR, now)
        lift(conn, serial, ACTOR, now)
        revoke(conn, serial, "superseded", ACTOR, now)
        suspend_holder(conn, TRACE.urn, ACTOR, now)
        resume_holder(conn, TRACE.urn, ACTOR, now)

    assert acts(store) == [
        ("system.registered", ACTOR, ""),
        ("certificate.issued", ACTOR, serial),
        ("certificate.suspended", ACTOR, serial),
        ("certificate.resumed", ACTOR, serial),
        ("certificate.revoked", ACTOR, serial),
        ("system.suspended", ACTOR, ""),
        ("system.resumed", ACTOR, ""),
    ]


def test_an_act_that_is_refused_leaves_no_entry(store: Store, serial: str, now: datetime) -> None:
    before = acts(store)

    with pytest.raises(Refused, match="is good, expected one of"), store.write() as conn:
        lift(conn, serial, ACTOR, now)

    assert acts(store) == before


def test_suspension_is_lifted_and_revocation_is_not(store: Store, serial: str, now: datetime) -> None:
    seen = []
    for act in (suspend, lift):
        with store.write() as conn:
            act(conn, serial, ACTOR, now)
        seen.append(standing(store, serial, now))
    with store.write() as conn:
        revoke(conn, serial, "key_compromise", ACTOR, now)
    seen.append(standing(store, serial, now))

    assert seen == [
        Standing(Status.REVOKED, "certificate_hold", now, "active"),
        Standing(Status.GOOD, holder="active"),
        Standing(Status.REVOKED, "key_compromise", now, "active"),
    ]
    with pytest.raises(Refused, match="is revoked, expected one of"), store.write() as conn:
        lift(conn, serial, ACTOR, now)
    with pytest.raises(Refused, match="is revoked, expected one of"), store.write() as conn:
        revoke(conn, serial, "superseded", ACTOR, now)


@pytest.mark.parametrize("reason", ["", "certificate_hold", "because", "keyCompromise"])
def test_a_revocation_gives_a_reason_of_the_standard(store: Store, serial: str, now: datetime, reason: str) -> None:
    with pytest.raises(Refused, match="expected a reason of"), store.write() as conn:
        revoke(conn, serial, reason, ACTOR, now)

    assert standing(store, serial, now).status is Status.GOOD


def test_of_two_who_revoke_at_once_one_succeeds(store: Store, serial: str, now: datetime) -> None:
    def attempt(reason: str) -> str:
        try:
            with store.write() as conn:
                revoke(conn, serial, reason, ACTOR, now)
        except Refused:
            return "refused"
        return reason

    with ThreadPoolExecutor(2) as pool:
        outcome = sorted(pool.map(attempt, ["superseded", "key_compromise"]))

    assert outcome in (["refused", "superseded"], ["key_compromise", "refused"])
    assert standing(store, serial, now).reason in outcome


def test_a_certificate_of_the_same_serial_from_elsewhere_is_unknown(
    store: Store, authority: Authority, serial: str, now: datetime
) -> None:
    stranger = issue(authority, TRACE, now).certificate
    row_serial = serial_text(stranger.serial_number)

    with store.read() as conn:
        unregistered = RegistrySource(conn).standing(stranger, authority.certificate, now)
    forged = Forged(int(serial, 16), stranger)
    with store.read() as conn:
        same_serial = RegistrySource(conn).standing(forged, authority.certificate, now)  # type: ignore[arg-type]  # looks like one

    assert row_serial != serial
    assert {unregistered, same_serial} == {Standing(Status.UNKNOWN, "not in the registry")}


class Forged:
    """A certificate with the serial of another, as an authority of the same name could make one."""

    def __init__(self, serial: int, certificate: x509.Certificate) -> None:
        self.serial_number, self._certificate = serial, certificate

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        return self._certificate.fingerprint(algorithm)


def test_nobody_unregistered_or_suspended_gets_a_certificate(store: Store, authority: Authority, now: datetime) -> None:
    with pytest.raises(Refused, match="is not registered or suspended"), store.write() as conn:
        issue_certificate(conn, authority, TRACE, ACTOR, now)
    with store.write() as conn:
        register(conn, TRACE, "农产品追溯", ACTOR, now)
        suspend_holder(conn, TRACE.urn, ACTOR, now)
    with pytest.raises(Refused, match="is not registered or suspended"), store.write() as conn:
        issue_certificate(conn, authority, TRACE, ACTOR, now)
    with pytest.raises(Refused, match="is registered already"), store.write() as conn:
        register(conn, TRACE, "农产品追溯", ACTOR, now)


def test_one_person_does_not_get_two_duties(store: Store, authority: Authority, now: datetime) -> None:
    with store.write() as conn:
        register(conn, PersonName("zhang.san", "auditor"), "张三", ACTOR, now)
        issued = issue_certificate(conn, authority, PersonName("zhang.san", "auditor"), ACTOR, now)

    with pytest.raises(Refused, match="duties are kept apart"), store.write() as conn:
        issue_certificate(conn, authority, PersonName("zhang.san", "system_administrator"), ACTOR, now)
    assert standing(store, serial_text(issued.certificate.serial_number), now).holder == "active"


def test_a_renewed_certificate_overlaps_with_the_old_one(
    store: Store, authority: Authority, serial: str, now: datetime
) -> None:
    with store.write() as conn:
        newer = issue_certificate(conn, authority, TRACE, ACTOR, now + timedelta(days=300))

    with store.read() as conn:
        rows = [(row["serial"], row["status"]) for row in certificate_rows(conn, TRACE.urn)]
    assert rows == [(serial_text(newer.certificate.serial_number), "good"), (serial, "good")]


def test_the_list_names_who_is_revoked_and_suspended_and_is_numbered_on(
    store: Store, authority: Authority, serial: str, now: datetime
) -> None:
    with store.write() as conn:
        suspend(conn, serial, ACTOR, now)
    first = publish_crl(store, authority, now)
    with store.write() as conn:
        lift(conn, serial, ACTOR, now)
    second = publish_crl(store, authority, now + timedelta(days=1))

    with store.read() as conn:
        latest = latest_crl(conn, authority)
    numbers = [crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for crl in (first, second)]
    files = pki_files(store.settings)
    assert [(serial_text(entry.serial_number), reason_of(entry)) for entry in first] == [(serial, "certificate_hold")]
    assert list(second) == []
    assert numbers[1] == numbers[0] + 1
    assert latest == second.public_bytes(Encoding.DER) == files.crl.with_name("issuing.crl").read_bytes()
    assert parse_crl(files.crl.read_bytes(), authority.certificate) == second


def test_an_entry_stays_on_the_list_until_after_the_certificate_ended(
    store: Store, authority: Authority, serial: str, now: datetime
) -> None:
    end = now + timedelta(days=365)
    with store.write() as conn:
        revoke(conn, serial, "key_compromise", ACTOR, now)
        lengths = [len(next_crl(conn, authority, at)) for at in (now, end + timedelta(days=6), end + timedelta(days=8))]

    assert lengths == [1, 1, 0]


def test_lists_published_at_once_have_different_numbers(store: Store, authority: Authority, now: datetime) -> None:
    def publish(_: int) -> int:
        with store.write() as conn:
            crl = next_crl(conn, authority, now)
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(publish, range(8)))

    assert numbers == list(range(numbers[0], numbers[0] + 8))


def test_a_new_list_is_due_when_half_its_time_is_over(store: Store, authority: Authority, now: datetime) -> None:
    publish_crl(store, authority, now)

    with store.read() as conn:
        due = [crl_is_due(conn, authority, now + timedelta(days=days)) for days in (0, 3, 4, 30)]

    assert due == [False, False, True, True]


def test_who_asks_for_the_list_gets_the_next_one_when_it_is_due(store: Store, now: datetime) -> None:
    days = [0, 1, 4, 5]

    lists = [x509.load_der_x509_crl(current_crl(store, now + timedelta(days=day))) for day in days]

    assert [crl.last_update_utc for crl in lists] == [now, now, now + timedelta(days=4), now + timedelta(days=4)]


def test_a_due_list_whose_key_is_not_at_hand_stays_in_use(store: Store, now: datetime) -> None:
    newest = current_crl(store, now)
    pki_files(store.settings).issuing_key.unlink()

    assert current_crl(store, now + timedelta(days=5)) == newest


@pytest.mark.parametrize("act", ["none", "suspend", "revoke", "strange"])
def test_ocsp_answers_from_the_registry(
    store: Store, authority: Authority, serial: str, now: datetime, act: str
) -> None:
    with store.write() as conn:
        row = certificate_row(conn, serial)
        assert row is not None
        if act == "suspend":
            suspend(conn, serial, ACTOR, now)
        if act == "revoke":
            revoke(conn, serial, "key_compromise", ACTOR, now)
    certificate = x509.load_pem_x509_certificate(row["pem"].encode())
    if act == "strange":
        certificate = issue(authority, TRACE, now).certificate
    asked = x509_ocsp.OCSPRequestBuilder().add_certificate(certificate, authority.certificate, hashes.SHA1()).build()

    with store.read() as conn:
        told = ocsp_answer(conn, store.settings, asked.public_bytes(Encoding.DER), now)

    answer = x509_ocsp.load_der_ocsp_response(told)
    reason = answer.revocation_reason.name if answer.revocation_reason else None
    assert (answer.certificate_status.name, reason) == {
        "none": ("GOOD", None),
        "suspend": ("REVOKED", "certificate_hold"),
        "revoke": ("REVOKED", "key_compromise"),
        "strange": ("UNKNOWN", None),
    }[act]


def test_preparing_twice_changes_nothing(store: Store, now: datetime) -> None:
    files = pki_files(store.settings)
    before = {path: path.read_bytes() for path in files.home.rglob("*") if path.is_file()}

    prepare(store, now, ACTOR)

    assert {path: path.read_bytes() for path in files.home.rglob("*") if path.is_file()} == before
    assert acts(store) == []


def test_another_authority_has_a_list_of_its_own(
    store: Store, authority: Authority, now: datetime, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = create(tmp_path_factory.mktemp("other"), now)

    with store.write() as conn:
        next_crl(conn, other, now)
        lists = latest_crl(conn, authority), latest_crl(conn, other)

    assert lists[0] is not None
    assert lists[1] is not None
    assert lists[0] != lists[1]
