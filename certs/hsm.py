"""Keys that stay in a token: the PKCS#11 seam. Signing is asked of the token; no private key is ever seen here.

A key is named by a PKCS#11 URI (RFC 7512), which says which module, token and object, and where the PIN is read:

    pkcs11:token=xinqiao;object=issuing?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/xinqiao/pin

A URI has no PIN in it, since it lies in a file beside the certificate. ``TokenKey`` is an
``ec.EllipticCurvePrivateKey`` of ``cryptography``, so certificates, lists and OCSP answers are built as with any
other key.
"""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, unquote_to_bytes

import pkcs11
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_ecdsa_signature, encode_named_curve_parameters

from certs.errors import KeyUnusable

_URI = re.compile(r"pkcs11:(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?")


@dataclass(frozen=True)
class TokenUri:
    """Where a key is.

    Attributes:
        module: path of the PKCS#11 library.
        token: label of the token.
        label: of the key pair; ``object`` in the URI.
        id: CKA_ID, or empty when the label says enough.
        pin_source: file with the PIN; None when it is given another way.
    """

    module: str
    token: str
    label: str
    id: bytes = b""
    pin_source: Path | None = None


def parse_token_uri(text: str) -> TokenUri:
    """Read a PKCS#11 URI (RFC 7512, 2.3).

    Raises:
        KeyUnusable: not one, without module, token or object, or with a PIN in it.
    """
    found = _URI.fullmatch(text.strip())
    if found is None:
        raise _bad_uri(text, "应以 pkcs11: 开头", "expected pkcs11:...")
    path = dict(_attributes(found["path"], ";"))
    query = dict(_attributes(found["query"] or "", "&"))
    if "pin-value" in query:
        raise _bad_uri(
            text.partition("?")[0], "不得含 pin-value，请用 pin-source", "a PIN may not stand in it; use pin-source"
        )
    missing = [n for n, where in (("token", path), ("object", path), ("module-path", query)) if not where.get(n)]
    if missing:
        raise _bad_uri(text, f"缺少 {missing}", f"missing {missing}")
    source = unquote(query["pin-source"]).removeprefix("file:") if "pin-source" in query else None
    return TokenUri(
        module=unquote(query["module-path"]),
        token=unquote(path["token"]),
        label=unquote(path["object"]),
        id=unquote_to_bytes(path.get("id", "")),
        pin_source=Path(source) if source else None,
    )


class TokenKey(ec.EllipticCurvePrivateKey):
    """An ECDSA P-256 private key in a token, usable wherever ``cryptography`` signs with one.

    Safe to share between threads: a PKCS#11 session does one thing at a time, so there is a lock around it.
    """

    def __init__(self, uri: TokenUri, pin: str) -> None:
        """Find the key pair.

        Raises:
            KeyUnusable: no such module, token or key; wrong PIN; not a P-256 key.
        """
        self._uri, self._pin, self._lock = uri, pin, threading.Lock()
        with self._lock:
            self._private, self._public = self._find()

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half, which the token gives away."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """256 bits."""
        return self._public.key_size

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Have the token sign a digest (CKM_ECDSA); the digest is computed here.

        Raises:
            KeyUnusable: the token does not sign, also after it was opened anew.
        """
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, utils.Prehashed):
            digest = bytes(data)
        else:
            computed = hashes.Hash(algorithm)
            computed.update(data)
            digest = computed.finalize()
        with self._lock:
            try:
                raw = self._private.sign(digest, mechanism=Mechanism.ECDSA)
            except pkcs11.PKCS11Error:
                # A token that was pulled or restarted forgets its sessions.
                _forget(self._uri)
                self._private, self._public = self._find()
                raw = self._sign_again(digest)
        return bytes(encode_ecdsa_signature(raw))

    def _sign_again(self, digest: bytes) -> bytes:
        try:
            return bytes(self._private.sign(digest, mechanism=Mechanism.ECDSA))
        except pkcs11.PKCS11Error as error:
            raise _unusable(self._uri, error) from error

    def _find(self) -> tuple[Any, ec.EllipticCurvePublicKey]:
        session = _session(self._uri, self._pin)
        named = {"label": self._uri.label} | ({"id": self._uri.id} if self._uri.id else {})
        try:
            private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, **named)
            shown = session.get_key(object_class=ObjectClass.PUBLIC_KEY, key_type=KeyType.EC, **named)
            public = serialization.load_der_public_key(encode_ec_public_key(shown))
        except (pkcs11.PKCS11Error, ValueError) as error:
            raise _unusable(self._uri, error) from error
        if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
            raise _unusable(self._uri, "not an ECDSA P-256 key")
        return private, public

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        """This key signs and does nothing else."""
        raise KeyUnusable("令牌中的密钥只用于签名。", "a key in a token signs and does nothing else")

    def private_numbers(self) -> NoReturn:
        """The key does not leave its token."""
        raise KeyUnusable("私钥不能导出令牌。", "the private key does not leave its token")

    def private_bytes(self, encoding: object, format: object, encryption_algorithm: object) -> NoReturn:
        """The key does not leave its token."""
        raise KeyUnusable("私钥不能导出令牌。", "the private key does not leave its token")

    def __copy__(self) -> TokenKey:
        """The same key: there is only one."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> TokenKey:
        """The same key: there is only one."""
        return self


def open_token_key(text: str, pin: bytes | None) -> TokenKey:
    """The key that a PKCS#11 URI names.

    Args:
        pin: used when the URI names no ``pin-source``.

    Raises:
        KeyUnusable: the URI is wrong, there is no PIN, or as ``TokenKey``.
    """
    uri = parse_token_uri(text)
    return TokenKey(uri, _pin(uri, pin))


def make_token_key(text: str, pin: bytes | None) -> TokenKey:
    """Have the token make a P-256 key pair whose private half it never gives away.

    Raises:
        KeyUnusable: as ``open_token_key``, or the token has a key of this label already.
    """
    uri = parse_token_uri(text)
    said = _pin(uri, pin)
    session = _session(uri, said)
    if any(True for _ in session.get_objects({Attribute.LABEL: uri.label})):
        raise _unusable(uri, "there is a key of this label already; name another object")
    try:
        parameters = session.create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
        )
        parameters.generate_keypair(
            label=uri.label,
            id=uri.id or uri.label.encode(),
            store=True,
            private_template={Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True, Attribute.SIGN: True},
        )
    except pkcs11.PKCS11Error as error:
        raise _unusable(uri, error) from error
    return TokenKey(uri, said)


_SESSIONS: dict[tuple[int, str, str], tuple[str, Any]] = {}
_SESSIONS_LOCK = threading.Lock()


def _session(uri: TokenUri, pin: str) -> Any:
    """The one session of this process with a token: logging in is per process, and opening one costs milliseconds."""
    # A session does not survive a fork, so each process has its own (PKCS #11 v2.40, 2.5.2).
    key = (os.getpid(), uri.module, uri.token)
    with _SESSIONS_LOCK:
        known_pin, session = _SESSIONS.get(key, ("", None))
        if session is not None and known_pin == pin:
            return session
        if session is not None:
            _close(session)
        try:
            session = pkcs11.lib(uri.module).get_token(token_label=uri.token).open(user_pin=pin, rw=True)
        except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
            _SESSIONS.pop(key, None)
            raise _unusable(uri, error) from error
        _SESSIONS[key] = (pin, session)
        return session


def _forget(uri: TokenUri) -> None:
    with _SESSIONS_LOCK:
        known = _SESSIONS.pop((os.getpid(), uri.module, uri.token), None)
    if known is not None:
        _close(known[1])


def _close(session: Any) -> None:
    try:
        session.close()
    except pkcs11.PKCS11Error:
        return  # it was lost already, which is why it is closed


def _pin(uri: TokenUri, pin: bytes | None) -> str:
    if uri.pin_source is not None:
        try:
            pin = uri.pin_source.read_bytes().splitlines()[0]
        except (OSError, IndexError) as error:
            raise _unusable(uri, f"no PIN in {uri.pin_source}") from error
    if not pin:
        raise _unusable(uri, "no PIN: neither pin-source nor passphrase")
    return pin.decode("utf-8", "replace")


def _attributes(text: str, separator: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in text.split(separator) if part]
    return [(name, value) for name, _, value in pairs]


def _bad_uri(text: str, zh: str, en: str) -> KeyUnusable:
    return KeyUnusable(f"PKCS#11 URI {text!r} 无法使用：{zh}。", f"PKCS#11 URI {text!r} is unusable: {en}")


def _unusable(uri: TokenUri, problem: object) -> KeyUnusable:
    said = str(problem) or type(problem).__name__
    if isinstance(problem, pkcs11.PKCS11Error):
        said = f"{type(problem).__name__} {problem}".strip()
    return KeyUnusable(
        f"令牌 {uri.token} 中的密钥 {uri.label} 无法使用：{said}；请检查模块 {uri.module}、令牌与 PIN。",
        f"key {uri.label} in token {uri.token} is unusable: {said}; "
        f"check the module {uri.module}, the token and the PIN",
        token=uri.token,
        object=uri.label,
    )
