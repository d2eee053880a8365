"""The application: blueprints, problem documents, the OpenAPI document. Made once per worker process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask, Response, request
from flask_smorest import Api
from werkzeug.exceptions import BadRequest, HTTPException

from certs.trust import TrustFile
from gateway import __version__
from gateway.access.quotas import Meter
from gateway.api import (
    callers,
    certificates,
    deliveries,
    erasures,
    exports,
    metrics,
    notifications,
    problems,
    public,
    quotas,
    reads,
    sharing,
)
from gateway.api.peer import peer_chain as tls_peer_chain
from gateway.api.shapes import Problem
from gateway.certificates_publish import pki_files
from gateway.clock import utc_now
from gateway.deliveries import vault_of
from gateway.home import open_home
from gateway.logs import configure_logs
from gateway.sealing import load_sealer
from gateway.settings import Settings
from gateway.soap.face import soap_blueprint
from schemas.derived import json_schema
from schemas.records import RECORD_TYPES


def create_app(
    settings: Settings,
    clock: Callable[[], datetime] = utc_now,
    peer_chain: Callable[[Mapping[str, Any]], Sequence[bytes]] = tls_peer_chain,
) -> Flask:
    """The gateway as a WSGI application.

    Args:
        settings: of an installation that has been initialised.
        clock: gives the time of each request, UTC.
        peer_chain: the DER certificates that the transport proved; only tests and a trusted proxy replace it.

    Raises:
        Refused: the installation has not been initialised.
    """
    configure_logs()
    app = Flask("xinqiao", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        API_TITLE="信桥 Xinqiao",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/v1",
        OPENAPI_JSON_PATH="openapi.json",
        PROPAGATE_EXCEPTIONS=False,
    )
    # Two slashes are another address, not a spelling of one.
    app.url_map.merge_slashes = False
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # the default provider has it; the base class does not
    store = open_home(settings)
    callers.install(
        app.extensions,
        callers.Services(
            store=store,
            sealer=load_sealer(settings.home),
            vault=vault_of(store),
            trust=TrustFile(pki_files(settings).trust),
            clock=clock,
            peer_chain=peer_chain,
            waiting=BoundedSemaphore(max(1, settings.threads // 2)),
            meter=Meter(settings.threads),
        ),
    )
    problems.register(app)
    app.before_request(_demand_text)
    callers.tell_grace(app)
    metrics.count_requests(app)
    _describe(app)
    app.register_blueprint(public.blueprint)
    app.register_blueprint(soap_blueprint(callers.context, problems.problem_of, problems.request_id))
    return app


def _demand_text() -> None:
    """Whoever asks in bytes that are no text is told so; Werkzeug would only find out where an argument is read.

    A zero byte is UTF-8 and no text: PostgreSQL can neither hold it nor compare with it.

    Raises:
        BadRequest: the query is not UTF-8, or a zero byte is in it or in the path.
    """
    try:
        query = unquote_to_bytes(request.query_string.decode())
    except UnicodeDecodeError as error:
        raise BadRequest from error
    if b"\0" in query or "\0" in request.path:
        raise BadRequest


class _Api(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """Our problem documents instead of flask-smorest's own errors."""

    ERROR_SCHEMA = Problem

    def handle_http_exception(self, error: HTTPException) -> Response:
        return problems.explain(error)


def _describe(app: Flask) -> None:
    api = _Api(app)
    components = api.spec.components
    for record_type in sorted(RECORD_TYPES):
        components.schema(record_type, json_schema(record_type))
    components.schema("Version", _version())
    components.security_scheme("system", {"type": "mutualTLS", "description": "certificate of a registered system"})
    api.spec.options["security"] = [{"system": []}]
    for blueprint in (
        deliveries.blueprint,
        reads.blueprint,
        sharing.blueprint,
        quotas.blueprint,
        exports.blueprint,
        certificates.blueprint,
        erasures.blueprint,
        notifications.blueprint,
    ):
        api.register_blueprint(blueprint)
    # flask-smorest knows one content type for everything it answers; refused arguments are problem documents too.
    for answer in components.responses.values():
        answer["content"] = {problems.MEDIA_TYPE: answer["content"]["application/json"]}


def _version() -> dict[str, Any]:
    """The shape of one version in a picture, a listing or a line of a feed: see ``projection.head``."""
    text, number = {"type": "string"}, {"type": "integer", "minimum": 1}
    return {
        "type": "object",
        "required": ["seq", "op", "record_key", "uscc", "version", "source", "landed_at", "record"],
        "properties": {
            "seq": number,
            "op": {"enum": ["put", "withdraw"]},
            "record_key": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "uscc": {"type": ["string", "null"]},
            "version": number,
            "source": text,
            "landed_at": {"type": "string", "format": "date-time"},
            "record": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in sorted(RECORD_TYPES)]},
        },
    }
