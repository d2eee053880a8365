"""Signatures as they come in: detached JWS and CMS, HTTP message signatures, WS-Security, keys in PEM."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from certs.errors import CertsError, KeyUnusable
from certs.signed import cms, http, jws, soap
from certs.signed.proof import FindKey, KeyHint, SignatureKeyRefused, Signer
from certs.suites import SUITES, PrivateKey, read_private_key, read_public_pem
from certs.suites.base import hashed
from gateway.soap.contract import make
from gateway.soap.envelope import SOAP11, SoapError, read, write
from gateway.soap.operations import UNDERSTOOD
from tests.conftest import NOW
from tests.fuzz.target import Finding, Made, Target

CONTENT = "企业名称,统一社会信用代码\r\n杭州甲有限公司,91330100MA0000015W\r\n".encode()
_AGE = timedelta(minutes=5)
_MODULES = ("certs.signed", "certs.suites")


@dataclass(frozen=True)
class _Pair:
    """A key with a certificate over it, made by OpenSSL: files, and who is believed."""

    folder: Path
    key: PrivateKey
    der: bytes

    @property
    def find(self) -> FindKey:
        """Believes this key alone, under whatever name it comes."""
        names = {f"{x509.load_der_x509_certificate(self.der).serial_number:040x}", "aa" * 20}

        def by_hint(hint: KeyHint) -> Signer:
            if hint.certificate != self.der and not names & set(hint.ids):
                raise SignatureKeyRefused("没有", "none")
            return Signer(self.key.public, "aa" * 20, "urn:xinqiao:health:clinic", "health")

        return by_hint


@contextmanager
def _pair() -> Iterator[_Pair]:
    with tempfile.TemporaryDirectory(prefix="xinqiao-fuzz-") as name:
        folder = Path(name)
        key, certificate = folder / "k.key", folder / "k.pem"
        made = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "9",
        ]
        _run([*made, "-subj", "/CN=clinic", "-keyout", str(key), "-out", str(certificate)])
        der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
        yield _Pair(folder, read_private_key(key.read_bytes()), der)


def _run(command: list[str], given: bytes = b"") -> bytes:
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


@contextmanager
def _jws() -> Iterator[Made]:
    with _pair() as pair:
        seeds = [
            jws.sign(pair.key, [CONTENT], {"kid": "aa" * 20, **more}, is_unencoded=plain).encode()
            for plain in (False, True)
            for more in ({}, jws.chain_header([pair.der]), {"iat": 1_795_226_400})
        ]
        genuine = {jws.verify(seed.decode(), lambda: [CONTENT], pair.find).identity for seed in seeds}

        def run(data: bytes) -> None:
            text = data.decode("ascii", "replace")
            with suppress(CertsError):
                if jws.verify(text, lambda: [CONTENT], pair.find).identity not in genuine:
                    raise Finding("a JWS is believed that the key never made")
            with suppress(CertsError):
                jws.verify(text, lambda: [CONTENT, b" "], pair.find)
                raise Finding("a JWS is believed over another content")

        yield Made(run, seeds)


@contextmanager
def _cms() -> Iterator[Made]:
    with _pair() as pair:
        sign = ["openssl", "cms", "-sign", "-binary", "-signer", str(pair.folder / "k.pem")]
        sign += ["-inkey", str(pair.folder / "k.key"), "-outform"]
        seeds = [_run([*sign, *more], CONTENT) for more in (["DER"], ["PEM"], ["DER", "-noattr"], ["DER", "-keyid"])]
        genuine = {cms.verify(seed, lambda: [CONTENT], pair.find).identity for seed in seeds}

        def run(data: bytes) -> None:
            with suppress(CertsError):
                if cms.verify(data, lambda: [CONTENT], pair.find).identity not in genuine:
                    raise Finding("a CMS signature is believed that the key never made")
            with suppress(CertsError):
                cms.verify(data, lambda: [CONTENT, b" "], pair.find)
                raise Finding("a CMS signature is believed over another content")

        yield Made(run, seeds)


@dataclass
class _Message:
    method: str
    url: str
    headers: dict[str, str]


@contextmanager
def _http() -> Iterator[Made]:
    with _pair() as pair:
        address = "https://gateway.example/v1/sources/a/b/deliveries"
        digest = hashed([CONTENT], http.DIGESTS["sha-256"]())
        message = _Message(
            "POST", address, {"host": "gateway.example", "content-digest": http.digest_field("sha-256", digest)}
        )
        http.sign(message, pair.key, "aa" * 20, http.REQUIRED, NOW, "once")
        seed = "\n".join(f"{name}: {value}" for name, value in message.headers.items()).encode()

        def request(data: bytes) -> http.Request:
            lines = [line.partition(": ")[::2] for line in data.decode("latin-1").split("\n")]
            return http.Request("POST", address, http.Fields(lines))

        genuine = http.verify(request(seed), pair.find, NOW, _AGE).identity

        def run(data: bytes) -> None:
            told = request(data)
            with suppress(CertsError):
                http.check_digest(told.headers, lambda name: hashed([CONTENT], http.DIGESTS[name]()))
            with suppress(CertsError):
                if http.verify(told, pair.find, NOW, _AGE).identity != genuine:
                    raise Finding("a request is believed that the key never signed")

        yield Made(run, [seed])


@contextmanager
def _soap() -> Iterator[Made]:
    from tests.gateway.soap.signing import WithTimestamp  # xmlsec is loaded by this target alone

    with _pair() as pair:
        # The certificate is of today, and it is judged at the same time as the envelope.
        now = datetime.now(UTC)
        parts = [make(name, "x") for name in ("source", "fileName", "mediaType", "content")]
        envelope = etree.fromstring(write(SOAP11, make("deliver", *parts)))
        signing = WithTimestamp.with_files(pair.folder / "k.key", pair.folder / "k.pem", now)
        signing.apply(envelope, {})
        seed = etree.tostring(envelope)

        def body_of(data: bytes) -> etree._Element:
            body = read(data, SOAP11, UNDERSTOOD).body.getparent()
            if body is None:
                raise AssertionError("what stands in a body has a parent")
            return body

        def canonical(body: etree._Element) -> bytes:
            return etree.tostring(body, method="c14n", exclusive=True, with_tail=False)

        genuine = canonical(body_of(seed))
        soap.verify(body_of(seed), pair.find, now, _AGE)

        def run(data: bytes) -> None:
            try:
                body = body_of(data)
                soap.verify(body, pair.find, now, _AGE)
            except (SoapError, CertsError):
                return
            if canonical(body) != genuine:
                raise Finding("a body is believed that the key never signed")

        yield Made(run, [seed])


@contextmanager
def _keys() -> Iterator[Made]:
    own = SUITES["guomi"].make_key()
    public = _run(["openssl", "pkey", "-pubout"], own.pem())

    def run(data: bytes) -> None:
        with suppress(KeyUnusable):
            read_public_pem(data)
        with suppress(KeyUnusable):
            read_private_key(data)

    yield Made(run, [own.pem(), public, SUITES["international"].make_key().pem()])


TARGETS = (
    Target("jws", _MODULES, _jws),
    Target("cms", _MODULES, _cms),
    Target("http-signatures", _MODULES, _http),
    Target("ws-security", (*_MODULES, "gateway.soap"), _soap),
    Target("signing-keys", _MODULES, _keys),
)
