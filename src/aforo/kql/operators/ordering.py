"""Operators over the order of rows: sort, take, top."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Apply, Constant, Expression, Relation
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Limit, Sort, SortKey
from aforo.kql.scope import Row, Scope
from aforo.kql.types import DYNAMIC, INTEGERS, LONG
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class SortBy(s.Operator):
    keys: tuple[s.Sorted, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Take(s.Operator):
    count: s.Syntax
    span: Span


@dataclass(frozen=True, slots=True)
class Top(s.Operator):
    count: s.Syntax
    keys: tuple[s.Sorted, ...]
    span: Span


def parse_sort(p: Parser, start: Span) -> SortBy:
    p.options()
    p.expect_name("by")
    return SortBy(p.sorted_list(), start.to(p.last))


def bind_sort(b: Binder, relation: Relation, tree: SortBy, scope: Scope) -> Relation:
    return _sorted(b, relation, tree.keys, scope)


def _sorted(b: Binder, relation: Relation, keys: tuple[s.Sorted, ...], scope: Scope) -> Relation:
    row = b.row(relation, scope)
    out: list[SortKey] = []
    for key in keys:
        expression = b.scalar(key.expression, row)
        if expression is BROKEN:
            continue
        if expression.type is DYNAMIC:
            b.report(say.wrong_type("what rows are sorted by", "a plain value", "dynamic", key.span,
                                    "tostring(...) or tolong(...) makes it one"))  # fmt: skip
        first = key.ascending if key.nulls_first is None else key.nulls_first
        out.append(SortKey(expression, key.ascending, first))
    return Sort(b.with_windows(relation, row), tuple(out))


def parse_take(p: Parser, start: Span) -> Take:
    return Take(p.expression(), start.to(p.last))


def bind_take(b: Binder, relation: Relation, tree: Take, scope: Scope) -> Relation:
    return Limit(relation, row_count(b, tree.count, scope))


def row_count(b: Binder, tree: s.Syntax, scope: Scope) -> Expression:
    count = b.scalar(tree, Row(scope=scope))
    if count is not BROKEN and count.type not in INTEGERS:
        return b.broken(say.wrong_type("the number of rows", "long", count.type.value, tree.span))
    if count is BROKEN or not isinstance(count, Constant):
        # What is known only when the query runs is checked there.
        return count if count is BROKEN else Apply("row_count", (count,), LONG)
    if not isinstance(count.value, int) or count.value < 0:
        return b.broken(say.bad_row_count(count.value, tree.span))
    return count


def parse_top(p: Parser, start: Span) -> Top:
    count = p.expression()
    p.options()
    p.expect_name("by")
    return Top(count, p.sorted_list(), start.to(p.last))


def bind_top(b: Binder, relation: Relation, tree: Top, scope: Scope) -> Relation:
    count = row_count(b, tree.count, scope)
    return Limit(_sorted(b, relation, tree.keys, scope), count)


OPERATORS = (
    Declared(("sort", "order"), SortBy, parse_sort, bind_sort, "Orders the rows."),
    Declared(("take", "limit"), Take, parse_take, bind_take, "Gives so many rows."),
    Declared(("top",), Top, parse_top, bind_top, "Gives the first rows of an order."),
)
