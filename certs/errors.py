"""Errors of certificates, named by what was found wrong.

Verification fails with a ``NotTrusted``: one class per step of the list in ``certs/verify.py``,
so that a refused caller, the console and the audit log can say which step it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

if TYPE_CHECKING:
    from datetime import datetime

    from certs.checks import Violation

UNREADABLE = (
    ValueError,
    # A name whose text is a BIT STRING, and other values of a type that the attribute cannot have.
    TypeError,
    NotImplementedError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What ``cryptography`` raises for bytes that are not what they should be; translated where it is called."""


class CertsError(Exception):
    """Root of every error of certificates.

    Attributes:
        code: stable code shown in problem documents.
        zh: one sentence in 简体中文: what, which value, what to do next.
        en: the same in English.
        details: machine-readable facts.
    """

    code = "certificate_error"

    def __init__(self, zh: str, en: str, **details: object) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh, self.en, self.details = zh, en, details


class KeyUnusable(CertsError):
    """A private key file is missing, open to others, damaged, or its passphrase is wrong."""

    code = "key_unusable"


class AuthorityMissing(CertsError):
    """The files of the certificate authority are not where they should be."""

    code = "authority_missing"


class AuthorityExists(CertsError):
    """There is an authority already; making another over it would orphan every certificate."""

    code = "authority_exists"


class RequestRefused(CertsError):
    """A certificate that was asked for may not be issued: bad name, bad CSR, weak key."""

    code = "certificate_request_refused"


class CrlUnusable(CertsError):
    """A revocation list cannot be read, or was not signed by the authority it speaks for."""

    code = "crl_unusable"


class ExternalUnusable(CertsError):
    """The description of an external authority, or a file that it names, cannot be used; it vouches for nobody."""

    code = "external_authority_unusable"


class Unanswered(CertsError):
    """An address that a revocation list or an OCSP answer is fetched from did not answer as it should."""

    code = "revocation_source_unavailable"


class NotTrusted(CertsError):
    """A presented certificate was refused; the subclass says at which step."""

    code = "certificate_refused"


class Missing(NotTrusted):
    """No certificate was presented on a connection that needs one."""

    code = "certificate_missing"

    def __init__(self) -> None:
        super().__init__(
            "此地址需要客户端证书，连接未出示证书；请用贵单位系统的证书重新连接。",
            "this address needs a client certificate and the connection presented none; "
            "connect again with your system's certificate",
        )


class Malformed(NotTrusted):
    """The bytes presented are not a certificate that can be read."""

    code = "certificate_malformed"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"证书无法解析：{problem}；请重新申请证书。",
            f"the certificate cannot be read: {problem}; apply for a new one",
            problem=problem,
        )


class OutsideValidity(NotTrusted):
    """Step 1: now is not between notBefore and notAfter."""

    code = "certificate_outside_validity"

    def __init__(self, not_before: datetime, not_after: datetime, now: datetime) -> None:
        state_zh, state_en = ("尚未生效", "not valid yet") if now < not_before else ("已过期", "expired")
        super().__init__(
            f"证书{state_zh}：有效期 {not_before:%Y-%m-%d %H:%M:%S} 至 {not_after:%Y-%m-%d %H:%M:%S}"
            f"（UTC），当前 {now:%Y-%m-%d %H:%M:%S}；请更换证书或校准时钟。",
            f"the certificate is {state_en}: valid {not_before:%Y-%m-%d %H:%M:%S} to {not_after:%Y-%m-%d %H:%M:%S}"
            f" UTC, now {now:%Y-%m-%d %H:%M:%S}; renew it or set the clock",
            not_before=not_before.isoformat(),
            not_after=not_after.isoformat(),
        )


class ChainBroken(NotTrusted):
    """Step 2: no valid path leads from the certificate to a root we trust."""

    code = "certificate_chain"

    def __init__(self, issuer: str, problem: str) -> None:
        super().__init__(
            f"证书不是由受信任的机构签发（签发者 {issuer}）：{problem}；请使用信桥机构签发的证书。",
            f"the certificate does not lead to a trusted authority (issuer {issuer}): {problem}; "
            "use one issued by an authority this gateway trusts",
            issuer=issuer,
            problem=problem,
        )


class ProfileViolated(NotTrusted):
    """Step 3: a certificate of the path breaks rules of its profile; all of them are named."""

    code = "certificate_profile"

    def __init__(self, subject: str, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(
            f"证书 {subject} 不符合规范：" + "；".join(f"[{v.rule}] {v.zh}（{v.clause}）" for v in violations) + "。",
            f"certificate {subject} breaks its profile: "
            + "; ".join(f"[{v.rule}] {v.en} ({v.clause})" for v in violations),
            subject=subject,
            rules=[v.rule for v in violations],
        )


class Revoked(NotTrusted):
    """Step 4: the certificate was revoked, or is suspended."""

    code = "certificate_revoked"

    def __init__(self, serial: str, reason: str, since: datetime | None) -> None:
        when = f"{since:%Y-%m-%d %H:%M:%S} UTC" if since else "?"
        super().__init__(
            f"证书 {serial} 已于 {when} 被吊销或暂停（原因 {reason}）；请联系网关安全管理员。",
            f"certificate {serial} was revoked or suspended at {when} (reason {reason}); "
            "ask the gateway's security administrator",
            serial=serial,
            reason=reason,
        )


class RevocationUnknown(NotTrusted):
    """Step 4: nobody can say whether the certificate is revoked; that is refused, never passed."""

    code = "certificate_revocation_unknown"

    def __init__(self, serial: str, problem: str) -> None:
        super().__init__(
            f"无法确认证书 {serial} 是否已被吊销：{problem}；按规定拒绝，请联系网关安全管理员。",
            f"whether certificate {serial} is revoked is unknown: {problem}; refused, "
            "ask the gateway's security administrator",
            serial=serial,
            problem=problem,
        )


class NoIdentity(NotTrusted):
    """Step 5: the certificate names no system or person of this exchange."""

    code = "certificate_identity"

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__(
            f"证书未标明信桥系统身份：应恰有一个 urn:xinqiao:<机构>:<系统>，实为 {list(found)}；请重新申请证书。",
            f"the certificate names no system: expected exactly one urn:xinqiao:<agency>:<system>, got {list(found)}; "
            "apply for a new one",
            found=list(found),
        )


class NotVouchable(NotTrusted):
    """Step 5: an external authority named somebody for whom it may not speak."""

    code = "certificate_agency"

    def __init__(self, urn: str, authority: str, agencies: Sequence[str]) -> None:
        super().__init__(
            f"外部机构 {authority} 只能为 {list(agencies)} 的系统签发证书，不能为 {urn} 签发；"
            "请使用信桥机构签发的证书。",
            f"external authority {authority} may name systems of {list(agencies)} only, not {urn}; "
            "use a certificate of this gateway's own authority",
            urn=urn,
            authority=authority,
            agencies=list(agencies),
        )


class NotActive(NotTrusted):
    """Step 6: the system or person the certificate names is unknown here or suspended."""

    code = "holder_not_active"

    def __init__(self, urn: str, status: str) -> None:
        super().__init__(
            f"{urn} 当前状态为 {status}，不能访问；请联系网关安全管理员。",
            f"{urn} is {status} and may not enter; ask the gateway's security administrator",
            urn=urn,
            status=status,
        )
