"""What a JSON text has of an XML node, as Newtonsoft's converter of nodes has it: attributes are `@name`, text beside others
`#text`, elements of one name an array. It makes plain values; what makes JSON of them stands elsewhere.
"""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime.limits import nodes
from aforo.csharp.runtime.xml_write import XMLNS, prefix_of

_TEXTS: Final = {"text": "#text", "cdata": "#cdata-section"}


def of_node(node: Any) -> Any:
    """A document or an element with its name; a text or an attribute is what it reads."""
    if node.kind == "document":
        out: dict[str, Any] = {}
        told = node.declaration
        if told is not None:
            parts = {"version": told.version, "encoding": told.encoding, "standalone": told.standalone}
            out["?xml"] = {f"@{name}": value for name, value in parts.items() if value}
        return out | {_name(each): _content(each) for each in node.nodes if each.kind == "element"}
    return {_name(node): _content(node)}


def _name(owner: Any, element: Any = None) -> str:
    """`local` or `prefix:local`."""
    name = owner.name
    if name.space == XMLNS:
        return "xmlns" if name.local == "xmlns" else f"xmlns:{name.local}"
    prefix = prefix_of(owner if element is None else element, name.space) if name.space else None
    return f"{prefix}:{name.local}" if prefix else str(name.local)


def _content(element: Any) -> Any:
    nodes(1 + len(element.attributes))
    inner = [each for each in element.nodes if each.kind in ("element", *_TEXTS)]
    if not element.attributes:
        if not inner:
            return None if element.closed else ""
        if len(inner) == 1 and inner[0].kind == "text":
            return inner[0].value
    out: dict[str, Any] = {}
    for each in element.attributes:
        spelled = "xmlns" if not each.name.space and each.name.local == "xmlns" else _name(each, element)
        out[f"@{spelled}"] = each.value
    grouped: dict[str, list[Any]] = {}
    for each in inner:
        if each.kind == "element":
            grouped.setdefault(_name(each), []).append(_content(each))
        else:
            grouped.setdefault(_TEXTS[each.kind], []).append(each.value)
    return out | {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}
