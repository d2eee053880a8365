"""Profiles: what each kind of certificate must look like. Issuing writes them, ``checks`` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


@dataclass(frozen=True)
class Profile:
    """One kind of certificate.

    Attributes:
        name: as it stands in the registry.
        lifetime: from issuing to notAfter, unless the issuer says shorter.
        key_usage: exactly these bits are set (RFC 5280, 4.2.1.3).
        extended_key_usage: exactly these purposes; empty for authorities (RFC 5280, 4.2.1.12).
        path_length: authorities that may follow below this one; None for a certificate that issues nothing.
    """

    name: str
    lifetime: timedelta
    key_usage: frozenset[str]
    extended_key_usage: tuple[x509.ObjectIdentifier, ...] = ()
    path_length: int | None = None

    @property
    def is_authority(self) -> bool:
        """Whether certificates of this kind may issue others."""
        return self.path_length is not None

    def extensions(
        self, own: CertificatePublicKeyTypes, issuer: CertificatePublicKeyTypes
    ) -> list[tuple[x509.ExtensionType, bool]]:
        """The extensions every certificate of this kind carries, each with whether it is critical."""
        usage = x509.KeyUsage(
            **{bit: bit in self.key_usage for bit in KEY_USAGES}, encipher_only=False, decipher_only=False
        )
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=self.is_authority, path_length=self.path_length), True),
            (usage, True),
            (x509.SubjectKeyIdentifier.from_public_key(own), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False),  # type: ignore[arg-type]  # the stub leaves out key kinds that sign nothing
        ]
        if self.extended_key_usage:
            extensions.append((x509.ExtendedKeyUsage(self.extended_key_usage), False))
        if ExtendedKeyUsageOID.OCSP_SIGNING in self.extended_key_usage:
            # Nobody is asked whether the one who answers is revoked (RFC 6960, 4.2.2.2.1); so it lives shortly.
            extensions.append((x509.OCSPNoCheck(), False))
        return extensions


_AUTHORITY_USAGE = frozenset({"key_cert_sign", "crl_sign"})

ROOT = Profile("root", timedelta(days=20 * 365), _AUTHORITY_USAGE, path_length=1)
# The issuing authority signs OCSP answers itself, which is a digital signature and neither of the other two.
ISSUING = Profile("issuing", timedelta(days=10 * 365), _AUTHORITY_USAGE | {"digital_signature"}, path_length=0)
SYSTEM = Profile("system", timedelta(days=365), frozenset({"digital_signature"}), (ExtendedKeyUsageOID.CLIENT_AUTH,))
PERSON = Profile("person", timedelta(days=365), frozenset({"digital_signature"}), (ExtendedKeyUsageOID.CLIENT_AUTH,))
# What the gateway says is signed under a usage that no other certificate has, and TLS cannot be spoken with it.
SIGNER = Profile("signer", timedelta(days=2 * 365), frozenset({"digital_signature", "content_commitment"}))
SERVER = Profile("server", timedelta(days=365), frozenset({"digital_signature"}), (ExtendedKeyUsageOID.SERVER_AUTH,))
RESPONDER = Profile("ocsp", timedelta(days=90), frozenset({"digital_signature"}), (ExtendedKeyUsageOID.OCSP_SIGNING,))
