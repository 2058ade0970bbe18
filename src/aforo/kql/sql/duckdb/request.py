"""One aggregate to be written: what it is given, and the conditions that all aggregates share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aforo.kql.bound import Expression
from aforo.kql.sql import tree as t
from aforo.kql.sql.tree import Node
from aforo.kql.types import KqlType


@dataclass(frozen=True, slots=True)
class Request:
    """Nodes, their bound twins, the result's type, condition and order."""

    arguments: Sequence[Node]
    bound: Sequence[Expression]
    result: KqlType
    condition: Node | None
    order: Node | None

    def over(self, call: Node, *, without_nulls: Node | None = None) -> Node:
        """The call with its FILTER."""
        e = t.glot()
        conditions = [n for n in (self.condition, without_nulls) if n is not None]
        if not conditions:
            return call
        grouped = [e.Paren(this=c) if isinstance(c, e.Or) else c for c in conditions]
        return e.Filter(this=call, expression=e.Where(this=t.every([g.copy() for g in grouped])))

    def zero(self, call: Node) -> Node:
        return t.coalesce(self.over(call), t.number(0))
