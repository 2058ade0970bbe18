"""XML nodes: making them, looking around in them, reading their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

from aforo.csharp.runtime.converting import CONVERTERS
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    FormatException,
    InvalidOperationException,
)
from aforo.csharp.runtime.limits import nodes as charge
from aforo.csharp.runtime.limits import room, work
from aforo.csharp.runtime.xml_model import (
    XAttribute,
    XCData,
    XComment,
    XContainer,
    XDeclaration,
    XDocument,
    XDocumentType,
    XElement,
    XName,
    XNamespace,
    XNode,
    XObject,
    XProcessingInstruction,
    XText,
    add,
    clone,
    name_of,
    value_of,
    walk,
    xml_text,
)
from aforo.csharp.runtime.xml_read import read_document, read_element
from aforo.csharp.runtime.xml_write import XMLNS, prefix_of


class XmlNodeType(IntEnum):
    Nothing = 0  # `None` in C#
    Element = 1
    Attribute = 2
    Text = 3
    CDATA = 4
    EntityReference = 5
    Entity = 6
    ProcessingInstruction = 7
    Comment = 8
    Document = 9
    DocumentType = 10
    DocumentFragment = 11
    Notation = 12
    Whitespace = 13
    SignificantWhitespace = 14
    EndElement = 15
    EndEntity = 16
    XmlDeclaration = 17


_TYPES: dict[type, XmlNodeType] = {
    XElement: XmlNodeType.Element, XAttribute: XmlNodeType.Attribute, XText: XmlNodeType.Text,
    XCData: XmlNodeType.CDATA, XComment: XmlNodeType.Comment, XDocument: XmlNodeType.Document,
    XProcessingInstruction: XmlNodeType.ProcessingInstruction, XDocumentType: XmlNodeType.DocumentType,
}  # fmt: skip


def node_type(node: XObject) -> XmlNodeType:
    return _TYPES[type(node)]


# --- making -----------------------------------------------------------------------------------------------------------


def make_element(name: XName | None, content: Any = None) -> XElement:
    charge(1)
    made = XElement(name)
    add(made, content)
    return made


def copy_element(other: XElement | None) -> XElement:
    if other is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: other")
    copied = clone(other)
    assert isinstance(copied, XElement)
    return copied


def make_attribute(name: XName | None, value: Any) -> XAttribute:
    if name is None or value is None:
        raise ArgumentNullException(
            f"Value cannot be null.\r\nParameter name: {'name' if name is None else 'value'}"
        )
    charge(1)
    text = xml_text(value)
    room(len(text))
    return XAttribute(name, text)


def make_document(content: Any = None) -> XDocument:
    made = XDocument()
    for each in content or ():
        if isinstance(each, XDeclaration):
            made.declaration = each
        else:
            add(made, each)
    return made


def make_declared(declaration: XDeclaration | None, content: Any = None) -> XDocument:
    made = make_document(content)
    made.declaration = declaration
    return made


def parse_document(text: str | None, options: int = 0) -> XDocument:
    return read_document(text, bool(int(options) & 1))


def parse_element(text: str | None, options: int = 0) -> XElement:
    return read_element(text, bool(int(options) & 1))


# --- names ------------------------------------------------------------------------------------------------------------


def local_name(name: XName) -> str:
    return name.local


def namespace_name(name: XName) -> str:
    return name.space


def namespace_of(name: XName) -> XNamespace:
    return XNamespace(name.space)


def make_name(space: XNamespace, local: str | None) -> XName:
    if local is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: localName")
    return XName(name_of(local).local, space.name)


def name_from(local: str, space: str) -> XName:
    return XName(name_of(local).local, space)


def get_name(space: XNamespace, local: str) -> XName:
    return make_name(space, local)


# --- looking around ---------------------------------------------------------------------------------------------------


def _named(items: Any, name: XName | None, given: bool) -> list[Any]:
    if given and name is None:
        return []
    return [e for e in items if isinstance(e, XElement) and (not given or e.name == name)]


def child_nodes(container: XContainer) -> list[XNode]:
    work(len(container.nodes))
    return list(container.nodes)


def elements(container: XContainer) -> list[XElement]:
    return _named(child_nodes(container), None, False)


def elements_named(container: XContainer, name: XName | None) -> list[XElement]:
    return _named(child_nodes(container), name, True)


def element(container: XContainer, name: XName | None) -> XElement | None:
    work(1 + len(container.nodes))
    return next((e for e in container.nodes if isinstance(e, XElement) and e.name == name), None)


def descendant_nodes(container: XContainer) -> list[XNode]:
    return list(walk(container))


def descendants(container: XContainer) -> list[XElement]:
    return _named(walk(container), None, False)


def descendants_named(container: XContainer, name: XName | None) -> list[XElement]:
    return _named(walk(container), name, True)


def with_self(container: XElement) -> list[XElement]:
    return [container, *descendants(container)]


def with_self_named(container: XElement, name: XName | None) -> list[XElement]:
    return _named([container, *walk(container)], name, True)


def _up(node: XObject, start: Any) -> Iterator[XElement]:
    now: Any = start
    while isinstance(now, XElement):
        work(1)
        yield now
        now = now.parent
    del node


def ancestors(node: XNode) -> list[XElement]:
    return list(_up(node, node.parent))


def ancestors_named(node: XNode, name: XName | None) -> list[XElement]:
    return _named(_up(node, node.parent), name, True)


def self_and_ancestors(node: XElement) -> list[XElement]:
    return list(_up(node, node))


def self_and_ancestors_named(node: XElement, name: XName | None) -> list[XElement]:
    return _named(_up(node, node), name, True)


def parent(node: XObject) -> XElement | None:
    above = node.parent
    return above if isinstance(above, XElement) else None


def document_of(node: XObject) -> XDocument | None:
    now: Any = node
    while now is not None and not isinstance(now, XDocument):
        work(1)
        now = now.parent
    return now if isinstance(now, XDocument) else None


def root(document: XDocument) -> XElement | None:
    return next((n for n in document.nodes if isinstance(n, XElement)), None)


def first_node(container: XContainer) -> XNode | None:
    return container.nodes[0] if container.nodes else None


def last_node(container: XContainer) -> XNode | None:
    return container.nodes[-1] if container.nodes else None


def place(node: XNode) -> tuple[XContainer, int]:
    above = node.parent
    if above is None:
        raise InvalidOperationException("The parent is missing.")
    work(1 + (len(above.nodes) >> 3))
    return above, next(i for i, n in enumerate(above.nodes) if n is node)


def _beside(node: XNode, step: int) -> list[XNode]:
    if node.parent is None:
        return []
    above, at = place(node)
    work(len(above.nodes))
    return above.nodes[at + 1 :] if step > 0 else above.nodes[:at]


def nodes_after(node: XNode) -> list[XNode]:
    return _beside(node, 1)


def nodes_before(node: XNode) -> list[XNode]:
    return _beside(node, -1)


def elements_after(node: XNode) -> list[XElement]:
    return _named(_beside(node, 1), None, False)


def elements_before(node: XNode) -> list[XElement]:
    return _named(_beside(node, -1), None, False)


def elements_after_named(node: XNode, name: XName | None) -> list[XElement]:
    return _named(_beside(node, 1), name, True)


def elements_before_named(node: XNode, name: XName | None) -> list[XElement]:
    return _named(_beside(node, -1), name, True)


def next_node(node: XNode) -> XNode | None:
    return next(iter(_beside(node, 1)), None)


def previous_node(node: XNode) -> XNode | None:
    before = _beside(node, -1)
    return before[-1] if before else None


def has_elements(container: XElement) -> bool:
    return any(isinstance(n, XElement) for n in container.nodes)


def has_attributes(container: XElement) -> bool:
    return bool(container.attributes)


def is_empty(container: XElement) -> bool:
    return container.closed and not container.nodes


def attribute(container: XElement, name: XName | None) -> XAttribute | None:
    work(1 + len(container.attributes))
    return next((a for a in container.attributes if a.name == name), None)


def attributes(container: XElement) -> list[XAttribute]:
    work(len(container.attributes))
    return list(container.attributes)


def attributes_named(container: XElement, name: XName | None) -> list[XAttribute]:
    found = attribute(container, name)
    return [] if found is None else [found]


def _attribute_beside(item: XAttribute, step: int) -> XAttribute | None:
    owner = item.parent
    if not isinstance(owner, XElement):
        return None
    work(len(owner.attributes))
    at = next(i for i, a in enumerate(owner.attributes) if a is item) + step
    return owner.attributes[at] if 0 <= at < len(owner.attributes) else None


def next_attribute(item: XAttribute) -> XAttribute | None:
    return _attribute_beside(item, 1)


def previous_attribute(item: XAttribute) -> XAttribute | None:
    return _attribute_beside(item, -1)


def first_attribute(container: XElement) -> XAttribute | None:
    return container.attributes[0] if container.attributes else None


def last_attribute(container: XElement) -> XAttribute | None:
    return container.attributes[-1] if container.attributes else None


def is_declaration(item: XAttribute) -> bool:
    return item.name.space == XMLNS or (item.name.local == "xmlns" and not item.name.space)


def default_namespace(container: XElement) -> XNamespace:
    for each in _up(container, container):
        found = next((a for a in each.attributes if a.name.local == "xmlns" and not a.name.space), None)
        if found is not None:
            return XNamespace(found.value)
    return XNamespace("")


def namespace_of_prefix(container: XElement, prefix: str) -> XNamespace | None:
    for each in _up(container, container):
        found = next((a for a in each.attributes if a.name == XName(prefix, XMLNS)), None)
        if found is not None:
            return XNamespace(found.value)
    return None


def prefix_of_namespace(container: XElement, space: XNamespace) -> str | None:
    return prefix_of(container, space.name)


# --- equality, order, casts -------------------------------------------------------------------------------------------


def deep_equals(left: XNode | None, right: XNode | None) -> bool:
    if left is None or right is None:
        return left is right
    work(1)
    if type(left) is not type(right):
        return False
    if isinstance(left, XElement) and isinstance(right, XElement):
        same = left.name == right.name and [(a.name, a.value) for a in left.attributes] == [(a.name, a.value) for a in right.attributes]  # fmt: skip
        return same and _same_nodes(left, right)
    if isinstance(left, XDocument) and isinstance(right, XDocument):
        return _same_nodes(left, right)
    if isinstance(left, XProcessingInstruction) and isinstance(right, XProcessingInstruction):
        return (left.target, left.data) == (right.target, right.data)
    return value_of(left) == value_of(right)


def _same_nodes(left: XContainer, right: XContainer) -> bool:
    return len(left.nodes) == len(right.nodes) and all(map(deep_equals, left.nodes, right.nodes))


def _path(node: XObject) -> list[int]:
    out: list[int] = []
    now: Any = node
    while now.parent is not None:
        above, at = place(now)
        out.append(at)
        now = above
    return [id(now), *reversed(out)]


def document_order(left: XNode | None, right: XNode | None) -> int:
    if left is None or right is None or left is right:
        return int(left is not None) - int(right is not None)
    first, second = _path(left), _path(right)
    if first[0] != second[0]:
        raise InvalidOperationException("A common ancestor is missing.")
    return -1 if first < second else 1


def is_after(node: XNode, other: XNode | None) -> bool:
    return document_order(node, other) > 0


def is_before(node: XNode, other: XNode | None) -> bool:
    return document_order(node, other) < 0


def nodes_with_self(item: XElement) -> list[Any]:
    return [item, *descendant_nodes(item)]


def in_document_order(items: list[Any]) -> list[Any]:
    work(len(items) * 4)
    return sorted(items, key=_path)


def text_or_null(item: Any) -> str | None:
    return None if item is None else value_of(item)


def caster(name: str) -> Callable[[Any], Any]:
    """`(int)element`: as XML writes values."""
    convert = CONVERTERS[name]

    def cast(item: Any) -> Any:
        if item is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: element")
        text = value_of(item).strip(" \t\r\n")
        if name == "bool":
            known = {"1": True, "true": True, "0": False, "false": False}.get(text.lower())
            if known is None:
                raise FormatException(f"The string '{text}' is not a valid Boolean value.")
            return known
        if name in ("double", "float") and text in ("INF", "-INF"):
            return float(text.replace("INF", "inf"))
        try:
            return convert(text)
        except ArgumentException:
            raise FormatException from None

    cast.__qualname__ = f"xml_to_{name}"
    return cast


def caster_or_null(name: str) -> Callable[[Any], Any]:
    convert = caster(name)

    def cast(item: Any) -> Any:
        return None if item is None else convert(item)

    cast.__qualname__ = f"xml_to_{name}_or_null"
    return cast
