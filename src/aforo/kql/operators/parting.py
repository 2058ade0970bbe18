"""`partition`: a subquery over each part of a table. Parts are told apart inside one plan, or, where the subquery
reads other tables or its own rows twice, bound once for each value that the data has.
"""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply
from aforo.kql.operators.joining import united
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.parts import ApartError, Parts
from aforo.kql.plan import Aggregate, Filter, Limit, Project
from aforo.kql.scope import Scope
from aforo.kql.tokens import TokenKind
from aforo.kql.types import BOOL, DYNAMIC, LONG
from aforo.source import Span

# Kusto runs so many subqueries at most when each is a query of its own.
MOST_VALUES = 64


@dataclass(frozen=True, slots=True)
class Partition(s.Operator):
    """`subquery` is a transformation of the part's rows, or a query with a source of its own. `separate`: each is a
    query of its own (the strategy `legacy`, which is the default)."""

    column: s.Name
    subquery: tuple[s.Operator, ...] | s.Syntax
    separate: bool
    span: Span


def parse(p: Parser, start: Span) -> Partition:
    before = p.index
    p.options()
    words = [token.text for token in p.tokens[before : p.index]]
    p.expect_name("by")
    place = p.peek().span
    column = s.Name(p.name("a column"), place)
    subquery: tuple[s.Operator, ...] | s.Syntax
    if p.take_mark("{"):
        subquery = p.pipeline()
        p.expect_mark("}")
    elif _is_transformation(p):
        subquery = p.transformation()
    else:
        p.expect_mark("(")
        subquery = p.pipeline()
        p.expect_mark(")")
    separate = "native" not in words and "shuffle" not in words
    return Partition(column, subquery, separate, start.to(p.last))


def _is_transformation(p: Parser) -> bool:
    """Whether an operator stands right behind the parenthesis (a table may be called like one)."""
    mark = p.index
    p.index += 1
    keyword, after = p.operator_keyword()
    found = keyword in p.operators and p.peek().kind is TokenKind.NAME
    plain = (
        after < len(p.tokens)
        and p.tokens[after].text in ("|", ")")
        and keyword not in ("count", "serialize", "getschema", "consume")
    )
    p.index = mark
    return found and not plain


def bind(b: Binder, relation: Relation, tree: Partition, scope: Scope) -> Relation:
    name = tree.column
    column = next((c for c in relation.columns if c.name == name.text), None)
    if column is None:
        b.report(say.unknown_column(name.text, name.span, [c.name for c in relation.columns]))
        return relation
    if column.type is DYNAMIC:
        b.report(say.wrong_type("what rows are parted by", "a plain value", "dynamic", name.span))
        return relation
    if not isinstance(tree.subquery, tuple):
        return _each(b, relation, column, tree, scope)
    shown_rows = Project(relation, tuple((c, Reference(c)) for c in relation.columns))
    inner = scope.inner()
    result = b.applied(shown_rows, tree.subquery, inner)
    try:
        plan, _, _ = Parts(b, shown_rows, relation, (column,), empty_too=tree.separate).over(result)
    except ApartError:
        return _each(b, relation, column, tree, scope)
    return Project(plan, tuple((c, Reference(c)) for c in result.columns))


def _each(b: Binder, relation: Relation, column: Column, tree: Partition, scope: Scope) -> Relation:
    """One subquery for each value of the column."""
    distinct = Aggregate(relation, ((b.column(column.name, column.type), Reference(column)),), ())
    values = [row[0] for row in b.discovered(Limit(distinct, Constant(MOST_VALUES + 1, LONG)))]
    if len(values) > MOST_VALUES:
        b.report(say.bad_argument(f"'{column.name}' has more than {MOST_VALUES} values", tree.span,
                                  "hint.strategy=native parts by as many as there are"))  # fmt: skip
        return relation
    legs: list[Relation] = []
    for value in values or [None]:
        constant = Constant(value, column.type)
        inner = scope.inner({column.name: constant})
        if isinstance(tree.subquery, tuple):
            found: Expression = apply("equals", (Reference(column), constant), BOOL)
            if value is None:
                found = apply("isnull", (Reference(column),), BOOL)
            if not values:
                found = Constant(False, BOOL)
            legs.append(b.applied(b.relabelled(Filter(relation, found)), tree.subquery, inner))
        else:
            leg = b.relation(tree.subquery, inner)
            legs.append(leg if values else Filter(leg, Constant(False, BOOL)))
    return united(b, legs)


OPERATORS = (Declared(("partition",), Partition, parse, bind, "A subquery over each part of the rows."),)
