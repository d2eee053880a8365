"""Builds ``tests/certs/files/<rule>_good.pem`` and ``_bad.pem``: what just keeps a rule, and what just breaks it.

Everything comes from the names below and one date, so the same bytes come out every time:
``python -m tests.certs.build_files`` writes the files, a test builds them again and compares.
The keys are derived from public words; they protect nothing and are written nowhere.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from certs import profiles
from certs.checks import Place
from certs.profiles import KEY_USAGES
from tests.certs.der import resign

FILES = Path(__file__).parent / "files"
BUILT_AT = datetime(2026, 1, 1, tzinfo=UTC)
JUDGED_AT = datetime(2026, 6, 1, tzinfo=UTC)
URN = "urn:xinqiao:agriculture:trace"

# RSASSA-PSS without parameters, whose hash then is SHA-1 (RFC 4055, 3.1), 1.2.840.113549.1.1.10
PSS_WITH_SHA1 = bytes.fromhex("300d06092a864886f70d01010a3000")
# ecdsa-with-SHA1, 1.2.840.10045.4.1
ECDSA_WITH_SHA1 = bytes.fromhex("300906072a8648ce3d0401")

Extensions = dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool]]


def derived_key(word: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key that everybody can derive; for test material only."""
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(word.encode()).digest()[:31], "big"), ec.SECP256R1())


CA_KEY = derived_key("issuing")
CA_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Issuing CA")])


def sign_sha1(tbs: bytes) -> bytes:
    """An ECDSA signature of the issuer over SHA-1."""
    return CA_KEY.sign(tbs, ec.ECDSA(hashes.SHA1(), deterministic_signing=True))


def sign_sha256(tbs: bytes) -> bytes:
    """An ECDSA signature of the issuer over SHA-256."""
    return CA_KEY.sign(tbs, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def certificate(
    file: str,
    *,
    profile: profiles.Profile = profiles.SYSTEM,
    change: Callable[[Extensions], None] = lambda extensions: None,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | None = None,
    begins: datetime = BUILT_AT,
    ends: datetime = BUILT_AT + timedelta(days=365),
    serial: int | None = None,
    subject: str | None = None,
) -> x509.Certificate:
    """A certificate of a profile with something changed; its serial and key come from the file's name."""
    public = key or derived_key(file).public_key()
    digest = hashlib.sha256(file.encode()).digest()
    extensions: Extensions = {type(e): (e, critical) for e, critical in profile.extensions(public, CA_KEY.public_key())}
    if not profile.is_authority:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(URN)])
        extensions[x509.SubjectAlternativeName] = (names, False)
    change(extensions)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(f"CN={file}" if subject is None else subject))
        .issuer_name(CA_NAME)
        .public_key(public)
        .serial_number(serial or (int.from_bytes(digest[:20], "big") >> 1) | (1 << 158))
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    for extension, is_critical in extensions.values():
        builder = builder.add_extension(extension, is_critical)
    return builder.sign(CA_KEY, hashes.SHA256(), ecdsa_deterministic=True)


def put(extension: x509.ExtensionType, critical: bool = False) -> Callable[[Extensions], None]:
    """A change: this extension instead of the one of its type."""
    return lambda extensions: extensions.update({type(extension): (extension, critical)})


def drop(kind: type[x509.ExtensionType]) -> Callable[[Extensions], None]:
    """A change: without the extension of that type."""

    def change(extensions: Extensions) -> None:
        del extensions[kind]

    return change


def usage(*bits: str) -> x509.KeyUsage:
    """A key usage with exactly these bits."""
    return x509.KeyUsage(**{bit: bit in bits for bit in KEY_USAGES}, encipher_only=False, decipher_only=False)


def uris(*names: str) -> x509.SubjectAlternativeName:
    """A subject alternative name with these URIs."""
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name) for name in names])


def rsa_key(bits: int) -> rsa.RSAPublicKey:
    """An RSA public key of that size whose factors nobody knows: the modulus is a string of digests."""
    content = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(bits // 256))
    return rsa.RSAPublicNumbers(65537, int.from_bytes(content, "big") | (1 << (bits - 1)) | 1).public_key()


def without_version(made: x509.Certificate) -> x509.Certificate:
    """The same certificate with the version field left out, which means version 1, but its extensions kept."""
    return x509.load_der_x509_certificate(
        resign(made.public_bytes(Encoding.DER), sign_sha256, lambda elements: elements[1:])
    )


def signed_with_sha1(made: x509.Certificate) -> x509.Certificate:
    """The same certificate signed with ecdsa-with-SHA1."""
    der = resign(made.public_bytes(Encoding.DER), sign_sha1, lambda elements: elements, ECDSA_WITH_SHA1)
    return x509.load_der_x509_certificate(der)


def claiming_pss(made: x509.Certificate) -> x509.Certificate:
    """The same certificate claiming RSASSA-PSS with SHA-1, which its algorithm's name does not tell."""
    der = resign(made.public_bytes(Encoding.DER), sign_sha256, lambda elements: elements, PSS_WITH_SHA1)
    return x509.load_der_x509_certificate(der)


def build() -> dict[str, x509.Certificate]:
    """Every file: name without ``.pem`` → certificate."""
    day, second = timedelta(days=1), timedelta(seconds=1)
    purposes = ExtendedKeyUsageOID
    constraints = x509.NameConstraints([x509.DNSName("example.gov.cn")], None)
    policy = x509.PolicyInformation(ObjectIdentifier("1.3.6.1.4.1.55555.2"), None)
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
    return {
        "version_good": certificate("version_good"),
        "version_bad": without_version(certificate("version_bad")),
        "validity_good": certificate("validity_good", ends=JUDGED_AT),
        "validity_bad": certificate("validity_bad", ends=JUDGED_AT - second),
        "not_yet_valid_bad": certificate("not_yet_valid_bad", begins=JUDGED_AT + second, ends=JUDGED_AT + day),
        "serial_number_good": certificate("serial_number_good", serial=1 << 31),
        "serial_number_bad": certificate("serial_number_bad", serial=(1 << 31) - 1),
        "signature_algorithm_good": certificate("signature_algorithm_good"),
        "signature_algorithm_bad": signed_with_sha1(certificate("signature_algorithm_bad")),
        "signature_algorithm_pss_bad": claiming_pss(certificate("signature_algorithm_pss_bad")),
        "key_strength_good": certificate("key_strength_good", key=rsa_key(2048)),
        "key_strength_bad": certificate("key_strength_bad", key=rsa_key(1024)),
        # DER leaves cA FALSE out, so an end entity's empty basicConstraints and none at all are both good.
        "basic_constraints_good": certificate("basic_constraints_good", change=drop(x509.BasicConstraints)),
        "basic_constraints_bad": certificate(
            "basic_constraints_bad", change=put(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        ),
        "key_usage_good": certificate(
            "key_usage_good", change=put(usage("digital_signature", "key_agreement"), critical=True)
        ),
        "key_usage_bad": certificate("key_usage_bad", change=put(usage("key_agreement"), critical=True)),
        "key_usage_overreaching_bad": certificate(
            "key_usage_overreaching_bad", change=put(usage("digital_signature", "key_cert_sign"), critical=True)
        ),
        "extended_key_usage_good": certificate(
            "extended_key_usage_good", change=put(x509.ExtendedKeyUsage([purposes.SERVER_AUTH, purposes.CLIENT_AUTH]))
        ),
        "extended_key_usage_bad": certificate(
            "extended_key_usage_bad", change=put(x509.ExtendedKeyUsage([purposes.SERVER_AUTH]))
        ),
        "extended_key_usage_any_bad": certificate(
            "extended_key_usage_any_bad", change=put(x509.ExtendedKeyUsage([purposes.ANY_EXTENDED_KEY_USAGE]))
        ),
        "extended_key_usage_missing_bad": certificate(
            "extended_key_usage_missing_bad", change=drop(x509.ExtendedKeyUsage)
        ),
        "subject_alternative_name_good": certificate(
            "subject_alternative_name_good", change=put(uris(URN), critical=True), subject=""
        ),
        "subject_alternative_name_bad": certificate("subject_alternative_name_bad", subject=""),
        "subject_alternative_name_missing_bad": certificate(
            "subject_alternative_name_missing_bad", change=drop(x509.SubjectAlternativeName)
        ),
        "exchange_name_good": certificate("exchange_name_good", change=put(uris("https://trace.example", URN))),
        "exchange_name_bad": certificate("exchange_name_bad", change=put(uris(URN, "URN:XINQIAO:customs:h2018"))),
        "exchange_name_missing_bad": certificate(
            "exchange_name_missing_bad", change=put(uris("https://trace.example"))
        ),
        "name_constraints_good": certificate(
            "name_constraints_good", profile=profiles.ROOT, change=put(constraints, critical=True)
        ),
        "name_constraints_bad": certificate("name_constraints_bad", profile=profiles.ROOT, change=put(constraints)),
        "policy_constraints_good": certificate(
            "policy_constraints_good", change=put(x509.CertificatePolicies([policy]), critical=False)
        ),
        "policy_constraints_bad": certificate(
            "policy_constraints_bad", profile=profiles.ROOT, change=put(x509.PolicyConstraints(0, None))
        ),
        "critical_extensions_good": certificate("critical_extensions_good", change=put(unknown)),
        "critical_extensions_bad": certificate("critical_extensions_bad", change=put(unknown, critical=True)),
        "key_identifiers_good": certificate("key_identifiers_good"),
        "key_identifiers_bad": certificate("key_identifiers_bad", change=drop(x509.AuthorityKeyIdentifier)),
        "path_length_good": certificate(
            "path_length_good",
            profile=profiles.ISSUING,
            change=put(x509.BasicConstraints(ca=True, path_length=1), critical=True),
        ),
        "path_length_bad": certificate("path_length_bad", profile=profiles.ISSUING),
        "authority_not_critical_bad": certificate(
            "authority_not_critical_bad",
            profile=profiles.ROOT,
            change=put(x509.BasicConstraints(ca=True, path_length=1), critical=False),
        ),
        "authority_key_usage_bad": certificate(
            "authority_key_usage_bad", profile=profiles.ROOT, change=put(usage("crl_sign"), critical=True)
        ),
    }


AUTHORITIES = ("path_length", "authority", "name_constraints", "policy_constraints_bad")


def place_of(file: str) -> Place:
    """Where the certificate of a file is judged: authorities with one more authority below them."""
    return Place(JUDGED_AT, 1 if file.startswith(AUTHORITIES) else None)


def main() -> None:
    """Write every file."""
    FILES.mkdir(exist_ok=True)
    for name, made in build().items():
        (FILES / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    sys.stdout.write(f"{len(build())} files in {FILES}\n")


if __name__ == "__main__":
    main()
