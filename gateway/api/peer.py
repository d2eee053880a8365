"""Who is on the other end of this request's connection: the certificate TLS proved, and nothing a header says."""

from __future__ import annotations

import ssl
from collections.abc import Mapping


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
