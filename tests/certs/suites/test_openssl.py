"""The suites against OpenSSL's own commands, both ways: what we make it takes, what it makes we take."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from certs.errors import KeyUnusable
from certs.suites import SUITES, BadSignature, PrivateKey, read_private_key, read_public_pem
from certs.suites.base import hashed
from certs.suites.encoding import der_signature, raw_signature
from certs.suites.international import Ed25519Private

MESSAGE = "企业名称,统一社会信用代码\n杭州启禾面粉有限公司,91330110WQ82000126\n".encode()


def openssl(*arguments: str | Path, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True, check=True).stdout


# For each algorithm: how OpenSSL makes a key, and how it is told to sign and verify.
GENERATE = {
    "ecdsa-p256-sha256": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "ed25519": ("-algorithm", "ed25519"),
    "sm2-sm3": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"),
}
OPTIONS = {
    "ecdsa-p256-sha256": ("-rawin", "-digest", "sha256"),
    "ed25519": ("-rawin",),
    "sm2-sm3": ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"),
}


def key_of_openssl(name: str, folder: Path, *more: str) -> Path:
    path = folder / f"{name}.key"
    openssl("genpkey", *GENERATE[name], *more, "-out", path)
    return path


def our_key(name: str) -> PrivateKey:
    if name == "ed25519":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519Private(Ed25519PrivateKey.generate())
    return next(suite.make_key() for suite in SUITES.values() if suite.algorithms[0].name == name)


@pytest.mark.parametrize("name", GENERATE)
def test_what_we_sign_openssl_verifies(name: str, tmp_path: Path) -> None:
    key = our_key(name)
    signature = key.sign([MESSAGE[:7], MESSAGE[7:]])
    (tmp_path / "key").write_bytes(key.pem())
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signature").write_bytes(der_signature(signature) if key.algorithm.is_der else signature)
    openssl("pkeyutl", "-verify", "-inkey", tmp_path / "key", "-in", tmp_path / "message",
            "-sigfile", tmp_path / "signature", *OPTIONS[name])  # fmt: skip


@pytest.mark.parametrize("name", GENERATE)
def test_what_openssl_signs_we_verify_and_nothing_else(name: str, tmp_path: Path) -> None:
    path = key_of_openssl(name, tmp_path)
    (tmp_path / "message").write_bytes(MESSAGE)
    made = openssl("pkeyutl", "-sign", "-inkey", path, "-in", tmp_path / "message", *OPTIONS[name])
    public = read_public_pem(openssl("pkey", "-in", path, "-pubout"))
    assert public.algorithm.name == name
    signature = raw_signature(made) if public.algorithm.is_der else made
    public.verify(signature, [MESSAGE])
    for altered, message in (
        (signature, MESSAGE + b" "),
        (bytes([signature[0] ^ 1]) + signature[1:], MESSAGE),
        (signature[:-1], MESSAGE),
        (signature + b"\0", MESSAGE),
        (bytes(64), MESSAGE),
        (b"", MESSAGE),
    ):
        with pytest.raises(BadSignature):
            public.verify(altered, [message])


def test_an_sm2_signature_under_another_identity_does_not_verify(tmp_path: Path) -> None:
    path = key_of_openssl("sm2-sm3", tmp_path)
    (tmp_path / "message").write_bytes(MESSAGE)
    made = openssl("pkeyutl", "-sign", "-inkey", path, "-in", tmp_path / "message", "-rawin", "-digest", "sm3",
                   "-pkeyopt", "distid:somebody else")  # fmt: skip
    with pytest.raises(BadSignature):
        read_private_key(path.read_bytes()).public.verify(raw_signature(made), [MESSAGE])


@pytest.mark.parametrize("name", GENERATE)
def test_keys_are_written_as_openssl_writes_them(name: str, tmp_path: Path) -> None:
    path = key_of_openssl(name, tmp_path)
    key = read_private_key(path.read_bytes())
    assert key.pem() == path.read_bytes()
    assert openssl("pkey", "-in", path, "-pubout", "-outform", "DER") == key.public.spki()


@pytest.mark.parametrize("cipher", ["-aes-256-cbc", "-aes-128-cbc", "-sm4-cbc"])
def test_an_sm2_key_that_openssl_encrypted_opens_with_its_passphrase_only(cipher: str, tmp_path: Path) -> None:
    path = key_of_openssl("sm2-sm3", tmp_path)
    locked = openssl("pkcs8", "-topk8", "-in", path, "-v2", cipher[1:], "-iter", "2000", "-passout", "pass:开门")
    assert read_private_key(locked, "开门".encode()).pem() == path.read_bytes()
    for wrong in (b"shut", None):
        with pytest.raises(KeyUnusable):
            read_private_key(locked, wrong)


def test_an_sm2_key_that_we_encrypted_opens_in_openssl() -> None:
    key = SUITES["guomi"].make_key()
    locked = key.pem(b"open sesame")
    assert b"ENCRYPTED" in locked
    assert openssl("pkey", "-passin", "pass:open sesame", given=locked) == key.pem()
    assert read_private_key(locked, b"open sesame") == key


def test_the_key_of_an_sm2_certificate_is_read(tmp_path: Path) -> None:
    path = key_of_openssl("sm2-sm3", tmp_path)
    certificate = openssl("req", "-new", "-x509", "-key", path, "-sm3", "-sigopt", "distid:1234567812345678",
                          "-subj", "/CN=卫生监督系统", "-utf8", "-days", "3")  # fmt: skip
    assert read_public_pem(certificate).spki() == read_private_key(path.read_bytes()).public.spki()


@pytest.mark.parametrize(
    "arguments",
    [
        ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
        ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
        ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"),
    ],
)
def test_a_key_of_no_suite_is_refused_by_name(arguments: tuple[str, ...]) -> None:
    pem = openssl("genpkey", *arguments)
    with pytest.raises(KeyUnusable, match="SM2"):
        read_private_key(pem)
    with pytest.raises(KeyUnusable):
        read_public_pem(openssl("pkey", "-pubout", given=pem))


def test_an_sm2_point_off_the_curve_is_refused() -> None:
    from certs.suites import read_public_key
    from certs.suites.encoding import sm2_spki

    with pytest.raises(KeyUnusable, match="not on the SM2 curve"):
        read_public_key(sm2_spki(bytes([1]) * 64))


def test_sm3_digests_are_those_of_openssl() -> None:
    for length in (0, 1, 55, 56, 64, 1000):
        message = os.urandom(length)
        assert openssl("dgst", "-sm3", "-binary", given=message) == hashed([message], SUITES["guomi"].digest())


def test_sm4_gcm_encrypts_as_openssl_counts() -> None:
    # `openssl enc` has no GCM; its counter mode started at GCM's second counter is GCM's encryption (SP 800-38D, 7.1).
    aead = SUITES["guomi"].aead
    key, nonce = aead.make_key(), os.urandom(12)
    counted = openssl("enc", "-sm4-ctr", "-K", key.hex(), "-iv", nonce.hex() + "00000002", given=MESSAGE)
    sealed = aead.keyed(key).encrypt(nonce, MESSAGE, b"")
    assert sealed[:-16] == counted
    assert openssl("enc", "-d", "-sm4-ctr", "-K", key.hex(), "-iv", nonce.hex() + "00000002",
                   given=sealed[:-16]) == MESSAGE  # fmt: skip
