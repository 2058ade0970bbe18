"""The nodes of System.Xml.Linq: names, elements, attributes, texts. Each knows its parent; one with a parent is copied
when it is put elsewhere. Every node, name and text is charged before it is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from aforo.csharp.runtime.dates import DateTime, DateTimeOffset
from aforo.csharp.runtime.exceptions import ArgumentException, ArgumentNullException, XmlException
from aforo.csharp.runtime.limits import count, nodes, room, work
from aforo.csharp.runtime.objects import Obj, to_string
from aforo.csharp.runtime.xml_members import of_node
from aforo.csharp.runtime.xml_write import attribute_text, node_text

_NAME: Final = re.compile(r"[^\W\d][\w.\-·]*\Z")


class XName(Obj):
    __slots__ = ("local", "space")
    net_name = "System.Xml.Linq.XName"

    def __init__(self, local: str, space: str = "") -> None:
        self.local = local
        self.space = space

    def text(self, _spec: str | None = None) -> str:
        return f"{{{self.space}}}{self.local}" if self.space else self.local

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XName) and self.local == other.local and self.space == other.space

    def __hash__(self) -> int:
        return hash((self.local, self.space))


class XNamespace(Obj):
    __slots__ = ("name",)
    net_name = "System.Xml.Linq.XNamespace"

    def __init__(self, name: str | None) -> None:
        if name is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: namespaceName")
        self.name = name

    def text(self, _spec: str | None = None) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XNamespace) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def checked_name(local: str) -> str:
    """A name without a colon that XML allows."""
    if not local:
        raise XmlException("The empty string '' is not a valid local name.")
    if _NAME.match(local) is None:
        wrong = next((c for i, c in enumerate(local) if not _NAME.match("a" * (i > 0) + c)), local[0])
        start = "Name cannot begin with" if wrong == local[0] else "The"
        rest = "character" if wrong == local[0] else ""
        shown = f"the '{wrong}' {rest}" if rest else f"'{wrong}' character"
        tail = "" if rest else " cannot be included in a name"
        raise XmlException(
            f"{start} {shown}, hexadecimal value 0x{ord(wrong):02X}{',' if tail else ''}{tail}."
        )
    return local


@lru_cache(maxsize=512)
def name_of(text: str | None) -> XName:
    """`{namespace}local` or `local`."""
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: expandedName")
    if text.startswith("{"):
        space, brace, local = text[1:].rpartition("}")
        if not brace or not local:
            raise ArgumentException(f"'{text}' is an invalid expanded name.\r\nParameter name: expandedName")
        return XName(checked_name(local), space)
    return XName(checked_name(text))


class XObject(Obj):
    __slots__ = ("parent",)
    net_name = "System.Xml.Linq.XObject"
    kind = ""
    parent: XContainer | None


class XAttribute(XObject):
    __slots__ = ("name", "value")
    net_name = "System.Xml.Linq.XAttribute"
    kind = "attribute"

    def __init__(self, name: XName, value: str) -> None:
        self.name = name
        self.value = value
        self.parent = None

    def text(self, _spec: str | None = None) -> str:
        return attribute_text(self)


class XNode(XObject):
    __slots__ = ()
    net_name = "System.Xml.Linq.XNode"

    def text(self, _spec: str | None = None) -> str:
        return node_text(self)


class XText(XNode):
    __slots__ = ("value",)
    net_name = "System.Xml.Linq.XText"
    kind = "text"

    def __init__(self, value: str | None) -> None:
        if value is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
        self.value = value
        self.parent = None


class XCData(XText):
    __slots__ = ()
    net_name = "System.Xml.Linq.XCData"
    kind = "cdata"


class XComment(XNode):
    __slots__ = ("value",)
    net_name = "System.Xml.Linq.XComment"
    kind = "comment"

    def __init__(self, value: str | None) -> None:
        if value is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
        self.value = value
        self.parent = None


class XProcessingInstruction(XNode):
    __slots__ = ("data", "target")
    net_name = "System.Xml.Linq.XProcessingInstruction"
    kind = "instruction"

    def __init__(self, target: str, data: str | None) -> None:
        if data is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: data")
        self.target = checked_name(target)
        self.data = data
        self.parent = None


class XDocumentType(XNode):
    __slots__ = ("name", "public", "subset", "system")
    net_name = "System.Xml.Linq.XDocumentType"
    kind = "doctype"

    def __init__(self, name: str, public: str | None, system: str | None, subset: str | None) -> None:
        self.name = checked_name(name)
        self.public = public
        self.system = system
        self.subset = subset
        self.parent = None


class XDeclaration(Obj):
    __slots__ = ("encoding", "standalone", "version")
    net_name = "System.Xml.Linq.XDeclaration"

    def __init__(self, version: str | None, encoding: str | None, standalone: str | None) -> None:
        self.version = version
        self.encoding = encoding
        self.standalone = standalone

    def text(self, _spec: str | None = None) -> str:
        parts = (("version", self.version), ("encoding", self.encoding), ("standalone", self.standalone))
        return "<?xml" + "".join(f' {n}="{v}"' for n, v in parts if v is not None) + "?>"


class XContainer(XNode):
    __slots__ = ("nodes",)
    net_name = "System.Xml.Linq.XContainer"

    def __init__(self) -> None:
        self.nodes: list[XNode] = []
        self.parent = None

    def json_members(self) -> Any:
        return of_node(self)


class XElement(XContainer):
    """`closed` says that it was empty in its text (`<a/>`), or made without content."""

    __slots__ = ("attributes", "closed", "name")
    net_name = "System.Xml.Linq.XElement"
    kind = "element"

    def __init__(self, name: XName | None) -> None:
        if name is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: name")
        super().__init__()
        self.name = name
        self.attributes: list[XAttribute] = []
        self.closed = True


class XDocument(XContainer):
    __slots__ = ("declaration",)
    net_name = "System.Xml.Linq.XDocument"
    kind = "document"

    def __init__(self) -> None:
        super().__init__()
        self.declaration: XDeclaration | None = None


# --- copies, content --------------------------------------------------------------------------------------------------


def clone(node: XNode) -> XNode:
    """A deep copy without a parent."""
    nodes(1)
    if isinstance(node, XElement):
        made = XElement(node.name)
        made.closed = node.closed
        _copy_attributes(node, made)
        _copy_nodes(node, made)
        return made
    if isinstance(node, XDocument):
        document = XDocument()
        document.declaration = node.declaration
        _copy_nodes(node, document)
        return document
    if isinstance(node, XProcessingInstruction):
        return XProcessingInstruction(node.target, node.data)
    if isinstance(node, XDocumentType):
        return XDocumentType(node.name, node.public, node.system, node.subset)
    assert isinstance(node, (XText, XComment))
    room(len(node.value))
    return type(node)(node.value)


def _copy_attributes(source: XElement, target: XElement) -> None:
    nodes(len(source.attributes))
    for each in source.attributes:
        room(len(each.value))
        copied = XAttribute(each.name, each.value)
        copied.parent = target
        target.attributes.append(copied)


def _copy_nodes(source: XContainer, target: XContainer) -> None:
    for each in source.nodes:
        copied = clone(each)
        copied.parent = target
        target.nodes.append(copied)


def xml_text(value: Any) -> str:
    """A value as content: `true`, dates in ISO form, numbers as XML Schema writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (DateTime, DateTimeOffset)):
        return value.text("yyyy-MM-ddTHH:mm:ss.FFFFFFFK")
    if isinstance(value, float):
        known = {"Infinity": "INF", "-Infinity": "-INF"}
        return known.get(to_string(value), to_string(value))
    return to_string(value)


def flat(content: Any) -> Iterator[Any]:
    """Content, its sequences opened, null left out."""
    work(1)
    if content is None:
        return
    if isinstance(content, (list, tuple)):
        for each in content:
            yield from flat(each)
    else:
        yield content


def add(target: XContainer, content: Any, at: int | None = None) -> None:
    """`Add(content)`; with `at`, before the node at that place."""
    for each in flat(content):
        if isinstance(each, XAttribute):
            _add_attribute(target, each)
            continue
        if isinstance(each, XNode):
            node = clone(each) if each.parent is not None or _holds(each, target) else each
            if isinstance(node, XDocument):
                raise ArgumentException("An item of type Document cannot be added to content.")
        else:
            text = xml_text(each)
            if _merged(target, text, at):
                continue
            node = XText(text)
        _fits(target, node)
        count(len(target.nodes) + 1)
        nodes(1)
        node.parent = target
        if at is None:
            target.nodes.append(node)
        else:
            work(1 + (len(target.nodes) >> 8))
            target.nodes.insert(at, node)
            at += 1
        if isinstance(target, XElement):
            target.closed = False


def _holds(node: XNode, target: XContainer) -> bool:
    """Whether putting the node into the target would make a circle."""
    now: XContainer | None = target
    while now is not None:
        work(1)
        if now is node:
            return True
        now = now.parent
    return False


def _merged(target: XContainer, text: str, at: int | None) -> bool:
    """Text behind text becomes one; empty text only says that the element is not closed."""
    if isinstance(target, XElement):
        target.closed = False
    if not text:
        return True
    before = target.nodes[(len(target.nodes) if at is None else at) - 1] if target.nodes and at != 0 else None
    if type(before) is XText:
        room(len(before.value) + len(text))
        before.value += text
        return True
    room(len(text))
    return False


def _fits(target: XContainer, node: XNode) -> None:
    if not isinstance(target, XDocument):
        if isinstance(node, XDocumentType):
            raise ArgumentException("An item of type DocumentType cannot be added to content.")
        return
    if isinstance(node, XText) and node.value.strip():
        raise ArgumentException("Non-whitespace characters cannot be added to content.")
    if isinstance(node, XElement) and any(isinstance(n, XElement) for n in target.nodes):
        from aforo.csharp.runtime.exceptions import InvalidOperationException

        raise InvalidOperationException("This operation would create an incorrectly structured document.")


def _add_attribute(target: XContainer, attribute: XAttribute) -> None:
    from aforo.csharp.runtime.exceptions import InvalidOperationException

    if not isinstance(target, XElement):
        raise ArgumentException("An attribute cannot be added to content.")
    if any(a.name == attribute.name for a in target.attributes):
        raise InvalidOperationException("Duplicate attribute.")
    nodes(1)
    if attribute.parent is not None:
        attribute = XAttribute(attribute.name, attribute.value)
    attribute.parent = target
    target.attributes.append(attribute)


def value_of(node: XNode | XAttribute) -> str:
    """`Value`: of an element, all the text in it."""
    if isinstance(node, (XText, XComment, XAttribute)):
        return node.value
    if isinstance(node, XProcessingInstruction):
        return node.data
    if not isinstance(node, XContainer):
        return ""
    parts = [n.value for n in walk(node) if isinstance(n, XText)]
    room(sum(map(len, parts)))
    return "".join(parts)


def walk(container: XContainer) -> Iterator[XNode]:
    """All nodes below it, in the order of the document. It has its own stack: depth is the author's choice."""
    stack = [iter(container.nodes)]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
            continue
        work(1)
        yield node
        if isinstance(node, XContainer):
            stack.append(iter(node.nodes))
