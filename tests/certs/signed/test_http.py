"""HTTP message signatures: the published examples, what must be covered, and what is refused."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver

from certs.signed import http
from certs.signed.http import Fields, Request
from certs.signed.proof import KeyHint, SignatureInvalid, SignatureKeyRefused, SignatureStale, Signer
from certs.suites import SUITES, PrivateKey, read_private_key, read_public_key
from certs.suites.base import hashed
from certs.suites.encoding import raw_signature
from certs.suites.international import Ed25519Private

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
AGE = timedelta(minutes=5)
KEY_ID = "0a" * 20
BODY = "企业名称\r\n".encode()
ALL = ("@method", "@authority", "@path", "content-digest")


@dataclass
class Message:
    """What the library signs in place."""

    method: str
    url: str
    headers: dict[str, str]


def find(key: PrivateKey) -> Any:
    def by_id(hint: KeyHint) -> Signer:
        if hint.ids != (KEY_ID,):
            raise SignatureKeyRefused("没有", "none")
        return Signer(key.public, KEY_ID, "urn:xinqiao:health:clinic", "health")

    return by_id


def signed(
    key: PrivateKey, covered: Sequence[str] = ALL, created: datetime = NOW, nonce: str | None = "n-1", **more: str
) -> Request:
    digest = http.digest_field("sha-256", hashed([BODY], SUITES["international"].digest()))
    url = "https://gateway.example:8443/v1/sources/a/b/deliveries"
    message = Message("POST", url, {"host": "gateway.example:8443", "content-digest": digest, **more})
    http.sign(message, key, KEY_ID, covered, created, nonce)
    return Request("POST", url, Fields(list(message.headers.items())))


def verify(request: Request, key: PrivateKey, now: datetime = NOW) -> Any:
    return http.verify(request, find(key), now, AGE)


def keys() -> list[PrivateKey]:
    return [
        SUITES["international"].make_key(),
        Ed25519Private(Ed25519PrivateKey.generate()),
        SUITES["guomi"].make_key(),
    ]


class _Published(HTTPSignatureKeyResolver):
    """The public keys of RFC 9421, appendix B.1."""

    KEYS = {
        "test-key-ed25519": "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=",
        "test-key-ecc-p256": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf"
        "w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==",
    }

    def resolve_public_key(self, key_id: str) -> Signer:
        key = read_public_key(base64.b64decode(self.KEYS[key_id]))
        return Signer(key, key_id, "", "")


class _AnyTime(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """The examples are of 2021."""


def published(algorithm: str, message: object) -> list[Any]:
    verifier = _AnyTime(signature_algorithm=http._ALGORITHMS[algorithm], key_resolver=_Published())
    return list(verifier.verify(message, max_age=None))


def test_the_request_of_rfc_9421_b_2_6_verifies() -> None:
    request = Request(
        "POST",
        "https://example.com/foo?param=Value&Pet=dog",
        Fields(
            [
                ("Host", "example.com"),
                ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
                ("Content-Type", "application/json"),
                ("Content-Length", "18"),
                (
                    "Signature-Input",
                    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
                    ';created=1618884473;keyid="test-key-ed25519"',
                ),
                (
                    "Signature",
                    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
                ),
            ]
        ),
    )
    assert len(published("ed25519", request)) == 1
    altered = replace(request, method="PUT")
    with pytest.raises(Exception, match="does not belong"):
        published("ed25519", altered)


def test_the_answer_of_rfc_9421_b_2_4_verifies() -> None:
    @dataclass
    class Answer:
        status_code: int
        headers: Fields

    answer = Answer(
        200,
        Fields(
            [
                ("Content-Type", "application/json"),
                (
                    "Content-Digest",
                    "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
                ),
                ("Content-Length", "23"),
                (
                    "Signature-Input",
                    'sig-b24=("@status" "content-type" "content-digest" "content-length")'
                    ';created=1618884473;keyid="test-key-ecc-p256"',
                ),
                (
                    "Signature",
                    "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:",
                ),
            ]
        ),
    )
    assert len(published("ecdsa-p256-sha256", answer)) == 1


def test_a_request_signed_in_each_suite_verifies() -> None:
    for key in keys():
        proven = verify(signed(key), key)
        assert proven.algorithm == key.algorithm
        assert set(proven.covered) == set(ALL)
        assert (proven.nonce, proven.created_at) == ("n-1", NOW)


def test_a_base_written_by_hand_and_signed_by_openssl_verifies(tmp_path: Path) -> None:
    key = SUITES["international"].make_key()
    (tmp_path / "key").write_bytes(key.pem())
    digest = http.digest_field("sha-256", hashed([BODY], SUITES["international"].digest()))
    parameters = (
        '("@method" "@authority" "@path" "content-digest");'
        f'created={int(NOW.timestamp())};keyid="{KEY_ID}";nonce="by hand";tag="xinqiao"'
    )
    base = (
        f'"@method": POST\n"@authority": gateway.example:8443\n"@path": /v1/sources/a/b/deliveries\n'
        f'"content-digest": {digest}\n"@signature-params": {parameters}'
    )
    (tmp_path / "base").write_text(base)
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", tmp_path / "key", tmp_path / "base"], capture_output=True, check=True
    ).stdout
    signature = base64.b64encode(raw_signature(made)).decode()
    headers = [
        ("Host", "gateway.example:8443"),
        ("Content-Digest", digest),
        ("Signature-Input", f"any={parameters}"),
        ("Signature", f"any=:{signature}:"),
    ]
    request = Request("POST", "https://gateway.example:8443/v1/sources/a/b/deliveries", Fields(headers))
    assert verify(request, key).nonce == "by hand"


@pytest.mark.parametrize("missing", ALL)
def test_a_signature_that_leaves_out_what_must_be_covered_is_refused(missing: str) -> None:
    key = SUITES["international"].make_key()
    with pytest.raises(SignatureInvalid, match=missing):
        verify(signed(key, [name for name in ALL if name != missing]), key)


def test_another_request_under_the_same_signature_is_refused() -> None:
    key = SUITES["international"].make_key()
    genuine = signed(key)
    other = [
        replace(genuine, method="PUT"),
        replace(genuine, url="https://gateway.example:8443/v1/sources/a/c/deliveries"),
        replace(genuine, url="https://elsewhere.example/v1/sources/a/b/deliveries"),
        replace(genuine, headers=changed(genuine, "content-digest", lambda value: value.replace(":", ":A", 1))),
        replace(genuine, headers=changed(genuine, "Signature-Input", lambda value: value.replace('"n-1"', '"n-2"'))),
        replace(genuine, headers=changed(genuine, "Signature", lambda value: value[:-6] + "AAAA=:")),
    ]
    for request in other:
        with pytest.raises(SignatureInvalid):
            verify(request, key)
    with pytest.raises(SignatureInvalid):
        verify(genuine, SUITES["international"].make_key())


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sig",
        "sig=1",
        'sig=("@method")',
        'a=("@method");tag="xinqiao", b=("@path");tag="xinqiao"',
        'a=("@method");tag="xinqiao", a=("@path");tag="xinqiao"',
        'sig=("@method");created=1;tag="xinqiao"',
        'sig=("@method");created="1";keyid="x";nonce="n";tag="xinqiao"',
        'sig=("@method" "@method");created=1795226400;keyid="' + KEY_ID + '";nonce="n";tag="xinqiao"',
        'sig=("no-such-header");created=1795226400;keyid="' + KEY_ID + '";nonce="n";tag="xinqiao"',
        "x" * 20_000,
    ],
)
def test_what_is_no_signature_of_ours_is_refused(value: str) -> None:
    key = SUITES["international"].make_key()
    request = signed(key)
    with pytest.raises(SignatureInvalid):
        verify(replace(request, headers=changed(request, "Signature-Input", lambda _: value)), key)


def test_a_signature_without_nonce_is_refused() -> None:
    key = SUITES["international"].make_key()
    with pytest.raises(SignatureInvalid, match="nonce"):
        verify(signed(key, nonce=None), key)


@pytest.mark.parametrize("seconds", [-301, 61, 10**9, 251_000_000_000])
def test_an_old_or_future_signature_is_refused(seconds: int) -> None:
    key = SUITES["international"].make_key()
    with pytest.raises(SignatureStale):
        verify(signed(key, created=NOW + timedelta(seconds=seconds)), key)
    assert verify(signed(key, created=NOW - timedelta(seconds=299)), key)


def test_an_algorithm_that_is_not_the_keys_is_refused() -> None:
    key, sm2 = SUITES["international"].make_key(), SUITES["guomi"].make_key()
    with pytest.raises(SignatureInvalid, match="algorithm"):
        verify(signed(sm2), key)


def test_the_body_is_held_against_every_digest_that_is_known() -> None:
    def digest(name: str) -> bytes:
        return hashed([BODY], http.DIGESTS[name]())

    good = {name: http.digest_field(name, digest(name)) for name in http.DIGESTS}
    for field in (*good.values(), ", ".join(good.values()), f"{good['sm3']}, unknown=:AAAA:"):
        http.check_digest(Fields([("Content-Digest", field)]), digest)
    for field in ("", "md5=:AAAA:", "sha-256=:AAAA:", f"{good['sha-256']}, sm3=:AAAA:", "sha-256=1", "sha-256"):
        with pytest.raises(SignatureInvalid):
            http.check_digest(Fields([("Content-Digest", field)]), digest)


def test_keys_of_openssl_sign_too(tmp_path: Path) -> None:
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"], capture_output=True, check=True
    ).stdout
    key = read_private_key(made)
    assert verify(signed(key), key).algorithm.name == "sm2-sm3"


def changed(request: Request, name: str, change: Any) -> Fields:
    return Fields([(n, change(v) if n.lower() == name.lower() else v) for n, v in request.headers.lines])
