"""An authority that is not ours, run by its own people: certificates, lists, and OpenSSL's own OCSP responder."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs import profiles
from certs.authority import Authority, Issued, create, issue, sign_certificate
from certs.keys import make_key, save_key
from certs.layout import Files
from certs.names import Name, SystemName
from certs.revocation import CrlEntry, build_crl

FRONT = SystemName("customs", "front")
DAY = timedelta(days=1)


@dataclass
class Foreign:
    """The authority and the folder ``pki/external`` of a gateway that believes it.

    Attributes:
        files: of the authority, elsewhere.
        folder: where the gateway keeps its description.
    """

    files: Files
    folder: Path
    authority: Authority
    now: datetime

    def issue(self, name: Name = FRONT, lifetime: timedelta | None = None) -> Issued:
        """A certificate of this authority."""
        return issue(self.authority, name, self.now, lifetime=lifetime)

    def publish(
        self, *revoked: CrlEntry, number: int = 1, made: datetime | None = None, ends: timedelta = DAY
    ) -> bytes:
        """A list of the issuing authority, DER; also put beside the description."""
        made = made or self.now
        crl = build_crl(self.authority.certificate, self.authority.key, revoked, number, made, made + ends)
        content = crl.public_bytes(Encoding.DER)
        (self.folder / "issuing.crl").write_bytes(content)
        return content

    def describe(self, name: str = "partner", **said: Any) -> Path:
        """Write the description; what is not said is as most have it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "partner.pem").write_bytes(self.files.trust.read_bytes())
        (self.folder / "root.crl").write_bytes(self.files.root_crl.read_bytes())
        whole = {
            "agencies": ["customs"],
            "authorities": "partner.pem",
            "revocation": [{"crl": "issuing.crl"}, {"crl": "root.crl"}],
        } | said
        path = self.folder / f"{name}.yml"
        path.write_text(yaml.safe_dump(whole, allow_unicode=True), "utf-8")
        return path


def found(home: Path, now: datetime, name: str = "Partner") -> Foreign:
    """A new authority beside the folder it is described in."""
    files = Files(home / "theirs")
    folder = home / "pki" / "external"
    folder.mkdir(parents=True)
    foreign = Foreign(files, folder, create(files.home, now, name), now)
    foreign.describe()
    foreign.publish()
    return foreign


def entry(issued: Issued, at: datetime, reason: str = "key_compromise") -> CrlEntry:
    return CrlEntry(issued.certificate.serial_number, at, reason)


@dataclass
class Web:
    """A web server on loopback that answers what a test says, and remembers what it was asked."""

    url: str = ""
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    answers: Callable[[str, bytes], tuple[int, dict[str, str], bytes]] = lambda path, body: (404, {}, b"")


@contextmanager
def web() -> Iterator[Web]:
    """A server until the block ends."""
    told = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.asked.append((self.path, body))
            status, headers, content = told.answers(self.path, body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:
            """Not on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class OpensslResponder:
    """``openssl ocsp`` answering requests for a foreign authority.

    The command's own ``-port`` listens on every address, so its bytes are carried by a server on loopback.
    """

    foreign: Foreign
    home: Path
    arguments: tuple[str, ...] = ("-ndays", "1")
    signer: tuple[Path, Path] | None = None

    def know(self, *issued: Issued, revoked: Sequence[Issued] = ()) -> None:
        """Write the index that the responder looks things up in."""
        lines = []
        for one in (*issued, *revoked):
            ends = f"{one.certificate.not_valid_after_utc:%y%m%d%H%M%SZ}"
            state = f"R\t{ends}\t{self.foreign.now:%y%m%d%H%M%SZ},keyCompromise" if one in revoked else f"V\t{ends}\t"
            lines.append(f"{state}\t{one.certificate.serial_number:040X}\tunknown\t/CN=x\n")
        (self.home / "index.txt").write_text("".join(lines))

    def __call__(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer to one request."""
        files = self.foreign.files
        certificate, key = self.signer or (files.issuing, files.issuing_key)
        question, answer = self.home / "request.der", self.home / "response.der"
        question.write_bytes(body)
        done = subprocess.run(
            ["openssl", "ocsp", "-index", self.home / "index.txt", "-CA", files.issuing, "-rsigner", certificate,
             "-rkey", key, "-reqin", question, "-respout", answer, *self.arguments],
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return 200, {"Content-Type": "application/ocsp-response"}, answer.read_bytes()

    def delegate(self, *extensions: tuple[x509.ExtensionType, bool], by: Authority | None = None) -> None:
        """Let a certificate of its own sign the answers."""
        issuer, key = by or self.foreign.authority, make_key()
        profile = profiles.Profile("ocsp", DAY, frozenset({"digital_signature"}))
        plain = sign_certificate(
            profile, x509.Name([]), key.public_key(), issuer.certificate, issuer.key, self.foreign.now
        )
        builder = (
            x509.CertificateBuilder(plain.issuer, x509.Name.from_rfc4514_string("CN=responder"), key.public_key())
            .serial_number(plain.serial_number)
            .not_valid_before(plain.not_valid_before_utc)
            .not_valid_after(plain.not_valid_after_utc)
        )
        for kept in plain.extensions:
            builder = builder.add_extension(kept.value, kept.critical)
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, is_critical)
        certificate = builder.sign(issuer.key, plain.signature_hash_algorithm)
        path = self.home / "responder.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        save_key(self.home / "responder.key", key)
        self.signer = (path, self.home / "responder.key")
