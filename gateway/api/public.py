"""What anyone may fetch: the files of the transparency log, the authority's certificates, revocation, health."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import func, select
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from certs.authority import open_authority
from certs.ocsp import MAX_REQUEST_BYTES
from gateway.api.callers import services
from gateway.audit.files import log_folder
from gateway.certificates_publish import latest_crl, ocsp_answer, pki_files
from gateway.store.tables import positions

blueprint = Blueprint("public", __name__)

# C2SP tlog-tiles: /tile/<level>/<index>, /tile/entries/<index>; index in groups of three digits, all but the
# last with x; partial tiles end in .p/<width>. Nothing that does not look so is ever looked for on disk.
_TILE = re.compile(r"(?:[0-9]{1,2}|entries)(?:/x[0-9]{3})*/[0-9]{3}(?:\.p/[0-9]{1,3})?", re.ASCII)
_FULL_TILE_SECONDS = 365 * 24 * 3600


@blueprint.get("/audit/checkpoint")
def checkpoint() -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint)."""
    return _file(log_folder(services().store.settings) / "checkpoint", "text/plain; charset=utf-8", 0)


@blueprint.get("/audit/tile/<path:tile>")
def tile(tile: str) -> Response:
    """One tile of the log (C2SP tlog-tiles)."""
    if not _TILE.fullmatch(tile):
        raise NotFound
    # A full tile never changes; a partial one is followed by a wider one.
    path = log_folder(services().store.settings) / "tile" / tile
    return _file(path, "application/octet-stream", 0 if ".p/" in tile else _FULL_TILE_SECONDS)


@blueprint.get("/pki/ca.pem")
def authorities() -> Response:
    """The authorities this gateway's certificates lead to, PEM."""
    return _file(pki_files(services().store.settings).trust, "application/x-pem-file", 0)


@blueprint.get("/pki/crl")
def revocation_list() -> Response:
    """The revocation list, DER (RFC 5280)."""
    made = services()
    authority = open_authority(pki_files(made.store.settings).home)
    with made.store.read() as conn:
        crl = latest_crl(conn, authority)
    if crl is None:
        raise NotFound
    return Response(crl, mimetype="application/pkix-crl")


@blueprint.post("/pki/ocsp")
def ocsp() -> Response:
    """How one certificate stands (RFC 6960, appendix A)."""
    if request.mimetype != "application/ocsp-request":
        raise UnsupportedMediaType
    request.max_content_length = MAX_REQUEST_BYTES
    asked = request.get_data()
    made = services()
    authority = open_authority(pki_files(made.store.settings).home)
    with made.store.read() as conn:
        answer = ocsp_answer(conn, authority, asked, made.clock())
    return Response(answer, mimetype="application/ocsp-response")


@blueprint.get("/healthz")
def healthy() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> Response:
    """The process can work: its database answers and the tables are there."""
    with services().store.read() as conn:
        feeds = conn.execute(select(func.count()).select_from(positions)).scalar_one()
    return jsonify({"status": "ok", "feeds": feeds})


def _file(path: Path, media_type: str, max_age: int) -> Response:
    try:
        answer = Response(path.read_bytes(), content_type=media_type)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFound from error
    answer.cache_control.max_age = max_age
    answer.add_etag()
    answer.make_conditional(request)
    return answer
