"""Window functions that are made of plainer ones: ranks, as counts of the rows at which a value changes."""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Windowed
from aforo.kql.types import BOOL, LONG, KqlType

Items = list[tuple[Column, Windowed]]
Made = Callable[[str, KqlType], Column]


def _item(
    made: Made, items: Items, operation: str, arguments: tuple[Expression, ...], type_: KqlType
) -> Reference:
    column = made(operation, type_)
    items.append((column, Windowed(operation, arguments, type_)))
    return Reference(column)


def _changes(
    made: Made, items: Items, value: Expression, restart: Expression | None
) -> tuple[Expression, Expression]:
    """(whether a row differs from the one before it or is the first, its number)"""
    number = _item(made, items, "row_number", (Constant(1, LONG), *_given(restart)), LONG)
    before = _item(made, items, "prev", (value,), value.type)
    changed = Apply("not_equals", (value, before), BOOL)
    first = Apply("equals", (number, Constant(1, LONG)), BOOL)
    return Apply("or", (first, changed), BOOL), number


def _given(restart: Expression | None) -> tuple[Expression, ...]:
    return () if restart is None else (restart,)


def rank_dense(made: Made, items: Items, value: Expression, restart: Expression | None = None) -> Expression:
    """`row_rank_dense`: how many different values there are up to this row."""
    changed, _ = _changes(made, items, value, restart)
    step = Apply("case", (changed, Constant(1, LONG), Constant(0, LONG)), LONG)
    return _item(made, items, "row_cumsum", (step, *_given(restart)), LONG)


def rank_min(made: Made, items: Items, value: Expression, restart: Expression | None = None) -> Expression:
    """`row_rank_min`: the number of the first row that has this value."""
    changed, number = _changes(made, items, value, restart)
    begun = Apply("case", (changed, number, Constant(0, LONG)), LONG)
    return _item(made, items, "row_cummax", (begun, *_given(restart)), LONG)


RANKS = {"row_rank_dense": rank_dense, "row_rank_min": rank_min}
