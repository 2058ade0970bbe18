"""Operators grouped anew. The grammar lets `?.` bind looser than the operator before it (`a == b?.c` comes as
`(a == b)?.c`) and takes `(T)x.F<U>(y)` for two comparisons; real policies are full of both. So a run of operators
is flattened to operands and operators and grouped here by C#'s own precedence. It knows no types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from tree_sitter import Node

T = TypeVar("T")

CHAIN: Final = frozenset(
    (
        "member_access_expression",
        "element_access_expression",
        "invocation_expression",
        "conditional_access_expression",
    )
)
RUN: Final = CHAIN | {
    "binary_expression",
    "cast_expression",
    "prefix_unary_expression",
    "as_expression",
    "is_expression",
    "is_pattern_expression",
}
_INNER: Final = {
    "member_access_expression": "expression",
    "element_access_expression": "expression",
    "invocation_expression": "function",
    "conditional_access_expression": "condition",
}
_TESTS: Final = {"as_expression": "left", "is_expression": "left", "is_pattern_expression": "expression"}
_SIGNS: Final = ("+", "-", "*", "&", "^")
_LEVEL: Final = {
    "??": 2, "||": 3, "&&": 4, "|": 5, "^": 6, "&": 7, "==": 8, "!=": 8, "<": 9, ">": 9, "<=": 9, ">=": 9, "test": 9,
    "<<": 10, ">>": 10, "+": 11, "-": 11, "*": 12, "/": 12, "%": 12,
}  # fmt: skip


@dataclass(slots=True)
class GenericCall:
    """`<type>(arguments)` that the grammar took for comparisons."""

    type: Operand
    arguments: Node


@dataclass(slots=True)
class Subscript:
    """`(a)[0]`, which the grammar took for a cast of a list."""

    node: Node


@dataclass(slots=True)
class Operand:
    """`prefixes` (casts, signs) outermost first, the innermost node, and the links of the chain on it."""

    prefixes: list[Node]
    base: Node
    links: list[Node | GenericCall | Subscript] = field(default_factory=list)


@dataclass(slots=True)
class Operator:
    """`test` is `is` or `as`: `node` holds what stands on its right, or `constant` is it, grouped anew itself."""

    symbol: str
    node: Node
    constant: list[Operand | Operator] = field(default_factory=list)


def flatten(node: Node) -> list[Operand | Operator]:
    """Operands with operators between them, in reading order; without recursion along the left."""
    pending: list[tuple[str, Node]] = []
    now = node
    # Down the left side: what is applied to the whole run so far waits in `pending`.
    while True:
        if now.type == "binary_expression":
            left = now.child_by_field_name("left")
        elif now.type in _TESTS:
            left = now.child_by_field_name(_TESTS[now.type])
        elif now.type in CHAIN:
            left = now.child_by_field_name(_INNER[now.type])
        elif now.type == "cast_expression":
            left = now.child_by_field_name("value")
        elif now.type == "prefix_unary_expression" and not _is_literal(now):
            left = now.children[-1]
        else:
            left = None
        if left is None:
            break
        pending.append((now.type, now))
        now = left
    items: list[Operand | Operator] = [Operand([], now)]
    for kind, each in reversed(pending):
        if kind == "binary_expression":
            operator, right = each.child_by_field_name("operator"), each.child_by_field_name("right")
            assert operator is not None
            assert right is not None
            items.append(Operator(operator.type, each))
            items += flatten(right)
        elif kind in _TESTS:
            items += _tested(each)
        elif kind in CHAIN:
            last = items[-1]
            if isinstance(last, Operand):
                last.links.append(each)
        else:
            first = items[0]
            assert isinstance(first, Operand)
            first.prefixes.insert(0, each)
    return _generics([each for item in items for each in _uncast(item)])


def _tested(node: Node) -> list[Operand | Operator]:
    """`x is T && y` comes as a test for the constant `T && y`: what binds looser than a test goes on behind it."""
    pattern = node.child_by_field_name("pattern")
    inner = pattern.named_children[0] if pattern is not None and pattern.type == "constant_pattern" else None
    if inner is None or inner.type not in ("binary_expression", *_TESTS):
        return [Operator("test", node)]
    run = flatten(inner)
    ends = (
        at
        for at, item in enumerate(run)
        if isinstance(item, Operator) and _LEVEL.get(item.symbol, 12) <= _LEVEL["test"]
    )
    end = next(ends, len(run))
    return [Operator("test", node, run[:end]), *run[end:]]


def _uncast(item: Operand | Operator) -> list[Operand | Operator]:
    """`(a) - b` is no cast of `-b`: C# decides this by the sign behind, but for what can only be a type."""
    if isinstance(item, Operator):
        return [item]
    for at, prefix in enumerate(item.prefixes):
        type_ = prefix.child_by_field_name("type") if prefix.type == "cast_expression" else None
        if type_ is None or not _reads_as_value(type_):
            continue
        if at + 1 == len(item.prefixes) and item.base.type == "collection_expression":
            return [Operand(item.prefixes[:at], type_, [Subscript(item.base), *item.links])]
        following = item.prefixes[at + 1] if at + 1 < len(item.prefixes) else item.base
        if following.type != "prefix_unary_expression" or following.children[0].type not in _SIGNS:
            continue
        symbol, behind = following.children[0].type, at + 2
        second = item.prefixes[at + 2] if at + 2 < len(item.prefixes) else following
        if symbol == "&" and second.type == following.type and second.start_byte == following.start_byte + 1:
            symbol, behind = "&&", at + 3  # `&&`, taken for two signs
        inner = at + 1 < len(item.prefixes)
        rest = Operand(
            item.prefixes[behind:], item.base if inner else following.children[-1], list(item.links)
        )
        return [Operand(item.prefixes[:at], type_), Operator(symbol, following), *_uncast(rest)]
    return [item]


def _reads_as_value(type_: Node) -> bool:
    if type_.type == "array_type":
        rank = type_.child_by_field_name("rank")
        return rank is not None and rank.named_child_count > 0
    return type_.type in ("identifier", "qualified_name")


def _is_literal(node: Node) -> bool:
    """-1 is a literal of its own: -2147483648 fits where 2147483648 does not."""
    return node.children[0].type in ("++", "--") or (
        node.children[0].type == "-" and node.children[-1].type == "integer_literal"
    )


def _generics(items: list[Operand | Operator]) -> list[Operand | Operator]:
    """`x.F < T > (y)` is `x.F<T>(y)`: C# decides this by the bracket behind."""
    at = 0
    while at + 4 < len(items):
        function, less, type_, more, call = items[at : at + 5]
        if (
            isinstance(function, Operand)
            and isinstance(less, Operator)
            and isinstance(type_, Operand)
            and isinstance(more, Operator)
            and isinstance(call, Operand)
            and (less.symbol, more.symbol) == ("<", ">")
            and not type_.prefixes
            and type_.base.type in ("identifier", "generic_name", "qualified_name")
            and all(
                not isinstance(link, (GenericCall, Subscript)) and link.type == "member_access_expression"
                for link in type_.links
            )
            and not call.prefixes
            and call.base.type in ("parenthesized_expression", "tuple_expression")
            and bool(function.links)
        ):
            function.links += [GenericCall(type_, call.base), *call.links]
            del items[at + 1 : at + 5]
        else:
            at += 1
    return items


def climb(
    items: list[Operand | Operator],
    operand: Callable[[Operand], T],
    binary: Callable[[T, str, T], T],
    test: Callable[[T, Operator], T],
) -> T:
    """The run grouped by precedence; `??` groups to the right, everything else to the left."""
    values: list[T] = []
    waiting: list[str] = []

    def reduce() -> None:
        symbol = waiting.pop()
        right, left = values.pop(), values.pop()
        values.append(binary(left, symbol, right))

    for item in items:
        if isinstance(item, Operand):
            values.append(operand(item))
            continue
        level = _LEVEL.get(item.symbol, 12)
        while waiting and (
            _LEVEL.get(waiting[-1], 12) > level
            or (_LEVEL.get(waiting[-1], 12) == level and item.symbol != "??")
        ):
            reduce()
        if item.symbol == "test":
            values.append(test(values.pop(), item))
        else:
            waiting.append(item.symbol)
    while waiting:
        reduce()
    return values[0]
