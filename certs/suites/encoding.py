"""How keys and signatures are written: r ‖ s and DER, and SM2 keys as OpenSSL writes and reads them.

``cryptography`` knows no SM2 keys, so their PKCS #8 (RFC 5958), encryption included (PBES2, RFC 8018),
and SubjectPublicKeyInfo are put together here from ``asn1crypto``'s structures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from asn1crypto import algos, core, keys, pem
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from certs.suites.base import BadSignature

SM2_CURVE = "1.2.156.10197.1.301"
_NAME = "sm2p256v1"
_HALF = 32
# OWASP's floor of 2023 for PBKDF2 with HMAC-SHA-256.
_ITERATIONS = 600_000
# A file from outside must not keep the process busy for an hour.
_MAX_ITERATIONS = 10_000_000
_PRFS: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha512": hashes.SHA512,
}
_SM4_CBC = "1.2.156.10197.1.104.2"

keys.NamedCurve.register(_NAME, SM2_CURVE, _HALF)


def der_signature(signature: bytes) -> bytes:
    """DER sequence of r and s out of r ‖ s.

    Raises:
        BadSignature: not 64 octets.
    """
    if len(signature) != 2 * _HALF:
        raise BadSignature
    return encode_dss_signature(int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big"))


def raw_signature(der: bytes) -> bytes:
    """r ‖ s out of a DER sequence of r and s.

    Raises:
        BadSignature: not such a sequence, or a number that does not fit 32 octets.
    """
    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
    except (ValueError, OverflowError) as error:
        raise BadSignature from error


def sm2_spki(point: bytes) -> bytes:
    """DER of the SubjectPublicKeyInfo of an SM2 key: ``id-ecPublicKey`` with the curve's OID (GM/T 0009, 7)."""
    info = keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "ec", "parameters": _curve()},
            "public_key": keys.ECPointBitString(_uncompressed(point)),
        }
    )
    return bytes(info.dump())


def sm2_point(spki: bytes) -> bytes | None:
    """x ‖ y of the SM2 key in a SubjectPublicKeyInfo, or None if it holds another kind of key.

    Raises:
        ValueError: not a SubjectPublicKeyInfo, or a compressed point.
    """
    info = keys.PublicKeyInfo.load(spki, strict=True)
    if not _is_sm2(info["algorithm"]):
        return None
    return _point(bytes(info["public_key"].native))


def sm2_pem(secret: bytes, point: bytes, passphrase: bytes | None) -> bytes:
    """PKCS #8 PEM of an SM2 key."""
    # asn1crypto's own integer drops leading zero octets; RFC 5915, 3 wants them all.
    inner = keys.ECPrivateKey(
        {"version": 1, "private_key": int.from_bytes(secret, "big"), "public_key": b"\x04" + point}
    )
    inner["private_key"].set_encoded_width(_HALF)
    info = keys.PrivateKeyInfo(
        {"version": 0, "private_key_algorithm": {"algorithm": "ec", "parameters": _curve()}, "private_key": inner}
    )
    der = bytes(info.dump())
    if passphrase is None:
        return bytes(pem.armor("PRIVATE KEY", der))
    return bytes(pem.armor("ENCRYPTED PRIVATE KEY", _encrypted(der, passphrase)))


def sm2_secret(text: bytes, passphrase: bytes | None) -> tuple[bytes, bytes] | None:
    """Secret and point of the SM2 key in a PKCS #8 PEM, or None if it holds another kind of key.

    Returns:
        32 octets; x ‖ y.

    Raises:
        ValueError: not PKCS #8, the passphrase does not open it, or the public point is left out (RFC 5915, 3
            lets it be; OpenSSL always writes it).
    """
    kind, _, der = pem.unarmor(text)
    if kind == "ENCRYPTED PRIVATE KEY":
        if passphrase is None:
            raise ValueError("the key is encrypted and no passphrase was given")
        der = _decrypted(der, passphrase)
    if der is None or kind not in ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"):
        return None
    info = keys.PrivateKeyInfo.load(der, strict=True)
    if not _is_sm2(info["private_key_algorithm"]):
        return None
    inner = info["private_key"].parsed
    return inner["private_key"].native.to_bytes(_HALF, "big"), _point(bytes(inner["public_key"].native or b""))


def _curve() -> Any:
    return keys.ECDomainParameters(name="named", value=keys.NamedCurve(_NAME))


def _is_sm2(algorithm: Any) -> bool:
    # OpenSSL 3 writes id-ecPublicKey with the curve; some products write the curve's OID as the algorithm.
    if algorithm["algorithm"].dotted == SM2_CURVE:
        return True
    if algorithm["algorithm"].native != "ec":
        return False
    parameters = algorithm["parameters"]
    return bool(parameters.name == "named" and parameters.chosen.dotted == SM2_CURVE)


def _uncompressed(point: bytes) -> bytes:
    return b"\x04" + point


def _point(encoded: bytes) -> bytes:
    if len(encoded) != 1 + 2 * _HALF or encoded[0] != 4:
        raise ValueError("expected an uncompressed point of 65 octets")
    return encoded[1:]


def _encrypted(der: bytes, passphrase: bytes) -> bytes:
    salt, iv = os.urandom(16), os.urandom(16)
    key = PBKDF2HMAC(hashes.SHA256(), 32, salt, _ITERATIONS).derive(passphrase)
    pad = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    encrypted = encryptor.update(pad.update(der) + pad.finalize()) + encryptor.finalize()
    derivation = {
        "algorithm": "pbkdf2",
        "parameters": {
            "salt": algos.Pbkdf2Salt(name="specified", value=core.OctetString(salt)),
            "iteration_count": _ITERATIONS,
            "prf": {"algorithm": "sha256", "parameters": core.Null()},
        },
    }
    scheme = {"algorithm": "aes256_cbc", "parameters": iv}
    return bytes(
        keys.EncryptedPrivateKeyInfo(
            {
                "encryption_algorithm": {
                    "algorithm": "pbes2",
                    "parameters": {"key_derivation_func": derivation, "encryption_scheme": scheme},
                },
                "encrypted_data": encrypted,
            }
        ).dump()
    )


def _decrypted(der: bytes, passphrase: bytes) -> bytes:
    info = keys.EncryptedPrivateKeyInfo.load(der, strict=True)
    algorithm = info["encryption_algorithm"]
    if algorithm["algorithm"].native != "pbes2":
        raise ValueError(f"expected PBES2, got {algorithm['algorithm'].native}")
    derivation = algorithm["parameters"]["key_derivation_func"]["parameters"]
    scheme = algorithm["parameters"]["encryption_scheme"]
    cipher, length = _cipher(scheme["algorithm"].dotted)
    rounds = derivation["iteration_count"].native
    prf = _PRFS.get(derivation["prf"]["algorithm"].native)
    if prf is None or not 0 < rounds <= _MAX_ITERATIONS:
        raise ValueError(f"key derivation {derivation['prf']['algorithm'].native} × {rounds} is not taken")
    key = PBKDF2HMAC(prf(), length, derivation["salt"].native, rounds).derive(passphrase)
    iv = scheme["parameters"].native
    decryptor = Cipher(cipher(key), modes.CBC(iv)).decryptor()
    pad = padding.PKCS7(128).unpadder()
    plain = decryptor.update(info["encrypted_data"].native) + decryptor.finalize()
    return pad.update(plain) + pad.finalize()


def _cipher(oid: str) -> tuple[Any, int]:
    known: dict[str, tuple[Any, int]] = {
        "2.16.840.1.101.3.4.1.2": (algorithms.AES, 16),
        "2.16.840.1.101.3.4.1.42": (algorithms.AES, 32),
        _SM4_CBC: (algorithms.SM4, 16),
    }
    if oid not in known:
        raise ValueError(f"cipher {oid} is not taken; expected AES-128-CBC, AES-256-CBC or SM4-CBC")
    return known[oid]
