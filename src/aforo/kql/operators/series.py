"""Operators that make series: make-series, as two groupings and an array that is filled where no row fell."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN, any_broken
from aforo.kql.binder import Binder
from aforo.kql.bound import Aggregation, Apply, Column, Constant, Expression, Reference, Relation, ScalarQuery
from aforo.kql.convert import apply, cast, coerce
from aforo.kql.naming import own_name
from aforo.kql.operators.grouping import Grouping
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Aggregate, Filter, Project
from aforo.kql.scope import Row, Scope
from aforo.kql.size import parts
from aforo.kql.types import BOOL, DATETIME, DYNAMIC, INT, LONG, NUMBERS, REAL, TIMESPAN, KqlType
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
    ranged = axis.expression if isinstance(axis, s.Named) else axis
    inclusive = isinstance(ranged, s.InList)
    if isinstance(ranged, s.InList):
        # `on t in range(a, b, c)` was read as a comparison with a list.
        call = ranged.items[0] if len(ranged.items) == 1 else None
        if isinstance(call, s.Call) and call.function == "range" and len(call.arguments) == 3:
            first, stop, step = call.arguments
        else:
            p.report(say.expected("range(start, stop, step)", "another list", ranged.span))
        axis = s.Named(axis.names, ranged.operand, axis.span) if isinstance(axis, s.Named) else ranged.operand
    else:
        first = p.expression() if p.take_name("from") else None
        stop = p.expression() if p.take_name("to") else None
        if p.expect_name("step"):
            step = p.expression()
    keys = p.named_list() if p.take_name("by") else ()
    nonempty = "kind" in options and options["kind"].text == "nonempty"
    return MakeSeries(tuple(items), axis, first, stop, step, keys, inclusive, nonempty, start.to(p.last))


def bind_make_series(b: Binder, relation: Relation, tree: MakeSeries, scope: Scope) -> Relation:
    axis = b.scalar(tree.axis, Row(relation.columns, scope))
    outside = Row(scope=scope)
    start = None if tree.start is None else b.scalar(tree.start, outside)
    stop = None if tree.stop is None else b.scalar(tree.stop, outside)
    step = b.scalar(tree.step, outside)
    if any_broken(axis, step) or start is BROKEN or stop is BROKEN:
        return relation
    places = _Places.of(axis, start, stop, step, inclusive=tree.inclusive)
    if places is None:
        told = [
            f" from {start.type}" if start else "",
            f" to {stop.type}" if stop else "",
            f" by {step.type}",
        ]
        b.report(say.bad_argument(f"a series of {axis.type} cannot go{''.join(told)}", tree.span))
        return relation
    if isinstance(places.step, Constant) and not _above_zero(places.step.value):
        kind = "timespan" if places.step.type is TIMESPAN else "number"
        b.report(say.bad_argument(f"the step of make-series must be a {kind} above zero", tree.step.span))
        return relation
    group = Grouping(b, Filter(relation, places.within()), scope)
    group.reserve((*tree.keys, *(item for item, _ in tree.items)))
    for key in tree.keys:
        group.key(key)
    index = b.column("index", LONG)
    keys = list(group.keys)
    group.keys.append((index, places.index()))
    defaults: list[s.Syntax | None] = []
    for item, default in tree.items:
        group.aggregate(item)
        # One aggregate may give several columns.
        defaults += [default] * (len(group.results) - len(defaults))
    return _filled(b, group, keys, index, tree, places, defaults, scope)


def _above_zero(step: object) -> bool:
    """Null and what is no number are not."""
    return isinstance(step, int | float) and 0 < step < inf


@dataclass(frozen=True, slots=True)
class _Places:
    """The axis cut into steps, numbered from 0 at `start`, or at zero where there is no start: there the first place
    of a series is the first that it has a value for, and so with the last where there is no `stop`.
    """

    axis: Expression
    start: Expression | None
    stop: Expression | None
    step: Expression
    inclusive: bool

    @staticmethod
    def of(
        axis: Expression,
        start: Expression | None,
        stop: Expression | None,
        step: Expression,
        *,
        inclusive: bool,
    ) -> _Places | None:
        """None when the types do not go together."""
        type_ = LONG if axis.type is INT else axis.type
        ends = [e for e in (start, stop, step) if e is not None]
        if type_ is LONG and any(e.type is REAL for e in ends):
            type_ = REAL
        by = TIMESPAN if type_ is DATETIME else type_
        first = None if start is None else coerce(start, type_)
        last = None if stop is None else coerce(stop, type_)
        width = coerce(step, by)
        fits = (
            (start is None or first is not None) and (stop is None or last is not None) and width is not None
        )
        if type_ not in (DATETIME, TIMESPAN, LONG, REAL) or not fits or width is None:
            return None
        return _Places(cast(axis, type_), first, last, width, inclusive)

    @property
    def type(self) -> KqlType:
        return self.axis.type

    @property
    def origin(self) -> Expression:
        zero: object = 0.0 if self.type is REAL else 0
        return Constant(zero, self.type) if self.start is None else self.start

    def within(self) -> Expression:
        """Whether a row lies on the axis."""
        held: list[Expression] = []
        if self.start is not None:
            held.append(apply("greater_equal", (self.axis, self.start), BOOL))
        if self.stop is not None:
            held.append(apply("less_equal" if self.inclusive else "less", (self.axis, self.stop), BOOL))
        if not held:
            return apply("isnotnull", (self.axis,), BOOL)
        return held[0] if len(held) == 1 else apply("and", tuple(held), BOOL)

    def index(self) -> Expression:
        return apply("series_index", (self.axis, self.origin, self.step), LONG)

    def end(self) -> Expression | None:
        """The number of the place behind the last one."""
        if self.stop is None:
            return None
        within = Constant(self.inclusive, BOOL)
        return Apply("series_end", (self.stop, self.origin, self.step, within), LONG)


def _filled(
    b: Binder,
    group: Grouping,
    keys: list[tuple[Column, Expression]],
    index: Column,
    tree: MakeSeries,
    places: _Places,
    defaults: list[s.Syntax | None],
    scope: Scope,
) -> Relation:
    """The second grouping: the points of each series, then the arrays."""
    outer = [(b.column(column.name, column.type), column) for column, _ in keys]
    points: list[tuple[Column, Aggregation]] = []
    outputs: list[tuple[Column, Expression]] = [(made, Reference(made)) for made, _ in outer]
    low, high = b.column("low", LONG), b.column("high", LONG)
    rows = b.column("rows", LONG)
    first: Expression = Constant(0, LONG) if places.start is not None else Reference(low)
    end = places.end() or apply("add", (Reference(high), Constant(1, LONG)), LONG)
    below: list[tuple[Column, Expression]] = []
    length = _asked_below(b, Apply("series_length", (first, end), LONG), below)
    for (value, _), default in zip(group.results, defaults, strict=True):
        if value.type not in NUMBERS and value.type not in (TIMESPAN, DATETIME, BOOL):
            b.report(
                say.wrong_type("what make-series puts into an array", "a number", value.type.value, tree.span)
            )
            continue
        column = b.column(value.name, DYNAMIC)
        points.append((column, Aggregation("series_points", (Reference(index), Reference(value)), DYNAMIC)))
        bound = Constant(0, LONG) if default is None else b.scalar(default, Row(scope=scope))
        filler = coerce(bound, value.type)
        if filler is None and (bound.type not in NUMBERS or value.type not in NUMBERS):
            place = tree.span if default is None else default.span
            b.report(say.wrong_type("the default", value.type.value, bound.type.value, place))
            continue
        held = _asked_below(b, cast(bound if filler is None else filler, DYNAMIC), below)
        filled = Apply("series_fill", (Reference(column), length, held, first), DYNAMIC)
        outputs.append((b.column(value.name, DYNAMIC), filled))
    name = tree.axis.names[0] if isinstance(tree.axis, s.Named) else group.names.free(own_name(tree.axis))
    origin = _asked_below(b, Apply("series_from", (places.origin, places.step, first), places.type), below)
    step = _asked_below(b, places.step, below)
    outputs.append((b.column(name, DYNAMIC), Apply("series_axis", (origin, step, length), DYNAMIC)))
    counted = [
        *points,
        (low, Aggregation("min", (Reference(index),), LONG)),
        (high, Aggregation("max", (Reference(index),), LONG)),
        (rows, Aggregation("count", (), LONG)),
    ]
    grouped: Relation = Aggregate(
        group.finish(), tuple((made, Reference(c)) for made, c in outer), tuple(counted)
    )
    if not tree.nonempty and not keys:
        # Without keys a grouping has a row even over nothing, a series has none.
        grouped = Filter(grouped, apply("greater", (Reference(rows), Constant(0, LONG)), BOOL))
    if below:
        grouped = Project(grouped, (*((c, Reference(c)) for c in grouped.columns), *below))
    return Project(grouped, tuple(outputs))


def _asked_below(b: Binder, value: Expression, below: list[tuple[Column, Expression]]) -> Expression:
    """The value, as a column below when a query is part of it (`toscalar`): no engine asks one for each element."""
    open_: list[Expression | Relation] = [value]
    while open_:
        part = open_.pop()
        if isinstance(part, ScalarQuery):
            column = b.column("asked", value.type)
            below.append((column, value))
            return Reference(column)
        open_ += parts(part)
    return value


OPERATORS = (
    Declared(
        ("make-series",),
        MakeSeries,
        parse_make_series,
        bind_make_series,
        "Arrays of aggregates along an axis.",
    ),
)
