"""What expressions see of System.Xml.Linq: declarations over xml_model.py and xml_edit.py."""

from __future__ import annotations

from enum import IntFlag
from typing import Any, Final

from aforo.csharp.runtime import xml_change as change
from aforo.csharp.runtime import xml_edit as e
from aforo.csharp.runtime import xml_model as m
from aforo.csharp.runtime.exceptions import given
from aforo.csharp.runtime.numbers import same
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.runtime.readers import Reader, Writer, read_to_end, write
from aforo.csharp.runtime.xml_dom import read_from
from aforo.csharp.runtime.xml_read import read_document
from aforo.csharp.runtime.xml_write import XML, XMLNS, node_text
from aforo.csharp.types import Declared, TypeDecl, declare, member

_LINQ: Final = "System.Xml.Linq"


class SaveOptions(IntFlag):
    Nothing = 0  # `None` in C#
    DisableFormatting = 1
    OmitDuplicateNamespaces = 2


class LoadOptions(IntFlag):
    Nothing = 0  # `None` in C#
    PreserveWhitespace = 1
    SetBaseUri = 2
    SetLineInfo = 4


def load_element(reader: Reader | None) -> m.XElement:
    return e.parse_element(read_to_end(given(reader, "textReader")))


def save(item: m.XElement | m.XDocument, writer: Writer | None, options: int = 0) -> None:
    """With the declaration that a writer of .NET's own characters gives it."""
    own = item.declaration if isinstance(item, m.XDocument) else None
    alone = f' standalone="{own.standalone}"' if own is not None and own.standalone else ""
    head = f'<?xml version="1.0" encoding="utf-16"{alone}?>' + ("" if int(options) & 1 else "\r\n")
    write(given(writer, "textWriter"), head + node_text(item, options))


class NodeEquality(Obj):
    __slots__ = ()
    net_name = "System.Xml.Linq.XNodeEqualityComparer"


class NodeOrder(Obj):
    __slots__ = ()
    net_name = "System.Xml.Linq.XNodeDocumentOrderComparer"


def nodes_equal(_comparer: NodeEquality, left: Any, right: Any) -> bool:
    return e.deep_equals(left, right)


def node_hash(_comparer: NodeEquality, node: m.XNode) -> int:
    from aforo.csharp.runtime.objects import hash_code

    return hash_code(m.value_of(node))


def nodes_ordered(_comparer: NodeOrder, left: Any, right: Any) -> int:
    return e.document_order(left, right)


def many(name: str, run: Any, **options: Any) -> tuple[Declared, ...]:
    """`Name(object)` and `Name(params object[])`."""
    return (
        member(f"void {name}(object content)", run, **options),
        member(f"void {name}(params object[] content)", run, **options),
    )


def _each(run: Any) -> Any:
    def over(items: list[Any]) -> list[Any]:
        return [found for item in items for found in run(item)]

    over.__qualname__ = f"each_{run.__qualname__}"
    return over


def _each_named(run: Any) -> Any:
    def over(items: list[Any], name: m.XName | None) -> list[Any]:
        return [found for item in items for found in run(item, name)]

    over.__qualname__ = f"each_{run.__qualname__}"
    return over


def _sequences() -> tuple[Declared, ...]:
    """The extension methods over sequences."""
    out = [
        member("static void Remove(this IEnumerable<XNode> source)", change.remove_each),
        member("static void Remove(this IEnumerable<XAttribute> source)", change.remove_each),
        member("static IEnumerable<XNode> Nodes(this IEnumerable<XContainer> source)", _each(e.child_nodes)),
        member("static IEnumerable<XNode> DescendantNodes(this IEnumerable<XContainer> source)", _each(e.descendant_nodes)),
        member("static IEnumerable<T> InDocumentOrder<T>(this IEnumerable<T> source)", e.in_document_order),
    ]  # fmt: skip
    for name, source, gives, plain, named in (
        ("Elements", "XContainer", "XElement", e.elements, e.elements_named),
        ("Descendants", "XContainer", "XElement", e.descendants, e.descendants_named),
        ("DescendantsAndSelf", "XElement", "XElement", e.with_self, e.with_self_named),
        ("Ancestors", "XNode", "XElement", e.ancestors, e.ancestors_named),
        ("AncestorsAndSelf", "XElement", "XElement", e.self_and_ancestors, e.self_and_ancestors_named),
        ("Attributes", "XElement", "XAttribute", e.attributes, e.attributes_named),
    ):
        head = f"static IEnumerable<{gives}> {name}(this IEnumerable<{source}> source"
        out += [member(head + ")", _each(plain)), member(head + ", XName name)", _each_named(named))]
    return tuple(out)


def _casts(owner: str) -> tuple[Declared, ...]:
    out = [member(f"explicit string?({owner} item)", e.text_or_null)]
    for name in ("bool", "int", "uint", "long", "ulong", "float", "double", "decimal", "DateTime", "DateTimeOffset", "TimeSpan", "Guid"):  # fmt: skip
        out.append(member(f"explicit {name}({owner} item)", e.caster(name)))
        out.append(member(f"explicit {name}?({owner} item)", e.caster_or_null(name)))
    return tuple(out)


def _flags(name: str, values: Any, namespace: str = _LINQ) -> TypeDecl:
    return declare(
        name,
        *(
            member(f"static {name} {'None' if v.value == 0 else v.name}", const=v)
            for v in dict.fromkeys((values(0), *values))
        ),
        namespace=namespace,
        kind="enum",
        python=values,
        default=values(0),
    )


TYPES: Final[tuple[TypeDecl, ...]] = (
    _flags("SaveOptions", SaveOptions),
    _flags("LoadOptions", LoadOptions),
    _flags("XmlNodeType", e.XmlNodeType, "System.Xml"),
    declare(
        "XName",
        member("implicit XName(string expandedName)", m.name_of),
        member("static XName Get(string expandedName)", m.name_of),
        member("static XName Get(string localName, string namespaceName)", e.name_from),
        member("string LocalName", e.local_name),
        member("string NamespaceName", e.namespace_name),
        member("XNamespace Namespace", e.namespace_of),
        member("bool Equals(XName other)", same),
        namespace=_LINQ,
        python=m.XName,
    ),
    declare(
        "XNamespace",
        member("implicit XNamespace(string namespaceName)", m.XNamespace),
        member("static XNamespace Get(string namespaceName)", m.XNamespace),
        member("static XNamespace None", const=m.XNamespace("")),
        member("static XNamespace Xml", const=m.XNamespace(XML)),
        member("static XNamespace Xmlns", const=m.XNamespace(XMLNS)),
        member("XName operator +(XNamespace ns, string localName)", e.make_name),
        member("XName GetName(string localName)", e.get_name),
        member("string NamespaceName", attr="name"),
        namespace=_LINQ,
        python=m.XNamespace,
    ),
    declare(
        "XObject",
        member("XElement? Parent", e.parent),
        member("XDocument? Document", e.document_of),
        member("XmlNodeType NodeType", e.node_type),
        namespace=_LINQ,
        python=m.XObject,
    ),
    declare(
        "XAttribute",
        *_casts("XAttribute"),
        member("new(XName name, object value)", e.make_attribute),
        member("XName Name", attr="name"),
        member("string Value", attr="value", store=change.set_text),
        member("void SetValue(object value)", change.set_value),
        member("void Remove()", change.remove),
        member("bool IsNamespaceDeclaration", e.is_declaration),
        member("XAttribute? NextAttribute", e.next_attribute),
        member("XAttribute? PreviousAttribute", e.previous_attribute),
        namespace=_LINQ,
        bases=("XObject",),
        python=m.XAttribute,
    ),
    declare(
        "XNode",
        member("static bool DeepEquals(XNode n1, XNode n2)", e.deep_equals),
        member("static int CompareDocumentOrder(XNode n1, XNode n2)", e.document_order),
        member("bool IsAfter(XNode node)", e.is_after),
        member("bool IsBefore(XNode node)", e.is_before),
        member("static XNode ReadFrom(XmlReader reader)", read_from),
        member("string ToString(SaveOptions options)", node_text),
        member("IEnumerable<XElement> Ancestors()", e.ancestors),
        member("IEnumerable<XElement> Ancestors(XName name)", e.ancestors_named),
        member("IEnumerable<XNode> NodesAfterSelf()", e.nodes_after),
        member("IEnumerable<XNode> NodesBeforeSelf()", e.nodes_before),
        member("IEnumerable<XElement> ElementsAfterSelf()", e.elements_after),
        member("IEnumerable<XElement> ElementsAfterSelf(XName name)", e.elements_after_named),
        member("IEnumerable<XElement> ElementsBeforeSelf()", e.elements_before),
        member("IEnumerable<XElement> ElementsBeforeSelf(XName name)", e.elements_before_named),
        member("XNode? NextNode", e.next_node),
        member("XNode? PreviousNode", e.previous_node),
        *many("AddAfterSelf", change.add_after),
        *many("AddBeforeSelf", change.add_before),
        *many("ReplaceWith", change.replace_with),
        member("void Remove()", change.remove),
        namespace=_LINQ,
        bases=("XObject",),
        python=m.XNode,
    ),
    declare(
        "XText",
        member("new(string value)", m.XText),
        member("string Value", attr="value", store=change.set_text),
        namespace=_LINQ,
        bases=("XNode",),
        python=m.XText,
    ),
    declare("XCData", member("new(string value)", m.XCData), namespace=_LINQ, bases=("XText",), python=m.XCData),
    declare(
        "XComment",
        member("new(string value)", m.XComment),
        member("string Value", attr="value", store=change.set_text),
        namespace=_LINQ,
        bases=("XNode",),
        python=m.XComment,
    ),
    declare(
        "XProcessingInstruction",
        member("new(string target, string data)", m.XProcessingInstruction),
        member("string Target", attr="target"),
        member("string Data", attr="data"),
        namespace=_LINQ,
        bases=("XNode",),
        python=m.XProcessingInstruction,
    ),
    declare(
        "XDocumentType",
        member("new(string name, string publicId, string systemId, string internalSubset)", m.XDocumentType),
        *(member(f"string? {net}", attr=name) for net, name in (("Name", "name"), ("PublicId", "public"), ("SystemId", "system"), ("InternalSubset", "subset"))),
        namespace=_LINQ,
        bases=("XNode",),
        python=m.XDocumentType,
    ),
    declare(
        "XDeclaration",
        member("new(string version, string encoding, string standalone)", m.XDeclaration),
        *(member(f"string? {net}", attr=net.lower()) for net in ("Version", "Encoding", "Standalone")),
        namespace=_LINQ,
        python=m.XDeclaration,
    ),
    declare(
        "XContainer",
        *many("Add", change.add_content),
        *many("AddFirst", change.add_first),
        *many("ReplaceNodes", change.replace_nodes),
        member("void RemoveNodes()", change.remove_nodes),
        member("XElement? Element(XName name)", e.element),
        member("IEnumerable<XElement> Elements()", e.elements),
        member("IEnumerable<XElement> Elements(XName name)", e.elements_named),
        member("IEnumerable<XElement> Descendants()", e.descendants),
        member("IEnumerable<XElement> Descendants(XName name)", e.descendants_named),
        member("IEnumerable<XNode> DescendantNodes()", e.descendant_nodes),
        member("IEnumerable<XNode> Nodes()", e.child_nodes),
        member("XNode? FirstNode", e.first_node),
        member("XNode? LastNode", e.last_node),
        namespace=_LINQ,
        bases=("XNode",),
        python=m.XContainer,
    ),
    declare(
        "XElement",
        *_casts("XElement"),
        member("new(XName name)", e.make_element),
        member("new(XName name, object content)", e.make_element),
        member("new(XName name, params object[] content)", e.make_element),
        member("new(XElement other)", e.copy_element),
        member("static XElement Parse(string text)", e.parse_element),
        member("static XElement Parse(string text, LoadOptions options)", e.parse_element),
        member("static XElement Load(TextReader textReader)", load_element),
        member("IEnumerable<XNode> DescendantNodesAndSelf()", e.nodes_with_self),
        member("void Save(TextWriter textWriter)", save),
        member("void Save(TextWriter textWriter, SaveOptions options)", save),
        member("XName Name", attr="name", store=change.set_name),
        member("string Value", m.value_of, store=change.set_text),
        member("bool HasElements", e.has_elements),
        member("bool HasAttributes", e.has_attributes),
        member("bool IsEmpty", e.is_empty),
        member("XAttribute? Attribute(XName name)", e.attribute),
        member("IEnumerable<XAttribute> Attributes()", e.attributes),
        member("IEnumerable<XAttribute> Attributes(XName name)", e.attributes_named),
        member("XAttribute? FirstAttribute", e.first_attribute),
        member("XAttribute? LastAttribute", e.last_attribute),
        member("IEnumerable<XElement> AncestorsAndSelf()", e.self_and_ancestors),
        member("IEnumerable<XElement> AncestorsAndSelf(XName name)", e.self_and_ancestors_named),
        member("IEnumerable<XElement> DescendantsAndSelf()", e.with_self),
        member("IEnumerable<XElement> DescendantsAndSelf(XName name)", e.with_self_named),
        member("void SetAttributeValue(XName name, object value)", change.set_attribute),
        member("void SetElementValue(XName name, object value)", change.set_element),
        member("void SetValue(object value)", change.set_value),
        *many("ReplaceAll", change.replace_all),
        *many("ReplaceAttributes", change.replace_attributes),
        member("void RemoveAll()", change.remove_all),
        member("void RemoveAttributes()", change.remove_attributes),
        member("XNamespace GetDefaultNamespace()", e.default_namespace),
        member("XNamespace? GetNamespaceOfPrefix(string prefix)", e.namespace_of_prefix),
        member("string? GetPrefixOfNamespace(XNamespace ns)", e.prefix_of_namespace),
        namespace=_LINQ,
        bases=("XContainer",),
        python=m.XElement,
    ),
    declare(
        "XDocument",
        member("new()", e.make_document),
        member("new(params object[] content)", e.make_document),
        member("new(XDeclaration declaration, params object[] content)", e.make_declared),
        member("new(XDocument other)", m.clone),
        member("static XDocument Parse(string text)", read_document),
        member("static XDocument Parse(string text, LoadOptions options)", e.parse_document),
        member("void Save(TextWriter textWriter)", save),
        member("void Save(TextWriter textWriter, SaveOptions options)", save),
        member("XElement? Root", e.root),
        member("XDeclaration? Declaration", attr="declaration"),
        namespace=_LINQ,
        bases=("XContainer",),
        python=m.XDocument,
    ),
    declare(
        "XNodeEqualityComparer",
        member("new()", NodeEquality),
        member("bool Equals(XNode x, XNode y)", nodes_equal),
        member("int GetHashCode(XNode obj)", node_hash),
        namespace=_LINQ,
        python=NodeEquality,
    ),
    declare(
        "XNodeDocumentOrderComparer",
        member("new()", NodeOrder),
        member("int Compare(XNode x, XNode y)", nodes_ordered),
        namespace=_LINQ,
        python=NodeOrder,
    ),
    declare("XExtensions", *_sequences(), namespace=_LINQ, kind="static"),
)  # fmt: skip
