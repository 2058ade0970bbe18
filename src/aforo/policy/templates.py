"""Templates of generated Python: a tree's upper-case names replaced by parts, and places for what has none."""

from __future__ import annotations

import ast
from typing import Any


def fill(node: Any, parts: dict[str, ast.expr]) -> Any:
    """The tree with its upper-case names replaced."""
    if isinstance(node, ast.Name) and node.id in parts:
        return parts[node.id]
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            setattr(node, name, fill(value, parts))
        elif isinstance(value, list):
            setattr(node, name, [fill(v, parts) if isinstance(v, ast.AST) else v for v in value])
    if hasattr(node, "lineno"):
        del node.lineno  # it is the template's; what has none gets the element's place
    return node


def fresh(node: Any) -> list[Any]:
    """Nodes below that have no place yet; what was filled in has its own."""
    out: list[Any] = []
    stack = [node]
    while stack:
        now = stack.pop()
        if "lineno" in getattr(now, "_attributes", ()):
            if getattr(now, "lineno", None) is not None:
                continue
            out.append(now)
        stack.extend(ast.iter_child_nodes(now))
    return out
