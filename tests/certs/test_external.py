"""Authorities of others: whom they may name, and that nothing but a current, signed *good* lets anybody in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import Authority, create, issue
from certs.errors import ChainBroken, ExternalUnusable, NotActive, NotVouchable, RevocationUnknown, Revoked
from certs.external import read_external, read_externals
from certs.keys import load_key
from certs.layout import Files
from certs.names import PersonName, SystemName
from certs.revocation import CrlEntry, Standing, Status, build_crl
from certs.trust import TrustFile
from certs.verify import Identity, verify
from tests.certs.build_files import ECDSA_WITH_SHA1
from tests.certs.der import resign
from tests.certs.support import NOW, Answering, der
from tests.support.foreign_authority import DAY, Foreign, entry, found

HOUR = timedelta(hours=1)


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    return found(tmp_path, NOW)


@pytest.fixture
def trust_file(foreign: Foreign, pki: Files) -> TrustFile:
    return TrustFile(pki.trust, foreign.folder)


# What our registry says of a certificate it never issued: not a word about revocation, but the holder is registered.
REGISTERED = Answering(Standing(Status.UNKNOWN, "not in the registry", holder="active"))


def enter(trust: TrustFile, certificate: x509.Certificate, after: timedelta = timedelta(0)) -> Identity:
    return verify([der(certificate)], trust.current(), REGISTERED, NOW + after)


def test_a_system_enters_with_a_certificate_of_an_authority_that_may_name_it(
    foreign: Foreign, trust_file: TrustFile
) -> None:
    identity = enter(trust_file, foreign.issue().certificate)

    assert (identity.urn, identity.authority, identity.grace) == ("urn:xinqiao:customs:front", "partner", "")


@pytest.mark.parametrize("name", [SystemName("health", "front"), PersonName("li.si", "auditor")])
def test_an_external_authority_names_no_system_of_another_agency_and_no_person(
    foreign: Foreign, trust_file: TrustFile, name: SystemName | PersonName
) -> None:
    with pytest.raises(NotVouchable, match=r"may name systems of \['customs'\] only"):
        enter(trust_file, foreign.issue(name).certificate)


def test_a_holder_that_is_not_active_here_is_refused_whatever_its_authority_says(
    foreign: Foreign, trust_file: TrustFile
) -> None:
    suspended = Answering(Standing(Status.UNKNOWN, holder="suspended"))

    with pytest.raises(NotActive):
        verify([der(foreign.issue().certificate)], trust_file.current(), suspended, NOW)


def test_our_own_authority_is_still_asked_about_its_own(authority: Authority, trust_file: TrustFile) -> None:
    ours = issue(authority, SystemName("customs", "front"), NOW).certificate

    with pytest.raises(RevocationUnknown, match="not in the registry"):
        enter(trust_file, ours)


def test_a_certificate_on_their_list_is_revoked_from_the_moment_the_list_is_there(
    foreign: Foreign, trust_file: TrustFile
) -> None:
    issued = foreign.issue()
    enter(trust_file, issued.certificate)
    foreign.publish(entry(issued, NOW), number=2)

    with pytest.raises(Revoked, match="key_compromise"):
        enter(trust_file, issued.certificate)


def test_a_revocation_of_their_issuing_authority_ends_all_it_issued(foreign: Foreign, trust_file: TrustFile) -> None:
    enter(trust_file, foreign.issue().certificate)
    gone = CrlEntry(foreign.authority.certificate.serial_number, NOW, "ca_compromise")
    key = load_key(foreign.files.root_key)
    crl = build_crl(foreign.authority.root, key, [gone], 2, NOW, NOW + DAY)
    (foreign.folder / "root.crl").write_bytes(crl.public_bytes(Encoding.PEM))

    with pytest.raises(Revoked, match="ca_compromise"):
        enter(trust_file, foreign.issue().certificate)


def test_without_a_list_of_the_root_an_issuing_authority_is_unknown(foreign: Foreign, trust_file: TrustFile) -> None:
    foreign.describe(revocation=[{"crl": "issuing.crl"}])

    with pytest.raises(RevocationUnknown, match="not signed by CN=Partner Root CA"):
        enter(trust_file, foreign.issue().certificate)


def bent(foreign: Foreign) -> bytes:
    content = bytearray(foreign.publish())
    content[-5] ^= 1
    return bytes(content)


def impostors(foreign: Foreign) -> bytes:
    """Signed by an authority of the same name with another key."""
    other = replace(foreign, authority=create(foreign.folder.parent / "other", NOW, "Partner"))
    return other.publish()


def signed(foreign: Foreign, builder: x509.CertificateRevocationListBuilder) -> bytes:
    authority = foreign.authority
    whole = builder.issuer_name(authority.certificate.subject).last_update(NOW).next_update(NOW + DAY)
    return whole.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def with_extension(foreign: Foreign, extension: x509.ExtensionType, critical: bool = True) -> bytes:
    builder = x509.CertificateRevocationListBuilder().add_extension(x509.CRLNumber(2), critical=False)
    return signed(foreign, builder.add_extension(extension, critical))


def partial(**said: Any) -> x509.IssuingDistributionPoint:
    nothing = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False, "only_contains_ca_certs": False,
        "only_some_reasons": None, "indirect_crl": False, "only_contains_attribute_certs": False,
    }  # fmt: skip
    return x509.IssuingDistributionPoint(**(nothing | said))


def critical_entry(foreign: Foreign) -> bytes:
    """An entry that names another issuer, as indirect lists do."""
    other = x509.CertificateIssuer([x509.DirectoryName(foreign.authority.root.subject)])
    revoked = x509.RevokedCertificateBuilder(1 << 70, NOW).add_extension(other, critical=True).build()
    builder = x509.CertificateRevocationListBuilder().add_extension(x509.CRLNumber(2), critical=False)
    return signed(foreign, builder.add_revoked_certificate(revoked))


def with_sha1(foreign: Foreign) -> bytes:
    key = foreign.authority.key
    return resign(
        foreign.publish(),
        lambda tbs: key.sign(tbs, ec.ECDSA(hashes.SHA1())),
        lambda elements: elements,
        ECDSA_WITH_SHA1,
    )


UNUSABLE = {
    "ended": lambda f: f.publish(made=NOW - 2 * DAY),
    "not begun": lambda f: f.publish(made=NOW + HOUR),
    "bent": bent,
    "of another authority with the same name": impostors,
    "cut": lambda f: f.publish()[:-20],
    "no list at all": lambda f: b"not a list",
    "empty": lambda f: b"",
    "a delta list": lambda f: with_extension(f, x509.DeltaCRLIndicator(1)),
    "an unknown critical extension": lambda f: with_extension(
        f, x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
    ),
    "of authorities only": lambda f: with_extension(f, partial(only_contains_ca_certs=True)),
    "indirect": lambda f: with_extension(f, partial(indirect_crl=True)),
    "of some reasons": lambda f: with_extension(
        f, partial(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))
    ),
    "of another distribution point": lambda f: with_extension(
        f, partial(full_name=[x509.UniformResourceIdentifier("http://127.0.0.1/other.crl")])
    ),
    "an entry with an unknown critical extension": critical_entry,
    "without a number": lambda f: signed(f, x509.CertificateRevocationListBuilder()),
    "signed with SHA-1": with_sha1,
}


REASONS = {
    "ended": "ended at 2026-05-31",
    "not begun": "has not come yet",
    "bent": "not signed by",
    "of another authority with the same name": "not signed by",
    "cut": "cannot be read",
    "no list at all": "cannot be read",
    "empty": "cannot be read",
    "a delta list": "critical extensions",
    "an unknown critical extension": "critical extensions",
    "of authorities only": "other kind",
    "indirect": "indirect",
    "of some reasons": "some reasons",
    "of another distribution point": "another distribution point",
    "an entry with an unknown critical extension": "an entry has unknown critical",
    "without a number": "no CRL number",
    # The library does not even try SHA-1.
    "signed with SHA-1": "not signed by",
}


@pytest.mark.parametrize("how", UNUSABLE)
def test_a_list_that_may_not_be_used_says_unknown_and_never_good(
    foreign: Foreign, trust_file: TrustFile, how: str
) -> None:
    (foreign.folder / "issuing.crl").write_bytes(UNUSABLE[how](foreign))

    with pytest.raises(RevocationUnknown, match=REASONS[how]):
        enter(trust_file, foreign.issue().certificate)


def test_a_list_of_end_entities_only_is_understood(foreign: Foreign, trust_file: TrustFile) -> None:
    content = with_extension(foreign, partial(only_contains_user_certs=True))
    (foreign.folder / "issuing.crl").write_bytes(content)

    assert enter(trust_file, foreign.issue().certificate).authority == "partner"


def test_a_missing_list_says_unknown(foreign: Foreign, trust_file: TrustFile) -> None:
    (foreign.folder / "issuing.crl").unlink()

    with pytest.raises(RevocationUnknown, match="No such file"):
        enter(trust_file, foreign.issue().certificate)


def test_grace_lets_an_ended_list_count_as_long_as_configured_and_says_so(
    foreign: Foreign, trust_file: TrustFile
) -> None:
    foreign.describe(grace_hours=6)
    certificate = foreign.issue().certificate

    within = enter(trust_file, certificate, DAY + 6 * HOUR)
    with pytest.raises(RevocationUnknown, match="ended at 2026-06-02T08:00:00Z"):
        enter(trust_file, certificate, DAY + 6 * HOUR + timedelta(seconds=1))

    assert enter(trust_file, certificate, DAY).grace == ""
    assert within.grace == (
        "partner: crl issuing.crl: ended at 2026-06-02T08:00:00Z, counts until 2026-06-02T14:00:00Z"
    )


def test_grace_forgives_age_and_nothing_else(foreign: Foreign, trust_file: TrustFile) -> None:
    foreign.describe(grace_hours=48)
    (foreign.folder / "issuing.crl").write_bytes(bent(foreign))

    with pytest.raises(RevocationUnknown):
        enter(trust_file, foreign.issue().certificate)


def test_a_revocation_does_not_grow_old(foreign: Foreign, trust_file: TrustFile) -> None:
    issued = foreign.issue()
    foreign.publish(entry(issued, NOW))

    with pytest.raises(Revoked):
        enter(trust_file, issued.certificate, 30 * DAY)


def test_an_authority_of_the_same_name_as_theirs_or_ours_is_neither(
    foreign: Foreign, trust_file: TrustFile, tmp_path: Path
) -> None:
    for name in ("Partner", "Xinqiao"):
        impostor = create(tmp_path / name, NOW, name)
        with pytest.raises(ChainBroken):
            enter(trust_file, issue(impostor, SystemName("customs", "front"), NOW).certificate)


def test_an_external_authority_that_calls_itself_as_ours_names_only_its_own_agencies(
    tmp_path: Path, pki: Files
) -> None:
    twin = found(tmp_path, NOW, name="Xinqiao")
    trust = TrustFile(pki.trust, twin.folder)

    assert enter(trust, twin.issue().certificate).authority == "partner"
    with pytest.raises(NotVouchable):
        enter(trust, twin.issue(SystemName("health", "front")).certificate)


def test_a_description_that_is_put_there_or_taken_away_counts_at_once(foreign: Foreign, trust_file: TrustFile) -> None:
    certificate = foreign.issue().certificate
    enter(trust_file, certificate)
    (foreign.folder / "partner.yml").unlink()

    with pytest.raises(ChainBroken):
        enter(trust_file, certificate)
    foreign.describe()
    assert enter(trust_file, certificate).authority == "partner"


def test_a_description_that_cannot_be_used_takes_only_its_authority_out(
    foreign: Foreign, trust_file: TrustFile, authority: Authority
) -> None:
    foreign.describe(agencies="customs")
    ours = issue(authority, SystemName("customs", "front"), NOW).certificate

    with pytest.raises(ChainBroken):
        enter(trust_file, foreign.issue().certificate)
    assert verify([der(ours)], trust_file.current(), Answering(), NOW).authority == ""


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"agencies": []}, "agencies: expected a list of agency codes"),
        ({"agencies": ["Customs"]}, "agencies: expected a list of agency codes"),
        ({"authorities": "../../trust.pem"}, "authorities: expected the name of a file beside partner.yml"),
        ({"authorities": "/etc/ssl/cert.pem"}, "authorities: expected the name of a file"),
        ({"authorities": "nothing.pem"}, "authorities: nothing.pem"),
        ({"revocation": []}, "revocation: expected a list"),
        ({"revocation": [{"crl": "a.crl", "ocsp": "http://127.0.0.1/"}]}, "revocation: expected {crl: file or URL}"),
        ({"revocation": [{"crl": "../a.crl"}]}, "crl: expected the name of a file"),
        ({"revocation": [{"crl": "file:///etc/passwd"}]}, "expected an http or https URL"),
        ({"revocation": [{"ocsp": "ocsp.example"}]}, "expected an http or https URL"),
        ({"grace_hours": -1}, "grace_hours: expected a number from 0"),
        ({"grace_hours": "24"}, "grace_hours: expected a number"),
        ({"refresh_minutes": 0}, "refresh_minutes: expected a number from 1"),
        ({"grace": 24}, "unknown keys ['grace']"),
    ],
)
def test_a_description_that_cannot_be_used_names_file_key_and_value(
    foreign: Foreign, said: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ExternalUnusable) as refused:
        read_external(foreign.describe(**said))

    assert problem in refused.value.en
    assert "partner.yml" in refused.value.zh


@pytest.mark.parametrize("content", ["", "- a", "a: [", "\ud800".encode("utf-8", "surrogatepass")])
def test_a_file_that_is_no_description_is_refused(foreign: Foreign, content: str | bytes) -> None:
    path = foreign.folder / "partner.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(ExternalUnusable):
        read_external(path)


def test_one_root_in_two_descriptions_is_refused(foreign: Foreign) -> None:
    foreign.describe("second", agencies=["health"])

    externals, problems = read_externals(foreign.folder)

    assert [external.name for external in externals] == ["partner"]
    assert "has a root of partner.yml" in problems[0].en
