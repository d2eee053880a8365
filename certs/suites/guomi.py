"""The suite ``guomi`` 国密: SM2 with SM3 (GB/T 32918), SM3 (GB/T 32905), SM4-GCM (GB/T 32907, RFC 8998)."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from certs.suites.base import Aead, Suite
from certs.suites.sm2 import SM2, make_sm2_key

_TAG_BYTES = 16


def _encrypt(key: bytes, nonce: bytes, plain: bytes, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(data)
    return encryptor.update(plain) + encryptor.finalize() + encryptor.tag


def _decrypt(key: bytes, nonce: bytes, sealed: bytes, data: bytes) -> bytes:
    if len(sealed) < _TAG_BYTES:
        raise InvalidTag
    decryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-_TAG_BYTES:])).decryptor()
    decryptor.authenticate_additional_data(data)
    return decryptor.update(sealed[:-_TAG_BYTES]) + decryptor.finalize()


SUITE = Suite(
    name="guomi",
    algorithms=(SM2,),
    digest=hashes.SM3,
    digest_name="sm3",
    aead=Aead(name="SM4-GCM", key_bytes=16, encrypt=_encrypt, decrypt=_decrypt),
    make_key=make_sm2_key,
)
