"""What builds one operation: from written arguments, what they are bound to and the type of the result, a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aforo.kql.bound import Expression
from aforo.kql.sql import tree as t
from aforo.kql.sql.duckdb.convert import CONVERSIONS
from aforo.kql.sql.tree import Node
from aforo.kql.types import KqlType

Builder = Callable[[Sequence[Node], Sequence[Expression], KqlType], Node]


def as_text(node: Node, type_: KqlType) -> Node:
    return CONVERSIONS["tostring"](node, type_)


def as_json(node: Node, type_: KqlType) -> Node:
    """JSON text, 'null' for null (for the inside of arrays and bags)."""
    return t.coalesce(CONVERSIONS["to_dynamic"](node, type_), t.text("null"))


def json_path(steps: tuple[str | int, ...]) -> str:
    """DuckDB's path: `$."usage"."prompt_tokens"`, `$."choices"[0]`, negative indexes from the end."""
    if any(isinstance(s, str) and ('"' in s or "\\" in s) for s in steps) and all(
        not isinstance(s, int) or s >= 0 for s in steps
    ):
        return "".join("/" + str(s).replace("~", "~0").replace("/", "~1") for s in steps)
    out = "$"
    for step in steps:
        if isinstance(step, int):
            out += f"[{step}]" if step >= 0 else f"[#{step}]"
        else:
            out += f'."{step}"'
    return out
