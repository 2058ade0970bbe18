"""Plugins that turn tables: pivot (values become columns) and narrow (columns become rows)."""

from __future__ import annotations

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Aggregation, Apply, Column, Constant, Expression, Reference, Relation, Windowed
from aforo.kql.convert import apply, cast
from aforo.kql.functions.catalog import AGGREGATES
from aforo.kql.naming import Names
from aforo.kql.operators.plugins.spec import Plugin, PluginCall
from aforo.kql.plan import Aggregate, Project, Unnest, Window
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, LONG, STRING


def pivot(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """pivot(column [, aggregate [, column...]]): a column for each value, an aggregate of the rows that have it."""
    row = Row(relation.columns, scope)
    turned = b.scalar(call.arguments[0], row)
    rest = call.arguments[1:]
    aggregation = Aggregation("count", (), LONG)
    if rest and isinstance(rest[0], s.Call) and rest[0].function in AGGREGATES:
        found = b.aggregation(AGGREGATES[rest[0].function], rest[0], row)
        if found is None:
            return relation
        aggregation, rest = found, rest[1:]
    if turned is BROKEN:
        return relation
    used = {e.column for e in (turned, *aggregation.arguments) if isinstance(e, Reference)}
    keys: list[tuple[Column, Expression]] = []
    if rest:
        for tree in rest:
            key = b.scalar(tree, row)
            if isinstance(key, Reference):
                keys.append((key.column, key))
            elif key is not BROKEN:
                b.report(say.bad_argument("pivot() groups by columns", tree.span))
    else:
        keys = [(c, Reference(c)) for c in relation.columns if c not in used]
    if (dynamic := next((c for c, _ in keys if c.type is DYNAMIC), None)) is not None:
        b.report(say.bad_argument(f"pivot() cannot group by '{dynamic.name}', which is dynamic", call.span,
                                  "name the columns to group by, or project it away first"))  # fmt: skip
        return relation
    value = cast(turned, STRING)
    names = [str(v[0]) for v in b.discovered(Aggregate(relation, ((b.column("value", STRING), value),), ()))]
    if not names and not keys:
        b.report(say.bad_argument("pivot() has found no values: its answer would have no columns", call.span))
        return relation
    free = Names(tuple(c.name for c, _ in keys))
    aggregates = [
        (
            b.column(free.free(name), aggregation.type),
            Aggregation(
                aggregation.operation,
                aggregation.arguments,
                aggregation.type,
                _both(aggregation.condition, apply("equals", (value, Constant(name, STRING)), BOOL)),
            ),
        )
        for name in sorted(names)
    ]
    grouped = Aggregate(relation, tuple(keys), tuple(aggregates))
    if call.schema is None:
        return grouped
    have = {c.name: c for c in grouped.columns}
    items = tuple(
        (c, Reference(c)) if (c := have.get(d.name)) is not None and c.type is d.type
        else (b.column(d.name, d.type), Constant(None, d.type) if c is None else cast(Reference(c), d.type))
        for d in call.schema
    )  # fmt: skip
    return Project(grouped, items)


def _both(one: Expression | None, other: Expression) -> Expression:
    return other if one is None else apply("and", (one, other), BOOL)


def narrow(b: Binder, relation: Relation, _call: PluginCall, _scope: Scope) -> Relation:
    """Each cell as a row: the number of its row, the name of its column, its value as text."""
    number = b.column("Row", LONG)
    numbered = Window(
        relation, ((number, Windowed("row_number", (Constant(0, LONG), Constant(False, BOOL)), LONG)),)
    )
    cells = Apply(
        "pack_array",
        tuple(
            Apply("pack_array", (Constant(c.name, STRING), cast(Reference(c), STRING)), DYNAMIC)
            for c in relation.columns
        ),
        DYNAMIC,
    )
    cell = b.column("cell", DYNAMIC)
    rows = Unnest(numbered, ((cell, cells),), None, False, None)
    parts = [cast(Apply("element_at", (Reference(cell), Constant(i, LONG)), DYNAMIC), STRING) for i in (0, 1)]
    return Project(
        rows,
        (
            (number, Reference(number)),
            (b.column("Column", STRING), parts[0]),
            (b.column("Value", STRING), parts[1]),
        ),
    )


PLUGINS = (
    Plugin("pivot", (1, 64), pivot, "Makes a column of each value of a column."),
    Plugin("narrow", (0, 0), narrow, "Makes a row of each cell."),
)
