"""Queries as arguments (`toscalar`): DuckDB takes none inside of TRY and of lambdas, which some operations are made of.
There the query stands in a list of one row, and the operation reads that row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aforo.kql.bound import Apply, Expression, InRelation, Path, ScalarQuery
from aforo.kql.sql import tree as t
from aforo.kql.sql.tree import Node

# Those that plainly become an operator or a call: a query may stand in them, and conditions stay what they are.
_PLAIN = frozenset(
    {
        "equals", "not_equals", "less", "less_equal", "greater", "greater_equal", "and", "or", "not", "add", "subtract",
        "coalesce", "case", "isnull", "isnotnull", "isempty", "isnotempty", "same", "in",
    }
)  # fmt: skip
_ROW = "kql_asked"


def outside(
    operation: str,
    nodes: Sequence[Node],
    bound: Sequence[Expression],
    write: Callable[[Sequence[Node]], Node],
) -> Node:
    """What `write` makes of the nodes, with those that ask something read from a row beside it."""
    places = [i for i, e in enumerate(bound[: len(nodes)]) if _asks(e)] if operation not in _PLAIN else []
    if not places:
        return write(nodes)
    return _beside(nodes, places, write)


def text_outside(text: Node, write: Callable[[Node], Node]) -> Node:
    """The same for a text that is parsed and whose expression is not at hand."""
    if text.find(t.glot().Subquery) is None:
        return write(text)
    return _beside([text], [0], lambda nodes: write(nodes[0]))


def _beside(nodes: Sequence[Node], places: Sequence[int], write: Callable[[Sequence[Node]], Node]) -> Node:
    read = list(nodes)
    for number, i in enumerate(places, 1):
        read[i] = t.call("struct_extract", t.column(_ROW), t.number(number))
    e = t.glot()
    made = e.Lambda(this=write(read), expressions=[e.Identifier(this=_ROW, quoted=True)])
    row = t.call("list_value", t.call("row", *(nodes[i] for i in places)))
    return t.call("list_extract", t.call("list_transform", row, made), t.number(1))


def _asks(expression: Expression) -> bool:
    match expression:
        case ScalarQuery() | InRelation():
            return True
        case Apply(arguments=arguments):
            return any(map(_asks, arguments))
        case Path(base=base):
            return _asks(base)
        case _:
            return False
