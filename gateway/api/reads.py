"""``/v1/entities``, ``/v1/records``, ``/v1/feeds``: what consumers read, made of stored bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Response, request, stream_with_context

from gateway.access.context import Context
from gateway.access.projection import line
from gateway.access.reads import Page, checked_type, may_read, read_entity, read_feed, read_records
from gateway.access.streams import stream_feed
from gateway.api.blueprint import Blueprint
from gateway.api.callers import PURPOSE_HEADER, context, services, verify_again
from gateway.api.encodings import chosen, encoded
from gateway.api.shapes import EntityQuery, FeedQuery, RecordQuery, StreamQuery
from gateway.store import reading
from gateway.store.reading import Version

blueprint = Blueprint("reads", __name__, url_prefix="/v1", description="查询 · reading")

CURSOR_HEADER = "Xinqiao-Next"
_POLL_SECONDS = 0.2
_LINES_PER_CHUNK = 500

PURPOSE_PARAMETER = {
    "in": "header",
    "name": PURPOSE_HEADER,
    "required": True,
    "schema": {"type": "string"},
    "description": "purpose of the grant under which is read; percent-encoded UTF-8",
}


_VERSION = {"$ref": "#/components/schemas/Version"}
_VERSIONS = {"type": "array", "items": _VERSION}
_RECORDS = {
    "type": "object",
    "properties": {"record_type": {"type": "string"}, "complete": {"type": "boolean"}, "records": _VERSIONS},
}
_PICTURE = {
    "type": "object",
    "properties": {
        "uscc": {"type": "string"},
        "name": {"type": ["string", "null"]},
        "not_granted": {"type": "object", "additionalProperties": {"type": "string"}},
        "incomplete": {"type": "array", "items": {"type": "string"}},
        "records": {"type": "object", "additionalProperties": _VERSIONS},
    },
}


@blueprint.get("/entities/<uscc>")
@blueprint.arguments(EntityQuery, location="query")
@blueprint.response(200, _PICTURE)
@blueprint.doc(parameters=[PURPOSE_PARAMETER])
def entity(asked: dict[str, Any], uscc: str) -> Response:
    """主体全貌 · Everything known of one entity, as far as your grants reach."""
    picture = read_entity(context(), uscc, purpose(), asked["as_of"])
    head = {
        "uscc": picture.uscc,
        "name": picture.name,
        "not_granted": dict(picture.not_granted),
        "incomplete": list(picture.incomplete),
    }
    records = b",".join(_json(name) + b":" + _array(versions) for name, versions in picture.records.items())
    return _answer(_json(head)[:-1] + b',"records":{' + records + b"}}")


@blueprint.get("/records/<record_type>")
@blueprint.arguments(RecordQuery, location="query")
@blueprint.response(200, _RECORDS)
@blueprint.doc(parameters=[PURPOSE_PARAMETER])
def records(asked: dict[str, Any], record_type: str) -> Response:
    """记录 · The records of one type about one entity, now or as known at an instant."""
    found = read_records(context(), record_type, asked["uscc"], purpose(), asked["as_of"])
    head = {"record_type": record_type, "complete": found.is_complete}
    return _answer(_json(head)[:-1] + b',"records":' + _array(found.versions) + b"}")


@blueprint.get("/feeds/<record_type>")
@blueprint.arguments(FeedQuery, location="query")
@blueprint.response(200, _VERSION, content_type="application/x-ndjson", description="one Version a line")
@blueprint.doc(parameters=[PURPOSE_PARAMETER])
def feed(asked: dict[str, Any], record_type: str) -> Response:
    """变更流 · What changed after a position, one JSON object a line; give Xinqiao-Next as `after` next time."""
    # Who may not read is told so at once; read_feed does it, because a refusal is an entry of the log.
    if asked["wait"] and may_read(context(), checked_type(record_type), purpose()):
        _await_news(record_type, asked["after"], asked["wait"])
        verify_again()
    page = read_feed(context(), record_type, asked["after"], asked["limit"], purpose())
    answer = Response(_lines(page), mimetype="application/x-ndjson")
    answer.headers[CURSOR_HEADER] = str(page.next)
    return answer


@blueprint.get("/feeds/<record_type>/stream")
@blueprint.arguments(StreamQuery, location="query")
@blueprint.response(200, _VERSION, content_type="application/x-ndjson", description="one Version a line")
@blueprint.doc(parameters=[PURPOSE_PARAMETER])
def stream(asked: dict[str, Any], record_type: str) -> Response:
    """整流 · Everything after a position to the feed's end in one answer; zstd or gzip if accepted.

    An answer that is cut off is gone on with from the last whole line's `seq`.
    """
    found = stream_feed(context(), _verified_again, record_type, asked["after"], purpose())
    coding = chosen(request.accept_encodings)
    answer = Response(
        stream_with_context(encoded(found.blocks, coding) if coding else found.blocks), mimetype="application/x-ndjson"
    )
    answer.headers[CURSOR_HEADER] = str(found.next)
    answer.vary.add("Accept-Encoding")
    if coding:
        answer.content_encoding = coding
    return answer


def _verified_again() -> Context:
    verify_again()
    return context()


def purpose() -> str | None:
    """The purpose the request names, or None."""
    return header_text(PURPOSE_HEADER) or None


def header_text(name: str) -> str:
    """A header's text: percent-encoded UTF-8, or the bytes of UTF-8 as some clients send them; "" if it is missing."""
    # WSGI gives the bytes of a header as Latin-1 (PEP 3333).
    raw = request.headers.get(name, "").encode("latin-1", "replace")
    return unquote_to_bytes(raw).decode("utf-8", "replace").strip()


def _await_news(record_type: str, after: int, seconds: int) -> None:
    """Return when the feed has gone past ``after`` or the time is over; at once if too many wait already."""
    made = services()
    if not made.waiting.acquire(blocking=False):
        return
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with made.store.read() as conn:
                if reading.last_position(conn, record_type) > after:
                    return
            time.sleep(_POLL_SECONDS)
    finally:
        made.waiting.release()


def _lines(page: Page) -> Iterator[bytes]:
    for start in range(0, len(page.versions), _LINES_PER_CHUNK):
        yield b"".join(line(version) + b"\n" for version in page.versions[start : start + _LINES_PER_CHUNK])


def _array(versions: Iterable[Version]) -> bytes:
    return b"[" + b",".join(map(line, versions)) + b"]"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
