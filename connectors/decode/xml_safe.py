"""Parsing XML from outside: no document type, no entities, no network, libxml2's size limits kept."""

from __future__ import annotations

from lxml import etree

from connectors.decode.shape import undecodable


class _NoDoctype(etree.TreeBuilder):
    """Builds the tree, and stops at a document type before any entity in it could be used."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise _DoctypeFoundError(name)


class _DoctypeFoundError(Exception):
    pass


def parse_xml(where: str, data: bytes) -> etree._Element:
    """The root element of a document.

    Raises:
        Undecodable: not well-formed, or it has a document type (external entities, entity expansion).
    """
    parser = etree.XMLParser(
        target=_NoDoctype(), resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except _DoctypeFoundError as error:
        raise undecodable(
            where,
            "XML 含有文档类型声明（DTD），可能引用外部实体或实体膨胀，已拒绝。",
            "the XML has a document type declaration, which could reach external entities or expand without end; "
            "refused.",
            doctype=str(error),
        ) from error
    except etree.XMLSyntaxError as error:
        raise undecodable(where, f"不是格式良好的 XML：{error.msg}。", f"not well-formed XML: {error.msg}.") from error
    return root


def local(element: etree._Element) -> str:
    """Name of an element without its namespace; agencies' prefixes and namespaces change, names do not."""
    return etree.QName(element).localname
