"""Detached JWS: against an independent JOSE library both ways, and against forgery."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws as jose
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry

from certs.signed import jws
from certs.signed.proof import FindKey, KeyHint, SignatureInvalid, SignatureKeyRefused, Signer
from certs.suites import SUITES, PrivateKey
from certs.suites.international import Ed25519Private

PAYLOAD = "企业名称,统一社会信用代码\n".encode() * 9000
# The independent library has a limit.
SMALL = PAYLOAD[:50_000]


def believing(key: PrivateKey, key_id: str = "aa" * 20) -> FindKey:
    def find(hint: KeyHint) -> Signer:
        if key_id not in hint.ids:
            raise SignatureKeyRefused("没有", "none")
        return Signer(key.public, key_id, "urn:xinqiao:health:clinic", "health")

    return find


def pieces(payload: bytes = PAYLOAD) -> Iterable[bytes]:
    return [payload[i : i + 1000] for i in range(0, len(payload), 1000)]


def keys() -> list[PrivateKey]:
    return [
        SUITES["international"].make_key(),
        Ed25519Private(Ed25519PrivateKey.generate()),
        SUITES["guomi"].make_key(),
    ]


def jose_key(key: PrivateKey) -> ECKey | OKPKey:
    kind = OKPKey if key.algorithm.jws == "Ed25519" else ECKey
    return kind.import_key(key.pem())


def registry() -> JWSRegistry:
    return JWSRegistry(algorithms=["ES256", "Ed25519"], strict_check_header=False)


@pytest.mark.parametrize("is_unencoded", [False, True])
def test_what_we_sign_we_verify_in_every_suite(is_unencoded: bool) -> None:
    for key in keys():
        made = jws.sign(key, pieces(), {"kid": "AA" * 20, "iat": 1_780_000_000}, is_unencoded=is_unencoded)
        proven = jws.verify(made, pieces, believing(key))
        assert proven.algorithm == key.algorithm
        assert proven.signer.holder == "urn:xinqiao:health:clinic"
        assert proven.created_at is not None
        assert proven.created_at.year == 2026


def test_what_we_sign_an_independent_library_verifies() -> None:
    for key in keys()[:2]:
        protected, _, signature = jws.sign(key, pieces(SMALL), {"kid": "aa" * 20}).split(".")
        whole = f"{protected}.{jws.encode(SMALL)}.{signature}"
        assert jose.deserialize_compact(whole, jose_key(key), registry=registry()).payload == SMALL


def test_what_an_independent_library_signs_we_verify() -> None:
    for key in keys()[:2]:
        header = {"alg": key.algorithm.jws, "kid": "aa" * 20}
        whole = jose.serialize_compact(header, SMALL, jose_key(key), registry=registry())
        protected, _, signature = whole.split(".")
        jws.verify(f"{protected}..{signature}\n", lambda: pieces(SMALL), believing(key))


def test_the_example_of_rfc_7797_is_read_as_unencoded() -> None:
    # Section 4.2 is a MAC; what is ours to check is the signing input that it fixes.
    protected = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19"
    assert jws.header_of(f"{protected}..AA")["crit"] == ["b64"]
    assert b"".join(jws._signing_input(protected, [b"$.02"], True)) == protected.encode() + b".$.02"


def test_another_payload_key_or_signature_is_refused() -> None:
    for key in keys():
        made = jws.sign(key, pieces(), {"kid": "aa" * 20}, is_unencoded=True)
        protected, _, signature = made.split(".")
        other = SUITES["international"].make_key()
        for text, payload, find in (
            (made, PAYLOAD + b"\n", believing(key)),
            (made, PAYLOAD[1:], believing(key)),
            (made, PAYLOAD, believing(other)),
            (f"{protected}..{signature[:-4]}", PAYLOAD, believing(key)),
            (f"{protected}..", PAYLOAD, believing(key)),
            (f"{protected}.{jws.encode(PAYLOAD)}.{signature}", PAYLOAD, believing(key)),
        ):
            with pytest.raises(SignatureInvalid):
                jws.verify(text, lambda payload=payload: [payload], find)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {},
        {"alg": "ES256", "crit": ["exp"], "exp": 1},
        {"alg": "ES256", "crit": []},
        {"alg": "ES256", "b64": False},
        {"alg": "ES256", "b64": "false", "crit": ["b64"]},
    ],
)
def test_a_header_that_means_something_else_is_refused(header: dict[str, object]) -> None:
    key = SUITES["international"].make_key()
    protected = jws.encode(json.dumps({"kid": "aa" * 20, **header}).encode())
    for payload in (jws.encode(PAYLOAD).encode(), PAYLOAD):
        signature = jws.encode(key.sign([protected.encode() + b"." + payload]))
        with pytest.raises(SignatureInvalid):
            jws.verify(f"{protected}..{signature}", pieces, believing(key))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a..b.c",
        "bm9uZQ..AA",
        "W10..AA",
        "e30=..AA",
        "e3 0..AA",
        "x" * 100_000,
        "[" * 60_000 + "..A",
    ],
)
def test_what_is_no_jws_is_refused(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        jws.verify(text, pieces, believing(SUITES["international"].make_key()))


def test_a_member_said_twice_is_refused() -> None:
    key = SUITES["international"].make_key()
    protected = jws.encode(b'{"alg":"none","alg":"ES256","kid":"' + b"aa" * 20 + b'"}')
    signature = jws.encode(key.sign([f"{protected}.{jws.encode(PAYLOAD)}".encode()]))
    with pytest.raises(SignatureInvalid, match="said twice"):
        jws.verify(f"{protected}..{signature}", pieces, believing(key))
