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
