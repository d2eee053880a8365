"""Parsing XML from outside: no document type, no entities, no network, libxml2's size limits kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any

from lxml import etree

from connectors.decode.shape import too_long, undecodable
from connectors.errors import Undecodable

MAX_PARTS = 100_000
"""Elements inside one record; the widest met has some hundred."""


class _NoDoctype(etree.TreeBuilder):
    """Builds the tree, and stops at a document type before any entity in it could be used."""

    found: str | None = None

    def start(self, tag: Any, attrib: Any, nsmap: Any = None) -> Any:
        """The parser names the default namespace "", the builder wants None."""
        build: Any = super().start  # the stubs do not know that lxml passes nsmap
        return build(tag, attrib, {prefix or None: uri for prefix, uri in (nsmap or {}).items()})

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        self.found = name
        raise _DoctypeFoundError(name)


class _DoctypeFoundError(Exception):
    pass


def parse_xml(where: str, data: bytes) -> etree._Element:
    """The root element of a document.

    Raises:
        Undecodable: not well-formed, or it has a document type (external entities, entity expansion).
    """
    target = _NoDoctype()
    parser = etree.XMLParser(target=target, resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (_DoctypeFoundError, etree.XMLSyntaxError) as error:
        if target.found is None:
            raise undecodable(where, f"不是格式良好的 XML：{error}。", f"not well-formed XML: {error}.") from error
        # The parser closes the unfinished tree on its way out and complains of that instead of the document type.
        raise _doctype_found(where, target.found) from error
    return root


def _doctype_found(where: str, doctype: str) -> Undecodable:
    return undecodable(
        where,
        "XML 含有文档类型声明（DTD），可能引用外部实体或实体膨胀，已拒绝。",
        "the XML has a document type declaration, which could reach external entities or expand without end; refused.",
        doctype=doctype,
    )


def elements(where: str, file: IO[bytes], is_wanted: Callable[[list[str]], bool]) -> Iterator[etree._Element]:
    """The outermost wanted elements of a document of any length, each whole and still below its parents.

    Everything before an element is forgotten, and so is the element itself when the next one is asked for.

    Args:
        where: source and part, for messages.
        file: the document.
        is_wanted: told by the local names from the root down to the element.

    Raises:
        Undecodable: not well-formed, it has a document type, or an element of more parts than any record has;
            perhaps only after the last element.
    """
    lineage: list[str] = []
    wanted: etree._Element | None = None
    inside = 0
    parser = etree.iterparse(
        file, events=("start", "end"), resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    try:
        for event, element in parser:
            if event == "start":
                if not lineage:
                    _demand_no_doctype(where, element)
                lineage.append(local(element))
                inside += 1
                if wanted is None and is_wanted(lineage):
                    wanted, inside = element, 0
                elif inside > MAX_PARTS and wanted is not None:
                    raise too_long(where, element.sourceline or 1)
                continue
            lineage.pop()
            if element is wanted:
                yield wanted
                wanted = None
            if wanted is None and lineage:
                _forget(element)
    except etree.XMLSyntaxError as error:
        raise undecodable(where, f"不是格式良好的 XML：{error}。", f"not well-formed XML: {error}.") from error


def _demand_no_doctype(where: str, root: etree._Element) -> None:
    """The first element begins after the document type and before any entity could be used in it."""
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None:
        raise _doctype_found(where, str(declared.name))  # type: ignore[attr-defined]  # the stubs leave it out


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def local(element: etree._Element) -> str:
    """Name of an element without its namespace; agencies' prefixes and namespaces change, names do not."""
    # Not by QName, which refuses what the parser has let through: a namespace with a brace in it.
    return str(element.tag).rpartition("}")[2]
