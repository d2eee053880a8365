"""XML answers: SOAP bodies and exchange messages, one element a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from lxml import etree

from connectors.decode.shape import Table, page_tables, undecodable
from connectors.decode.xml_safe import elements, local, parse_xml
from connectors.spec import SourceSpec


def read_xml(name: str, file: IO[bytes], spec: SourceSpec, rows: int) -> Iterator[Table]:
    """Read the row elements of a document, in tables of about ``rows`` rows.

    Children are columns, nested ones ``a.b``, attributes ``@a``.

    Raises:
        Undecodable: not XML, has a document type, or has no element on the way to the rows.
    """
    where = f"{spec.source} {name}"
    headings: dict[str, int] = {}
    cells = ((line, _cells(leaves, headings)) for line, leaves in enumerate(_rows(where, file, spec), 1))
    return page_tables(name, cells, headings, rows)


def _rows(where: str, file: IO[bytes], spec: SourceSpec) -> Iterator[list[tuple[str, str]]]:
    """The leaves of each row; the row itself is forgotten, or a document of millions would fill the memory."""
    decode = spec.decode
    if not decode.inner:
        wanted = decode.rows.split("/")
        for outermost in elements(where, file, lambda lineage: _ends_with(lineage, wanted, decode.fold_case)):
            for row in rows_of(outermost, decode.rows, decode.fold_case):
                yield list(_leaves(row, decode.fold_case))
        return
    count = 0
    for holder in elements(where, file, lambda lineage: lineage[-1] == decode.inner):
        for element in _named(holder, decode.inner):
            count += 1
            document = parse_xml(f"{where} <{decode.inner}>", (element.text or "").strip().encode())
            for row in rows_of(document, decode.rows, decode.fold_case):
                yield list(_leaves(row, decode.fold_case))
    if not count:
        raise undecodable(where, f"没有元素 <{decode.inner}>。", f"there is no element <{decode.inner}>.")


def _ends_with(lineage: list[str], wanted: list[str], fold_case: bool) -> bool:
    tail = lineage[-len(wanted) :]
    return len(tail) == len(wanted) and all(
        _fold(name, fold_case) == _fold(step, fold_case) for name, step in zip(tail, wanted, strict=True)
    )


def _cells(leaves: list[tuple[str, str]], headings: dict[str, int]) -> dict[int, str]:
    cells = {headings.setdefault(heading, len(headings)): text for heading, text in leaves}
    return {index: text for index, text in cells.items() if text}


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
        # One of a namespace says how to read the document, not what the record says.
        name = str(attribute)
        if not name.startswith("{"):
            yield f"{prefix}@{_fold(name, fold_case)}", str(value)
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
