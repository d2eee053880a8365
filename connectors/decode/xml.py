"""XML answers: SOAP bodies and exchange messages, one element a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lxml import etree

from connectors.decode.shape import Table, from_rows, undecodable
from connectors.decode.xml_safe import local, parse_xml
from connectors.headings import unique_headings
from connectors.spec import SourceSpec


def read_xml(name: str, data: bytes, spec: SourceSpec) -> Table:
    """Read the row elements of a document; children are columns, nested ones ``a.b``, attributes ``@a``.

    Raises:
        Undecodable: not XML, has a document type, or has no element on the way to the rows.
    """
    decode, where = spec.decode, f"{spec.source} {name}"
    roots = [parse_xml(where, data)]
    if decode.inner:
        roots = [
            parse_xml(f"{where} <{decode.inner}>", (element.text or "").strip().encode())
            for element in _named(roots[0], decode.inner)
        ]
        if not roots:
            raise undecodable(where, f"没有元素 <{decode.inner}>。", f"there is no element <{decode.inner}>.")
    headings: dict[str, int] = {}
    rows: list[tuple[int, dict[int, str]]] = []
    for root in roots:
        for element in rows_of(root, decode.rows, decode.fold_case):
            cells: dict[int, str] = {}
            for heading, text in _leaves(element, decode.fold_case):
                cells[headings.setdefault(heading, len(headings))] = text
            rows.append((len(rows) + 1, {i: text for i, text in cells.items() if text}))
    return replace(from_rows(name, unique_headings(list(headings)), rows), whole=False)


def rows_of(root: etree._Element, path: str, fold_case: bool = False) -> Iterator[etree._Element]:
    """Elements whose own name and those of their parents end with ``path`` (``records/record``)."""
    wanted = [_fold(step, fold_case) for step in path.split("/")]
    for element in root.iter(etree.Element):
        if _fold(local(element), fold_case) == wanted[-1]:
            lineage = [_fold(local(parent), fold_case) for parent in element.iterancestors()]
            if lineage[: len(wanted) - 1] == wanted[-2::-1]:
                yield element


def _named(root: etree._Element, name: str) -> Iterator[etree._Element]:
    return (element for element in root.iter(etree.Element) if local(element) == name)


def _leaves(element: etree._Element, fold_case: bool, prefix: str = "") -> Iterator[tuple[str, str]]:
    for attribute, value in element.attrib.items():
        name = etree.QName(attribute)
        if not name.namespace:
            yield f"{prefix}@{_fold(name.localname, fold_case)}", str(value)
    counts: dict[str, int] = {}
    for child in element.iterchildren(etree.Element):
        plain = _fold(local(child), fold_case)
        counts[plain] = counts.get(plain, 0) + 1
        # A repeated element is another column, never a silent overwrite.
        heading = prefix + plain + (f" ({counts[plain]})" if counts[plain] > 1 else "")
        if len(child):
            yield from _leaves(child, fold_case, f"{heading}.")
        else:
            yield heading, child.text or ""
            yield from ((f"{heading}.{key}", value) for key, value in _leaves(child, fold_case) if key.startswith("@"))


def _fold(name: str, fold_case: bool) -> str:
    return name.upper() if fold_case else name
