"""What every signature format shares: whose key, what was proven, what was wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from certs.errors import CertsError
from certs.suites import Algorithm, BadSignature, PublicKey


class SignatureInvalid(CertsError):
    """A signature was presented and does not prove anything: malformed, of an unknown key, or simply wrong."""

    code = "signature_invalid"


class SignatureKeyRefused(SignatureInvalid):
    """The key of a signature is not one that is believed: unknown, revoked, expired, or somebody else's."""

    code = "signature_key_refused"


class SignatureStale(SignatureInvalid):
    """A signature was made too long ago, in the future, or has expired."""

    code = "signature_stale"


@dataclass(frozen=True)
class KeyHint:
    """What a signature says about its key.

    Attributes:
        ids: names the key may be known by, in lower-case hexadecimal: certificate serial (40 digits), or SHA-256 of
            the certificate or of the SubjectPublicKeyInfo (64 digits).
        certificate: DER of the certificate that came along, or None.
    """

    ids: tuple[str, ...] = ()
    certificate: bytes | None = None


@dataclass(frozen=True)
class Signer:
    """A key that is believed, and whose it is.

    Attributes:
        key: verifies.
        key_id: as the registry names it: a certificate's serial, or SHA-256 of a registered key.
        holder: urn of the system.
        agency: of the holder.
    """

    key: PublicKey
    key_id: str
    holder: str
    agency: str


FindKey: TypeAlias = Callable[[KeyHint], Signer]
"""Finds the key a signature names; raises ``SignatureKeyRefused``."""


@dataclass(frozen=True)
class Verified:
    """What a signature proved.

    Attributes:
        form: ``http``, ``soap``, ``jws`` or ``cms``.
        signer: whose key.
        covered: what was signed, in the words of the format.
        identity: SHA-256 of what was signed, as hexadecimal. The signature's own bytes would not do: ECDSA gives
            everybody a second valid signature for each first one.
        created_at: when it says it was made, UTC; None if it does not say.
        nonce: the signer's own, or empty.
    """

    form: str
    signer: Signer
    covered: tuple[str, ...]
    identity: str
    created_at: datetime | None = None
    nonce: str = ""

    @property
    def algorithm(self) -> Algorithm:
        """With which it was made."""
        return self.signer.key.algorithm


def invalid(form: str, zh: str, en: str, **details: object) -> SignatureInvalid:
    """The error for a signature that proves nothing."""
    return SignatureInvalid(f"签名无效（{form}）：{zh}。", f"the signature ({form}) is invalid: {en}", **details)


# A signer's clock may be a little ahead.
AHEAD = timedelta(seconds=60)


def check_age(made: datetime, expires: datetime | None, now: datetime, max_age: timedelta) -> None:
    """A signature of a request is of now, give or take.

    Args:
        made: when it says it was made; any instant a calendar holds, so nothing is added to it.
        expires: when it says it ends; None if it does not say.
        now: UTC, aware.

    Raises:
        SignatureStale: too old, of the future, or expired.
    """
    if now - max_age <= made <= now + AHEAD and (expires is None or now <= expires):
        return
    told = [at.isoformat() if at else "-" for at in (made, expires, now)]
    age = int(max_age.total_seconds())
    raise SignatureStale(
        "签名时间不符：签于 {}，有效至 {}，最长 {} 秒，现在 {}；请校准时钟并重新签名。".format(*told[:2], age, told[2]),
        "the signature was made at {}, expires at {}, holds {} seconds at most, and now it is {}; "
        "set the clock and sign again".format(*told[:2], age, told[2]),
    )


def check(form: str, signer: Signer, signature: bytes, *chunks: bytes) -> None:
    """Verify over chunks that are at hand.

    Raises:
        SignatureInvalid: it is wrong.
    """
    try:
        signer.key.verify(signature, chunks)
    except BadSignature as error:
        raise wrong(form, signer) from error


def wrong(form: str, signer: Signer) -> SignatureInvalid:
    """The error for a signature that is well formed and wrong."""
    return invalid(
        form,
        f"与内容或密钥 {signer.key_id}（{signer.holder}）不符",
        f"it does not belong to this content and key {signer.key_id} of {signer.holder}",
        key_id=signer.key_id,
    )


def instant_of(seconds: int) -> datetime | None:
    """UTC out of seconds since 1970, or None if no calendar holds it."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def hint_of_certificate(der: bytes, *ids: str) -> KeyHint:
    """The hint that a certificate along with the signature gives."""
    return KeyHint((*ids, hashlib.sha256(der).hexdigest()), der)
