"""Certificates, signing requests, revocation lists, OCSP questions and answers, as strangers may make them."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from certs import profiles
from certs.authority import Authority, create, open_authority, sign_certificate
from certs.csr import check_csr, read_csr
from certs.errors import UNREADABLE, CrlUnusable, NotTrusted, RequestRefused
from certs.keys import make_key
from certs.lists import read_list
from certs.ocsp import Responder, respond
from certs.responders import read_answer
from certs.revocation import CrlEntry, Standing, Status, build_crl
from certs.trust import Trust, read_trust
from certs.verify import verify
from gateway.api.peer import proxied_chain
from tests.certs.der import inside, sequence, split, wrap
from tests.certs.support import NOW, Answering, der, trace_certificate
from tests.fuzz.target import Finding, Made, Target
from tests.support.csrs import make_csr

_MODULES = ("certs",)
_ROOT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
_ISSUING = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Issuing")])


@contextmanager
def _authority() -> Iterator[tuple[Authority, Trust]]:
    with tempfile.TemporaryDirectory(prefix="xinqiao-fuzz-") as folder:
        home = Path(folder)
        create(home, NOW)
        authority = open_authority(home)
        yield authority, read_trust(home / "trust.pem")


@contextmanager
def _certificates() -> Iterator[Made]:
    with _authority() as (authority, trust):
        genuine = der(trace_certificate(authority).certificate)

        def run(data: bytes) -> None:
            try:
                identity = verify([data], trust, Answering(), NOW)
            except NotTrusted:
                return
            if data != genuine:
                raise Finding(f"another certificate is believed to be {identity.urn}")

        yield Made(run, [genuine, der(authority.certificate)])


@contextmanager
def _signed() -> Iterator[Made]:
    """Whatever a believed authority might sign: the fuzzer's bytes as TBSCertificate, under a signature that holds."""
    with _authority() as (authority, trust):
        genuine = der(trace_certificate(authority).certificate)
        seed = split(inside(genuine))[0]

        def run(data: bytes) -> None:
            try:
                identity = verify([_sign(data, genuine, authority.key)], trust, Answering(), NOW)
            except NotTrusted:
                return
            if identity.urn.encode() not in data:
                raise Finding(f"{identity.urn} is read out of a certificate that does not say so")

        yield Made(run, [seed])


@contextmanager
def _authorities() -> Iterator[Made]:
    """The fuzzer's bytes as TBSCertificate of an issuing authority, signed by the root and in the trust file."""
    root_key, issuing_key = make_key(), make_key()
    root = sign_certificate(profiles.ROOT, _ROOT, root_key.public_key(), None, root_key, NOW)
    issuing = sign_certificate(profiles.ISSUING, _ISSUING, issuing_key.public_key(), root, root_key, NOW)
    leaf, genuine = der(trace_certificate(Authority(issuing, issuing_key, root)).certificate), der(issuing)

    def run(data: bytes) -> None:
        try:
            made = x509.load_der_x509_certificate(_sign(data, genuine, root_key))
        except UNREADABLE:
            return
        with suppress(NotTrusted):
            verify([leaf], Trust((root,), (made,)), Answering(), NOW)

    yield Made(run, [split(inside(genuine))[0]])


def _sign(tbs: bytes, like: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate of these bytes, with the algorithm of another one."""
    algorithm = split(inside(like))[1]
    return sequence([tbs, algorithm, wrap(0x03, b"\0" + key.sign(tbs, ec.ECDSA(hashes.SHA256())))])


@contextmanager
def _headers() -> Iterator[Made]:
    """What a proxy might write into the header that carries the certificate."""
    with _authority() as (authority, _):
        pem = trace_certificate(authority).certificate.public_bytes(Encoding.PEM)
        here, there = socket.socketpair(socket.AF_UNIX)

        def run(data: bytes) -> None:
            said = {"gunicorn.socket": here, "HTTP_XINQIAO_CLIENT_CERTIFICATE": data.decode("latin-1")}
            with suppress(NotTrusted):
                proxied_chain(said)

        with here, there:
            yield Made(run, [quote(pem).encode(), pem])


@contextmanager
def _requests() -> Iterator[Made]:
    csr = make_csr(ec.generate_private_key(ec.SECP256R1()))

    def run(data: bytes) -> None:
        try:
            check_csr(read_csr(data))
        except RequestRefused:
            return

    yield Made(run, [csr.public_bytes(Encoding.DER), csr.public_bytes(Encoding.PEM)])


@contextmanager
def _lists() -> Iterator[Made]:
    with _authority() as (authority, _):
        serial = trace_certificate(authority).certificate.serial_number
        entry = CrlEntry(serial, NOW, "key_compromise")
        crl = build_crl(authority.certificate, authority.key, [entry], 1, NOW, NOW + timedelta(days=1))

        def run(data: bytes) -> None:
            try:
                found = read_list(data, authority.certificate)
            except CrlUnusable:
                return
            if serial not in found.revoked:
                raise Finding("a list from which a revocation was taken away is believed")

        yield Made(run, [crl.public_bytes(Encoding.DER), crl.public_bytes(Encoding.PEM)])


@contextmanager
def _ocsp() -> Iterator[Made]:
    """Both directions: bytes as a question to our responder, and as the answer of somebody else's."""
    with _authority() as (authority, _):
        certificate = trace_certificate(authority).certificate
        question = (
            ocsp.OCSPRequestBuilder().add_certificate(certificate, authority.certificate, hashes.SHA256()).build()
        )
        raw = question.public_bytes(Encoding.DER)
        revoked = Standing(Status.REVOKED, "key_compromise", NOW)
        responder = Responder(authority.certificate, authority.certificate, lambda: authority.key)

        def answer(data: bytes) -> bytes:
            return respond(data, [responder], lambda issuer, serial: revoked, NOW)

        def run(data: bytes) -> None:
            ocsp.load_der_ocsp_response(answer(data))
            if read_answer(data, question, authority.certificate, NOW).status is Status.GOOD:
                raise Finding("an answer that nobody gave says good")

        yield Made(run, [raw, answer(raw)])


TARGETS = (
    Target("certificates", _MODULES, _certificates),
    Target("signed-certificates", _MODULES, _signed),
    Target("signed-authorities", _MODULES, _authorities),
    Target("proxy-headers", ("gateway.api.peer",), _headers),
    Target("signing-requests", _MODULES, _requests),
    Target("revocation-lists", _MODULES, _lists),
    Target("ocsp", _MODULES, _ocsp),
)
