"""A very small application that verifies its caller as the API does; what the server tests serve."""

from __future__ import annotations

import hashlib

from flask import Flask, Response, jsonify, request

from certs.errors import Missing, NotTrusted
from certs.trust import TrustFile
from certs.verify import verify
from gateway.api.peer import peer_chain_of
from gateway.certificates import RegistrySource
from gateway.certificates_publish import pki_files
from gateway.clock import utc_now
from gateway.settings import Settings
from gateway.store import open_store


def create_app(settings: Settings) -> Flask:
    """Whoever calls is told who they are; whatever is sent is counted."""
    peer_chain = peer_chain_of(settings)
    app, store, trust = Flask(__name__), open_store(settings), TrustFile(pki_files(settings).trust)

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.get("/whoami")
    def whoami() -> Response:
        with store.read() as conn:
            identity = verify(peer_chain(request.environ), trust.current(), RegistrySource(conn), utc_now())
        return jsonify(urn=identity.urn, serial=identity.serial)

    @app.post("/count")
    def count() -> Response:
        content = request.stream.read()
        return jsonify(size=len(content), sha256=hashlib.sha256(content).hexdigest())

    @app.post("/ignore")
    def ignore() -> str:
        return "not read"

    @app.errorhandler(NotTrusted)
    def refuse(error: NotTrusted) -> tuple[Response, int]:
        return jsonify(code=error.code, en=error.en), 401 if isinstance(error, Missing) else 403

    return app


def broken_app(settings: Settings) -> Flask:
    """An application that cannot start."""
    raise RuntimeError(f"no application at {settings.home}")
