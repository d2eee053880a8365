"""The numbered list of ``certs/verify.py``, step by step, against certificates that fail exactly there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from certs import profiles
from certs.authority import Authority, create, issue, issue_server, sign_certificate
from certs.errors import (
    AuthorityMissing,
    ChainBroken,
    Malformed,
    Missing,
    NoIdentity,
    NotActive,
    NotTrusted,
    OutsideValidity,
    ProfileViolated,
    RevocationUnknown,
    Revoked,
)
from certs.keys import make_key
from certs.names import PersonName
from certs.revocation import Standing, Status
from certs.trust import Trust, read_trust
from certs.verify import Identity, verify
from tests.certs.support import NOW, TRACE, Answering, der, trace_certificate

YEAR = timedelta(days=365)


def common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def test_a_good_certificate_says_who_speaks(authority: Authority, trust: Trust) -> None:
    certificate = trace_certificate(authority).certificate

    identity = verify([der(certificate)], trust, Answering(), NOW)

    assert identity == Identity(
        urn="urn:xinqiao:agriculture:trace",
        agency="agriculture",
        system="trace",
        person="",
        duty="",
        serial=f"{certificate.serial_number:040x}",
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_after=NOW + YEAR,
    )


def test_a_person_is_told_apart_with_the_duty(authority: Authority, trust: Trust) -> None:
    certificate = issue(authority, PersonName("li.si", "agency_administrator", "customs"), NOW).certificate

    identity = verify([der(certificate)], trust, Answering(), NOW)

    assert (identity.urn, identity.person, identity.duty, identity.agency, identity.is_person) == (
        "urn:xinqiao:person:li.si",
        "li.si",
        "agency_administrator",
        "customs",
        True,
    )


def test_no_certificate_is_refused(trust: Trust) -> None:
    with pytest.raises(Missing):
        verify([], trust, Answering(), NOW)


@pytest.mark.parametrize("content", [b"", b"\x30\x03\x02\x01", b"-----BEGIN CERTIFICATE-----", b"\0" * 4096])
def test_bytes_that_are_no_certificate_are_refused(trust: Trust, content: bytes) -> None:
    with pytest.raises(Malformed):
        verify([content], trust, Answering(), NOW)


def test_a_name_of_a_type_that_no_name_has_is_refused_as_unreadable(authority: Authority, trust: Trust) -> None:
    # Found by fuzzing: the name is only read for the message that refuses the certificate.
    whole = der(trace_certificate(authority).certificate)
    kind = whole.index(b"\x06\x03\x55\x04") + 5
    bit_string = whole[:kind] + b"\x03" + whole[kind + 1 :]

    with pytest.raises(Malformed):
        verify([bit_string], trust, Answering(), NOW)


def test_a_certificate_cut_or_bent_anywhere_is_refused_and_never_crashes(authority: Authority, trust: Trust) -> None:
    whole = der(trace_certificate(authority).certificate)
    bent = [whole[:i] for i in range(0, len(whole), 7)]
    bent += [whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :] for i in range(0, len(whole), 3)]

    for content in bent:
        with pytest.raises(NotTrusted):
            verify([content], trust, Answering(), NOW)


def test_validity_includes_its_first_and_last_second_and_nothing_beyond(authority: Authority, trust: Trust) -> None:
    certificate = trace_certificate(authority, lifetime=timedelta(days=1)).certificate
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc

    inside = [verify([der(certificate)], trust, Answering(), at).system for at in (max(first, NOW), last)]
    with pytest.raises(OutsideValidity, match="expired"):
        verify([der(certificate)], trust, Answering(), last + timedelta(seconds=1))
    with pytest.raises(OutsideValidity, match="not valid yet"):
        verify([der(certificate)], trust, Answering(), first - timedelta(seconds=1))

    assert inside == ["trace", "trace"]


def test_a_certificate_that_was_good_is_refused_on_the_day_it_expires(authority: Authority, trust: Trust) -> None:
    content = der(trace_certificate(authority).certificate)

    verify([content], trust, Answering(), NOW)
    with pytest.raises(OutsideValidity):
        verify([content], trust, Answering(), NOW + YEAR + timedelta(seconds=1))


def test_an_authority_of_the_same_name_is_not_ours(trust: Trust, tmp_path: Path) -> None:
    impostor = create(tmp_path, NOW)

    with pytest.raises(ChainBroken):
        verify([der(trace_certificate(impostor).certificate)], trust, Answering(), NOW)


def test_an_authority_that_the_client_brings_along_is_not_believed(trust: Trust, tmp_path: Path) -> None:
    impostor = create(tmp_path, NOW)
    chain = [trace_certificate(impostor).certificate, impostor.certificate, impostor.root]

    with pytest.raises(ChainBroken):
        verify([der(certificate) for certificate in chain], trust, Answering(), NOW)


def test_an_authority_taken_out_of_the_trust_file_vouches_for_nobody(authority: Authority, trust: Trust) -> None:
    content = der(trace_certificate(authority).certificate)

    verify([content], trust, Answering(), NOW)
    with pytest.raises(ChainBroken):
        verify([content, der(authority.certificate)], replace(trust, intermediates=()), Answering(), NOW)


def test_a_self_signed_certificate_is_refused(trust: Trust) -> None:
    key = make_key()
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(TRACE.uri)])
    certificate = sign_certificate(profiles.SYSTEM, common_name("self"), key.public_key(), None, key, NOW, names)

    with pytest.raises(ChainBroken):
        verify([der(certificate)], trust, Answering(), NOW)


def test_an_expired_issuing_authority_ends_what_it_issued() -> None:
    root_key, issuing_key = make_key(), make_key()
    root = sign_certificate(profiles.ROOT, common_name("R"), root_key.public_key(), None, root_key, NOW)
    short = sign_certificate(
        profiles.ISSUING, common_name("I"), issuing_key.public_key(), root, root_key, NOW, lifetime=timedelta(days=1)
    )
    # An authority that forgot the rule that nothing outlives its issuer.
    forgetful = sign_certificate(profiles.ISSUING, common_name("I"), issuing_key.public_key(), root, root_key, NOW)
    leaf = issue(Authority(forgetful, issuing_key, root), TRACE, NOW).certificate

    verify([der(leaf)], Trust((root,), (short,)), Answering(), NOW)
    with pytest.raises(ChainBroken):
        verify([der(leaf)], Trust((root,), (short,)), Answering(), NOW + timedelta(days=2))


def test_more_authorities_than_the_path_length_allows_are_refused() -> None:
    root_key, first_key, second_key = make_key(), make_key(), make_key()
    root = sign_certificate(profiles.ROOT, common_name("R"), root_key.public_key(), None, root_key, NOW)
    first = sign_certificate(profiles.ISSUING, common_name("A"), first_key.public_key(), root, root_key, NOW)
    second = sign_certificate(profiles.ISSUING, common_name("B"), second_key.public_key(), first, first_key, NOW)
    leaf = issue(Authority(second, second_key, root), TRACE, NOW).certificate

    with pytest.raises(ChainBroken):
        verify([der(leaf)], Trust((root,), (first, second)), Answering(), NOW)


def test_an_end_entity_cannot_issue_certificates(authority: Authority, trust: Trust) -> None:
    clever = trace_certificate(authority)
    assert clever.key is not None
    forged = issue(Authority(clever.certificate, clever.key, authority.root), TRACE, NOW).certificate
    wider = replace(trust, intermediates=(*trust.intermediates, clever.certificate))

    with pytest.raises(ChainBroken):
        verify([der(forged)], wider, Answering(), NOW)


def test_a_server_certificate_opens_nothing_as_a_client(authority: Authority, trust: Trust) -> None:
    certificate = issue_server(authority, ["127.0.0.1"], NOW).certificate

    with pytest.raises(ProfileViolated) as refused:
        verify([der(certificate)], trust, Answering(), NOW)

    assert [v.rule for v in refused.value.violations] == ["extended_key_usage", "exchange_name"]


def test_an_authority_is_nobody_s_system(authority: Authority, trust: Trust) -> None:
    with pytest.raises(ProfileViolated):
        verify([der(authority.certificate)], trust, Answering(), NOW)
    with pytest.raises(ChainBroken):
        verify([der(authority.root)], trust, Answering(), NOW)


def test_a_revoked_certificate_is_refused_with_reason_and_date(authority: Authority, trust: Trust) -> None:
    revoked = Answering(Standing(Status.REVOKED, "key_compromise", NOW, holder="active"))

    with pytest.raises(Revoked, match=r"revoked or suspended at 2026-06-01 08:00:00 UTC \(reason key_compromise\)"):
        verify([der(trace_certificate(authority).certificate)], trust, revoked, NOW)


def test_unknown_is_refused_like_revoked(authority: Authority, trust: Trust) -> None:
    unknown = Answering(Standing(Status.UNKNOWN, "no list", holder="active"))

    with pytest.raises(RevocationUnknown, match="no list"):
        verify([der(trace_certificate(authority).certificate)], trust, unknown, NOW)


def test_revocation_is_asked_again_for_a_certificate_that_passed_before(authority: Authority, trust: Trust) -> None:
    content = der(trace_certificate(authority).certificate)

    verify([content], trust, Answering(), NOW)
    with pytest.raises(Revoked):
        verify([content], trust, Answering(Standing(Status.REVOKED, "superseded", NOW, "active")), NOW)


@pytest.mark.parametrize("holder", ["suspended", "unregistered", ""])
def test_a_good_certificate_of_a_holder_that_is_not_active_opens_nothing(
    authority: Authority, trust: Trust, holder: str
) -> None:
    with pytest.raises(NotActive):
        verify(
            [der(trace_certificate(authority).certificate)], trust, Answering(Standing(Status.GOOD, holder=holder)), NOW
        )


@pytest.mark.parametrize(
    "uri",
    [
        "urn:xinqiao:agriculture",
        "urn:xinqiao:agriculture:trace:more",
        "urn:xinqiao::trace",
        "URN:xinqiao:agriculture:trace",
        "urn:xinqiao:agriculture:Trace",
        "urn:xinqiao:agriculture:trace?=duty=auditor",
        "urn:xinqiao:person:zhang.san",
        "urn:xinqiao:person:zhang.san?=duty=king",
        "urn:xinqiao:person:zhang.san?=duty=auditor&duty=auditor",
        "urn:xinqiao:person:zhang.san?=duty=auditor&agency=customs",
    ],
)
def test_a_name_in_any_other_form_is_no_identity(authority: Authority, trust: Trust, uri: str) -> None:
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
    certificate = sign_certificate(
        profiles.SYSTEM, common_name("x"), make_key().public_key(), authority.certificate, authority.key, NOW, names
    )

    with pytest.raises(NoIdentity):
        verify([der(certificate)], trust, Answering(), NOW)


def test_a_trust_file_without_a_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trust.pem").write_text("nothing here")

    with pytest.raises(AuthorityMissing, match="is unusable"):
        read_trust(tmp_path / "trust.pem")
