"""The suites against numbers that others published."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from certs.suites import SUITES
from certs.suites.base import hashed
from certs.suites.sm2 import Sm2Public, signed_digest, z_value


# GB/T 32905-2016, appendix A.
@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_gives_the_digests_of_gbt_32905(message: bytes, digest: str) -> None:
    assert hashed([message[:1], message[1:]], SUITES["guomi"].digest()).hex() == digest


def test_sm4_gives_the_block_of_gbt_32907() -> None:
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    encryptor = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()
    assert encryptor.update(key).hex() == "681edf34d206965e86b3e94f536e4246"


def test_sm4_gcm_gives_ciphertext_and_tag_of_rfc_8998() -> None:
    # RFC 8998, appendix A.1.
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    nonce = bytes.fromhex("00001234567800000000abcd")
    data = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plain = b"".join(bytes([octet]) * 8 for octet in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
    sealed = bytes.fromhex(
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )
    sm4 = SUITES["guomi"].aead.keyed(key)
    assert sm4.encrypt(nonce, plain, data) == sealed
    assert sm4.decrypt(nonce, sealed, data) == plain


# GB/T 32918.5-2017, appendix A: identity 1234567812345678, message "message digest".
_POINT = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_SIGNATURE = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def test_the_signer_is_digested_as_in_gbt_32918() -> None:
    assert z_value(_POINT).hex() == "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
    digest = signed_digest(_POINT, [b"message ", b"digest"])
    assert digest.hex() == "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"


def test_the_signature_of_gbt_32918_verifies() -> None:
    Sm2Public(_POINT).verify(_SIGNATURE, [b"message digest"])


def test_sealed_bytes_open_only_whole_and_in_their_context() -> None:
    for suite in SUITES.values():
        key = suite.aead.make_key()
        sealed = suite.aead.seal(key, "张三".encode(), b"record 1")
        assert suite.aead.open(key, sealed, b"record 1") == "张三".encode()
        for altered, context in ((sealed, b"record 2"), (sealed[:-1], b"record 1"), (sealed[:20], b"record 1")):
            with pytest.raises(InvalidTag):
                suite.aead.open(key, altered, context)


def test_each_suite_hashes_with_its_own_digest() -> None:
    assert isinstance(SUITES["international"].digest(), hashes.SHA256)
    assert isinstance(SUITES["guomi"].digest(), hashes.SM3)
