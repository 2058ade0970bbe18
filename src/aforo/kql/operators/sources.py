"""What starts a pipeline without a table: print, range, datatable."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN, any_broken
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Expression, Relation
from aforo.kql.convert import cast, coerce, coerce_literal
from aforo.kql.naming import Names
from aforo.kql.operators.several import Bags, given
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Project, Steps, Values
from aforo.kql.scope import Row, Scope
from aforo.kql.types import DATETIME, INT, LONG, NUMBERS, STRING, TIMESPAN, KqlType, widest
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class Print(s.Operator):
    items: tuple[s.Syntax, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class RangeOf(s.Operator):
    column: str
    start: s.Syntax
    stop: s.Syntax
    step: s.Syntax | None
    span: Span


@dataclass(frozen=True, slots=True)
class DataTable(s.Operator):
    schema: tuple[s.ColumnDeclaration, ...]
    values: tuple[s.Syntax, ...]
    span: Span


def parse_print(p: Parser, start: Span) -> Print:
    return Print(p.named_list(), start.to(p.last))


def bind_print(b: Binder, _relation: Relation, tree: Print, scope: Scope) -> Relation:
    names = Names(stem="print_", first=0)
    for item in tree.items:
        if isinstance(item, s.Named):
            if twice := names.taken.intersection(item.names):
                b.report(say.duplicate_column(min(twice), item.span))
            names.taken.update(item.names)
    made: list[tuple[Column, Expression]] = []
    row = Row(scope=scope)
    bags = Bags(b, row)
    for i, item in enumerate(tree.items):
        if (parts := bags.parts(item)) is not None:
            made += [(b.column(n, e.type), e) for n, e in given(b, item, parts, names)]
            continue
        expression = b.scalar(item, row)
        names.number = i
        name = item.names[0] if isinstance(item, s.Named) else names.free("")
        made.append((b.column(name, expression.type), expression))
    return Project(bags.below(Values((), ((),))), tuple(made))


def parse_range(p: Parser, start: Span) -> s.Syntax:
    if p.peek_mark("("):
        # The function of that name, inside an expression.
        p.index -= 1
        return p.expression()
    column = p.name("a column")
    p.expect_name("from")
    first = p.expression()
    p.expect_name("to")
    stop = p.expression()
    step = p.expression() if p.take_name("step") else None
    return RangeOf(column, first, stop, step, start.to(p.last))


def bind_range(b: Binder, _relation: Relation, tree: RangeOf, scope: Scope) -> Relation:
    row = Row(scope=scope)
    start, stop = b.scalar(tree.start, row), b.scalar(tree.stop, row)
    default = Constant(1, LONG) if start.type in NUMBERS else Constant(36_000_000_000, TIMESPAN)
    step = default if tree.step is None else b.scalar(tree.step, row)
    if any_broken(start, stop, step):
        return Steps(b.column(tree.column, LONG), start, stop, step)
    type_ = _range_type(start.type, stop.type, step.type)
    if type_ is None:
        b.report(
            say.bad_argument(f"a range cannot go from {start.type} to {stop.type} by {step.type}", tree.span)
        )
        type_ = LONG
    by = TIMESPAN if type_ is DATETIME else type_
    return Steps(b.column(tree.column, type_), cast(start, type_), cast(stop, type_), cast(step, by))


def _range_type(start: KqlType, stop: KqlType, step: KqlType) -> KqlType | None:
    if start in NUMBERS and stop in NUMBERS and step in NUMBERS:
        wide = widest(widest(start, stop) or start, step)
        return LONG if wide is INT else wide
    if start is DATETIME and stop is DATETIME and step is TIMESPAN:
        return DATETIME
    return TIMESPAN if start is stop is step is TIMESPAN else None


def parse_datatable(p: Parser, start: Span) -> DataTable:
    schema = p.schema()
    p.expect_mark("[")
    values: list[s.Syntax] = []
    while not p.peek_mark("]") and not p.at_end():
        values.append(p.expression())
        if not p.take_mark(","):
            break
    p.expect_mark("]")
    return DataTable(schema, tuple(values), start.to(p.last))


def bind_datatable(b: Binder, _relation: Relation, tree: DataTable, scope: Scope) -> Relation:
    columns = tuple(b.column(c.name, c.type) for c in tree.schema)
    width = len(columns)
    if not width or len(tree.values) % width:
        b.report(say.bad_argument(f"the number of values is no multiple of the {width} columns", tree.span))
        return Values(columns, ())
    cells: list[Expression] = []
    for i, value in enumerate(tree.values):
        type_ = columns[i % width].type
        bound = b.scalar(value, Row(scope=scope))
        if bound is BROKEN:
            cells.append(Constant(None, type_))
            continue
        fitted = coerce(bound, type_) or coerce_literal(bound, type_)
        if fitted is None and isinstance(bound, Constant) and (type_ is STRING or bound.type in NUMBERS):
            fitted = cast(bound, type_)
        if fitted is None:
            b.report(
                say.wrong_type(
                    f"a value of '{columns[i % width].name}'", type_.value, bound.type.value, value.span
                )
            )
            fitted = Constant(None, type_)
        cells.append(fitted if fitted.type is type_ else cast(fitted, type_))
    return Values(columns, tuple(tuple(cells[i : i + width]) for i in range(0, len(cells), width)))


OPERATORS = (
    Declared(("print",), Print, parse_print, bind_print, "One row of expressions.", pipes=False, starts=True),
    Declared(("range",), RangeOf, parse_range, bind_range, "Evenly spaced values.", pipes=False, starts=True),
    Declared(
        ("datatable",),
        DataTable,
        parse_datatable,
        bind_datatable,
        "A table written in the query.",
        pipes=False,
        starts=True,
    ),
)
