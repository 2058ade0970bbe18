"""XmlDocument, XmlReader and XPath: what some policies read XML with. They stand on the nodes of System.Xml.Linq."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime import xml_change as change
from aforo.csharp.runtime import xml_edit as e
from aforo.csharp.runtime.exceptions import ArgumentNullException, InvalidOperationException, XmlException
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.runtime.readers import Reader, read_to_end
from aforo.csharp.runtime.xml_model import (
    XAttribute,
    XContainer,
    XDocument,
    XElement,
    XName,
    XNode,
    XObject,
    XText,
    add,
    clone,
    value_of,
    walk,
)
from aforo.csharp.runtime.xml_paths import element_only, elements_only, select, select_one
from aforo.csharp.runtime.xml_read import read_document
from aforo.csharp.runtime.xml_write import attribute_text, node_text, prefix_of
from aforo.csharp.types import TypeDecl, declare, member

_XML: Final = "System.Xml"


class DomDocument(Obj):
    """`XmlDocument`: holds a document, replaced by `LoadXml`."""

    __slots__ = ("parent", "tree")
    net_name = "System.Xml.XmlDocument"

    def __init__(self) -> None:
        self.tree = XDocument()
        self.parent = None


def _node(item: Any) -> Any:
    return item.tree if isinstance(item, DomDocument) else item


def load_xml(document: DomDocument, text: str | None) -> None:
    document.tree = read_document(text)


def document_element(document: DomDocument) -> XElement | None:
    return e.root(document.tree)


def qualified(item: Any) -> str:
    node = _node(item)
    name = getattr(node, "name", None)
    if isinstance(name, XName):
        owner = node if isinstance(node, XElement) else node.parent
        prefix = prefix_of(owner, name.space) if name.space and isinstance(owner, XElement) else None
        default = isinstance(node, XElement) and e.default_namespace(node).name == name.space
        return f"{prefix}:{name.local}" if prefix and not default else name.local
    if isinstance(node, XDocument):
        return "#document"
    return {"Text": "#text", "CDATA": "#cdata-section", "Comment": "#comment"}.get(e.node_type(node).name, "")


def local_name(item: Any) -> str:
    name = getattr(_node(item), "name", None)
    return name.local if isinstance(name, XName) else qualified(item)


def namespace_uri(item: Any) -> str:
    name = getattr(_node(item), "name", None)
    return name.space if isinstance(name, XName) else ""


def inner_text(item: Any) -> str:
    node = _node(item)
    if isinstance(node, XDocument):
        root = e.root(node)
        return value_of(root) if root is not None else ""
    return value_of(node)


def set_inner_text(item: Any, text: str | None) -> None:
    change.set_value(_node(item), text or "")


def node_value(item: Any) -> str | None:
    node = _node(item)
    return None if isinstance(node, XContainer) else value_of(node)


def outer_xml(item: Any) -> str:
    node = _node(item)
    if isinstance(node, XAttribute):
        return attribute_text(node)
    text = node_text(node, 1)
    if isinstance(node, XDocument) and node.declaration is not None:
        return node.declaration.text() + text
    return text


def inner_xml(item: Any) -> str:
    node = _node(item)
    if not isinstance(node, XContainer):
        return value_of(node)
    return "".join(node_text(n, 1) for n in node.nodes)


def child_nodes(item: Any) -> list[Any]:
    node = _node(item)
    return e.child_nodes(node) if isinstance(node, XContainer) else []


def attributes(item: Any) -> list[Any] | None:
    node = _node(item)
    return e.attributes(node) if isinstance(node, XElement) else None


def attribute_named(items: list[Any], name: str | None) -> Any:
    return next((a for a in items if qualified(a) == name), None)


def get_attribute(item: Any, name: str) -> str:
    found = attribute_named(attributes(item) or [], name)
    return found.value if found is not None else ""


def set_attribute(item: XElement, name: str, value: str | None) -> None:
    from aforo.csharp.runtime.xml_model import name_of

    change.set_attribute(item, name_of(name), value or "")


def has_attribute(item: Any, name: str) -> bool:
    return attribute_named(attributes(item) or [], name) is not None


def first_child(item: Any) -> Any:
    return next(iter(child_nodes(item)), None)


def last_child(item: Any) -> Any:
    return next(reversed(child_nodes(item)), None)


def has_children(item: Any) -> bool:
    return bool(child_nodes(item))


def child_named(item: Any, name: str | None) -> Any:
    return next((n for n in child_nodes(item) if isinstance(n, XElement) and qualified(n) == name), None)


def parent_node(item: XObject) -> Any:
    return item.parent


def by_tag(item: Any, name: str | None) -> list[Any]:
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: name")
    below = [n for n in walk(_node(item)) if isinstance(n, XElement)]
    return below if name == "*" else [n for n in below if qualified(n) == name]


def select_nodes(item: Any, path: str | None) -> list[Any]:
    return select(_node(item), path)


def select_single(item: Any, path: str | None) -> Any:
    return select_one(_node(item), path)


def remove_child(_item: Any, child: XNode) -> XNode:
    change.remove(child)
    return child


def append_child(item: Any, child: XNode) -> XNode:
    node = _node(item)
    if child.parent is not None:
        change.remove(child)
    add(node, child)
    return child


def create_element(_document: DomDocument, name: str) -> XElement:
    from aforo.csharp.runtime.xml_model import name_of

    return XElement(name_of(name))


def create_text(_document: DomDocument, text: str | None) -> XText:
    return XText(text or "")


def item_at(items: list[Any], index: int) -> Any:
    return items[index] if 0 <= index < len(items) else None


# --- XmlReader --------------------------------------------------------------------------------------------------------


class XmlReader(Obj):
    """A cursor over the nodes of a text that was read in one go: (node, whether it is its end, depth)."""

    __slots__ = ("at", "events")
    net_name = "System.Xml.XmlReader"

    def __init__(self, document: XDocument) -> None:
        self.events: list[tuple[XNode, bool, int]] = []
        stack: list[tuple[XNode, bool]] = [(n, False) for n in reversed(document.nodes)]
        depth = 0
        while stack:
            node, ends = stack.pop()
            work(1)
            if ends:
                depth -= 1
                self.events.append((node, True, depth))
                continue
            self.events.append((node, False, depth))
            if isinstance(node, XElement) and not e.is_empty(node):
                depth += 1
                stack.append((node, True))
                stack.extend((n, False) for n in reversed(node.nodes))
        self.at = -1

    @property
    def now(self) -> tuple[XNode, bool, int] | None:
        return self.events[self.at] if 0 <= self.at < len(self.events) else None


def create_reader(source: Reader | None) -> XmlReader:
    if source is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: input")
    return XmlReader(read_document(read_to_end(source)))


def reader_read(reader: XmlReader) -> bool:
    work(1)
    reader.at = min(reader.at + 1, len(reader.events))
    return reader.now is not None


def move_to_content(reader: XmlReader) -> e.XmlNodeType:
    if reader.at < 0:
        reader.at = 0
    while (now := reader.now) is not None and not isinstance(now[0], (XElement, XText)):
        reader_read(reader)
    return reader_type(reader)


def reader_type(reader: XmlReader) -> e.XmlNodeType:
    now = reader.now
    if now is None:
        return e.XmlNodeType.Nothing
    return e.XmlNodeType.EndElement if now[1] else e.node_type(now[0])


def _current(reader: XmlReader) -> Any:
    return reader.now[0] if reader.now is not None else None


def reader_name(reader: XmlReader) -> str:
    node = _current(reader)
    return qualified(node) if isinstance(node, XElement) else ""


def reader_local(reader: XmlReader) -> str:
    node = _current(reader)
    return node.name.local if isinstance(node, XElement) else ""


def reader_space(reader: XmlReader) -> str:
    node = _current(reader)
    return node.name.space if isinstance(node, XElement) else ""


def reader_value(reader: XmlReader) -> str:
    node = _current(reader)
    return value_of(node) if node is not None and not isinstance(node, XContainer) else ""


def reader_depth(reader: XmlReader) -> int:
    return reader.now[2] if reader.now is not None else 0


def reader_empty(reader: XmlReader) -> bool:
    node = _current(reader)
    return isinstance(node, XElement) and e.is_empty(node)


def reader_ended(reader: XmlReader) -> bool:
    return reader.at >= len(reader.events)


def reader_attribute(reader: XmlReader, name: str | None) -> str | None:
    found = (
        attribute_named(attributes(_current(reader)) or [], name) if _current(reader) is not None else None
    )
    return found.value if found is not None else None


def reader_has_attributes(reader: XmlReader) -> bool:
    return bool(attributes(_current(reader))) if _current(reader) is not None else False


def _skip(reader: XmlReader) -> Any:
    """Behind the node that the cursor is at."""
    now = reader.now
    if now is None:
        return None
    node = now[0]
    if isinstance(node, XElement) and not now[1] and not e.is_empty(node):
        while reader.now is not None and not (reader.now[0] is node and reader.now[1]):
            reader_read(reader)
    reader_read(reader)
    return node


def reader_skip(reader: XmlReader) -> None:
    _skip(reader)


def reader_outer(reader: XmlReader) -> str:
    node = _skip(reader)
    return node_text(node, 1) if node is not None else ""


def reader_inner(reader: XmlReader) -> str:
    node = _skip(reader)
    return inner_xml(node) if isinstance(node, XElement) else ""


def reader_text(reader: XmlReader) -> str:
    """`ReadElementContentAsString`"""
    node = _current(reader)
    if not isinstance(node, XElement):
        raise InvalidOperationException(
            "The ReadElementContentAsString method is not supported on this node type."
        )
    if e.has_elements(node):
        raise XmlException(
            "ReadElementContentAsString cannot be called on an element that has child elements."
        )
    _skip(reader)
    return value_of(node)


def to_following(reader: XmlReader, name: str) -> bool:
    while reader_read(reader):
        if reader_type(reader) is e.XmlNodeType.Element and reader_name(reader) == name:
            return True
    return False


def read_from(reader: XmlReader | None) -> XNode:
    """`XNode.ReadFrom`: the node at the cursor, which moves behind it."""
    if reader is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: reader")
    if reader.now is None:
        raise InvalidOperationException("The XmlReader state should be Interactive.")
    return clone(_skip(reader))


def dispose(_reader: XmlReader) -> None:
    """Nothing is held."""


_NODES: Final = (
    member("string Name", qualified),
    member("string LocalName", local_name),
    member("string NamespaceURI", namespace_uri),
    member("string InnerText", inner_text, store=set_inner_text),
    member("string InnerXml", inner_xml),
    member("string OuterXml", outer_xml),
    member("string? Value", node_value, store=set_inner_text),
    member("XmlNodeList ChildNodes", child_nodes),
    member("XmlAttributeCollection? Attributes", attributes),
    member("XmlNode? FirstChild", first_child),
    member("XmlNode? LastChild", last_child),
    member("bool HasChildNodes", has_children),
    member("XmlNode? ParentNode", parent_node),
    member("XmlElement? this[string name]", child_named),
    member("XmlNode? SelectSingleNode(string xpath)", select_single),
    member("XmlNodeList SelectNodes(string xpath)", select_nodes),
    member("XmlNode AppendChild(XmlNode newChild)", append_child),
    member("XmlNode RemoveChild(XmlNode oldChild)", remove_child),
)

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare("XmlNode", *_NODES, namespace=_XML, python=(XObject, DomDocument)),
    declare(
        "XmlElement",
        member("string GetAttribute(string name)", get_attribute),
        member("void SetAttribute(string name, string value)", set_attribute),
        member("bool HasAttribute(string name)", has_attribute),
        member("XmlNodeList GetElementsByTagName(string name)", by_tag),
        namespace=_XML,
        bases=("XmlNode",),
        python=XElement,
    ),
    declare("XmlAttribute", namespace=_XML, bases=("XmlNode",), python=XAttribute),
    declare("XmlText", namespace=_XML, bases=("XmlNode",), python=XText),
    declare(
        "XmlDocument",
        member("new()", DomDocument),
        member("void LoadXml(string xml)", load_xml),
        member("XmlElement? DocumentElement", document_element),
        member("XmlNodeList GetElementsByTagName(string name)", by_tag),
        member("XmlElement CreateElement(string name)", create_element),
        member("XmlText CreateTextNode(string text)", create_text),
        namespace=_XML,
        bases=("XmlNode",),
        python=DomDocument,
    ),
    declare(
        "XmlNodeList",
        member("int Count", len),
        member("XmlNode? this[int i]", item_at),
        member("XmlNode? Item(int index)", item_at),
        namespace=_XML,
        bases=("IEnumerable<XmlNode>",),
        python=list,
    ),
    declare(
        "XmlAttributeCollection",
        member("int Count", len),
        member("XmlAttribute? this[int i]", item_at),
        member("XmlAttribute? this[string name]", attribute_named),
        member("XmlAttribute? GetNamedItem(string name)", attribute_named),
        namespace=_XML,
        bases=("IEnumerable<XmlAttribute>",),
        python=list,
    ),
    declare(
        "XmlReader",
        member("static XmlReader Create(TextReader input)", create_reader),
        member("bool Read()", reader_read),
        member("XmlNodeType MoveToContent()", move_to_content),
        member("bool ReadToFollowing(string name)", to_following),
        member("void Skip()", reader_skip),
        member("string ReadOuterXml()", reader_outer),
        member("string ReadInnerXml()", reader_inner),
        member("string ReadElementContentAsString()", reader_text),
        member("string? GetAttribute(string name)", reader_attribute),
        member("XmlNodeType NodeType", reader_type),
        member("string Name", reader_name),
        member("string LocalName", reader_local),
        member("string NamespaceURI", reader_space),
        member("string Value", reader_value),
        member("int Depth", reader_depth),
        member("bool IsEmptyElement", reader_empty),
        member("bool HasAttributes", reader_has_attributes),
        member("bool EOF", reader_ended),
        member("void Close()", dispose),
        member("void Dispose()", dispose),
        namespace=_XML,
        bases=("IDisposable",),
        python=XmlReader,
    ),
    declare(
        "XPathExtensions",
        member("static XElement? XPathSelectElement(this XNode node, string expression)", element_only),
        member("static IEnumerable<XElement> XPathSelectElements(this XNode node, string expression)", elements_only),
        namespace="System.Xml.XPath",
        kind="static",
    ),
)  # fmt: skip
