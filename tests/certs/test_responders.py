"""What is fetched: lists from a web server, answers from OpenSSL's own OCSP responder; at its date, the real one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs import fetching
from certs.authority import create
from certs.errors import RevocationUnknown, Revoked, Unanswered
from certs.fetching import Address, fetch
from certs.layout import Files
from certs.lists import CrlUrl
from certs.responders import OcspUrl, read_answer
from certs.revocation import Standing, Status
from certs.trust import TrustFile
from certs.verify import verify
from tests.certs.support import Answering, der
from tests.support.foreign_authority import Foreign, OpensslResponder, Web, entry, found, web

SIGNS_OCSP = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
NOCHECK = (x509.OCSPNoCheck(), False)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def foreign(tmp_path: Path, now: datetime) -> Foreign:
    return found(tmp_path, now)


@pytest.fixture
def responder(foreign: Foreign, tmp_path: Path) -> OpensslResponder:
    return OpensslResponder(foreign, tmp_path)


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as running:
        yield running


def ask(foreign: Foreign, server: Web, certificate: x509.Certificate, now: datetime) -> tuple[Status, str]:
    answer = OcspUrl(Address(server.url), 60.0).answer(certificate, foreign.authority.certificate, now)
    return answer.status, answer.reason


def test_openssls_responder_says_good_revoked_and_unknown(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime
) -> None:
    good, gone, stranger = foreign.issue(), foreign.issue(), foreign.issue()
    responder.know(good, revoked=[gone])
    server.answers = responder

    told = [ask(foreign, server, issued.certificate, now) for issued in (good, gone, stranger)]

    assert told == [
        (Status.GOOD, ""),
        (Status.REVOKED, "key_compromise"),
        (Status.UNKNOWN, "the OCSP responder does not know the certificate"),
    ]


def test_a_responder_that_its_authority_named_is_believed(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime
) -> None:
    issued = foreign.issue()
    responder.know(issued)
    responder.delegate(SIGNS_OCSP, NOCHECK)
    server.answers = responder

    assert ask(foreign, server, issued.certificate, now)[0] is Status.GOOD


@pytest.mark.parametrize(
    ("extensions", "by_stranger", "why"),
    [
        ([NOCHECK], False, "not for it"),
        ([SIGNS_OCSP], False, "lacks id-pkix-ocsp-nocheck"),
        ([SIGNS_OCSP, NOCHECK], True, "signed by a stranger"),
    ],
)
def test_a_responder_that_nobody_named_is_not_believed(
    foreign: Foreign,
    responder: OpensslResponder,
    server: Web,
    now: datetime,
    tmp_path: Path,
    extensions: list[tuple[x509.ExtensionType, bool]],
    by_stranger: bool,
    why: str,
) -> None:
    issued = foreign.issue()
    responder.know(issued)
    # The stranger even bears the name of the real authority.
    responder.delegate(*extensions, by=create(tmp_path / "other", now, "Partner") if by_stranger else None)
    server.answers = responder

    status, reason = ask(foreign, server, issued.certificate, now)

    assert status is Status.UNKNOWN
    assert why in reason


def test_an_answer_about_another_certificate_is_no_answer(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime
) -> None:
    good, gone = foreign.issue(), foreign.issue()
    responder.know(good, revoked=[gone])
    server.answers = lambda path, body: responder(path, request_about(foreign, good.certificate))

    assert ask(foreign, server, gone.certificate, now) == (
        Status.UNKNOWN,
        "the OCSP answer is not about the certificate that was asked about",
    )


def request_about(foreign: Foreign, certificate: x509.Certificate, nonce: bytes = b"") -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, foreign.authority.certificate, hashes.SHA1())
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(serialization.Encoding.DER)


def test_an_answer_to_an_earlier_question_is_told_by_its_nonce(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime
) -> None:
    issued = foreign.issue()
    responder.know(issued)
    kept = responder("", request_about(foreign, issued.certificate, b"earlier" * 3))
    server.answers = lambda path, body: kept

    assert ask(foreign, server, issued.certificate, now) == (Status.UNKNOWN, "the OCSP answer carries another nonce")


def test_an_answer_without_an_end_counts_for_minutes(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime
) -> None:
    issued = foreign.issue()
    responder.know(issued)
    responder.arguments = ()
    kept = responder("", request_about(foreign, issued.certificate))
    server.answers = lambda path, body: kept

    told = [ask(foreign, server, issued.certificate, now + timedelta(minutes=m))[0] for m in (0, 4, 7)]

    assert told == [Status.GOOD, Status.GOOD, Status.UNKNOWN]


@pytest.mark.parametrize("content", [b"", b"\x30\x03\x0a\x01\x06", b"<html>", b"\x30\x80" * 99, b"\x30" * 70_000])
def test_bytes_that_are_no_answer_are_unknown(foreign: Foreign, server: Web, now: datetime, content: bytes) -> None:
    server.answers = lambda path, body: (200, {}, content)

    assert ask(foreign, server, foreign.issue().certificate, now)[0] is Status.UNKNOWN


def test_an_answer_bent_anywhere_is_never_good(
    foreign: Foreign, responder: OpensslResponder, now: datetime, tmp_path: Path
) -> None:
    issued = foreign.issue()
    responder.know(issued)
    responder.delegate(SIGNS_OCSP, NOCHECK)
    request = request_about(foreign, issued.certificate)
    whole = responder("", request)[2]
    asked, issuer = ocsp.load_der_ocsp_request(request), foreign.authority.certificate
    bent = [whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :] for i in range(0, len(whole), 5)]
    bent += [whole[:i] for i in range(0, len(whole), 11)]

    told = {read_answer(content, asked, issuer, now).status for content in bent}
    # The certificate that is sent along signs nothing itself: an alteration there may leave a sound answer.
    assert read_answer(whole, asked, issuer, now).status is Status.GOOD
    assert told == {Status.UNKNOWN}


def test_a_silent_responder_is_asked_once_and_not_by_every_request(
    foreign: Foreign, server: Web, now: datetime
) -> None:
    server.answers = lambda path, body: (503, {}, b"")
    source, issuer = OcspUrl(Address(server.url), 60.0), foreign.authority.certificate

    told = [source.answer(foreign.issue().certificate, issuer, now) for _ in range(5)]

    assert {answer.status for answer in told} == {Status.UNKNOWN}
    assert "HTTP 503" in told[-1].reason
    assert len(server.asked) == 1


def test_what_a_responder_said_counts_until_its_end_while_it_is_silent(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime
) -> None:
    issued = foreign.issue()
    responder.know(issued)
    server.answers = responder
    source, issuer = OcspUrl(Address(server.url), 0.0), foreign.authority.certificate
    before = source.answer(issued.certificate, issuer, now)
    server.answers = lambda path, body: (503, {}, b"")

    assert source.answer(issued.certificate, issuer, now) == before


def test_an_answer_that_is_fresh_is_not_asked_for_again(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime
) -> None:
    issued = foreign.issue()
    responder.know(issued)
    server.answers = responder
    source = OcspUrl(Address(server.url), 60.0)

    for _ in range(3):
        source.answer(issued.certificate, foreign.authority.certificate, now)

    assert len(server.asked) == 1


def fetched(foreign: Foreign, server: Web, refresh: float = 60.0) -> CrlUrl:
    authorities = (foreign.authority.root, foreign.authority.certificate)
    return CrlUrl(Address(f"{server.url}/issuing.crl"), foreign.folder / "fetched" / "a.crl", refresh, authorities)


def serve(server: Web, content: bytes) -> None:
    server.answers = lambda path, body: (200, {}, content)


def test_a_list_is_fetched_once_and_survives_a_restart_and_a_dead_server(
    foreign: Foreign, server: Web, now: datetime
) -> None:
    issued, issuer = foreign.issue(), foreign.authority.certificate
    serve(server, foreign.publish())
    source = fetched(foreign, server)
    before = [source.answer(issued.certificate, issuer, now).status for _ in range(3)]
    asked = len(server.asked)
    server.answers = lambda path, body: (500, {}, b"")

    after = fetched(foreign, server).answer(issued.certificate, issuer, now).status

    assert (before, asked, after) == ([Status.GOOD] * 3, 1, Status.GOOD)


def test_a_newer_list_takes_the_place_and_an_older_one_played_back_does_not(
    foreign: Foreign, server: Web, now: datetime
) -> None:
    issued, issuer = foreign.issue(), foreign.authority.certificate
    old = foreign.publish(made=now - timedelta(hours=2))
    new = foreign.publish(entry(issued, now), number=2)
    source, told = fetched(foreign, server, refresh=0.0), []

    for content in (old, new, old):
        serve(server, content)
        told.append(source.answer(issued.certificate, issuer, now).status)

    assert told == [Status.GOOD, Status.REVOKED, Status.REVOKED]


def test_what_is_fetched_and_is_no_list_of_theirs_is_not_kept(
    foreign: Foreign, server: Web, now: datetime, tmp_path: Path
) -> None:
    issued, issuer = foreign.issue(), foreign.authority.certificate
    serve(server, found(tmp_path / "other", now).publish())

    answer = fetched(foreign, server).answer(issued.certificate, issuer, now)

    assert (answer.status, (foreign.folder / "fetched").exists()) == (Status.UNKNOWN, False)
    assert "not signed by" in answer.reason


def test_a_redirection_leads_nowhere(server: Web) -> None:
    server.answers = lambda path, body: (302, {"Location": f"{server.url}/elsewhere"}, b"")

    with pytest.raises(Unanswered, match="HTTP 302"):
        fetch(Address(server.url))
    assert [path for path, _ in server.asked] == ["/"]


def test_the_addresses_inside_a_certificate_and_the_proxies_of_the_environment_are_never_asked(
    foreign: Foreign, server: Web, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web() as trap:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, trap.url)
        certificate = pointing_to(foreign, trap.url)
        serve(server, foreign.publish())
        answer = fetched(foreign, server).answer(certificate, foreign.authority.certificate, now)

        assert (answer.status, trap.asked) == (Status.GOOD, [])


def pointing_to(foreign: Foreign, url: str) -> x509.Certificate:
    """A certificate that says its list and its responder are at an address."""
    plain, place = foreign.issue().certificate, [x509.UniformResourceIdentifier(url)]
    builder = (
        x509.CertificateBuilder(plain.issuer, plain.subject, plain.public_key(), plain.serial_number)
        .not_valid_before(plain.not_valid_before_utc)
        .not_valid_after(plain.not_valid_after_utc)
        .add_extension(x509.CRLDistributionPoints([x509.DistributionPoint(place, None, None, None)]), False)
        .add_extension(
            x509.AuthorityInformationAccess(
                [x509.AccessDescription(x509.AuthorityInformationAccessOID.OCSP, place[0])]
            ),
            False,
        )
    )
    return builder.sign(foreign.authority.key, hashes.SHA256())


def test_too_much_is_not_read(server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 1000)
    serve(server, b"x" * 1001)

    with pytest.raises(Unanswered, match="more than 1000 bytes"):
        fetch(Address(server.url))


def test_a_server_that_accepts_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unanswered, match="timed out"):
        fetch(Address(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_a_server_that_drips_is_given_up_altogether(server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "WHOLE_SECONDS", -1.0)
    serve(server, b"x" * 100)

    with pytest.raises(Unanswered, match="not whole within"):
        fetch(Address(server.url))


def test_nobody_at_the_address_is_said(now: datetime) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(Unanswered, match="refused"):
        fetch(Address(f"http://127.0.0.1:{port}"))


def test_a_described_authority_lets_in_by_its_responder_and_keeps_out_whom_it_revokes(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime, pki: Files
) -> None:
    good, gone = foreign.issue(), foreign.issue()
    responder.know(good, revoked=[gone])
    server.answers = responder
    foreign.describe(revocation=[{"ocsp": server.url}, {"crl": "root.crl"}])
    trust = TrustFile(pki.trust, foreign.folder).current()
    registered = Answering(Standing(Status.UNKNOWN, holder="active"))

    identity = verify([der(good.certificate)], trust, registered, now)
    with pytest.raises(Revoked, match="key_compromise"):
        verify([der(gone.certificate)], trust, registered, now)

    assert (identity.urn, identity.authority, identity.grace) == ("urn:xinqiao:customs:front", "partner", "")


def test_a_responder_that_is_gone_is_forgiven_for_as_long_as_configured(
    foreign: Foreign, responder: OpensslResponder, server: Web, now: datetime, pki: Files
) -> None:
    issued = foreign.issue(lifetime=timedelta(days=30))
    responder.know(issued)
    server.answers = responder
    foreign.describe(revocation=[{"ocsp": server.url}, {"crl": "root.crl"}], grace_hours=6)
    trust = TrustFile(pki.trust, foreign.folder).current()
    registered, chain = Answering(Standing(Status.UNKNOWN, holder="active")), [der(issued.certificate)]
    verify(chain, trust, registered, now)
    server.answers = lambda path, body: (503, {}, b"")

    within = verify(chain, trust, registered, now + timedelta(days=1, hours=5))
    with pytest.raises(RevocationUnknown):
        verify(chain, trust, registered, now + timedelta(days=1, hours=7))

    assert within.grace.startswith(f"partner: {server.url}: ended at ")
