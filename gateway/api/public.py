"""What anyone may fetch: the hashes of the transparency log, the authority's certificates, revocation, health.

The entries themselves say who read about whom; they are for auditors. Hash tiles and checkpoints say
nothing but that the log has not been rewritten, and that is for everyone.
"""

from __future__ import annotations

import re
from pathlib import Path

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import func, select
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from certs.ocsp import MAX_REQUEST_BYTES
from gateway.access.errors import NotYours
from gateway.api.callers import context, services
from gateway.audit.files import log_folder
from gateway.audit.tiles import ENTRIES
from gateway.certificates_publish import current_crl, ocsp_answer, open_issuing, pki_files
from gateway.store.tables import positions

blueprint = Blueprint("public", __name__)

# C2SP tlog-tiles: /tile/<level>/<index>, /tile/entries/<index>; index in groups of three digits, all but the
# last with x; partial tiles end in .p/<width>. Nothing that does not look so is ever looked for on disk.
_TILE = re.compile(r"(?:[0-9]{1,2}|entries)(?:/x[0-9]{3})*/[0-9]{3}(?:\.p/[0-9]{1,3})?", re.ASCII)
_FULL_TILE_SECONDS = 365 * 24 * 3600
_AUDITOR = "auditor"


@blueprint.get("/audit/checkpoint")
def checkpoint() -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint)."""
    return _file(log_folder(services().store.settings) / "checkpoint", "text/plain; charset=utf-8", 0)


@blueprint.get("/audit/tile/<path:tile>")
def tile(tile: str) -> Response:
    """One tile of the log (C2SP tlog-tiles); bundles of entries for auditors only.

    Raises:
        NotYours: entries, and the caller is no auditor.
        certs.errors.NotTrusted: entries, and nobody is known to ask.
    """
    if not _TILE.fullmatch(tile):
        raise NotFound
    if tile.startswith(f"{ENTRIES}/"):
        _demand_auditor()
    # A full tile never changes; a partial one is followed by a wider one.
    path = log_folder(services().store.settings) / "tile" / tile
    answer = _file(path, "application/octet-stream", 0 if ".p/" in tile else _FULL_TILE_SECONDS)
    if tile.startswith(f"{ENTRIES}/"):
        answer.cache_control.private = True
    return answer


@blueprint.get("/pki/ca.pem")
def authorities() -> Response:
    """The authorities this gateway's certificates lead to, PEM."""
    return _file(pki_files(services().store.settings).trust, "application/x-pem-file", 0)


@blueprint.get("/pki/crl")
def revocation_list() -> Response:
    """The revocation list, DER (RFC 5280)."""
    made = services()
    return Response(current_crl(made.store, made.clock()), mimetype="application/pkix-crl")


@blueprint.post("/pki/ocsp")
def ocsp() -> Response:
    """How one certificate stands (RFC 6960, appendix A)."""
    if request.mimetype != "application/ocsp-request":
        raise UnsupportedMediaType
    request.max_content_length = MAX_REQUEST_BYTES
    asked = request.get_data()
    made = services()
    authority = open_issuing(made.store.settings)
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


def _demand_auditor() -> None:
    caller = context().caller
    if caller.duty != _AUDITOR:
        raise NotYours(
            f"审计条目载有谁查询了谁，仅审计员可读，{caller.urn} 不可。",
            f"Entries say who read about whom; auditors may read them, {caller.urn} may not.",
        )


def _file(path: Path, media_type: str, max_age: int) -> Response:
    try:
        answer = Response(path.read_bytes(), content_type=media_type)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFound from error
    answer.cache_control.max_age = max_age
    answer.add_etag()
    answer.make_conditional(request)
    return answer
