"""The suite ``guomi`` 国密: SM2 with SM3 (GB/T 32918), SM3 (GB/T 32905), SM4-GCM (GB/T 32907, RFC 8998)."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from certs.suites.base import Aead, Suite
from certs.suites.sm2 import SM2, make_sm2_key

_TAG_BYTES = 16


class _Sm4Gcm:
    """A key of SM4-GCM; see ``base.AeadKey``."""

    def __init__(self, key: bytes) -> None:
        self._sm4 = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, plain: bytes, data: bytes, /) -> bytes:
        """See ``base.AeadKey``."""
        encryptor = Cipher(self._sm4, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(data)
        return encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, sealed: bytes, data: bytes, /) -> bytes:
        """See ``base.AeadKey``."""
        if len(sealed) < _TAG_BYTES:
            raise InvalidTag
        decryptor = Cipher(self._sm4, modes.GCM(nonce, sealed[-_TAG_BYTES:])).decryptor()
        decryptor.authenticate_additional_data(data)
        return decryptor.update(sealed[:-_TAG_BYTES]) + decryptor.finalize()


SUITE = Suite(
    name="guomi",
    algorithms=(SM2,),
    digest=hashes.SM3,
    digest_name="sm3",
    aead=Aead(name="SM4-GCM", key_bytes=16, keyed=_Sm4Gcm),
    make_key=make_sm2_key,
)
