"""Who is on the other end of this request: the certificate that TLS proved, here or in the one proxy we listen to."""

from __future__ import annotations

import base64
import binascii
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

from certs.errors import Malformed
from gateway.settings import Settings

PeerChain = Callable[[Mapping[str, object]], Sequence[bytes]]
"""The DER certificates that the transport proved, from the WSGI environment of a request."""

CERTIFICATE_HEADER = "Xinqiao-Client-Certificate"
_VARIABLE = "HTTP_" + CERTIFICATE_HEADER.upper().replace("-", "_")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----\n?")


def peer_chain_of(settings: Settings) -> PeerChain:
    """Where the certificate of a caller comes from in this installation: never from both places."""
    return proxied_chain if settings.proxy_socket else peer_chain


def peer_chain(environ: Mapping[str, object]) -> tuple[bytes, ...]:
    """The client's certificate of the connection that carries this request.

    Read from the connection itself on every request, also on a resumed session. Headers are never
    looked at: anyone can write one. Authorities that the client sent along are left out on
    purpose; the ones we believe stand in the trust file.

    Args:
        environ: of a WSGI request served by ``gateway.server``.

    Returns:
        the DER of the certificate as the only member; empty when none was presented
        or the connection is not TLS.
    """
    connection = environ.get("gunicorn.socket")
    if not isinstance(connection, ssl.SSLSocket):
        return ()
    certificate = connection.getpeercert(binary_form=True)
    return (certificate,) if certificate else ()


def proxied_chain(environ: Mapping[str, object]) -> tuple[bytes, ...]:
    """The client's certificate as the proxy says it, PEM in percent-encoding (nginx: ``$ssl_client_escaped_cert``).

    The proxy is believed because it reached our Unix socket, which the file system opens to it and nobody else; a
    request that came any other way has no certificate, whatever its headers say. The certificate is verified here
    as ever; what is taken from the proxy is that its peer holds the key.

    Raises:
        Malformed: the header is there and is not one certificate.
    """
    connection = environ.get("gunicorn.socket")
    if not isinstance(connection, socket.socket) or connection.family is not socket.AF_UNIX:
        return ()
    said = str(environ.get(_VARIABLE, ""))
    return (_der(said),) if said else ()


def _der(said: str) -> bytes:
    found = _PEM.fullmatch(unquote(said))
    if found is None:
        raise Malformed(f"{CERTIFICATE_HEADER}: expected one certificate, PEM, percent-encoded")
    try:
        return base64.b64decode(found[1].replace("\n", ""), validate=True)
    except binascii.Error as error:
        raise Malformed(f"{CERTIFICATE_HEADER}: {error}") from error
