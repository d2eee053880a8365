"""The certificate authority: a root that can be taken offline and an issuing authority below it.

Everything is ECDSA P-256 with SHA-256. Who may have a certificate is decided by the caller;
which certificates exist is known to the registry (``gateway/certificates.py``), not here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from certs import profiles
from certs.csr import check_csr
from certs.errors import AuthorityExists, AuthorityMissing, KeyUnusable, RequestRefused
from certs.keys import make_key, open_key, save_key, write_whole
from certs.layout import Files, Root
from certs.names import Name, SystemName
from certs.profiles import Profile
from certs.revocation import build_crl

# Agencies' clocks are minutes off; a certificate that is "not yet valid" on arrival is a support call.
BACKDATED = timedelta(minutes=5)
ROOT_CRL_LIFETIME = timedelta(days=365)


@dataclass(frozen=True)
class Authority:
    """An issuing authority that is open for work.

    Attributes:
        public_url: where it hands out lists and answers, without a slash at the end; stands in what it issues.
            Empty: what it issues says nothing of that.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    root: x509.Certificate
    public_url: str = ""


@dataclass(frozen=True)
class Issued:
    """A new certificate.

    Attributes:
        certificate: the certificate.
        issuer: who signed it.
        key: its private key when it was made here; None when a CSR was sent, which is the better way.
    """

    certificate: x509.Certificate
    issuer: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None

    @property
    def pem(self) -> bytes:
        """The certificate followed by its issuer's, as servers and clients want it."""
        return self.certificate.public_bytes(Encoding.PEM) + self.issuer.public_bytes(Encoding.PEM)


def create(home: Path, now: datetime, name: str = "Xinqiao", passphrase: bytes | None = None) -> Authority:
    """Make a root and an issuing authority below it, and the files of both.

    Raises:
        AuthorityExists: there is one at ``home`` already.
    """
    files = Files(home)
    if files.root.exists() or files.issuing.exists():
        raise AuthorityExists(
            f"{home} 已有证书机构；如需重建请先移走该目录。",
            f"there is an authority at {home} already; move the folder away to make another",
            path=str(home),
        )
    offline, issuing_key = Root(files.root_key.parent), make_key()
    root = make_root(offline.folder, now, name, passphrase)
    issuing = sign_certificate(
        profiles.ISSUING,
        subject(f"{name} Issuing CA"),
        issuing_key.public_key(),
        root,
        open_key(offline.key, passphrase),
        now,
    )
    save_key(files.issuing_key, issuing_key, passphrase)
    write_whole(files.root_crl, offline.crl.read_bytes())
    write_whole(files.trust, root.public_bytes(Encoding.PEM) + issuing.public_bytes(Encoding.PEM))
    write_whole(files.issuing, issuing.public_bytes(Encoding.PEM))
    write_whole(files.root, root.public_bytes(Encoding.PEM))
    return Authority(issuing, issuing_key, root)


def make_root(folder: Path, now: datetime, name: str, passphrase: bytes | None) -> x509.Certificate:
    """Make a root with its first, empty revocation list.

    Raises:
        AuthorityExists: there is one in the folder.
    """
    root = Root(folder)
    if root.certificate.exists():
        raise AuthorityExists(f"{folder} 已有根机构。", f"there is a root at {folder} already", path=str(folder))
    key = make_key()
    made = sign_certificate(profiles.ROOT, subject(f"{name} Root CA"), key.public_key(), None, key, now)
    save_key(root.key, key, passphrase)
    first = build_crl(made, key, [], 1, now, now + ROOT_CRL_LIFETIME)
    write_whole(root.crl, first.public_bytes(Encoding.PEM))
    write_whole(root.certificate, made.public_bytes(Encoding.PEM))
    return made


def open_authority(home: Path, passphrase: bytes | None = None) -> Authority:
    """Open the issuing authority; the root's key is not needed.

    Raises:
        AuthorityMissing: there is none at ``home``.
        KeyUnusable: its key cannot be used.
    """
    files = Files(home)
    issuing, root = read_authority(home), read_certificate(files.root)
    key = open_key(files.issuing_key, passphrase)
    if key.public_key() != issuing.public_key():
        raise KeyUnusable(
            f"签发密钥与证书 {files.issuing} 不符；请放入成对的文件，或完成中断的更换。",
            f"the issuing key does not fit {files.issuing}; put both of a pair there, or finish what was cut off",
            path=str(files.issuing),
        )
    return Authority(issuing, key, root)


def read_authority(home: Path) -> x509.Certificate:
    """The certificate of the issuing authority, for those who need no key.

    Raises:
        AuthorityMissing: there is none at ``home``.
    """
    return read_certificate(Files(home).issuing)


def read_certificate(path: Path) -> x509.Certificate:
    """The certificate of an authority, PEM.

    Raises:
        AuthorityMissing: it cannot be read.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise AuthorityMissing(
            f"{path.parent} 没有可用的证书机构：{error}；请先执行 xinqiao init。",
            f"no usable authority at {path.parent}: {error}; run xinqiao init first",
            path=str(path),
        ) from error


def issue(
    authority: Authority,
    name: Name,
    now: datetime,
    csr: x509.CertificateSigningRequest | None = None,
    lifetime: timedelta | None = None,
) -> Issued:
    """Issue a client certificate for a system or a person.

    Of a CSR only the public key is taken; what the certificate says about its holder is said by us.

    Args:
        name: becomes the one URI of the subject alternative name.
        csr: signed by the applicant's own key; without one a key is made here.
        lifetime: shorter than the profile's; never longer.

    Raises:
        RequestRefused: the CSR's signature does not hold, or its key or signature is too weak.
    """
    profile = profiles.SYSTEM if isinstance(name, SystemName) else profiles.PERSON
    alternative = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name.uri)])
    common_name = f"{name.agency}.{name.system}" if isinstance(name, SystemName) else name.person
    return _issue(authority, profile, common_name, alternative, now, csr, lifetime)


def issue_server(
    authority: Authority,
    hosts: Sequence[str],
    now: datetime,
    csr: x509.CertificateSigningRequest | None = None,
    lifetime: timedelta | None = None,
) -> Issued:
    """Issue a server certificate for DNS names and IP addresses, in the order given.

    Raises:
        RequestRefused: no host was given, or the CSR is refused as in ``issue``.
    """
    if not hosts:
        raise RequestRefused("服务器证书至少要有一个主机名。", "a server certificate needs at least one host")
    alternative = x509.SubjectAlternativeName([_host(host) for host in hosts])
    return _issue(authority, profiles.SERVER, hosts[0], alternative, now, csr, lifetime)


def issue_responder(authority: Authority, now: datetime) -> Issued:
    """Issue a certificate by which OCSP is answered without the issuing key, over a key that is made here."""
    return _issue(authority, profiles.RESPONDER, "OCSP Responder", None, now, None, None)


def hosts_of(server: x509.Certificate) -> tuple[str, ...]:
    """The hosts of a server certificate, as ``issue_server`` takes them; DNS names first."""
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))


def sign_certificate(
    profile: Profile,
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    alternative: x509.SubjectAlternativeName | None = None,
    lifetime: timedelta | None = None,
    more: Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    """Sign a certificate of a profile; ``issuer`` None means that it signs itself.

    It never outlives its issuer, which would make it fail one day without a sign on it.
    """
    end = now + min(lifetime or profile.lifetime, profile.lifetime)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(min(end, issuer.not_valid_after_utc) if issuer else end)
    )
    issuer_public = issuer.public_key() if issuer else public_key
    for extension, is_critical in profile.extensions(public_key, issuer_public):
        builder = builder.add_extension(extension, is_critical)
    for extension in (*([alternative] if alternative is not None else []), *more):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _issue(
    authority: Authority,
    profile: Profile,
    common_name: str,
    alternative: x509.SubjectAlternativeName | None,
    now: datetime,
    csr: x509.CertificateSigningRequest | None,
    lifetime: timedelta | None,
) -> Issued:
    key = make_key() if csr is None else None
    certificate = sign_certificate(
        profile,
        subject(common_name[:64]),  # RFC 5280, appendix A.1: ub-common-name is 64
        key.public_key() if key is not None else check_csr(csr),
        authority.certificate,
        authority.key,
        now,
        alternative,
        lifetime,
        _points(authority),
    )
    return Issued(certificate, authority.certificate, key)


def _points(authority: Authority) -> list[x509.ExtensionType]:
    """Where the list and the answers about a certificate are (RFC 5280, 4.2.1.13 and 4.2.2.1)."""
    if not authority.public_url:
        return []
    crl = x509.UniformResourceIdentifier(f"{authority.public_url}/pki/crl/{key_id(authority.certificate)}")
    answers = x509.UniformResourceIdentifier(f"{authority.public_url}/pki/ocsp")
    return [
        x509.CRLDistributionPoints([x509.DistributionPoint([crl], None, None, None)]),
        x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, answers)]),
    ]


def key_id(authority: x509.Certificate) -> str:
    """The subject key identifier of an authority, lower-case hexadecimal."""
    return authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()


def subject(common_name: str) -> x509.Name:
    """A name of nothing but a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
