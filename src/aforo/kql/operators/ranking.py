"""Operators that choose groups by their totals: top-nested, top-hitters; and rows or values at random: sample,
sample-distinct.
"""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN, any_broken
from aforo.kql.bind_windows import rank_dense
from aforo.kql.binder import Binder
from aforo.kql.bound import Aggregation, Apply, Column, Constant, Expression, Reference, Relation, Windowed
from aforo.kql.convert import apply, coerce
from aforo.kql.naming import Names, own_name
from aforo.kql.operators.ordering import row_count
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Aggregate, Filter, Limit, Project, Sort, SortKey, Window
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, LONG, NUMBERS, REAL, STRING, TIMESPAN
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class Level:
    """`top-nested N of key with others = x by total`; `most` None: all of them."""

    most: s.Syntax | None
    key: s.Syntax
    others: s.Syntax | None
    total: s.Syntax
    ascending: bool


@dataclass(frozen=True, slots=True)
class TopNested(s.Operator):
    levels: tuple[Level, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class TopHitters(s.Operator):
    count: s.Syntax
    value: s.Syntax
    weight: s.Syntax | None
    span: Span


@dataclass(frozen=True, slots=True)
class Sample(s.Operator):
    """`value` None: rows."""

    count: s.Syntax
    value: s.Syntax | None
    span: Span


# -- top-nested ------------------------------------------------------------------------------------------

# What can be told of a whole part beside each of its rows.
_TOTALS = frozenset({"sum", "count", "max", "min", "count_distinct", "avg", "percentile"})


def parse_top_nested(p: Parser, start: Span) -> TopNested:
    levels = [_level(p)]
    while p.take_mark(","):
        keyword, after = p.operator_keyword()
        if keyword != "top-nested":
            p.report(say.expected("'top-nested'", p.shown(p.peek()), p.peek().span))
            break
        p.index = after
        levels.append(_level(p))
    return TopNested(tuple(levels), start.to(p.last))


def _level(p: Parser) -> Level:
    most = None if p.peek_name("of") else p.expression()
    p.expect_name("of")
    key = p.named_expression()
    others = None
    if p.take_name("with"):
        p.expect_name("others")
        p.expect_mark("=")
        others = p.expression()
    p.expect_name("by")
    total = p.named_expression()
    ascending = p.peek().text == "asc"
    if p.peek().text in ("asc", "desc"):
        p.next()
    return Level(most, key, others, total, ascending)


@dataclass(frozen=True, slots=True)
class _Done:
    """A level that is bound: its columns in each row, and whether the row is among its others."""

    key: Column
    total: Column
    other: Column


def bind_top_nested(b: Binder, relation: Relation, tree: TopNested, scope: Scope) -> Relation:
    names = Names()
    for level in tree.levels:
        for part in (level.key, level.total):
            if isinstance(part, s.Named):
                names.taken.update(part.names)
    done: list[_Done] = []
    rows = relation
    source = Row(relation.columns, scope)
    for level in tree.levels:
        bound = _bind_level(b, rows, level, source, done, names)
        if bound is None:
            return relation
        rows, made = bound
        done.append(made)
    columns = [c for d in done for c in (d.key, d.total)]
    made_keys = tuple((b.column(c.name, c.type), Reference(c)) for c in (*columns, *(d.other for d in done)))
    distinct = Aggregate(rows, made_keys, ())
    shown = [c for c, _ in made_keys[: len(columns)]]
    # From the greatest to the least, the others last.
    keys: list[SortKey] = []
    for i, level in enumerate(tree.levels):
        keys.append(SortKey(Reference(made_keys[len(columns) + i][0]), True, True))
        keys.append(SortKey(Reference(shown[2 * i + 1]), level.ascending, False))
        keys.append(SortKey(Reference(shown[2 * i]), True, False))
    return Project(Sort(distinct, tuple(keys)), tuple((c, Reference(c)) for c in shown))


def _bind_level(
    b: Binder, rows: Relation, level: Level, source: Row, above: list[_Done], names: Names
) -> tuple[Relation, _Done] | None:
    value = b.scalar(level.key, source)
    inner = level.total.expression if isinstance(level.total, s.Named) else level.total
    row = Row(source.columns, source.scope, aggregates=[])
    total = b.scalar(inner, row)
    most = None if level.most is None else row_count(b, level.most, source.scope)
    others = None if level.others is None else b.scalar(level.others, Row(scope=source.scope))
    assert row.aggregates is not None
    if any_broken(value, total) or most is BROKEN or others is BROKEN:
        return None
    if value.type is DYNAMIC:
        b.report(say.wrong_type("what top-nested groups by", "a plain value", "dynamic", level.key.span))
        return None
    if not row.aggregates:
        b.report(say.not_aggregate(level.total.span))
        return None
    for _, aggregation in row.aggregates:
        if aggregation.operation not in _TOTALS:
            b.report(say.unsupported("this aggregate in top-nested", level.total.span))
            return None
    key_name = level.key.names[0] if isinstance(level.key, s.Named) else names.free(own_name(level.key))
    total_name = (
        level.total.names[0] if isinstance(level.total, s.Named) else names.free(f"aggregated_{key_name}")
    )
    path = tuple(Reference(c) for d in above for c in (d.key, d.other))
    # The total of each group, then the group's place among its neighbours.
    key = b.column(key_name, value.type)
    keyed = Project(rows, (*((c, Reference(c)) for c in rows.columns), (key, value)))
    totalled, column = _totalled(b, keyed, (*path, Reference(key)), row.aggregates, total, total_name)
    ordered = Sort(
        totalled,
        (SortKey(Reference(column), level.ascending, False), SortKey(Reference(key), True, False)),
    )
    items_: list[tuple[Column, Windowed]] = []
    place = rank_dense(b.column, items_, Reference(key))
    ranked: Relation = Window(ordered, tuple(items_), path)
    within: Expression = Constant(True, BOOL)
    if most is not None:
        within = apply("less_equal", (place, most), BOOL)
    lost: Expression = Reference(above[-1].other) if above else Constant(False, BOOL)
    if others is None:
        # Beyond the most: gone, but for rows that are others' already.
        kept = Filter(ranked, Apply("or", (within, lost), BOOL))
        return _shown(b, kept, rows.columns, _Done(key, column, b.column("other", BOOL)), lost)
    fitted = coerce(others, key.type)
    if fitted is None:
        b.report(say.wrong_type("'others'", key.type.value, others.type.value, level.key.span))
        return None
    other = b.column("other", BOOL)
    shown = b.column(key_name, key.type)
    beyond = Apply("or", (lost, apply("not", (within,), BOOL)), BOOL)
    parted = Project(
        ranked,
        (
            *((c, Reference(c)) for c in rows.columns),
            (shown, Apply("case", (beyond, fitted, Reference(key)), key.type)),
            (other, beyond),
        ),
    )
    again, amount = _totalled(
        b, parted, (*path, Reference(shown), Reference(other)), row.aggregates, total, total_name
    )
    return again, _Done(shown, amount, other)


def _shown(
    b: Binder, kept: Relation, columns: tuple[Column, ...], level: _Done, lost: Expression
) -> tuple[Relation, _Done]:
    """The columns of a level that has no others; rows that are `lost` to those of a level above have nulls in them."""
    done = _Done(
        b.column(level.key.name, level.key.type), b.column(level.total.name, level.total.type), level.other
    )
    items: list[tuple[Column, Expression]] = [(c, Reference(c)) for c in columns]
    for shown, made in ((done.key, level.key), (done.total, level.total)):
        null = Constant("" if made.type is STRING else None, made.type)
        items.append((shown, Apply("case", (lost, null, Reference(made)), made.type)))
    return Project(kept, (*items, (done.other, lost))), done


def _totalled(
    b: Binder,
    rows: Relation,
    among: tuple[Expression, ...],
    aggregates: list[tuple[Column, Aggregation]],
    total: Expression,
    name: str,
) -> tuple[Relation, Column]:
    """The rows with the total of the part that each is in."""
    made = {c.id: b.column(c.name, c.type) for c, _ in aggregates}
    items = tuple(
        (made[c.id], Windowed(f"whole:{a.operation}", _with_condition(a), a.type)) for c, a in aggregates
    )
    column = b.column(name, total.type)
    windowed = Window(rows, items, among)
    swapped = _swapped(total, made)
    return Project(windowed, (*((c, Reference(c)) for c in rows.columns), (column, swapped))), column


def _with_condition(a: Aggregation) -> tuple[Expression, ...]:
    """The arguments, with null where the condition does not hold: an aggregate over a part has no filter of its own."""
    if a.condition is None:
        return a.arguments
    if not a.arguments:
        return (Apply("case", (a.condition, Constant(1, LONG), Constant(None, LONG)), LONG),)
    first = a.arguments[0]
    null = Constant(None, first.type)
    return (Apply("case", (a.condition, first, null), first.type), *a.arguments[1:])


def _swapped(expression: Expression, made: dict[int, Column]) -> Expression:
    match expression:
        case Reference(column=column) if column.id in made:
            return Reference(made[column.id])
        case Apply(operation=operation, arguments=arguments, type=type_):
            return Apply(operation, tuple(_swapped(a, made) for a in arguments), type_)
        case _:
            return expression


# -- top-hitters -----------------------------------------------------------------------------------------


def parse_top_hitters(p: Parser, start: Span) -> TopHitters:
    count = p.expression()
    p.expect_name("of")
    value = p.named_expression()
    weight = p.named_expression() if p.take_name("by") else None
    return TopHitters(count, value, weight, start.to(p.last))


def bind_top_hitters(b: Binder, relation: Relation, tree: TopHitters, scope: Scope) -> Relation:
    row = Row(relation.columns, scope)
    value = b.scalar(tree.value, row)
    weight = None if tree.weight is None else b.scalar(tree.weight, row)
    count = row_count(b, tree.count, scope)
    if value is BROKEN or weight is BROKEN or count is BROKEN:
        return relation
    if value.type is DYNAMIC:
        b.report(say.wrong_type("what top-hitters counts", "a plain value", "dynamic", tree.value.span))
        return relation
    name = tree.value.names[0] if isinstance(tree.value, s.Named) else own_name(tree.value) or "Column1"
    key = b.column(name, value.type)
    if weight is None or tree.weight is None:
        total = b.column(f"approximate_count_{name}", LONG)
        aggregation = Aggregation("count", (), LONG)
    else:
        if weight.type not in (*NUMBERS, TIMESPAN):
            b.report(
                say.wrong_type("what top-hitters adds up", "a number", weight.type.value, tree.weight.span)
            )
            return relation
        type_ = LONG if weight.type not in (REAL, TIMESPAN) and weight.type in (LONG,) else weight.type
        type_ = LONG if weight.type.value == "int" else type_
        total = b.column(f"approximate_sum_{own_name(tree.weight)}", type_)
        aggregation = Aggregation("sum", (weight,), type_)
    grouped = Aggregate(relation, ((key, value),), ((total, aggregation),))
    keys = (SortKey(Reference(total), False, False), SortKey(Reference(key), True, False))
    return Limit(Sort(grouped, keys), count)


# -- sample, sample-distinct -----------------------------------------------------------------------------


def parse_sample(p: Parser, start: Span) -> Sample:
    return Sample(p.expression(), None, start.to(p.last))


def parse_sample_distinct(p: Parser, start: Span) -> Sample:
    count = p.expression()
    p.expect_name("of")
    return Sample(count, p.named_expression(), start.to(p.last))


def bind_sample(b: Binder, relation: Relation, tree: Sample, scope: Scope) -> Relation:
    count = row_count(b, tree.count, scope)
    if tree.value is not None:
        value = b.scalar(tree.value, Row(relation.columns, scope))
        if value is BROKEN:
            return relation
        if value.type is DYNAMIC:
            b.report(say.wrong_type("what is sampled", "a plain value", "dynamic", tree.value.span))
            return relation
        name = tree.value.names[0] if isinstance(tree.value, s.Named) else own_name(tree.value) or "Column1"
        return Limit(Aggregate(relation, ((b.column(name, value.type), value),), ()), count)
    return Limit(Sort(relation, (SortKey(Apply("rand", (), REAL), True, True),)), count)


OPERATORS = (
    Declared(
        ("top-nested",), TopNested, parse_top_nested, bind_top_nested, "The greatest groups, level by level."
    ),
    Declared(("top-hitters",), TopHitters, parse_top_hitters, bind_top_hitters, "The most frequent values."),
    Declared(("sample",), Sample, parse_sample, bind_sample, "Some rows at random."),
    Declared(
        ("sample-distinct",), Sample, parse_sample_distinct, bind_sample, "Some of the distinct values."
    ),
)
