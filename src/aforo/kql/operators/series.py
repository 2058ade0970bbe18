"""Operators that make series: make-series, as two groupings and an array that is filled where no row fell."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import any_broken
from aforo.kql.binder import Binder
from aforo.kql.bound import Aggregation, Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply, cast, coerce
from aforo.kql.naming import own_name
from aforo.kql.operators.grouping import Grouping
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Aggregate, Filter, Project
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DATETIME, DYNAMIC, INT, INTEGERS, LONG, TIMESPAN
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class MakeSeries(s.Operator):
    """`items` are aggregates with their defaults; `inclusive` is the older `in range(start, stop, step)`."""

    items: tuple[tuple[s.Syntax, s.Syntax | None], ...]
    axis: s.Syntax
    start: s.Syntax | None
    stop: s.Syntax | None
    step: s.Syntax
    keys: tuple[s.Syntax, ...]
    inclusive: bool
    nonempty: bool
    span: Span


def parse_make_series(p: Parser, start: Span) -> MakeSeries:
    options = p.options("kind")
    items: list[tuple[s.Syntax, s.Syntax | None]] = []
    while True:
        item = p.named_expression()
        default = None
        if p.take_name("default"):
            p.expect_mark("=")
            default = p.expression()
        items.append((item, default))
        if not p.take_mark(","):
            break
    p.expect_name("on")
    axis = p.named_expression()
    first: s.Syntax | None = None
    stop: s.Syntax | None = None
    step: s.Syntax = s.Missing(start)
    inclusive = isinstance(axis, s.InList)
    if isinstance(axis, s.InList):
        # `on t in range(a, b, c)` was read as a comparison with a list.
        (call,) = axis.items
        if isinstance(call, s.Call) and call.function == "range" and len(call.arguments) == 3:
            first, stop, step = call.arguments
        axis = axis.operand
    else:
        first = p.expression() if p.take_name("from") else None
        stop = p.expression() if p.take_name("to") else None
        if p.expect_name("step"):
            step = p.expression()
    keys = p.named_list() if p.take_name("by") else ()
    nonempty = "kind" in options and options["kind"].text == "nonempty"
    return MakeSeries(tuple(items), axis, first, stop, step, keys, inclusive, nonempty, start.to(p.last))


def bind_make_series(b: Binder, relation: Relation, tree: MakeSeries, scope: Scope) -> Relation:
    if tree.start is None or tree.stop is None:
        b.report(
            say.unsupported(
                "make-series without both 'from' and 'to'", tree.span, "give the range of the axis"
            )
        )
        return relation
    axis = b.scalar(tree.axis, Row(relation.columns, scope))
    start, stop, step = (b.scalar(t, Row(scope=scope)) for t in (tree.start, tree.stop, tree.step))
    if any_broken(axis, start, stop, step):
        return relation
    type_ = LONG if axis.type is INT else axis.type
    by = TIMESPAN if type_ is DATETIME else type_
    ends = [coerce(x, t) for x, t in ((start, type_), (stop, type_), (step, by))]
    if type_ not in (DATETIME, TIMESPAN, *INTEGERS) or any(x is None for x in ends):
        b.report(
            say.bad_argument(
                f"a series of {axis.type} cannot go from {start.type} to {stop.type} by {step.type}",
                tree.span,
            )
        )
        return relation
    first, last, width = (x for x in ends if x is not None)
    if tree.inclusive:
        last = apply("add", (last, Constant(1, by)), type_)
    place = cast(axis, type_)
    within = apply(
        "and", (apply("greater_equal", (place, first), BOOL), apply("less", (place, last), BOOL)), BOOL
    )  # fmt: skip
    group = Grouping(b, Filter(relation, within), scope)
    group.reserve((*tree.keys, *(item for item, _ in tree.items)))
    for key in tree.keys:
        group.key(key)
    index = b.column("index", LONG)
    keys = list(group.keys)
    group.keys.append((index, apply("series_index", (place, first, width), LONG)))
    for item, _ in tree.items:
        group.aggregate(item)
    return _filled(b, group, keys, index, tree, (first, last, width), scope)


def _filled(
    b: Binder,
    group: Grouping,
    keys: list[tuple[Column, Expression]],
    index: Column,
    tree: MakeSeries,
    ends: tuple[Expression, Expression, Expression],
    scope: Scope,
) -> Relation:
    """The second grouping: the points of each series, then the arrays."""
    first, last, width = ends
    outer = [(b.column(column.name, column.type), column) for column, _ in keys]
    points: list[tuple[Column, Aggregation]] = []
    length = apply("series_length", (first, last, width), LONG)
    outputs: list[tuple[Column, Expression]] = [(made, Reference(made)) for made, _ in outer]
    for (value, _), (_, default) in zip(group.results, tree.items, strict=False):
        column = b.column(value.name, DYNAMIC)
        points.append((column, Aggregation("series_points", (Reference(index), Reference(value)), DYNAMIC)))
        bound = Constant(0, LONG) if default is None else b.scalar(default, Row(scope=scope))
        filler = coerce(bound, value.type)
        if filler is None:
            assert default is not None
            b.report(say.wrong_type("the default", value.type.value, bound.type.value, default.span))
            continue
        filled = apply("series_fill", (Reference(column), length, cast(filler, DYNAMIC)), DYNAMIC)
        outputs.append((b.column(value.name, DYNAMIC), filled))
    name = tree.axis.names[0] if isinstance(tree.axis, s.Named) else group.names.free(own_name(tree.axis))
    outputs.append((b.column(name, DYNAMIC), apply("series_axis", (first, width, length), DYNAMIC)))
    rows = b.column("rows", LONG)
    counted = [*points, (rows, Aggregation("count", (), LONG))]
    grouped: Relation = Aggregate(
        group.finish(), tuple((made, Reference(c)) for made, c in outer), tuple(counted)
    )
    if not tree.nonempty and not keys:
        # Without keys a grouping has a row even over nothing, a series has none.
        grouped = Filter(grouped, apply("greater", (Reference(rows), Constant(0, LONG)), BOOL))
    return Project(grouped, tuple(outputs))


OPERATORS = (
    Declared(
        ("make-series",),
        MakeSeries,
        parse_make_series,
        bind_make_series,
        "Arrays of aggregates along an axis.",
    ),
)
