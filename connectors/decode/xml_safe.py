"""Parsing XML from outside: no document type, no entities, no network, libxml2's size limits kept."""

from __future__ import annotations

from typing import Any

from lxml import etree

from connectors.decode.shape import undecodable


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
        raise undecodable(
            where,
            "XML 含有文档类型声明（DTD），可能引用外部实体或实体膨胀，已拒绝。",
            "the XML has a document type declaration, which could reach external entities or expand without end; "
            "refused.",
            doctype=target.found,
        ) from error
    return root


def local(element: etree._Element) -> str:
    """Name of an element without its namespace; agencies' prefixes and namespaces change, names do not."""
    return etree.QName(element).localname
