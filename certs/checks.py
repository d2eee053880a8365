"""Rules a certificate of a path must keep: one function per rule, the clause in its docstring.

Each function takes a certificate and the place where it stands, and gives what is wrong or None.
Nothing here knows the clock's source, the trust anchors or revocation; ``certs/verify.py`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from certs.extensions import extension_of
from certs.names import PREFIX

MIN_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")
# Of 64 random bits so few remain once in four billion certificates; of numbers that are counted up, always.
MIN_SERIAL_BITS = 32
MIN_DIGEST_BYTES = 32

SIGNATURE_ALGORITHMS = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ED25519,
    }
)

# Extensions whose meaning is acted upon, here or in the path validation of ``cryptography``.
UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True)
class Place:
    """Where in its path a certificate stands.

    Attributes:
        now: the instant of the verification, UTC.
        authorities_below: authorities between it and the end entity; None for the end entity itself.
        purpose: what the end entity's key is to be used for.
    """

    now: datetime
    authorities_below: int | None = None
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH

    @property
    def is_authority(self) -> bool:
        """Whether it has to be an authority there."""
        return self.authorities_below is not None


@dataclass(frozen=True)
class Violation:
    """One rule that a certificate breaks."""

    rule: str
    clause: str
    zh: str
    en: str


Check = Callable[[x509.Certificate, Place], Violation | None]


def version(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.1.2.1: when extensions are used, version MUST be 3."""
    if certificate.version is x509.Version.v3:
        return None
    got = certificate.version.name
    return Violation("version", "RFC 5280, 4.1.2.1", f"版本应为 v3，实为 {got}", f"expected version v3, got {got}")


def validity(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.1.2.5: valid from notBefore through notAfter, both inclusive."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begin <= place.now <= end:
        return None
    return Violation(
        "validity",
        "RFC 5280, 4.1.2.5",
        f"有效期为 {begin:%Y-%m-%d %H:%M:%S} 至 {end:%Y-%m-%d %H:%M:%S} UTC，当前 {place.now:%Y-%m-%d %H:%M:%S}",
        f"valid {begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC, now {place.now:%Y-%m-%d %H:%M:%S}",
    )


def serial_number(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.1.2.2: a positive integer of at most 20 octets.

    And hard to guess, so that nobody can prepare a collision: CA/Browser Forum Baseline Requirements, 7.1: 64 bits
    from a random generator. A root is nobody's chosen message; many have the number 1, and some 0.
    """
    serial = certificate.serial_number
    least = 0 if certificate.issuer == certificate.subject else MIN_SERIAL_BITS
    if serial >= 0 and least <= serial.bit_length() < 160:
        return None
    return Violation(
        "serial_number",
        "RFC 5280, 4.1.2.2",
        f"序列号应为 {least} 至 159 位的正整数，实为 {serial.bit_length()} 位",
        f"expected a positive serial of {least} to 159 bits, got {serial.bit_length()} bits",
    )


def signature_algorithm(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.1.1.2, and RFC 9325, 4.5: signed with SHA-256 or stronger, never SHA-1 or MD5."""
    return weak_signature(certificate)


def key_strength(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 9325, 4.5: RSA of at least 2048 bits, or a curve as strong as P-256 (RFC 5480, 2.1.1.1)."""
    return weak_key(certificate.public_key())


def basic_constraints(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2.1.9: an authority says cA, critically; what says nothing or FALSE must not sign certificates."""
    extension = extension_of(certificate.extensions, x509.BasicConstraints)
    is_authority = extension is not None and extension.value.ca
    if is_authority == place.is_authority and not (is_authority and extension and not extension.critical):
        return None
    expected, got = ("CA:TRUE, critical" if place.is_authority else "CA:FALSE"), f"CA:{str(is_authority).upper()}"
    return Violation(
        "basic_constraints", "RFC 5280, 4.2.1.9", f"应为 {expected}，实为 {got}", f"expected {expected}, got {got}"
    )


def path_length(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2.1.9: at most pathLenConstraint authorities may follow in the path."""
    extension = extension_of(certificate.extensions, x509.BasicConstraints)
    limit = extension.value.path_length if extension else None
    if place.authorities_below is None or limit is None or place.authorities_below <= limit:
        return None
    below = place.authorities_below
    return Violation(
        "path_length",
        "RFC 5280, 4.2.1.9",
        f"其下最多 {limit} 级机构，实有 {below} 级",
        f"at most {limit} authorities may follow, {below} do",
    )


def key_usage(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2.1.3: the key may do what it does here, and an end entity's key may not sign certificates."""
    extension = extension_of(certificate.extensions, x509.KeyUsage)
    needed = "key_cert_sign" if place.is_authority else "digital_signature"
    allowed = extension is not None and getattr(extension.value, needed)
    overreach = extension is not None and not place.is_authority and extension.value.key_cert_sign
    if allowed and not overreach:
        return None
    wrong = "key_cert_sign" if overreach else needed
    return Violation(
        "key_usage",
        "RFC 5280, 4.2.1.3",
        f"密钥用途{'不得含' if overreach else '缺少'} {wrong}",
        f"key usage {'must not have' if overreach else 'lacks'} {wrong}",
    )


def extended_key_usage(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2.1.12: the purpose must be stated: id-kp-clientAuth, unless it is looked at for another.

    anyExtendedKeyUsage does not count, and is refused beside it: nothing here is issued for whatever may come.
    """
    extension = extension_of(certificate.extensions, x509.ExtendedKeyUsage)
    purposes = list(extension.value) if extension else []
    is_for_anything = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in purposes
    if place.is_authority or (place.purpose in purposes and not is_for_anything):
        return None
    expected, got = place.purpose._name, [purpose._name for purpose in purposes]
    return Violation(
        "extended_key_usage",
        "RFC 5280, 4.2.1.12",
        f"扩展用途应含 {expected} 且不含 anyExtendedKeyUsage，实为 {got}",
        f"expected purpose {expected} and not any, got {got}",
    )


def subject_alternative_name(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2.1.6: names stand in the subject alternative name, which is critical when the subject is empty."""
    if place.is_authority:
        return None
    extension = extension_of(certificate.extensions, x509.SubjectAlternativeName)
    if extension and (extension.critical or certificate.subject.rdns):
        return None
    got = "non-critical beside an empty subject" if extension else "none"
    return Violation(
        "subject_alternative_name",
        "RFC 5280, 4.2.1.6",
        f"应有使用者备用名称（使用者为空时须为关键扩展），实为 {got}",
        f"expected a subject alternative name (critical if the subject is empty), got {got}",
    )


def exchange_name(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 8141, 3.1: exactly one URI beginning with urn:xinqiao: in any spelling; nobody speaks for two systems."""
    if place.is_authority or extension_of(certificate.extensions, x509.SubjectAlternativeName) is None:
        return None
    names = xinqiao_uris(certificate)
    if len(names) == 1:
        return None
    return Violation(
        "exchange_name",
        "RFC 8141, 3.1",
        f"使用者备用名称应恰有一个 {PREFIX}…，实为 {names}",
        f"expected exactly one {PREFIX}... in the subject alternative name, got {names}",
    )


def name_constraints(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2.1.10: only in an authority, and critical. Whether they are kept, the path validation says."""
    extension = extension_of(certificate.extensions, x509.NameConstraints)
    if extension is None or (place.is_authority and extension.critical):
        return None
    got = "non-critical" if place.is_authority else "in an end entity"
    return Violation(
        "name_constraints",
        "RFC 5280, 4.2.1.10",
        f"名称约束只能出现在机构证书中且为关键扩展，实为 {got}",
        f"expected name constraints in authorities only, and critical; got them {got}",
    )


def policy_constraints(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2.1.11: what demands explicit policies is critical, and policies are not judged here: refused."""
    if extension_of(certificate.extensions, x509.PolicyConstraints) is None:
        return None
    return Violation(
        "policy_constraints", "RFC 5280, 4.2.1.11", "不支持策略约束", "policy constraints are not acted upon"
    )


def critical_extensions(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2: a critical extension that is not understood MUST lead to rejection."""
    unknown = [e.oid.dotted_string for e in certificate.extensions if e.critical and e.oid not in UNDERSTOOD]
    if not unknown:
        return None
    return Violation(
        "critical_extensions", "RFC 5280, 4.2", f"含未知的关键扩展 {unknown}", f"unknown critical extensions {unknown}"
    )


def key_identifiers(certificate: x509.Certificate, place: Place) -> Violation | None:
    """RFC 5280, 4.2.1.1 and 4.2.1.2: the issuer's key is named in every certificate, its own in an authority's.

    A self-issued certificate may leave the first out; a self-signed one may not name another key.
    """
    issuer = extension_of(certificate.extensions, x509.AuthorityKeyIdentifier)
    own = extension_of(certificate.extensions, x509.SubjectKeyIdentifier)
    is_self_issued = certificate.issuer == certificate.subject
    problems = []
    if issuer is None and not is_self_issued:
        problems.append("no authorityKeyIdentifier")
    if place.is_authority and own is None:
        problems.append("no subjectKeyIdentifier")
    names_another = issuer and own and issuer.value.key_identifier not in (None, own.value.digest)
    if names_another and is_self_issued and _is_self_signed(certificate):
        problems.append("self-signed, and authorityKeyIdentifier is not its subjectKeyIdentifier")
    if not problems:
        return None
    return Violation(
        "key_identifiers", "RFC 5280, 4.2.1.1", f"密钥标识不符：{problems}", f"key identifiers: {problems}"
    )


CHECKS: tuple[Check, ...] = (
    version,
    validity,
    serial_number,
    signature_algorithm,
    key_strength,
    basic_constraints,
    path_length,
    key_usage,
    extended_key_usage,
    subject_alternative_name,
    exchange_name,
    name_constraints,
    policy_constraints,
    critical_extensions,
    key_identifiers,
)


def violations(certificate: x509.Certificate, place: Place) -> list[Violation]:
    """Every rule that the certificate breaks at that place, in the order of ``CHECKS``.

    Raises:
        ValueError: an extension is not what its type says; ``x509.DuplicateExtension`` likewise.
    """
    return [found for check in CHECKS if (found := check(certificate, place)) is not None]


def weak_signature(
    signed: x509.Certificate | x509.CertificateSigningRequest | x509.CertificateRevocationList,
) -> Violation | None:
    """What is wrong with the algorithm that something was signed with; None if nothing.

    Of RSASSA-PSS the algorithm itself says nothing of the hash, its parameters do (RFC 4055, 3.1).
    """
    oid = signed.signature_algorithm_oid
    digest = signed.signature_hash_algorithm if oid == SignatureAlgorithmOID.RSASSA_PSS else None
    if oid in SIGNATURE_ALGORITHMS and (digest is None or digest.digest_size >= MIN_DIGEST_BYTES):
        return None
    got = f"{oid._name} ({oid.dotted_string}{f', {digest.name}' if digest else ''})"
    return Violation(
        "signature_algorithm",
        "RFC 5280, 4.1.1.2",
        f"签名算法 {got} 不被接受",
        f"signature algorithm {got} is not accepted",
    )


def weak_key(key: CertificatePublicKeyTypes) -> Violation | None:
    """What is wrong with a key's kind or size; None if nothing."""
    match key:
        case rsa.RSAPublicKey() if key.key_size >= MIN_RSA_BITS and key.key_size % 8 == 0:
            return None
        case ec.EllipticCurvePublicKey() if key.curve.name in CURVES:
            return None
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return None
        case rsa.RSAPublicKey():
            got = f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey():
            got = key.curve.name
        case _:
            got = type(key).__name__
    return Violation(
        "key_strength",
        "RFC 9325, 4.5",
        f"密钥强度不足：应为 RSA {MIN_RSA_BITS} 位以上或 {CURVES} 曲线，实为 {got}",
        f"key too weak: expected RSA of {MIN_RSA_BITS} bits or a curve of {CURVES}, got {got}",
    )


def xinqiao_uris(certificate: x509.Certificate) -> list[str]:
    """The URIs of the subject alternative name that claim to be names of this exchange, in any spelling of the prefix.

    RFC 8141, 3.1 makes ``URN:XINQIAO:`` the same name as ``urn:xinqiao:``; both are found here,
    so that a second name cannot hide behind capitals.
    """
    extension = extension_of(certificate.extensions, x509.SubjectAlternativeName)
    uris = extension.value.get_values_for_type(x509.UniformResourceIdentifier) if extension else []
    return [uri for uri in uris if uri.lower().startswith(PREFIX)]


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
