"""The first of many rows in an order, with all their text: where the last of them stands is found by the order alone, and
what lies behind it is not kept in memory to be sorted. Plan to plan, after everything else; it knows no SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aforo.kql.bound import Aggregation, Apply, Column, Constant, Expression, Reference, Relation, ScalarQuery
from aforo.kql.chance import by_chance
from aforo.kql.plan import Aggregate, Filter, Limit, Project, Scan, Sort, SortKey, expressions
from aforo.kql.ticks import MAX_DATETIME
from aforo.kql.types import BOOL, DATETIME, DYNAMIC, INT, LONG, STRING, KqlType

# Up to here the engine keeps no more rows than are wanted.
FEW = 5_000
_ENDS: dict[KqlType, tuple[int, int]] = {
    DATETIME: (0, MAX_DATETIME),
    LONG: (-(1 << 63), (1 << 63) - 1),
    INT: (-(1 << 31), (1 << 31) - 1),
}

Prune = Callable[[Relation, set[int]], Relation]


def bounded(relation: Relation, prune: Prune) -> Relation:
    """The plan with a bound below the last `sort ... | take` of its answer, where that spares memory. `prune` gives a
    relation with only some columns."""
    match relation:
        case Project(input=inner):
            return replace(relation, input=bounded(inner, prune))
        case Limit(input=Sort() as sort, count=Constant(value=int() as count)) if count > FEW:
            return replace(relation, input=_bounded(sort, count, prune))
        case Limit(input=inner):
            return replace(relation, input=bounded(inner, prune))
        case _:
            return relation


def _bounded(sort: Sort, count: int, prune: Prune) -> Sort:
    first = sort.keys[0].expression
    if not isinstance(first, Reference) or first.type not in _ENDS or not _is_plain(sort.input):
        return sort
    if not any(c.type in (STRING, DYNAMIC) for c in sort.columns):
        return sort
    last = _last(sort.input, first.column, sort.keys[0], count, prune)
    ascending = sort.keys[0].ascending
    end = Constant(_ENDS[first.type][1 if ascending else 0], first.type)
    known = Apply("coalesce", (last, end), first.type)
    within = Apply("less_equal" if ascending else "greater_equal", (first, known), BOOL)
    missing = Apply("isnull", (first,), BOOL)
    return replace(sort, input=Filter(sort.input, Apply("or", (missing, within), BOOL)))


def _last(relation: Relation, column: Column, key: SortKey, count: int, prune: Prune) -> Expression:
    """The value that the last of the first rows has; null when they are fewer, or some have none."""
    alone = prune(Project(relation, ((column, Reference(column)),)), {column.id})
    best = Limit(Sort(alone, (key,)), Constant(count, LONG))
    # Ids of their own, far from those of the plan, of the lowering and of the writer.
    value, known = Column(-2_000_000_000, "last", column.type), Column(-2_000_000_001, "known", LONG)
    there = Apply("isnotnull", (Reference(column),), BOOL)
    found = Aggregate(
        best,
        (),
        (
            (value, Aggregation("max" if key.ascending else "min", (Reference(column),), column.type)),
            (known, Aggregation("count", (), LONG, there)),
        ),
    )
    enough = Apply("equals", (Reference(known), Constant(count, LONG)), BOOL)
    told = Apply("case", (enough, Reference(value), Constant(None, column.type)), column.type)
    out = Column(-2_000_000_002, "bound", column.type)
    return ScalarQuery(Project(found, ((out, told),)), column.type)


def _is_plain(relation: Relation) -> bool:
    """Whether rows come straight from a table, the same ones each time that it is read."""
    match relation:
        case Scan():
            return True
        case Filter(input=inner) | Project(input=inner):
            return not any(by_chance(e) for e in expressions(relation)) and _is_plain(inner)
        case _:
            return False
