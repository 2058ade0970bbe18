"""Operators that make groups: summarize, distinct, count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Aggregation, Column, Constant, Expression, Reference, Relation
from aforo.kql.call_checks import percentile_problem
from aforo.kql.convert import cast, coerce
from aforo.kql.functions.catalog import AGGREGATES
from aforo.kql.naming import Names, aggregate_name, own_name, percentile_part
from aforo.kql.operators.rows import matching
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Aggregate, Project
from aforo.kql.scope import Row, Scope
from aforo.kql.types import DATETIME, DYNAMIC, LONG, NUMBERS, REAL, TIMESPAN
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class Summarize(s.Operator):
    aggregates: tuple[s.Syntax, ...]
    keys: tuple[s.Syntax, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Distinct(s.Operator):
    items: tuple[s.Syntax, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Count(s.Operator):
    name: str
    span: Span


def parse_summarize(p: Parser, start: Span) -> Summarize:
    p.options()
    aggregates = () if p.peek_name("by") else p.named_list()
    keys = p.named_list() if p.take_name("by") else ()
    return Summarize(aggregates, keys, start.to(p.last))


def bind_summarize(b: Binder, relation: Relation, tree: Summarize, scope: Scope) -> Relation:
    return Grouping(b, relation, scope).bind(tree)


@dataclass(slots=True)
class Grouping:
    """Collects the keys and aggregates of one `summarize`."""

    b: Binder
    relation: Relation
    scope: Scope
    keys: list[tuple[Column, Expression]] = field(default_factory=list)
    aggregates: list[tuple[Column, Aggregation]] = field(default_factory=list)
    results: list[tuple[Column, Expression]] = field(default_factory=list)
    names: Names = field(default_factory=Names)

    def bind(self, tree: Summarize) -> Relation:
        self.reserve((*tree.keys, *tree.aggregates))
        for key in tree.keys:
            self.key(key)
        for item in tree.aggregates:
            self.aggregate(item)
        return self.finish()

    def reserve(self, items: tuple[s.Syntax, ...]) -> None:
        """Names that the author gave are not handed out to other columns."""
        for item in items:
            if isinstance(item, s.Named):
                self.names.taken.update(item.names)

    def finish(self) -> Relation:
        """The groups with all that was asked of them."""
        grouped = Aggregate(self.relation, tuple(self.keys), tuple(self.aggregates))
        wanted = [(c, Reference(c)) for c, _ in self.keys] + self.results
        plain = [c for c, e in wanted if isinstance(e, Reference) and e.column is c]
        if len(plain) == len(wanted) and tuple(plain) == grouped.columns:
            return grouped
        return Project(grouped, tuple(wanted))

    def key(self, tree: s.Syntax) -> None:
        expression = self.b.scalar(tree, Row(self.relation.columns, self.scope))
        name = tree.names[0] if isinstance(tree, s.Named) else self.names.free(own_name(tree))
        if expression is not BROKEN and expression.type is DYNAMIC:
            # Kusto refuses to group by dynamic values; their text is what two of them are compared by.
            self.b.report(
                say.wrong_type(
                    "what is grouped by",
                    "a plain value",
                    "dynamic",
                    tree.span,
                    "write tostring(...) around it",
                )
            )
        self.keys.append((self.b.column(name, expression.type), expression))

    def aggregate(self, tree: s.Syntax) -> None:
        inner = tree.expression if isinstance(tree, s.Named) else tree
        names = tree.names if isinstance(tree, s.Named) else ()
        if isinstance(inner, s.Call) and (special := _SPECIAL.get(inner.function)) is not None:
            special(self, inner, names)
            return
        row = Row(self.relation.columns, self.scope, aggregates=[])
        expression = self.b.scalar(inner, row)
        assert row.aggregates is not None
        if not row.aggregates and expression is not BROKEN and not isinstance(expression, Constant):
            self.b.report(say.not_aggregate(tree.span))
            return
        if names:
            name = names[0]
        elif isinstance(inner, s.Call) and inner.function in AGGREGATES:
            name = self.names.free(aggregate_name(inner))
        else:
            name = self.names.free(own_name(inner))
        if isinstance(expression, Reference) and row.aggregates and expression.column is row.aggregates[0][0]:
            self.add(name, row.aggregates[0][1])
            return
        self.aggregates.extend(row.aggregates)
        self.results.append((self.b.column(name, expression.type), expression))

    def add(self, name: str, aggregation: Aggregation) -> None:
        column = self.b.column(name, aggregation.type)
        self.aggregates.append((column, aggregation))
        self.results.append((column, Reference(column)))

    def free(self, names: tuple[str, ...], index: int, wanted: str) -> str:
        return names[index] if index < len(names) else self.names.free(wanted)

    def key_names(self) -> set[str]:
        return {e.column.name for _, e in self.keys if isinstance(e, Reference)}

    def expand(self, trees: tuple[s.Syntax, ...], *, without: set[str]) -> list[tuple[str, Expression, str]]:
        """The columns that arguments name, `*` being all but some: (wanted name, expression, explicit name)."""
        row = Row(self.relation.columns, self.scope)
        out: list[tuple[str, Expression, str]] = []
        for tree in trees:
            if isinstance(tree, s.Star):
                found = matching(self.relation.columns, tree.pattern)
                out += [(c.name, Reference(c), "") for c in found if c.name not in without]
            else:
                explicit = tree.names[0] if isinstance(tree, s.Named) else ""
                out.append((explicit or own_name(tree), self.b.scalar(tree, row), explicit))
        return out


# -- aggregates of several columns -----------------------------------------------------------------------


def _extreme(operation: str) -> Callable[[Grouping, s.Call, tuple[str, ...]], None]:
    """arg_max(by, columns...): the row where `by` is greatest; its columns all come from one row."""

    def add(g: Grouping, call: s.Call, names: tuple[str, ...]) -> None:
        if not call.arguments:
            g.b.report(say.wrong_count(call.function, "at least 1 argument", 0, call.span))
            return
        first = call.arguments[0]
        by = g.b.scalar(first, Row(g.relation.columns, g.scope))
        if by is BROKEN:
            return
        if by.type is DYNAMIC:
            g.b.report(
                say.wrong_type(f"what {call.function}() compares", "a plain value", "dynamic", first.span)
            )
        own = own_name(first)
        skip = g.key_names() | {own}
        values = [(own, by, ""), *g.expand(call.arguments[1:], without=skip)]
        # By their old names they name their columns after themselves.
        stem = f"{operation[4:]}_{own}" if call.function == f"arg{operation[4:]}" else ""
        for i, (wanted, value, explicit) in enumerate(values):
            if value is BROKEN:
                continue
            wanted = f"{stem}_{wanted}" if stem and i else stem or wanted
            name = explicit or g.free(
                names, i, wanted or (operation.replace("arg_", "") + "_" if i == 0 else "")
            )
            g.add(name, Aggregation(operation, (value, by), value.type))

    return add


def _take_any(g: Grouping, call: s.Call, names: tuple[str, ...]) -> None:
    values = g.expand(call.arguments, without=g.key_names())
    if not values:
        g.b.report(say.wrong_count(call.function, "at least 1 argument", 0, call.span))
    several = len(values) > 1
    prefix = "any_" if call.function == "any" else ""
    for i, (wanted, value, explicit) in enumerate(values):
        if value is not BROKEN:
            operation = "take_any_row" if several else "take_any"
            star = isinstance(call.arguments[0], s.Star)
            name = explicit or g.free(names, i, wanted if star or not wanted else prefix + wanted)
            g.add(name, Aggregation(operation, (value,), value.type))


def _percentiles(g: Grouping, call: s.Call, names: tuple[str, ...]) -> None:
    """percentiles(value, p, ...), and percentilesw(value, weight, p, ...)."""
    weighted = call.function == "percentilesw"
    if len(call.arguments) < 2 + weighted:
        wanted = f"a value, {'a weight ' if weighted else ''}and at least 1 percentile"
        g.b.report(say.wrong_count(call.function, wanted, len(call.arguments), call.span))
        return
    row = Row(g.relation.columns, g.scope)
    value = g.b.scalar(call.arguments[0], row)
    if value is BROKEN:
        return
    if value.type is DYNAMIC:
        value = cast(value, REAL)
    if value.type not in _MEASURED:
        g.b.report(say.wrong_type(f"what {call.function}() takes", "a number or a time", value.type.value,
                                  call.arguments[0].span))  # fmt: skip
        return
    weights: tuple[Expression, ...] = ()
    if weighted:
        weight = coerce(g.b.scalar(call.arguments[1], row), LONG)
        if weight is None:
            g.b.report(say.bad_argument("a weight is a whole number", call.arguments[1].span))
            return
        weights = (weight,)
    operation = "percentile_weighted" if weighted else "percentile"
    for i, tree in enumerate(call.arguments[1 + weighted :]):
        point = g.b.scalar(tree, row)
        if not isinstance(point, Constant) or point.type not in NUMBERS:
            g.b.report(say.must_be_constant("a percentile", tree.span))
            continue
        if problem := percentile_problem(point):
            g.b.report(say.bad_argument(problem, tree.span))
            continue
        name = g.free(names, i, f"percentile_{own_name(call.arguments[0])}_{percentile_part(tree)}")
        g.add(name, Aggregation(operation, (value, *weights, cast(point, REAL)), value.type))


_MEASURED = NUMBERS | {DATETIME, TIMESPAN}
_SPECIAL = {
    "arg_max": _extreme("arg_max"),
    "arg_min": _extreme("arg_min"),
    "argmax": _extreme("arg_max"),
    "argmin": _extreme("arg_min"),
    "take_any": _take_any,
    "any": _take_any,
    "percentiles": _percentiles,
    "percentilesw": _percentiles,
}


# -- distinct, count -------------------------------------------------------------------------------------


def parse_distinct(p: Parser, start: Span) -> Distinct:
    p.options()
    return Distinct(p.named_list(), start.to(p.last))


def bind_distinct(b: Binder, relation: Relation, tree: Distinct, scope: Scope) -> Relation:
    row = Row(relation.columns, scope)
    names = Names()
    keys: list[tuple[Column, Expression]] = []
    for item in tree.items:
        if isinstance(item, s.Star):
            for column in matching(relation.columns, item.pattern):
                keys.append((b.column(names.free(column.name), column.type), Reference(column)))
            continue
        expression = b.scalar(item, row)
        if isinstance(item, s.Name) and item.text in names.taken:
            b.report(say.duplicate_column(item.text, item.span))
            continue
        name = item.names[0] if isinstance(item, s.Named) else names.free(own_name(item))
        keys.append((b.column(name, expression.type), expression))
    return Aggregate(relation, tuple(keys), ())


def parse_count(p: Parser, start: Span) -> Count:
    name = p.name("a name") if p.take_name("as") else "Count"
    return Count(name, start.to(p.last))


def bind_count(b: Binder, relation: Relation, tree: Count, _scope: Scope) -> Relation:
    return Aggregate(relation, (), ((b.column(tree.name, LONG), Aggregation("count", (), LONG)),))


OPERATORS = (
    Declared(("summarize",), Summarize, parse_summarize, bind_summarize, "Makes one row per group."),
    Declared(
        ("distinct",), Distinct, parse_distinct, bind_distinct, "Gives each combination of values once."
    ),
    Declared(("count",), Count, parse_count, bind_count, "Counts the rows."),
)
