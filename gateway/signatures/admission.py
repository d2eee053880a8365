"""The door of the register: a delivery enters with what its signature proved, or is refused with its bytes kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from certs.errors import CertsError
from certs.signed import cms, jws
from certs.signed.proof import AHEAD, FindKey, Verified
from connectors.delivery import Delivery, Part
from connectors.errors import SignatureMissing, SignatureRefused, SignatureReplayed
from connectors.spec import SourceSpec
from gateway import deliveries, receipts
from gateway.audit.log import seal
from gateway.clock import instant
from gateway.settings import Settings
from gateway.signatures.keys import finder
from gateway.signatures.tables import delivery_signatures, signature_nonces
from gateway.store import Store
from gateway.store.tables import deliveries as register

Prove: TypeAlias = Callable[[FindKey], Verified]

_CHUNK = 1024 * 1024
_MAX_DETACHED = 256 * 1024
DETACHED = {".jws": "jws", ".p7s": "cms"}
"""Ending of a signature file beside the file it signs -> its form."""


@dataclass(frozen=True)
class Presented:
    """A signature that came with a delivery.

    Attributes:
        form: ``http``, ``soap``, ``jws`` or ``cms``.
        prove: verifies it over what was delivered; raises ``certs.errors.CertsError``.
        evidence: its bytes, kept, so that anybody can verify again.
        holder: urn of the system that brought the delivery; its own key must have signed. Empty for files that lie
            in a folder: any system of the agency may have signed those.
    """

    form: str
    prove: Prove
    evidence: Part
    holder: str = ""


def detached(signature: Part, content: Part, holder: str = "") -> Presented:
    """A signature file that came beside the file it signs.

    Args:
        signature: its name ends in one of ``DETACHED``.
        content: the file.

    Raises:
        SignatureRefused: another ending.
    """
    form = DETACHED.get(Path(signature.name).suffix.lower(), "")
    if not form:
        raise SignatureRefused(
            f"签名文件“{signature.name}”的扩展名应为 {'、'.join(DETACHED)}。",
            f"the signature file {signature.name!r} must end in {' or '.join(DETACHED)}",
            part=signature.name,
        )

    def prove(find: FindKey) -> Verified:
        with signature.path.open("rb") as file:
            told = file.read(_MAX_DETACHED + 1)
        if form == "cms":
            return cms.verify(told, lambda: pieces(content.path), find)
        return jws.verify(told.decode("ascii", "replace"), lambda: pieces(content.path), find)

    return Presented(form, prove, signature, holder)


def admit(store: Store, delivery: Delivery, spec: SourceSpec, presented: Presented | None = None) -> str:
    """Register a delivery whose bytes are in the vault, with what its signature proved.

    Args:
        presented: the signature, if one came in another way than beside the file.

    Returns:
        the delivery's id.

    Raises:
        SignatureRefused: a signature is demanded and missing, or one was presented and does not hold. The delivery
            is registered as refused, its bytes are kept and the refusal is an entry of the log.
    """
    now = delivery.received_at
    proven, problem = None, None
    try:
        proven = _prove(store, delivery, spec, presented, now)
    except SignatureRefused as error:
        problem = error
    with store.write() as conn:
        delivery_id = deliveries.register(conn, delivery, spec, store.settings.home)
        if proven is not None:
            problem = _use(conn, delivery_id, delivery, spec, *proven, store.settings, now)
        if problem is not None:
            receipts.refuse(conn, delivery_id, problem, now)
    if problem is not None:
        seal(store, now)
        problem.details["delivery_id"] = delivery_id
        raise problem
    return delivery_id


def demand_admitted(row: Row[Any], spec: SourceSpec) -> None:
    """A delivery that was refused at the door, or whose source has come to demand a signature since, is not landed.

    Raises:
        SignatureRefused: so it is.
    """
    problem = (row.receipt or {}).get("problem", {})
    if row.status == "refused" and str(problem.get("code", "")).startswith("signature_"):
        raise SignatureRefused(problem["zh"], problem["en"], code=problem["code"], **problem["details"])
    if spec.signature.required and row.kind == deliveries.DELIVERY and row.proof is None:
        raise _missing(spec)


def pieces(path: Path) -> Iterator[bytes]:
    """A file from its beginning, a megabyte at a time."""
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece


def _prove(
    store: Store, delivery: Delivery, spec: SourceSpec, presented: Presented | None, now: datetime
) -> tuple[Verified, Presented] | None:
    if presented is None and delivery.signature is not None:
        presented = detached(delivery.signature, delivery.parts[0])
    if presented is None:
        if spec.signature.required:
            raise _missing(spec)
        return None
    if presented.form not in spec.signature.forms:
        raise SignatureRefused(
            f"{spec.source} 只接受 {'、'.join(spec.signature.forms)} 形式的签名，收到的是 {presented.form}。",
            f"{spec.source} takes signatures as {', '.join(spec.signature.forms)}, got {presented.form}",
            form=presented.form,
        )
    try:
        with store.read() as conn:
            verified = presented.prove(finder(conn, store.settings, now))
    except CertsError as error:
        raise SignatureRefused(error.zh, error.en, code=error.code, **error.details) from error
    signer = verified.signer
    if (presented.holder and signer.holder != presented.holder) or signer.agency != spec.agency:
        raise SignatureRefused(
            f"签名密钥 {signer.key_id} 属于 {signer.holder}，不属于报送方 {presented.holder or spec.agency}。",
            f"the signing key {signer.key_id} belongs to {signer.holder}, not to {presented.holder or spec.agency}",
            code="signature_key_refused",
            key_id=signer.key_id,
        )
    return verified, presented


def _use(
    conn: Connection,
    delivery_id: str,
    delivery: Delivery,
    spec: SourceSpec,
    verified: Verified,
    presented: Presented,
    settings: Settings,
    now: datetime,
) -> SignatureRefused | None:
    """Write down what was proven, unless this very signature was used before."""
    if _is_replay(conn, delivery_id, delivery, spec, verified, settings, now):
        return SignatureReplayed(
            f"该签名已使用过（密钥 {verified.signer.key_id}）；请重新签名后再报送。",
            f"this signature was used before (key {verified.signer.key_id}); sign again",
            key_id=verified.signer.key_id,
        )
    evidence = presented.evidence
    proof = {
        "form": verified.form,
        "algorithm": verified.algorithm.name,
        "key_id": verified.signer.key_id,
        "holder": verified.signer.holder,
        "covered": list(verified.covered),
        **({"created_at": instant(verified.created_at)} if verified.created_at else {}),
        "evidence": {"name": evidence.name, "digest": evidence.digest, "size": evidence.size},
    }
    values = {"delivery_id": delivery_id, "identity": verified.identity, "proof": proof}
    conn.execute(insert(delivery_signatures).values(**values))
    return None


def _is_replay(
    conn: Connection,
    delivery_id: str,
    delivery: Delivery,
    spec: SourceSpec,
    verified: Verified,
    settings: Settings,
    now: datetime,
) -> bool:
    if verified.nonce:
        return not _remember(conn, verified, now, max_age(settings))
    # A file's signature holds for ever. The same file again says nothing new and is answered with its first
    # receipt; but an old snapshot with its old signature would take the source back to where it was.
    seen = conn.scalar(
        select(register.c.id)
        .join(delivery_signatures, delivery_signatures.c.delivery_id == register.c.id)
        .where(delivery_signatures.c.identity == verified.identity, register.c.status.in_(("landed", "repeated")))
        .limit(1)
    )
    return seen is not None and deliveries.row_and_original(conn, delivery_id, spec)[1] is None


def _remember(conn: Connection, verified: Verified, now: datetime, age: timedelta) -> bool:
    """Note a nonce; False if it was noted before. Nonces of signatures that are too old anyway are forgotten."""
    conn.execute(delete(signature_nonces).where(signature_nonces.c.until < instant(now)))
    # A signature may be dated a little ahead of our clock, so it lives longer than its greatest age.
    until = now + age + 2 * AHEAD
    nonce = hashlib.sha256(verified.nonce.encode()).hexdigest()
    try:
        with conn.begin_nested():
            conn.execute(
                insert(signature_nonces).values(key_id=verified.signer.key_id, nonce=nonce, until=instant(until))
            )
    except IntegrityError:
        return False
    return True


def max_age(settings: Settings) -> timedelta:
    """How old the signature of a request may be."""
    return timedelta(seconds=settings.signature_max_age_seconds)


def _missing(spec: SourceSpec) -> SignatureMissing:
    forms = spec.signature.forms
    return SignatureMissing(
        f"{spec.source} 要求签名（{'、'.join(forms)}），本次交付没有签名；原始文件已保存，请签名后重新报送。",
        f"{spec.source} demands a signature ({', '.join(forms)}) and there is none; the bytes are kept, "
        "sign and deliver again",
        forms=list(forms),
    )
