"""The TLS context of the gateway: built once, built again when its files changed, never per connection."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.errors import KeyUnusable
from certs.external import FOLDER, read_externals
from certs.files import file_stamp, folder_stamp
from certs.layout import Files

log = structlog.get_logger(__name__)

# Looking at the files costs microseconds, but not for each of hundreds of handshakes a second.
LOOK_EVERY_SECONDS = 0.5

# A peer that goes silent holds a thread for at most so long; gunicorn itself would wait for ever.
HANDSHAKE_SECONDS = 10.0
SILENCE_SECONDS = 60.0


class PatientSocket(ssl.SSLSocket):
    """A TLS connection on which "blocking" means blocking for a while."""

    def setblocking(self, flag: bool, /) -> None:
        """Blocking, but ``TimeoutError`` when the peer neither sends nor takes anything for ``SILENCE_SECONDS``."""
        self.settimeout(SILENCE_SECONDS if flag else 0.0)

    def do_handshake(self, block: bool = False) -> None:
        """As every connection does it, with a limit on the whole of it."""
        self.settimeout(HANDSHAKE_SECONDS)
        super().do_handshake(block)
        self.setblocking(True)


Passphrase = Callable[[], bytes | None]
"""Asked for whenever the server's key is opened, so that a changed passphrase needs no restart either."""


def no_passphrase() -> None:
    """For a server key that lies in clear."""
    return


def build_context(files: Files, passphrase: Passphrase = no_passphrase) -> ssl.SSLContext:
    """Make the context: TLS 1.2 or newer, a client certificate asked for and, if given, checked against the trust file.

    It is optional here because public pages need none; the application refuses where one is
    needed, with a reason. No session tickets and no renegotiation: each connection proves its key itself.

    Raises:
        OSError: a file is missing; ``ssl.SSLError`` when key and certificate do not fit, or the passphrase is wrong.
        ValueError: the key is encrypted and there is no passphrase.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = PatientSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9325, 4.2.1: for TLS 1.2 only forward-secret, authenticated encryption; TLS 1.3 has its own list.
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cafile=files.trust)
    for external in read_externals(files.home / FOLDER)[0]:
        context.load_verify_locations(cadata=_pem(*external.roots, *external.intermediates))
    context.load_cert_chain(files.gateway, files.gateway_key, password=lambda: _demanded(passphrase))
    return context


class ReloadingContext:
    """Gives the current context, and a new one after the certificate, key, trust file or an external authority changed.

    Open connections keep the context they began with. While the files do not fit together, for
    instance between the renaming of a new key and of its certificate, the context before stays.
    Safe to share between threads.
    """

    def __init__(self, files: Files, passphrase: Passphrase = no_passphrase) -> None:
        self._files, self._passphrase = files, passphrase
        self._watched: tuple[Path, ...] = (files.gateway, files.gateway_key, files.trust)
        self._lock = threading.Lock()
        self._stamp = self._stamps()
        self._context = build_context(files, passphrase)
        self._looked_at = time.monotonic()

    def current(self) -> ssl.SSLContext:
        """The context for a connection that begins now."""
        if time.monotonic() - self._looked_at >= LOOK_EVERY_SECONDS:
            with self._lock:
                self._look()
        return self._context

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        stamp = self._stamps()
        if stamp == self._stamp:
            return
        try:
            self._context = build_context(self._files, self._passphrase)
        except (OSError, ValueError, KeyUnusable) as error:
            # The stamp stays old, so that the next look tries again.
            log.warning("tls files unusable, the context before is kept", error=str(error))
            return
        self._stamp = stamp
        log.info("tls context rebuilt", certificate=str(self._files.gateway))

    def _stamps(self) -> tuple[object, ...]:
        return (*(file_stamp(path) for path in self._watched), folder_stamp(self._files.home / FOLDER))


def _pem(*certificates: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)


def _demanded(passphrase: Passphrase) -> bytes:
    """Only called for an encrypted key; without this OpenSSL would ask a terminal that a server does not have."""
    if given := passphrase():
        return given
    raise ValueError(
        "the gateway's server key is encrypted; it must be usable without a person at the keyboard: "
        "set key_passphrase_file or XINQIAO_KEY_PASSPHRASE"
    )
