"""Sums, differences and products of longs that leave 64 bits: Kusto keeps the lowest 64, DuckDB ends the query.

DuckDB's own arithmetic is tried first where its operands can be written twice; what it cannot do is done in 128 bits. Where
no value of the operands is large enough (`TotalTime` is a long; the length of a text is none) nothing is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from aforo.kql.bound import Apply, Constant, Expression
from aforo.kql.sql import tree as t
from aforo.kql.sql.tree import Node
from aforo.kql.types import INT, LONG

KINDS = {"add": "Add", "subtract": "Sub", "multiply": "Mul"}
_BITS, _MOST_BITS = 63, 126
# Longs that are small by what they are.
_SMALL = frozenset(
    [
        "strlen", "string_size", "array_length", "countof", "indexof", "indexof_regex", "sign", "bitset_count_ones",
        "monthofyear", "hourofday", "dayofmonth", "dayofyear", "week_of_year", "datetime_part", "strcmp",
    ]
)  # fmt: skip
_MOST_PARTS = 4


def may_overflow(operation: str, bound: Sequence[Expression]) -> bool:
    return operation in KINDS and _reach(operation, bound) > _BITS


def wrapped(operation: str, arguments: Sequence[Node], bound: Sequence[Expression]) -> Node:
    """The operation without its overflow. A chain of operations is tried, and done in 128 bits, as one."""
    plain, wide, short = [], [], True
    whole = _full(operation, bound) <= _MOST_BITS
    for node, expression in zip(arguments, bound, strict=True):
        inner = _parts(node) if whole and _is_counted(expression) else None
        plain.append(node if inner is None else inner[0])
        wide.append(t.cast(t.again(node), "HUGEINT") if inner is None else inner[1])
        short = short and (inner is not None or _is_short(node))
    found = t.call("kql_wrapped", t.binary(KINDS[operation], wide[0], wide[1]))
    tried = t.binary(KINDS[operation], plain[0], plain[1])
    return t.coalesce(t.call("TRY", tried), found) if short else found


def _parts(node: Node) -> tuple[Node, Node] | None:
    """What an operation of this file tries, and what it does in 128 bits."""
    e = t.glot()
    if (
        not isinstance(node, e.Coalesce)
        or not isinstance(tried := node.this, e.Anonymous)
        or tried.this != "TRY"
    ):
        return None
    return tried.expressions[0], node.expressions[0].expressions[0]


def _is_counted(expression: Expression) -> bool:
    return isinstance(expression, Apply) and expression.operation in KINDS and expression.type is LONG


def _full(operation: str, bound: Sequence[Expression]) -> int:
    """Within how many bits a chain of operations lies while nothing is cut."""
    bits = [
        _full(e.operation, e.arguments) if isinstance(e, Apply) and _is_counted(e) else _bits(e)
        for e in bound
    ]
    return sum(bits) if operation == "multiply" else max(bits) + 1


def wrapped_sum(total: Node) -> Node:
    """A sum, which DuckDB makes in 128 bits."""
    return t.call("kql_wrapped", total)


def _reach(operation: str, bound: Sequence[Expression]) -> int:
    bits = [_bits(e) for e in bound]
    return sum(bits) if operation == "multiply" else max(bits) + 1


def _bits(expression: Expression) -> int:
    """Within how many bits, without the sign, a value lies."""
    if expression.type is INT:
        return 31
    match expression:
        case Constant(value=int() as value):
            return value.bit_length()
        case Apply(operation=operation, arguments=arguments) if (
            operation in KINDS and expression.type is LONG
        ):
            return min(_reach(operation, arguments), _BITS)
        case Apply(operation="tolong", arguments=(inner,)) if inner.type is INT:
            return 31
        case Apply(operation=operation) if operation in _SMALL:
            return 32
        case _:
            return _BITS


def _is_short(node: Node) -> bool:
    return sum(1 for _, _ in zip(range(_MOST_PARTS + 2), node.walk(), strict=False)) <= _MOST_PARTS + 1
