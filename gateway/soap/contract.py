"""The contract of the SOAP face: its WSDL and XSD, and the check that a message keeps it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from lxml import etree

NAMESPACE = "urn:xinqiao:gateway:v1"
FOLDER = Path(__file__).parent / "wsdl"
WSDL, XSD = "xinqiao.wsdl", "xinqiao.xsd"

WRITTEN_ADDRESS = b"https://localhost:8443/soap"
"""Where the WSDL as written says the service is; it is served with the address it was asked at."""

# libxml2 keeps the errors of the last validation inside the schema, so every thread has its own.
_local = threading.local()


def make(name: str, /, *parts: str | etree._Element, **attributes: str) -> etree._Element:
    """An element of the contract: its text, or its children in order."""
    namespaces = {None: NAMESPACE}
    element = etree.Element(f"{{{NAMESPACE}}}{name}", attributes, nsmap=namespaces)  # type: ignore[arg-type]  # None means default
    for part in parts:
        if isinstance(part, str):
            element.text = part
        else:
            element.append(part)
    return element


def problems(element: etree._Element) -> list[str]:
    """What the XSD says against an element, at most 20 lines; empty if it keeps the contract."""
    schema = _schema()
    if schema.validate(element):
        return []
    # Messages quote the offending value, which may be a whole file; libxml2 drops a message that is too long.
    log = cast("Iterable[etree._LogEntry]", schema.error_log)
    found = [f"line {error.line}: {error.message[:300]}" for error in log][:20]
    return found or ["a value does not fit its type (too long to be quoted)"]


def document(name: str, address: str) -> bytes:
    """A file of the contract, naming the address at which the service is reached now.

    Args:
        name: ``WSDL`` or ``XSD``.
        address: of the service, e.g. ``https://gateway.example:8443/soap``.
    """
    raw = (FOLDER / name).read_bytes().replace(WRITTEN_ADDRESS, address.encode())
    return raw.replace(b'schemaLocation="xinqiao.xsd"', f'schemaLocation="{address}/{XSD}"'.encode())


def _schema() -> etree.XMLSchema:
    if not hasattr(_local, "schema"):
        _local.schema = etree.XMLSchema(etree.parse(str(FOLDER / XSD)))
    schema: etree.XMLSchema = _local.schema
    return schema
