"""Nodes to XML text as .NET's writer puts it: two spaces, CRLF, ` />`, and namespaces declared where they are needed.

It stands below the nodes: it knows them by their `kind` and what such a one has.
"""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime.limits import LimitExceeded, room, work

XML: Final = "http://www.w3.org/XML/1998/namespace"
XMLNS: Final = "http://www.w3.org/2000/xmlns/"
_DEEPEST: Final = 200


class _Writer:
    def __init__(self, indented: bool) -> None:
        self.out: list[str] = []
        self.indented = indented
        self.made = 0

    def put(self, text: str) -> None:
        room(len(text))
        self.out.append(text)

    def node(self, node: Any, depth: int, scope: dict[str, str]) -> None:
        work(1)
        if node.kind == "element":
            if depth > _DEEPEST:
                raise LimitExceeded("an expression wrote XML that is nested too deeply")
            self.element(node, depth, scope)
        elif node.kind == "cdata":
            self.put("<![CDATA[" + node.value.replace("]]>", "]]]]><![CDATA[>") + "]]>")
        elif node.kind == "text":
            self.put(escaped(node.value))
        elif node.kind == "comment":
            self.put(f"<!--{node.value}-->")
        elif node.kind == "instruction":
            self.put(f"<?{node.target} {node.data}?>" if node.data else f"<?{node.target}?>")
        elif node.kind == "doctype":
            outside = (
                f' PUBLIC "{node.public}" "{node.system or ""}"' if node.public is not None
                else f' SYSTEM "{node.system}"' if node.system is not None else ""
            )  # fmt: skip
            self.put(f"<!DOCTYPE {node.name}{outside}{f'[{node.subset}]' if node.subset else ''}>")

    def element(self, element: Any, depth: int, outer: dict[str, str]) -> None:
        """`outer` maps prefixes to namespaces."""
        scope = dict(outer)
        work(len(scope))
        declared = {}
        for each in element.attributes:
            if each.name.space == XMLNS:
                declared[each.name.local] = each.value
            elif each.name.local == "xmlns" and not each.name.space:
                declared[""] = each.value
        scope.update(declared)
        extra: list[str] = []
        name = element.name.local
        space = element.name.space
        prefix = self.prefix(space, scope, default=True)
        if prefix is None:
            # A part of a document takes the prefix from around it; else the namespace becomes the default one here.
            prefix = (prefix_of(element, space) if space else None) or ""
            extra.append(f' xmlns{":" if prefix else ""}{prefix}="{attribute_escaped(space)}"')
            scope[prefix] = space
        if prefix:
            name = f"{prefix}:{name}"
        parts = [f"<{name}"]
        for each in element.attributes:
            parts.append(f' {self.attribute(each, scope, extra, depth)}="{attribute_escaped(each.value)}"')
        self.put("".join(parts + extra))
        if not element.nodes and element.closed:
            self.put(" />")
            return
        self.put(">")
        self.content(element, depth + 1, scope)
        self.put(f"</{name}>")

    def attribute(self, each: Any, scope: dict[str, str], extra: list[str], depth: int) -> str:
        space, local = each.name.space, each.name.local
        if not space:
            return str(local)
        if space == XMLNS:
            return f"xmlns:{local}"
        if space == XML:
            return f"xml:{local}"
        prefix = self.prefix(space, scope, default=False)
        if prefix is None:
            owner = each.parent
            prefix = prefix_of(owner, space) if _is_element(owner) else None
            number = depth + 1
            while prefix is None or prefix in scope:
                prefix = f"p{number}"
                number += 1
            scope[prefix] = space
            extra.append(f' xmlns:{prefix}="{attribute_escaped(space)}"')
        return f"{prefix}:{local}"

    def prefix(self, space: str, scope: dict[str, str], *, default: bool) -> str | None:
        if space == XML:
            return "xml"
        if default and scope.get("", "") == space:
            return ""
        work(len(scope))
        return next((p for p, s in reversed(scope.items()) if s == space and p), None)

    def content(self, container: Any, depth: int, scope: dict[str, str]) -> None:
        """Nodes on lines of their own, unless there is text among them."""
        mixed = any(n.kind in ("text", "cdata") for n in container.nodes)
        lines = self.indented and not mixed and bool(container.nodes)
        shown = self.indented
        self.indented = shown and not mixed
        first = container.kind == "document"
        for each in container.nodes:
            if lines and not first:
                self.put("\r\n" + "  " * depth)
            first = False
            self.node(each, depth, scope)
        self.indented = shown
        if lines and container.kind == "element":
            self.put("\r\n" + "  " * (depth - 1))


def escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r\n", "\n").replace("\n", "\r\n") if "\n" in text else text.replace("\r", "&#xD;")


def attribute_escaped(text: str) -> str:
    out = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    if "\n" in out or "\r" in out or "\t" in out:
        out = out.replace("\r", "&#xD;").replace("\n", "&#xA;").replace("\t", "&#x9;")
    return out


def _is_element(node: Any) -> bool:
    return node is not None and node.kind == "element"


def attribute_text(attribute: Any) -> str:
    name = attribute.name
    shown = f"xmlns:{name.local}" if name.space == XMLNS else name.local
    if name.space and name.space != XMLNS:
        owner = attribute.parent
        prefix = prefix_of(owner, name.space) if _is_element(owner) else None
        shown = f"{prefix}:{name.local}" if prefix else f"p1:{name.local}"
    text = f'{shown}="{attribute_escaped(attribute.value)}"'
    room(len(text))
    return text


def prefix_of(element: Any, space: str) -> str | None:
    """`GetPrefixOfNamespace`: never the default one."""
    if space == XML:
        return "xml"
    now = element
    while _is_element(now):
        work(1 + len(now.attributes))
        for each in now.attributes:
            if each.name.space == XMLNS and each.value == space:
                return str(each.name.local)
        now = now.parent
    return None


def node_text(node: Any, options: int = 0) -> str:
    """`ToString(options)`: 1 is DisableFormatting. A document's declaration is not part of it."""
    writer = _Writer(not int(options) & 1)
    if node.kind == "document":
        writer.content(node, 0, {"": ""})
    else:
        writer.node(node, 0, {"": ""})
    return "".join(writer.out)
