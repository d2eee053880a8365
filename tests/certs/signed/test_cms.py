"""Detached CMS: what OpenSSL's own command signs is verified, what was altered is not."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms as asn1
from asn1crypto import core
from asn1crypto import pem as asn1_pem
from asn1crypto import x509 as asn1_x509

from certs.signed import cms
from certs.signed.proof import KeyHint, SignatureInvalid, SignatureKeyRefused, Signer
from certs.suites import SUITES, certificate_key, read_private_key
from certs.suites.base import hashed
from certs.suites.encoding import der_signature

CONTENT = "企业名称,统一社会信用代码\r\n".encode() * 5000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A P-256 and an SM2 key with a certificate each, made by OpenSSL, and the file to sign."""
    home = tmp_path_factory.mktemp("cms")
    (home / "x.csv").write_bytes(CONTENT)
    for name, curve, more in (("p256", "P-256", []), ("sm2", "SM2", ["-sm3", "-sigopt", "distid:1234567812345678"])):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", home / f"{name}.key")
        openssl("req", "-new", "-x509", "-key", home / f"{name}.key", *more, "-subj", "/CN=clinic", "-days", "3",
                "-out", home / f"{name}.pem")  # fmt: skip
    return home


def openssl(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout


def sign(folder: Path, *more: str, name: str = "p256") -> bytes:
    return openssl("cms", "-sign", "-binary", "-in", folder / "x.csv", "-signer", folder / f"{name}.pem",
                   "-inkey", folder / f"{name}.key", *more)  # fmt: skip


def find(hint: KeyHint) -> Signer:
    if hint.certificate is None:
        raise SignatureKeyRefused("没有", "none")
    return Signer(certificate_key(hint.certificate), hint.ids[0], "urn:xinqiao:health:clinic", "health")


def content() -> list[bytes]:
    return [CONTENT[:10], CONTENT[10:]]


@pytest.mark.parametrize(
    "more",
    [("-outform", "DER"), ("-outform", "PEM"), ("-outform", "DER", "-noattr"), ("-outform", "DER", "-md", "sha256")],
)
def test_what_openssl_signs_is_verified(more: tuple[str, ...], folder: Path) -> None:
    proven = cms.verify(sign(folder, *more), content, find)
    assert proven.algorithm.name == "ecdsa-p256-sha256"
    assert len(proven.signer.key_id) == 40
    assert (proven.created_at is None) == ("-noattr" in more)


def test_a_signer_named_by_key_identifier_is_found(folder: Path) -> None:
    assert cms.verify(sign(folder, "-outform", "DER", "-keyid"), content, find).covered[-1] == "content"


def test_the_serial_alone_names_the_key_when_no_certificate_comes_along(folder: Path) -> None:
    seen = []
    with pytest.raises(SignatureKeyRefused):
        cms.verify(sign(folder, "-outform", "DER", "-nocerts"), content, lambda hint: seen.append(hint) or find(hint))
    assert [len(name) for name in seen[0].ids] == [40]


@pytest.mark.parametrize("more", [(), ("-noattr",)])
def test_another_content_is_refused(more: tuple[str, ...], folder: Path) -> None:
    made = sign(folder, "-outform", "DER", *more)
    with pytest.raises(SignatureInvalid):
        cms.verify(made, lambda: [CONTENT, b"\n"], find)


@pytest.mark.parametrize("more", [("-md", "sha1"), ("-md", "sha512"), ("-nodetach",)])
def test_other_digests_and_embedded_content_are_refused(more: tuple[str, ...], folder: Path) -> None:
    with pytest.raises(SignatureInvalid):
        cms.verify(sign(folder, "-outform", "DER", *more), content, find)


def test_no_octet_of_the_signature_can_be_changed_and_verify_as_another(folder: Path) -> None:
    made = sign(folder, "-outform", "DER")
    genuine = cms.verify(made, content, find)
    start = made.index(core.OctetString(hashlib.sha256(CONTENT).digest()).dump())
    for place in range(start, len(made), 7):
        altered = made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :]
        with contextlib.suppress(SignatureInvalid):
            assert cms.verify(altered, content, find).identity == genuine.identity


@pytest.mark.parametrize("junk", [b"", b"\x30\x80", b"\x30\x03\x02\x01\x01", b"x" * 300_000])
def test_what_is_no_cms_is_refused(junk: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        cms.verify(junk, content, find)


def test_an_sm2_signature_over_signed_attributes_is_verified(folder: Path, tmp_path: Path) -> None:
    # OpenSSL 3.0 writes no SM2 CMS; the structure is put together here, its signature is OpenSSL's.
    certificate = asn1_x509.Certificate.load(asn1_pem.unarmor((folder / "sm2.pem").read_bytes())[2])
    digest = hashed(content(), SUITES["guomi"].digest())
    attributes = asn1.CMSAttributes(
        [{"type": "content_type", "values": ["data"]}, {"type": "message_digest", "values": [digest]}]
    )
    (tmp_path / "attributes").write_bytes(attributes.dump())
    signature = openssl("pkeyutl", "-sign", "-inkey", folder / "sm2.key", "-in", tmp_path / "attributes",
                        "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")  # fmt: skip
    made = sm2_cms(certificate, attributes, signature)
    assert cms.verify(made, content, find).algorithm.name == "sm2-sm3"
    key = read_private_key((folder / "sm2.key").read_bytes())
    forged = sm2_cms(certificate, attributes, der_signature(key.sign([b"something else"])))
    with pytest.raises(SignatureInvalid):
        cms.verify(forged, content, find)


def sm2_cms(certificate: asn1_x509.Certificate, attributes: asn1.CMSAttributes, signature: bytes) -> bytes:
    issuer = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    signer = asn1.SignerInfo(
        {
            "version": "v1",
            "sid": asn1.SignerIdentifier("issuer_and_serial_number", issuer),
            "digest_algorithm": {"algorithm": "1.2.156.10197.1.401"},
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "1.2.156.10197.1.501"},
            "signature": signature,
        }
    )
    signed = asn1.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": "1.2.156.10197.1.401"}],
            "encap_content_info": {"content_type": "data"},
            "certificates": [asn1.CertificateChoices("certificate", certificate)],
            "signer_infos": [signer],
        }
    )
    return bytes(asn1.ContentInfo({"content_type": "signed_data", "content": signed}).dump())
