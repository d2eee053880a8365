"""Issuing: what stands in a certificate, what is refused, and what OpenSSL says to it."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certs.authority import Authority, create, issue, issue_server, key_id, open_authority
from certs.checks import Place, violations
from certs.csr import read_csr
from certs.errors import AuthorityExists, AuthorityMissing, KeyUnusable, RequestRefused
from certs.keys import load_key, make_key, save_key
from certs.layout import Files
from tests.certs.support import NOW, TRACE, openssl, trace_certificate, write_pem

STAMP = int(NOW.timestamp())


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.CertificateSigningRequest:
    """A CSR that asks for more than it may have."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anybody")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:xinqiao:customs:h2018")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def test_openssl_follows_an_issued_certificate_to_the_root(authority: Authority, pki: Files, tmp_path: Path) -> None:
    leaf = write_pem(tmp_path / "leaf.pem", trace_certificate(authority).certificate)

    answer = openssl(
        "verify", "-x509_strict", "-purpose", "sslclient", "-attime", STAMP, "-CAfile", pki.root,
        "-untrusted", pki.issuing, leaf,
    )  # fmt: skip

    assert (answer.returncode, answer.stdout) == (0, f"{leaf}: OK\n")


def test_openssl_accepts_the_server_certificate_for_its_hosts(authority: Authority, pki: Files, tmp_path: Path) -> None:
    leaf = write_pem(
        tmp_path / "server.pem", issue_server(authority, ["gateway.example", "127.0.0.1"], NOW).certificate
    )
    asked = ("verify", "-x509_strict", "-purpose", "sslserver", "-attime", STAMP, "-CAfile", pki.root)

    answers = [
        openssl(*asked, "-untrusted", pki.issuing, *host, leaf).returncode
        for host in (("-verify_hostname", "gateway.example"), ("-verify_ip", "127.0.0.1"), ("-verify_ip", "127.0.0.2"))
    ]

    assert answers == [0, 0, 2]


def test_what_we_issue_keeps_our_own_rules(authority: Authority) -> None:
    path = [trace_certificate(authority).certificate, authority.certificate, authority.root]
    places = [Place(NOW), Place(NOW, 0), Place(NOW, 1)]

    assert [violations(certificate, place) for certificate, place in zip(path, places, strict=True)] == [[], [], []]


def test_of_a_csr_only_the_key_is_taken(authority: Authority) -> None:
    key = make_key()

    issued = issue(authority, TRACE, NOW, request(key))

    names = issued.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert issued.key is None
    assert issued.certificate.public_key() == key.public_key()
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:xinqiao:agriculture:trace"]
    assert violations(issued.certificate, Place(NOW)) == []


def test_a_csr_that_its_key_did_not_sign_is_refused(authority: Authority) -> None:
    content = bytearray(request(make_key()).public_bytes(Encoding.DER))
    content[-1] ^= 1

    with pytest.raises(RequestRefused, match="nothing proves that the applicant has the private key"):
        issue(authority, TRACE, NOW, read_csr(bytes(content)))


def test_a_csr_with_a_weak_key_is_refused(authority: Authority) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)

    with pytest.raises(RequestRefused, match="got RSA 1024"):
        issue(authority, TRACE, NOW, request(weak))


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", b"\x30\x80"])
def test_bytes_that_are_no_csr_are_refused(content: bytes) -> None:
    with pytest.raises(RequestRefused, match="the CSR cannot be read"):
        read_csr(content)


def test_nothing_outlives_its_issuer_or_its_profile(authority: Authority) -> None:
    late = authority.certificate.not_valid_after_utc - timedelta(days=10)

    asked_longer = issue(authority, TRACE, NOW, lifetime=timedelta(days=9999)).certificate
    at_the_end = issue(authority, TRACE, late).certificate

    assert asked_longer.not_valid_after_utc == NOW + timedelta(days=365)
    assert at_the_end.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_work_goes_on_when_the_root_key_is_taken_offline(tmp_path: Path) -> None:
    create(tmp_path, NOW)
    Files(tmp_path).root_key.unlink()

    issued = trace_certificate(open_authority(tmp_path))

    assert violations(issued.certificate, Place(NOW)) == []


def test_an_authority_is_never_made_over_another(tmp_path: Path) -> None:
    create(tmp_path, NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}

    with pytest.raises(AuthorityExists):
        create(tmp_path, NOW)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_missing_authority_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AuthorityMissing, match="run xinqiao init first"):
        open_authority(tmp_path)


def test_keys_are_for_their_owner_only_and_hold_behind_a_passphrase(tmp_path: Path) -> None:
    create(tmp_path, NOW, passphrase=b"correct horse")
    files = Files(tmp_path)

    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.root_key, files.issuing_key)} == {0o600}
    assert b"ENCRYPTED" in files.issuing_key.read_bytes()
    assert open_authority(tmp_path, b"correct horse").certificate.subject.rfc4514_string() == "CN=Xinqiao Issuing CA"
    for wrong in (b"wrong", None):
        with pytest.raises(KeyUnusable, match="check the passphrase"):
            open_authority(tmp_path, wrong)


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    save_key(tmp_path / "a.key", make_key())
    (tmp_path / "a.key").chmod(0o640)

    with pytest.raises(KeyUnusable, match="has mode 0640, expected 0600"):
        load_key(tmp_path / "a.key")


def test_a_key_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    key = make_key()

    save_key(tmp_path / "a.key", key, b"secret")

    assert load_key(tmp_path / "a.key", b"secret").private_numbers() == key.private_numbers()
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_with_an_address_certificates_say_where_lists_and_answers_are(authority: Authority, tmp_path: Path) -> None:
    reachable = replace(authority, public_url="https://gw.example")

    silent, told = (issue(one, TRACE, NOW).certificate for one in (authority, reachable))

    answer = openssl("x509", "-in", write_pem(tmp_path / "told.pem", told), "-noout", "-ocsp_uri", "-text")
    assert "https://gw.example/pki/ocsp\n" in answer.stdout
    assert f"URI:https://gw.example/pki/crl/{key_id(authority.certificate)}" in answer.stdout
    assert [violations(one, Place(NOW)) for one in (silent, told)] == [[], []]
    assert len(list(told.extensions)) == len(list(silent.extensions)) + 2
