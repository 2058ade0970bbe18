"""Bound expressions: names resolved to columns, every node with its type, implicit conversions made explicit.

Operations are named by Kusto's function name or by an operator word (`add`, `equals`); how one is written in SQL is
the dialect's affair. Relations are in `plan.py`, above this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aforo.kql.types import BOOL, DYNAMIC, KqlType


class Relation:
    """A node of a plan (`plan.py`): anything with columns."""

    __slots__ = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Column:
    """A column somewhere in a plan. `id` is unique in one compile; what is passed on unchanged keeps it."""

    id: int
    name: str
    type: KqlType


@dataclass(frozen=True, slots=True)
class Constant:
    """`value`: bool, int, float, Decimal, str, ticks (int), JSON value (dynamic), or None for null."""

    value: object
    type: KqlType


@dataclass(frozen=True, slots=True)
class Reference:
    column: Column

    @property
    def type(self) -> KqlType:
        return self.column.type


@dataclass(frozen=True, slots=True)
class Apply:
    """A scalar operation over its arguments, which have exactly the types that it takes."""

    operation: str
    arguments: tuple[Expression, ...]
    type: KqlType


@dataclass(frozen=True, slots=True)
class Path:
    """A fixed path into a dynamic value: names and array indexes (negative ones count from the end)."""

    base: Expression
    steps: tuple[str | int, ...]

    @property
    def type(self) -> KqlType:
        return DYNAMIC


@dataclass(frozen=True, slots=True)
class ScalarQuery:
    """The first column of the first row of a relation (`toscalar`)."""

    relation: Relation
    type: KqlType


@dataclass(frozen=True, slots=True)
class InRelation:
    """Whether the operand is among the values of the relation's first column."""

    operand: Expression
    relation: Relation
    ignore_case: bool

    @property
    def type(self) -> KqlType:
        return BOOL


Expression = Constant | Reference | Apply | Path | ScalarQuery | InRelation


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregate over a group; rows where `condition` is not true do not count."""

    operation: str
    arguments: tuple[Expression, ...]
    type: KqlType
    condition: Expression | None = None


@dataclass(frozen=True, slots=True)
class Windowed:
    """A function over rows in their order (`row_number`, `prev`)."""

    operation: str
    arguments: tuple[Expression, ...]
    type: KqlType


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts of an expression (relations inside are not entered)."""
    match expression:
        case Apply(arguments=arguments):
            return arguments
        case Path(base=base):
            return (base,)
        case InRelation(operand=operand):
            return (operand,)
        case _:
            return ()


def references(expression: Expression) -> Iterator[Column]:
    """All columns that an expression reads."""
    if isinstance(expression, Reference):
        yield expression.column
    for child in children(expression):
        yield from references(child)
