"""The three verbs of the SOAP face: element in, use case, element out. No rule of its own lives here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Iterable, Mapping

from lxml import etree

from certs.signed.soap import SECURITY
from gateway.access.context import Context
from gateway.access.errors import Invalid
from gateway.access.reads import read_entity, read_feed
from gateway.access.uploads import Upload, deliver_upload
from gateway.soap.contract import NAMESPACE, make
from gateway.soap.envelope import xml_text
from gateway.soap.security import of_message
from gateway.store.reading import Version

_COUNTS = ("accepted", "rejected", "unresolved", "new", "changed", "unchanged", "withdrawn")


def deliver(asked: etree._Element, context: Context) -> etree._Element:
    """Hand over one file; the same use case as ``POST /v1/sources/{source}/deliveries``."""
    upload = Upload(
        source=_text(asked, "source"),
        name=_text(asked, "fileName"),
        media_type=_text(asked, "mediaType"),
        chunks=[_bytes(_text(asked, "content"))],
        signature=of_message(asked, context),
    )
    receipt = deliver_upload(context, upload).receipt
    return make(
        "deliverResponse",
        make("deliveryId", str(receipt["delivery_id"])),
        make("source", upload.source),
        *(make(name, str(receipt[name])) for name in _COUNTS),
        make("receipt", xml_text(json.dumps(receipt, ensure_ascii=False, sort_keys=True))),
    )


def entity(asked: etree._Element, context: Context) -> etree._Element:
    """The joined picture of one entity; the same use case as ``GET /v1/entities/{uscc}``."""
    picture = read_entity(context, _text(asked, "uscc"), _text(asked, "purpose"))
    return make(
        "entityResponse",
        make("uscc", picture.uscc),
        *([make("name", xml_text(picture.name))] if picture.name is not None else []),
        *(_record(name, version) for name, versions in picture.records.items() for version in versions),
        *(make("notGranted", name) for name in picture.not_granted),
    )


def feed(asked: etree._Element, context: Context) -> etree._Element:
    """What changed after a position; the same use case as ``GET /v1/feeds/{type}``."""
    record_type = _text(asked, "recordType")
    page = read_feed(
        context,
        record_type,
        after=int(_text(asked, "after") or 0),
        limit=int(_text(asked, "limit") or 1000),
        purpose=_text(asked, "purpose"),
    )
    return make(
        "feedResponse",
        make("recordType", record_type),
        make("next", str(page.next)),
        *(_record(record_type, version) for version in page.versions),
    )


OPERATIONS: Mapping[str, Callable[[etree._Element, Context], etree._Element]] = {
    f"{{{NAMESPACE}}}{verb.__name__}": verb for verb in (deliver, entity, feed)
}


UNDERSTOOD: Mapping[str, Collection[str]] = {f"{{{NAMESPACE}}}{deliver.__name__}": (SECURITY,)}
"""Element in the Body -> header blocks that its operation acts upon."""


def _text(asked: etree._Element, name: str) -> str:
    # The XSD has said that what must be there is there; what may be missing reads as empty.
    return asked.findtext(f"{{{NAMESPACE}}}{name}", default="").strip()


def _bytes(text: str) -> bytes:
    # libxml2's base64Binary passes over characters that are none; a damaged file must not land.
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise Invalid(
            f"content 不是 Base64：{error}。", f"content is not Base64: {error}.", problems={"content": str(error)}
        ) from error


def _record(record_type: str, version: Version) -> etree._Element:
    return make(
        "record",
        make("recordType", record_type),
        make("recordKey", version.record_key),
        make("seq", str(version.seq)),
        make("version", str(version.version)),
        make("operation", version.op),
        *([make("uscc", version.uscc)] if version.uscc is not None else []),
        make("source", version.source),
        make("landedAt", version.landed_at),
        *_fields(json.loads(version.payload)),
    )


def _fields(record: Mapping[str, object]) -> Iterable[etree._Element]:
    for name, value in record.items():
        yield make("field", xml_text(_plain(value)), name=name)


def _plain(value: object) -> str:
    # XML Schema writes booleans in lower case; everything else in a payload is text or a whole number.
    return str(value).lower() if isinstance(value, bool) else str(value)
