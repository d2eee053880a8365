"""Certificates, signing requests, revocation lists, OCSP questions and answers, as strangers may make them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from certs.authority import Authority, create, open_authority
from certs.csr import check_csr, read_csr
from certs.errors import CrlUnusable, NotTrusted, RequestRefused
from certs.lists import read_list
from certs.ocsp import respond
from certs.responders import read_answer
from certs.revocation import CrlEntry, Standing, Status, build_crl
from certs.trust import Trust, read_trust
from certs.verify import verify
from tests.certs.support import NOW, Answering, der, trace_certificate
from tests.fuzz.target import Finding, Made, Target
from tests.support.csrs import make_csr

_MODULES = ("certs",)


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

        def answer(data: bytes) -> bytes:
            return respond(data, authority.certificate, authority.key, lambda serial: revoked, NOW)

        def run(data: bytes) -> None:
            ocsp.load_der_ocsp_response(answer(data))
            if read_answer(data, question, authority.certificate, NOW).status is Status.GOOD:
                raise Finding("an answer that nobody gave says good")

        yield Made(run, [raw, answer(raw)])


TARGETS = (
    Target("certificates", _MODULES, _certificates),
    Target("signing-requests", _MODULES, _requests),
    Target("revocation-lists", _MODULES, _lists),
    Target("ocsp", _MODULES, _ocsp),
)
