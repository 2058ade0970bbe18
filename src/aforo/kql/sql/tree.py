"""Shorthands for sqlglot nodes. sqlglot is imported when the first query is written: it costs time at start."""

from __future__ import annotations

import functools
from typing import Any

Node = Any


@functools.cache
def glot() -> Any:
    """sqlglot's module of expressions."""
    from sqlglot import exp

    return exp


def column(name: str, table: str = "") -> Node:
    e = glot()
    return e.Column(
        this=e.Identifier(this=name, quoted=True),
        table=e.Identifier(this=table, quoted=True) if table else None,
    )


def call(name: str, *arguments: Node) -> Node:
    return glot().Anonymous(this=name, expressions=list(arguments))


def number(value: float | int) -> Node:
    e = glot()
    return (
        e.Neg(this=e.Literal(this=str(-value), is_string=False))
        if value < 0
        else e.Literal(this=str(value), is_string=False)
    )


def text(value: str) -> Node:
    return glot().Literal(this=value, is_string=True)


def null() -> Node:
    return glot().Null()


def boolean(value: bool) -> Node:
    return glot().Boolean(this=value)


def cast(value: Node, type_name: str) -> Node:
    """Type names are read in DuckDB's words; sqlglot writes them in those of the dialect that is asked for."""
    e = glot()
    return e.Cast(this=value, to=_type(type_name))


def try_cast(value: Node, type_name: str) -> Node:
    e = glot()
    return e.TryCast(this=value, to=_type(type_name))


@functools.cache
def _type(name: str) -> Node:
    return glot().DataType.build(name, dialect="duckdb")


def alias(value: Node, name: str) -> Node:
    e = glot()
    return e.Alias(this=value, alias=e.Identifier(this=name, quoted=True))


def binary(kind: str, left: Node, right: Node) -> Node:
    """`kind` is sqlglot's class name (`EQ`, `GT`, `Add`, ...); operands that are not plain get parentheses."""
    return getattr(glot(), kind)(this=grouped(left), expression=grouped(right))


def grouped(node: Node) -> Node:
    e = glot()
    if isinstance(node, e.Binary | e.Connector | e.Not | e.Is | e.In | e.Between | e.Neg | e.Case):
        return e.Paren(this=node)
    return node


def every(conditions: list[Node]) -> Node:
    """All conditions at once; a single one stays as it is."""
    e = glot()
    node = conditions[0]
    for condition in conditions[1:]:
        node = e.And(this=node, expression=condition)
    return node


def negation(node: Node) -> Node:
    return glot().Not(this=grouped(node))


def is_null(node: Node) -> Node:
    e = glot()
    return e.Is(this=grouped(node), expression=e.Null())


def choice(pairs: list[tuple[Node, Node]], otherwise: Node | None) -> Node:
    e = glot()
    return e.Case(ifs=[e.If(this=c, true=v) for c, v in pairs], default=otherwise)


def array(*items: Node) -> Node:
    return glot().Array(expressions=list(items))


def coalesce(value: Node, default: Node) -> Node:
    return glot().Coalesce(this=value, expressions=[default])


def again(node: Node) -> Node:
    """A copy of a node, for a second place in the tree. Columns are most of them, and sqlglot's own way of copying is
    made for whole trees."""
    e = glot()
    if type(node) is e.Column and set(node.args) <= {"this", "table"}:
        parts = (node.args["this"], node.args.get("table"))
        name, table = (
            None if p is None else e.Identifier(this=p.this, quoted=p.args.get("quoted")) for p in parts
        )
        return e.Column(this=name, table=table)
    return node.copy()


def is_plain(node: Node) -> bool:
    """A column or a constant: what may be repeated at no cost."""
    e = glot()
    return isinstance(node, e.Column | e.Literal | e.Null | e.Boolean)
