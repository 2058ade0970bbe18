"""Syntax: what the parser makes of tokens. Every node knows its place; names are not resolved here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aforo.kql.types import KqlType
from aforo.source import Span


class Syntax:
    """Any node; `span` is its place in the text."""

    __slots__ = ()
    span: Span


class Operator(Syntax):
    """One step of a pipeline (`where ...`). Its dataclass stands with its family in `operators/`. `keeps`: whether what
    comes out may be what went in."""

    __slots__ = ()
    keeps: ClassVar[bool] = False


class GraphOperator(Operator):
    """One that takes a graph."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Literal(Syntax):
    """A constant. `value` is bool, int, float, Decimal, str, ticks (int), a JSON value for dynamic, or None."""

    value: object
    type: KqlType
    span: Span


@dataclass(frozen=True, slots=True)
class Name(Syntax):
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Star(Syntax):
    """`*` where columns are listed; `pattern` carries wildcards such as `Dur*`."""

    span: Span
    pattern: str = "*"


@dataclass(frozen=True, slots=True)
class Member(Syntax):
    """`target.name`"""

    target: Syntax
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Index(Syntax):
    """`target[index]`"""

    target: Syntax
    index: Syntax
    span: Span


@dataclass(frozen=True, slots=True)
class Call(Syntax):
    function: str
    arguments: tuple[Syntax, ...]
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class Unary(Syntax):
    op: str
    operand: Syntax
    span: Span


@dataclass(frozen=True, slots=True)
class Binary(Syntax):
    op: str
    left: Syntax
    right: Syntax
    span: Span
    op_span: Span


@dataclass(frozen=True, slots=True)
class Between(Syntax):
    operand: Syntax
    low: Syntax
    high: Syntax
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class InList(Syntax):
    """`x in (...)`, `x has_any (...)` and their kin; items may be one table."""

    op: str
    operand: Syntax
    items: tuple[Syntax, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Named(Syntax):
    """`name = expression`, or `(a, b) = expression` for functions of several columns."""

    names: tuple[str, ...]
    expression: Syntax
    span: Span


@dataclass(frozen=True, slots=True)
class TypeOf(Syntax):
    type: KqlType
    span: Span


@dataclass(frozen=True, slots=True)
class Sorted(Syntax):
    """`expression asc nulls last`; the order is descending unless said."""

    expression: Syntax
    ascending: bool
    nulls_first: bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class ColumnDeclaration(Syntax):
    """`name: type` of a schema."""

    name: str
    type: KqlType
    span: Span


@dataclass(frozen=True, slots=True)
class Datatable(Syntax):
    schema: tuple[ColumnDeclaration, ...]
    values: tuple[Syntax, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Pipeline(Syntax):
    """`source | operator | ...`; without operators the source alone, in parentheses."""

    source: Syntax
    operators: tuple[Operator, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Missing(Syntax):
    """Stands where something was expected; a mistake has been reported."""

    span: Span


# -- statements ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter(Syntax):
    """A parameter of a function: a scalar with an optional default, or a table with its schema (`type` None)."""

    name: str
    type: KqlType | None
    schema: tuple[ColumnDeclaration, ...]
    default: Syntax | None
    span: Span


@dataclass(frozen=True, slots=True)
class Function(Syntax):
    """`(a: long) { let x = 1; body }`; a `view` is among the tables that a wildcard names."""

    parameters: tuple[Parameter, ...]
    statements: tuple[Let, ...]
    body: Syntax
    span: Span
    view: bool = False


@dataclass(frozen=True, slots=True)
class Let(Syntax):
    name: str
    value: Syntax
    span: Span


@dataclass(frozen=True, slots=True)
class DeclareParameters(Syntax):
    parameters: tuple[Parameter, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class SetOption(Syntax):
    """`set name = value`, or the name alone."""

    name: str
    value: Syntax | None
    span: Span


@dataclass(frozen=True, slots=True)
class PatternCase(Syntax):
    """`("a").["b"] = { body }`; `path` None where the pattern has none."""

    values: tuple[object, ...]
    path: str | None
    statements: tuple[Let, ...]
    body: Syntax
    span: Span


@dataclass(frozen=True, slots=True)
class Pattern(Syntax):
    """`declare pattern name = (parameters)[path: string] { cases }`"""

    name: str
    parameters: tuple[Parameter, ...]
    cases: tuple[PatternCase, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Alias(Syntax):
    """`alias database name = cluster("...").database("...")`"""

    name: str
    place: Syntax
    span: Span


@dataclass(frozen=True, slots=True)
class Restrict(Syntax):
    """`restrict access to (T, V*)`"""

    items: tuple[Syntax, ...]
    span: Span


Statement = Let | DeclareParameters | SetOption | Pattern | Alias | Restrict


@dataclass(frozen=True, slots=True)
class Query(Syntax):
    """A whole text: statements and the one pipeline that answers."""

    statements: tuple[Statement, ...]
    body: Syntax | None
    span: Span
