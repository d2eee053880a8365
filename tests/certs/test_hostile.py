"""Certificates made to be let in: each wrong in one way, all signed by a key that the trust leads to or seems to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.errors import ChainBroken, Malformed, NoIdentity, NotTrusted, OutsideValidity, ProfileViolated
from certs.profiles import KEY_USAGES
from certs.trust import Trust
from certs.verify import verify
from tests.certs.build_files import ECDSA_WITH_SHA1
from tests.certs.der import inside, resign, sequence, split, wrap
from tests.certs.support import NOW, Answering

URI = "urn:xinqiao:customs:front"
DAY = timedelta(days=1)
Signing = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extensions = dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool]]


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*bits: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{bit: bit in bits for bit in KEY_USAGES}, encipher_only=False, decipher_only=False)


def uris(*texts: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(text) for text in texts])


@dataclass
class Made:
    """A certificate and the key that signs below it."""

    certificate: x509.Certificate
    key: Any


def make(
    issuer: Made | None,
    subject: str,
    extensions: Extensions,
    own: Any = None,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + DAY,
    claimed: str | None = None,
) -> Made:
    """Sign a certificate; ``claimed`` is the issuer's name when it is not the real one."""
    own = own or key()
    signing = issuer.key if issuer else own
    above = issuer.certificate.subject if issuer else name(subject)
    builder = (
        x509.CertificateBuilder(name(claimed) if claimed else above, name(subject), own.public_key())
        .serial_number(x509.random_serial_number() | 1 << 100)
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    identifiers: Extensions = {
        x509.SubjectKeyIdentifier: (x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False),
        x509.AuthorityKeyIdentifier: (x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False),
    }
    for extension, is_critical in (identifiers | extensions).values():
        builder = builder.add_extension(extension, is_critical)
    return Made(builder.sign(signing, hashes.SHA256()), own)


def authority(issuer: Made | None, subject: str, length: int | None = None, **changed: Any) -> Made:
    extensions: Extensions = {
        x509.BasicConstraints: (x509.BasicConstraints(True, length), True),
        x509.KeyUsage: (usage("key_cert_sign", "crl_sign"), True),
    }
    extensions |= changed.pop("extensions", {})
    return make(issuer, subject, extensions, **changed)


def system(issuer: Made, *extra: tuple[x509.ExtensionType, bool], without: Sequence[type] = (), **changed: Any) -> Made:
    extensions: Extensions = {
        x509.KeyUsage: (usage("digital_signature"), True),
        x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        x509.SubjectAlternativeName: (uris(URI), False),
    }
    extensions |= {type(extension): (extension, is_critical) for extension, is_critical in extra}
    return make(issuer, "system", {kind: said for kind, said in extensions.items() if kind not in without}, **changed)


ROOT = authority(None, "Root")
ISSUING = authority(ROOT, "Issuing", 0)


def enter(chain: Sequence[Made | bytes], *intermediates: Made) -> str:
    """The URN that is let in, with our root and these intermediates in the trust file."""
    certificates = [c if isinstance(c, bytes) else c.certificate.public_bytes(Encoding.DER) for c in chain]
    trust = Trust((ROOT.certificate,), tuple(made.certificate for made in intermediates))
    return verify(certificates, trust, Answering(), NOW).urn


def test_what_the_hostile_ones_are_made_from_is_let_in() -> None:
    assert enter([system(ISSUING)], ISSUING) == URI


def same_name() -> tuple[Made, Made]:
    """An authority with our issuing authority's name and key identifier, and another key."""
    stolen = ISSUING.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    false_root = authority(None, "Root")
    false = authority(false_root, "Issuing", 0, extensions={x509.SubjectKeyIdentifier: (stolen, False)})
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(stolen)
    return system(false, (aki, False)), false


def test_an_authority_of_the_same_name_and_key_identifier_is_not_ours() -> None:
    leaf, false = same_name()

    with pytest.raises(ChainBroken):
        enter([leaf, false], ISSUING)
    # Even the operator who takes its certificate into the trust file gets no path from it to the root.
    with pytest.raises(ChainBroken):
        enter([leaf], false)


def test_with_both_of_the_same_name_at_hand_the_one_that_signed_is_found() -> None:
    _, false = same_name()
    second = authority(ROOT, "Issuing", 0)

    assert enter([system(ISSUING)], false, second, ISSUING) == URI
    assert enter([system(second)], false, ISSUING, second) == URI


def test_a_self_signed_root_that_the_client_brings_is_no_anchor() -> None:
    false_root = authority(None, "Root")
    false = authority(false_root, "Issuing", 0)

    with pytest.raises(ChainBroken):
        enter([system(false), false, false_root], ISSUING)


LIMITED = x509.NameConstraints(None, [x509.DNSName("customs.example")])
ONLY_URIS = x509.NameConstraints([x509.UniformResourceIdentifier("example.gov.cn")], None)
ONLY_NAMES = x509.NameConstraints([x509.DirectoryName(name("someone else"))], None)
with_dns = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(URI), x509.DNSName("front.customs.example")])

AUTHORITIES: dict[str, Callable[[], Made]] = {
    "expired": lambda: authority(ROOT, "A", 0, begins=NOW - 2 * DAY, ends=NOW - timedelta(seconds=1)),
    "not valid yet": lambda: authority(ROOT, "A", 0, begins=NOW + timedelta(seconds=1)),
    "no authority": lambda: authority(
        ROOT, "A", extensions={x509.BasicConstraints: (x509.BasicConstraints(False, None), True)}
    ),
    "may not sign certificates": lambda: authority(
        ROOT, "A", 0, extensions={x509.KeyUsage: (usage("crl_sign", "digital_signature"), True)}
    ),
    "for servers only": lambda: authority(
        ROOT,
        "A",
        0,
        extensions={x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)},
    ),
    "may not name these URIs": lambda: authority(ROOT, "A", 0, extensions={x509.NameConstraints: (ONLY_URIS, True)}),
    "may not name this subject": lambda: authority(ROOT, "A", 0, extensions={x509.NameConstraints: (ONLY_NAMES, True)}),
    "RSA-1024": lambda: authority(ROOT, "A", 0, own=rsa.generate_private_key(65537, 1024)),
    "P-192": lambda: authority(ROOT, "A", 0, own=ec.generate_private_key(ec.SECP192R1())),
    "secp256k1": lambda: authority(ROOT, "A", 0, own=ec.generate_private_key(ec.SECP256K1())),
    "an unknown critical extension": lambda: authority(
        ROOT,
        "A",
        0,
        extensions={
            x509.UnrecognizedExtension: (
                x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00"),
                True,
            )
        },
    ),
}


AUTHORITY_FAULTS = {
    "expired": "not valid at validation time",
    "not valid yet": "not valid at validation time",
    "no authority": "cA must be asserted",
    "may not sign certificates": "keyCertSign must be asserted",
    "for servers only": "Neither EKU nor anyEKU",
    "may not name these URIs": "unsupported name constraint",
    "may not name this subject": "unsupported directoryName",
    "RSA-1024": "RSA key is too weak",
    "P-192": "Forbidden public key algorithm",
    "secp256k1": "Forbidden public key algorithm",
    "an unknown critical extension": "unaccounted-for critical",
}


@pytest.mark.parametrize("fault", AUTHORITIES)
def test_a_path_through_a_faulty_authority_is_no_path(fault: str) -> None:
    faulty = AUTHORITIES[fault]()

    with pytest.raises(ChainBroken, match=AUTHORITY_FAULTS[fault]):
        enter([system(faulty, (with_dns, False))], faulty)


def test_an_authority_below_one_that_allows_none_is_no_authority() -> None:
    last = authority(ROOT, "B", 0)
    below = authority(last, "A", 0)

    with pytest.raises(ChainBroken, match="path length constraint violated"):
        enter([system(below)], last, below)


def test_a_name_that_an_authority_excludes_is_refused_and_others_pass() -> None:
    limited = authority(ROOT, "A", 0, extensions={x509.NameConstraints: (LIMITED, True)})

    with pytest.raises(ChainBroken, match="excluded name constraint"):
        enter([system(limited, (with_dns, False))], limited)
    assert enter([system(limited)], limited) == URI


def test_an_authority_signed_with_sha1_is_no_path() -> None:
    weak = resigned(ISSUING, ROOT, ECDSA_WITH_SHA1, hashes.SHA1())

    with pytest.raises(ChainBroken):
        enter([system(ISSUING)], Made(x509.load_der_x509_certificate(weak), ISSUING.key))


def resigned(
    made: Made,
    issuer: Made,
    algorithm: bytes = b"",
    hashed: hashes.HashAlgorithm | None = None,
    change: Callable[[list[bytes]], list[bytes]] = lambda elements: elements,
) -> bytes:
    """The certificate with other fields, signed anew by its issuer."""
    return resign(
        made.certificate.public_bytes(Encoding.DER),
        lambda tbs: issuer.key.sign(tbs, ec.ECDSA(hashed or hashes.SHA256())),
        change,
        algorithm,
    )


def purposes(*oids: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage(oids), False


def unknown(critical: bool) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00"), critical


NAMELESS: Extensions = {
    x509.KeyUsage: (usage("digital_signature"), True),
    x509.ExtendedKeyUsage: purposes(ExtendedKeyUsageOID.CLIENT_AUTH),
}

SYSTEMS: dict[str, tuple[Callable[[], Made | bytes], type[NotTrusted], str]] = {
    "expired": (
        lambda: system(ISSUING, ends=NOW - timedelta(seconds=1)),
        OutsideValidity,
        "expired",
    ),
    "not valid yet": (lambda: system(ISSUING, begins=NOW + timedelta(seconds=1)), OutsideValidity, "not valid yet"),
    "no purpose": (lambda: system(ISSUING, without=[x509.ExtendedKeyUsage]), ProfileViolated, "extended_key_usage"),
    "a server's": (
        lambda: system(ISSUING, purposes(ExtendedKeyUsageOID.SERVER_AUTH)),
        ProfileViolated,
        "extended_key_usage",
    ),
    "for anything": (
        lambda: system(ISSUING, purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.CLIENT_AUTH)),
        ProfileViolated,
        "extended_key_usage",
    ),
    "RSA-1024": (lambda: system(ISSUING, own=rsa.generate_private_key(65537, 1024)), ProfileViolated, "key_strength"),
    "RSA-2047": (lambda: system(ISSUING, own=rsa.generate_private_key(65537, 2047)), ProfileViolated, "key_strength"),
    "P-192": (lambda: system(ISSUING, own=ec.generate_private_key(ec.SECP192R1())), ProfileViolated, "key_strength"),
    "secp256k1": (
        lambda: system(ISSUING, own=ec.generate_private_key(ec.SECP256K1())),
        ProfileViolated,
        "key_strength",
    ),
    "DSA": (lambda: system(ISSUING, own=dsa.generate_private_key(2048)), ProfileViolated, "key_strength"),
    "SHA-1": (
        lambda: resigned(system(ISSUING), ISSUING, ECDSA_WITH_SHA1, hashes.SHA1()),
        ChainBroken,
        "Forbidden signature algorithm",
    ),
    "version 1 with extensions": (
        lambda: resigned(system(ISSUING), ISSUING, change=lambda elements: elements[1:]),
        ChainBroken,
        "X509v3",
    ),
    "serial zero": (lambda: with_serial(b"\x00"), ProfileViolated, "serial_number"),
    "serial negative": (lambda: with_serial(b"\x80\x01"), ChainBroken, "serial number cannot be negative"),
    "serial of 21 octets": (lambda: with_serial(b"\x01" * 21), ProfileViolated, "161 bits"),
    "an authority": (
        lambda: system(ISSUING, (x509.BasicConstraints(True, 0), True)),
        ProfileViolated,
        "basic_constraints",
    ),
    "signs certificates": (
        lambda: system(ISSUING, (usage("digital_signature", "key_cert_sign"), True)),
        ProfileViolated,
        "key_usage",
    ),
    "an unknown critical extension": (
        lambda: system(ISSUING, unknown(critical=True)),
        ChainBroken,
        "unaccounted-for critical",
    ),
    "no name": (
        lambda: system(ISSUING, without=[x509.SubjectAlternativeName]),
        ProfileViolated,
        "subject_alternative_name",
    ),
    "two names": (lambda: system(ISSUING, (uris(URI, "urn:xinqiao:health:front"), False)), ProfileViolated, "exchange"),
    "one name twice": (lambda: system(ISSUING, (uris(URI, URI), False)), ProfileViolated, "exchange_name"),
    "a second name in capitals": (
        lambda: system(ISSUING, (uris(URI, "URN:Xinqiao:health:front"), False)),
        ProfileViolated,
        "exchange_name",
    ),
    "the name as a DNS name": (
        lambda: system(ISSUING, (x509.SubjectAlternativeName([x509.DNSName(URI)]), False)),
        ProfileViolated,
        "exchange_name",
    ),
    "the name in the subject only": (
        lambda: make(ISSUING, URI, NAMELESS),
        ProfileViolated,
        "subject_alternative_name",
    ),
    "names twice": (lambda: with_extension_bytes(doubled=True), ChainBroken, "duplicate extension"),
    "no names in the names": (
        lambda: with_extension_bytes(sequence([])),
        ProfileViolated,
        "exchange_name",
    ),
    "names that are no list": (lambda: with_extension_bytes(wrap(0x04, b"x")), ChainBroken, "unexpected tag"),
    "names cut short": (lambda: with_extension_bytes(b"\x30\x20\x86\x05abc"), ChainBroken, "short data"),
    "a name of no kind": (lambda: with_extension_bytes(sequence([wrap(0x9E, b"x")])), ChainBroken, "unexpected tag"),
    "a name that is not ASCII": (
        lambda: with_extension_bytes(sequence([wrap(0x86, "urn:xinqiao:customs:frоnt".encode())])),
        NoIdentity,
        "names no system",
    ),
    "a name with a zero byte": (
        lambda: with_extension_bytes(sequence([wrap(0x86, URI.encode() + b"\x00.evil")])),
        NoIdentity,
        "names no system",
    ),
    "bytes behind the certificate": (
        lambda: system(ISSUING).certificate.public_bytes(Encoding.DER) + b"\x00",
        Malformed,
        "ExtraData",
    ),
}


def with_serial(content: bytes) -> bytes:
    def change(elements: list[bytes]) -> list[bytes]:
        return [elements[0], wrap(0x02, content), *elements[2:]]

    return resigned(system(ISSUING), ISSUING, change=change)


def with_extension_bytes(content: bytes = b"", doubled: bool = False) -> bytes:
    """A certificate whose subject alternative name is these bytes, or stands there twice."""
    wanted = wrap(0x06, bytes.fromhex("551d11"))  # 2.5.29.17

    def change(elements: list[bytes]) -> list[bytes]:
        (extensions,) = split(inside(elements[-1]))
        kept = split(inside(extensions))
        (alternative,) = [extension for extension in kept if split(inside(extension))[0] == wanted]
        if doubled:
            kept.append(alternative)
        else:
            kept[kept.index(alternative)] = sequence([wanted, wrap(0x04, content)])
        return [*elements[:-1], wrap(0xA3, sequence(kept))]

    return resigned(system(ISSUING), ISSUING, change=change)


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.parametrize("fault", SYSTEMS)
def test_a_faulty_certificate_of_a_real_authority_is_refused_at_its_step(fault: str) -> None:
    build, step, said = SYSTEMS[fault]

    with pytest.raises(step, match=said):
        enter([build()], ISSUING)


def test_a_key_that_is_unusual_and_strong_is_taken() -> None:
    assert enter([system(ISSUING, own=ed448.Ed448PrivateKey.generate())], ISSUING) == URI
    assert enter([system(ISSUING, own=rsa.generate_private_key(65537, 2048))], ISSUING) == URI


def test_an_extension_that_is_unknown_and_not_critical_does_no_harm() -> None:
    assert enter([system(ISSUING, unknown(critical=False))], ISSUING) == URI
