"""XPath over XML nodes, as far as policies use it: steps, `//`, attributes, `text()`, positions and simple conditions.

What is beyond that is an XPathException that says so.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aforo.csharp.runtime.exceptions import ArgumentNullException, XPathException
from aforo.csharp.runtime.limits import count, work
from aforo.csharp.runtime.xml_model import (
    XContainer,
    XDocument,
    XElement,
    XNode,
    XObject,
    XText,
    value_of,
    walk,
)

_STEP: Final = re.compile(
    r"(?P<axis>@|\.\.|\.|(?:child|descendant|descendant-or-self|self|parent|attribute)::)?"
    r"(?P<test>\*|(?:[\w.\-]+:)?[\w\-][\w.\-]*(?:\(\))?)?(?P<conditions>(?:\[[^\[\]]*\])*)\Z"
)
_CONDITION: Final = re.compile(
    r"\s*(?:(?P<at>\d+)|(?P<last>last\(\))|(?P<left>local-name\(\)|name\(\)|text\(\)|\.|@?[\w:.\-/@]+(?:\(\))?)"
    r"(?:\s*(?P<op>=|!=)\s*(?P<want>'[^']*'|\"[^\"]*\"|-?[\d.]+))?"
    r"|(?P<call>contains|starts-with)\(\s*(?P<of>[^,]+?)\s*,\s*(?P<part>'[^']*'|\"[^\"]*\")\s*\))\s*\Z"
)


def select(node: XObject, path: str | None) -> list[Any]:
    """Nodes and attributes, in the order of the document."""
    if path is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: xpath")
    found: dict[int, Any] = {}
    for each in _alternatives(path):
        for hit in _select(node, each.strip()):
            found[id(hit)] = hit
            count(len(found))
    return list(found.values())


def select_one(node: XObject, path: str | None) -> Any:
    return next(iter(select(node, path)), None)


def _alternatives(path: str) -> list[str]:
    return _split(path, "|")


def _split(text: str, mark: str) -> list[str]:
    """At the marks that stand outside of brackets and quotes."""
    out, start, depth, quote = [], 0, 0, ""
    for at, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "[(":
            depth += 1
        elif c in "])":
            depth -= 1
        elif c == mark and depth == 0:
            out.append(text[start:at])
            start = at + 1
    return [*out, text[start:]]


def _select(node: XObject, path: str) -> list[Any]:
    if not path:
        raise XPathException("Expression must evaluate to a node-set.")
    steps = _split(path, "/")
    now: list[Any] = [node]
    if path.startswith("/"):
        now = [_top(node)]
        steps = steps[1:]
    deep = False
    for step in steps:
        if not step:
            deep = True
            continue
        now = _step(now, step.strip(), deep)
        deep = False
        if not now:
            return []
    return now


def _top(node: XObject) -> Any:
    """The document; for a tree without one, a place above its root."""
    now: Any = node
    while now.parent is not None:
        work(1)
        now = now.parent
    if isinstance(now, XDocument):
        return now
    above = XDocument()
    above.nodes.append(now)
    return above


def _step(nodes: list[Any], step: str, deep: bool) -> list[Any]:
    match = _STEP.match(step)
    if match is None or (match["test"] is None and match["axis"] not in (".", "..")):
        raise XPathException(f"'{step}' has an invalid token.")
    axis = (match["axis"] or "child::").removesuffix("::")
    out: dict[int, Any] = {}
    for node in nodes:
        for start in _starts(node, deep):
            hits = [h for h in _along(start, axis) if _tested(h, match["test"], axis)]
            for condition in re.findall(r"\[([^\[\]]*)\]", match["conditions"]):
                hits = _filtered(hits, condition)
            out.update((id(h), h) for h in hits)
            count(len(out))
    return list(out.values())


def _starts(node: Any, deep: bool) -> list[Any]:
    if not deep or not isinstance(node, XContainer):
        return [node]
    return [node, *(n for n in walk(node) if isinstance(n, XContainer))]


def _along(node: Any, axis: str) -> list[Any]:
    if axis in (".", "self"):
        return [node]
    if axis in ("..", "parent"):
        return [node.parent] if node.parent is not None else []
    if axis in ("@", "attribute"):
        return list(node.attributes) if isinstance(node, XElement) else []
    if not isinstance(node, XContainer):
        return []
    work(1 + len(node.nodes))
    if axis == "child":
        return list(node.nodes)
    below = list(walk(node))
    return [node, *below] if axis == "descendant-or-self" else below


def _tested(node: Any, test: str | None, axis: str) -> bool:
    if test is None or test == "node()":
        return True
    if test == "text()":
        return isinstance(node, XText)
    if test.endswith("()"):
        raise XPathException(f"Function '{test}' is not supported here.")
    if axis not in ("@", "attribute") and not isinstance(node, XElement):
        return False
    if test == "*":
        return True
    if ":" in test:
        raise XPathException(
            "Namespace Manager or XsltContext needed. This query has a prefix, variable, or user-defined function."
        )
    return bool(node.name.local == test and not node.name.space)


def _filtered(hits: list[Any], condition: str) -> list[Any]:
    parts = re.split(r"\s+and\s+", condition.strip())
    for part in parts:
        match = _CONDITION.match(part)
        if match is None:
            raise XPathException(f"'{condition}' is a condition that is not supported here.")
        if match["at"] is not None:
            at = int(match["at"])
            hits = hits[at - 1 : at] if at > 0 else []
        elif match["last"] is not None:
            hits = hits[-1:]
        else:
            work(len(hits))
            hits = [h for h in hits if _holds(h, match)]
    return hits


def _holds(node: Any, match: re.Match[str]) -> bool:
    if match["call"] is not None:
        part = match["part"][1:-1]
        return any(
            part in v if match["call"] == "contains" else v.startswith(part)
            for v in _values(node, match["of"])
        )
    values = _values(node, match["left"])
    if match["op"] is None:
        return bool(values)
    want = match["want"].strip("'\"")
    return any((v == want) == (match["op"] == "=") for v in values)


def _values(node: Any, what: str) -> list[str]:
    if what in ("local-name()", "name()"):
        name = getattr(node, "name", None)
        return [name.local] if name is not None else [""]
    if what == ".":
        return [value_of(node)]
    return [value_of(n) for n in _select(node, what)]


def elements_only(node: XNode, path: str | None) -> list[XElement]:
    """`XPathSelectElements`"""
    return [n for n in select(node, path) if isinstance(n, XElement)]


def element_only(node: XNode, path: str | None) -> XElement | None:
    return next(iter(elements_only(node, path)), None)
