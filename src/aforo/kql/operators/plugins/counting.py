"""Plugins over counts of distinct values: dcount_intersect."""

from __future__ import annotations

from itertools import combinations

from aforo.kql import diagnostics as say
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply
from aforo.kql.naming import Names
from aforo.kql.operators.plugins.spec import Plugin, PluginCall
from aforo.kql.plan import Project
from aforo.kql.scope import Row, Scope
from aforo.kql.types import DYNAMIC, LONG

# Every subset of the sets is united once: more sets would be more unions than a query may have.
MOST_SETS = 6


def dcount_intersect(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """How many values all of the first sets have in common, for one set, two, and so on."""
    row = Row(relation.columns, scope)
    sets = [b.scalar(tree, row) for tree in call.arguments]
    if any(x is BROKEN for x in sets):
        return relation
    for found, tree in zip(sets, call.arguments, strict=True):
        if found.type is not DYNAMIC:
            b.report(
                say.wrong_type(
                    "a set of dcount_intersect", "dynamic", found.type.value, tree.span, "hll(...) makes one"
                )
            )
            return relation
    names = Names(tuple(c.name for c in relation.columns))
    items: list[tuple[Column, Expression]] = [(c, Reference(c)) for c in relation.columns]
    for i in range(len(sets)):
        items.append((b.column(names.free(f"s{i}"), LONG), _common(sets[: i + 1])))
    return Project(relation, tuple(items))


def _common(sets: list[Expression]) -> Expression:
    """What they share, by counting unions: odd ones more, even ones less."""
    total: Expression = Constant(0, LONG)
    for size in range(1, len(sets) + 1):
        for chosen in combinations(sets, size):
            united = chosen[0] if size == 1 else Apply("hll_merge", chosen, DYNAMIC)
            count = Apply("dcount_hll", (united,), LONG)
            total = Apply("add" if size % 2 else "subtract", (total, count), LONG)
    return apply("max_of", (total, Constant(0, LONG)), LONG)


PLUGINS = (
    Plugin("dcount_intersect", (2, MOST_SETS), dcount_intersect, "How many values sets have in common."),
)
