"""What anyone may fetch: the hashes of the transparency log, the authority's certificates, revocation, health.

The entries themselves say who read about whom; they are for auditors. Hash tiles and checkpoints say
nothing but that the log has not been rewritten, and that is for everyone.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Blueprint, Response, jsonify, request
from sqlalchemy import func, select
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from certs.authority import key_id as authority_key_id
from certs.authority import read_certificate
from certs.errors import AuthorityMissing
from certs.ocsp import MAX_REQUEST_BYTES
from gateway.access.errors import NotYours
from gateway.api.callers import context, services
from gateway.audit.files import log_folder
from gateway.audit.notes import parse_checkpoint
from gateway.audit.stamping import CHECKPOINT_FILE, TOKEN_FILE
from gateway.audit.static_log import WITNESSED
from gateway.audit.tiles import ENTRIES, parse_path, widest
from gateway.certificates_publish import current_crl, ocsp_answer, pki_files
from gateway.store.tables import positions

blueprint = Blueprint("public", __name__)

_TILE_SECONDS = 365 * 24 * 3600
_AUDITOR = "auditor"


@blueprint.get("/audit/checkpoint")
def checkpoint() -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint), with the cosignatures it has so far."""
    return _file(_log() / "checkpoint", "text/plain; charset=utf-8", 0)


@blueprint.get("/audit/witnessed")
def witnessed() -> Response:
    """The newest checkpoint that a quorum of the log's witnesses cosigned (C2SP tlog-cosignature)."""
    return _file(_log() / WITNESSED, "text/plain; charset=utf-8", 0)


@blueprint.get("/audit/timestamp.checkpoint")
def stamped_checkpoint() -> Response:
    """The checkpoint that a time-stamping authority stamped last."""
    return _file(_log() / CHECKPOINT_FILE, "text/plain; charset=utf-8", 0)


@blueprint.get("/audit/timestamp.tsr")
def stamp() -> Response:
    """Its time-stamp (RFC 3161, 2.4.2)."""
    return _file(_log() / TOKEN_FILE, "application/timestamp-reply", 0)


@blueprint.get("/audit/tile/<path:tile>")
def tile(tile: str) -> Response:
    """One tile of the log (C2SP tlog-tiles); bundles of entries for auditors only.

    Raises:
        NotYours: entries, and the caller is no auditor.
        certs.errors.NotTrusted: entries, and nobody is known to ask.
    """
    # Nothing that is not the path of a tile is ever looked for on disk.
    asked = parse_path(f"tile/{tile}")
    if asked is None:
        raise NotFound
    if asked.level == ENTRIES:
        _demand_auditor()
    folder = _log()
    # A tile under a signed checkpoint never changes. One that a seal has written and not yet signed may.
    covering = widest(asked.level, asked.number, _signed_size(folder))
    if covering is None or asked.width > covering.width:
        raise NotFound
    answer = _file(folder / asked.path, "application/octet-stream", _TILE_SECONDS)
    answer.cache_control.immutable = True
    if asked.level == ENTRIES:
        answer.cache_control.private = True
        _compress(answer)
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


@blueprint.get("/pki/crl/<key_id>")
def revocation_list_of(key_id: str) -> Response:
    """The revocation list of the authority of a key identifier, DER: of one that was followed, or of the root."""
    made = services()
    files = pki_files(made.store.settings)
    if key_id == authority_key_id(read_certificate(files.root)):
        crl = x509.load_pem_x509_crl(files.root_crl.read_bytes()).public_bytes(Encoding.DER)
        return Response(crl, mimetype="application/pkix-crl")
    try:
        return Response(current_crl(made.store, made.clock(), key_id), mimetype="application/pkix-crl")
    except AuthorityMissing as error:
        raise NotFound from error


@blueprint.post("/pki/ocsp")
def ocsp() -> Response:
    """How one certificate stands (RFC 6960, appendix A)."""
    if request.mimetype != "application/ocsp-request":
        raise UnsupportedMediaType
    request.max_content_length = MAX_REQUEST_BYTES
    asked = request.get_data()
    made = services()
    with made.store.read() as conn:
        answer = ocsp_answer(conn, made.store.settings, asked, made.clock())
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


def _log() -> Path:
    return log_folder(services().store.settings)


def _signed_size(folder: Path) -> int:
    """How many entries the published checkpoint covers; the log's own file, so its signature is not asked."""
    try:
        return parse_checkpoint((folder / "checkpoint").read_text("utf-8")).size
    except FileNotFoundError:
        return 0


def _compress(answer: Response) -> None:
    """Entries are text that repeats itself (tlog-tiles: "SHOULD be compressed at the HTTP layer")."""
    answer.vary.add("Accept-Encoding")
    if request.accept_encodings.quality("gzip") > 0 and answer.status_code == 200:
        answer.set_data(gzip.compress(answer.get_data(), compresslevel=1))
        answer.content_encoding = "gzip"


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
