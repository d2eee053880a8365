"""Revocation lists and OCSP answers, read back by ourselves and by OpenSSL's own commands."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as x509_ocsp

from certs import ocsp
from certs.authority import Authority, Issued, create, issue_responder
from certs.errors import CrlUnusable, KeyUnusable
from certs.layout import Files
from certs.revocation import REASONS, CrlEntry, Standing, Status, build_crl, parse_crl, reason_of
from tests.certs.der import inside, sequence, split, wrap
from tests.certs.support import NOW, answering, openssl, trace_certificate, write_pem

WEEK = timedelta(days=7)
STAMP = int(NOW.timestamp()) + 60


def crl_of(authority: Authority, *entries: CrlEntry, number: int = 1) -> x509.CertificateRevocationList:
    return build_crl(authority.certificate, authority.key, entries, number, NOW, NOW + WEEK)


def entry(issued: Issued, reason: str = "key_compromise") -> CrlEntry:
    return CrlEntry(issued.certificate.serial_number, NOW, reason)


def test_openssl_reads_number_and_reasons_of_a_list(authority: Authority, tmp_path: Path) -> None:
    crl = crl_of(authority, entry(trace_certificate(authority)), number=7)
    (tmp_path / "crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))

    answer = openssl("crl", "-in", tmp_path / "crl.pem", "-noout", "-text", "-crlnumber")

    assert answer.returncode == 0
    assert "Version 2 (0x1)" in answer.stdout
    assert "Key Compromise" in answer.stdout
    # OpenSSL 3.0 writes 0x07, later ones 0x7.
    assert re.search(r"^crlNumber=0x0?7$", answer.stdout, re.MULTILINE)


def test_openssl_refuses_the_revoked_and_passes_the_good(authority: Authority, pki: Files, tmp_path: Path) -> None:
    good, bad = trace_certificate(authority), trace_certificate(authority)
    (tmp_path / "crl.pem").write_bytes(crl_of(authority, entry(bad)).public_bytes(Encoding.PEM))
    files = [write_pem(tmp_path / name, issued.certificate) for name, issued in (("good", good), ("bad", bad))]

    answers = [
        openssl(
            "verify", "-crl_check_all", "-attime", STAMP, "-CAfile", pki.root, "-untrusted", pki.issuing,
            "-CRLfile", tmp_path / "crl.pem", "-CRLfile", pki.root_crl, file,
        )
        for file in files
    ]  # fmt: skip

    assert [answer.returncode for answer in answers] == [0, 2]
    assert "certificate revoked" in answers[1].stderr


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_survives_the_list(authority: Authority, reason: str) -> None:
    issued = trace_certificate(authority)

    read = parse_crl(crl_of(authority, entry(issued, reason)).public_bytes(Encoding.DER), authority.certificate)

    (revoked,) = read
    assert (revoked.serial_number, reason_of(revoked)) == (issued.certificate.serial_number, reason)


def test_a_list_of_an_authority_with_the_same_name_is_refused(authority: Authority, tmp_path: Path) -> None:
    impostor = create(tmp_path, NOW)

    with pytest.raises(CrlUnusable, match="was not signed by"):
        parse_crl(crl_of(impostor).public_bytes(Encoding.PEM), authority.certificate)


def test_a_list_bent_anywhere_is_refused(authority: Authority) -> None:
    whole = crl_of(authority, entry(trace_certificate(authority))).public_bytes(Encoding.DER)

    for i in range(len(whole)):
        with pytest.raises(CrlUnusable):
            parse_crl(whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :], authority.certificate)


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Standing(Status.GOOD), "good"),
        (Standing(Status.REVOKED, "certificate_hold", NOW), "revoked"),
        (Standing(Status.UNKNOWN), "unknown"),
    ],
)
def test_openssl_accepts_our_ocsp_answers(
    authority: Authority, pki: Files, tmp_path: Path, standing: Standing, said: str
) -> None:
    leaf = write_pem(tmp_path / "leaf.pem", trace_certificate(authority).certificate)
    request, answer = tmp_path / "request.der", tmp_path / "answer.der"
    # OpenSSL makes its request anew on both calls; without a nonce both are the same.
    asked = ("ocsp", "-no_nonce", "-issuer", pki.issuing, "-cert", leaf)
    openssl(*asked, "-reqout", request)

    answer.write_bytes(ocsp.respond(request.read_bytes(), [answering(authority)], lambda issuer, serial: standing, NOW))

    told = openssl(*asked, "-respin", answer, "-CAfile", pki.root, "-attime", STAMP, "-validity_period", 10**9)
    assert "Response verify OK" in told.stderr
    assert f"{leaf}: {said}" in told.stdout


def always_good(issuer: x509.Certificate, serial: int) -> Standing:
    return Standing(Status.GOOD)


def ocsp_request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    builder = x509_ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256())
    return builder.add_extension(x509.OCSPNonce(b"0123456789abcdef"), critical=False).build().public_bytes(Encoding.DER)


def test_an_ocsp_answer_repeats_the_nonce(authority: Authority) -> None:
    asked = ocsp_request(trace_certificate(authority).certificate, authority.certificate)

    told = x509_ocsp.load_der_ocsp_response(ocsp.respond(asked, [answering(authority)], always_good, NOW))

    assert told.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"0123456789abcdef"
    assert (told.this_update_utc, told.next_update_utc) == (NOW, NOW + ocsp.VALID_FOR)


def test_about_certificates_of_others_nothing_is_said(authority: Authority, tmp_path: Path) -> None:
    other = create(tmp_path, NOW)
    asked = ocsp_request(trace_certificate(other).certificate, other.certificate)

    told = ocsp.respond(asked, [answering(authority)], always_good, NOW)

    assert x509_ocsp.load_der_ocsp_response(told).response_status is x509_ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_a_question_about_a_serial_number_below_zero_is_malformed(authority: Authority) -> None:
    # Found by fuzzing: it can be read, and no answer to it can be written.
    certificate = trace_certificate(authority).certificate
    whole, serial = ocsp_request(certificate, authority.certificate), certificate.serial_number.to_bytes(20, "big")
    asked = whole.replace(serial, b"\xf5" + serial[1:])

    told = ocsp.respond(asked, [answering(authority)], always_good, NOW)

    assert x509_ocsp.load_der_ocsp_request(asked).serial_number < 0
    assert x509_ocsp.load_der_ocsp_response(told).response_status is x509_ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_bent_ocsp_request_gets_an_answer_and_never_a_crash(authority: Authority) -> None:
    whole = ocsp_request(trace_certificate(authority).certificate, authority.certificate)
    bent = [whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :] for i in range(len(whole))]

    for content in [b"", b"\0" * 100_000, *bent]:
        told = ocsp.respond(content, [answering(authority)], always_good, NOW)

        x509_ocsp.load_der_ocsp_response(told)


@pytest.mark.parametrize("serial", [b"\x80\x01", b"\xff"])
def test_a_question_about_a_serial_number_that_none_can_have_is_malformed(authority: Authority, serial: bytes) -> None:
    certificate = trace_certificate(authority).certificate
    builder = x509_ocsp.OCSPRequestBuilder().add_certificate(certificate, authority.certificate, hashes.SHA256())
    question = builder.build().public_bytes(Encoding.DER)
    genuine = wrap(0x02, certificate.serial_number.to_bytes(20, "big"))
    # The number stands at the end of the request: OCSPRequest, TBSRequest, requestList, Request, CertID.
    (certificate_id,) = split(inside(inside(inside(inside(question)))))
    fields = split(inside(certificate_id))
    assert genuine[-8:] == fields[-1][-8:]
    bent = sequence([sequence([sequence([sequence([sequence([*fields[:-1], wrap(0x02, serial)])])])])])

    told = x509_ocsp.load_der_ocsp_response(ocsp.respond(bent, [answering(authority)], always_good, NOW))

    assert told.response_status is x509_ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_openssl_accepts_an_answer_of_a_delegated_responder(authority: Authority, pki: Files, tmp_path: Path) -> None:
    delegated = issue_responder(authority, NOW)
    leaf = write_pem(tmp_path / "leaf.pem", trace_certificate(authority).certificate)
    asked = ("ocsp", "-no_nonce", "-issuer", pki.issuing, "-cert", leaf)
    openssl(*asked, "-reqout", tmp_path / "request.der")
    assert delegated.key is not None
    own_key = delegated.key
    responder = ocsp.Responder(authority.certificate, delegated.certificate, lambda: own_key)

    answer = ocsp.respond((tmp_path / "request.der").read_bytes(), [responder], always_good, NOW)
    (tmp_path / "answer.der").write_bytes(answer)

    told = openssl(
        *asked, "-respin", tmp_path / "answer.der", "-CAfile", pki.root, "-attime", STAMP, "-validity_period", 10**9
    )
    assert ("Response verify OK" in told.stderr, f"{leaf}: good" in told.stdout) == (True, True)


def test_while_the_key_is_not_at_hand_the_answer_is_try_later(authority: Authority) -> None:
    def closed() -> NoReturn:
        raise KeyUnusable("私钥不在此处。", "the key is not here")

    asked = ocsp_request(trace_certificate(authority).certificate, authority.certificate)
    responder = ocsp.Responder(authority.certificate, authority.certificate, closed)

    told = x509_ocsp.load_der_ocsp_response(ocsp.respond(asked, [responder], always_good, NOW))

    assert told.response_status is x509_ocsp.OCSPResponseStatus.TRY_LATER
