"""Operators about the result itself: render, as, getschema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Constant, Relation
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Values
from aforo.kql.scope import Scope
from aforo.kql.tokens import TokenKind
from aforo.kql.types import CLR_NAMES, LONG, STRING
from aforo.source import Span

VISUALIZATIONS = [
    "anomalychart",
    "areachart",
    "barchart",
    "card",
    "columnchart",
    "ladderchart",
    "linechart",
    "piechart",
    "pivotchart",
    "plotly",
    "scatterchart",
    "stackedareachart",
    "table",
    "timechart",
    "timepivot",
    "treemap",
    "graph",
]
# Properties with lists of columns; the others hold one value.
_LISTS = frozenset({"ycolumns", "series", "anomalycolumns"})
_PROPERTIES = frozenset(
    [
        "accumulate",
        "anomalycolumns",
        "kind",
        "legend",
        "series",
        "ymin",
        "ymax",
        "title",
        "xaxis",
        "xcolumn",
        "xtitle",
        "yaxis",
        "ycolumns",
        "ysplit",
        "ytitle",
    ]
)


@dataclass(frozen=True, slots=True)
class Render(s.Operator):
    keeps: ClassVar[bool] = True
    visualization: str
    properties: tuple[tuple[str, object], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class As(s.Operator):
    keeps: ClassVar[bool] = True
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class GetSchema(s.Operator):
    span: Span


def parse_render(p: Parser, start: Span) -> Render:
    token = p.next()
    if token.text not in VISUALIZATIONS:
        p.report(
            say.expected("a visualization", p.shown(token), token.span, "one of " + ", ".join(VISUALIZATIONS))
        )
    properties: list[tuple[str, object]] = []
    if p.take_name("by"):
        # The older way to name the series.
        properties.append(("series", _value(p, listed=True)))
    parenthesis = False
    if p.take_name("with"):
        parenthesis = p.expect_mark("(")
    while p.peek().kind is TokenKind.NAME and p.peek(1).text == "=":
        name = p.next()
        p.next()
        if name.text not in _PROPERTIES:
            p.report(say.unknown_parameter(name.text, name.span, _PROPERTIES))
        properties.append((name.text, _value(p, listed=name.text in _LISTS)))
        p.take_mark(",")
    if parenthesis:
        p.expect_mark(")")
    return Render(token.text, tuple(properties), start.to(p.last))


def _value(p: Parser, *, listed: bool) -> object:
    values: list[object] = [_one(p)]
    while listed and p.peek_mark(",") and p.peek(2).text != "=":
        p.next()
        values.append(_one(p))
    return values if listed else values[0]


def _one(p: Parser) -> object:
    if p.at_bracketed_name():
        return p.name("a column")
    sign = -1 if p.take_mark("-") else 1
    token = p.next()
    if token.kind is TokenKind.NUMBER and isinstance(token.value, int | float):
        return sign * token.value
    if token.kind is TokenKind.STRING:
        return str(token.value)
    return {"true": True, "false": False}.get(token.text, token.text)


def bind_render(b: Binder, relation: Relation, tree: Render, _scope: Scope) -> Relation:
    b.render = {"visualization": tree.visualization, **dict(tree.properties)}
    return relation


def parse_as(p: Parser, start: Span) -> As:
    p.options("hint")
    return As(p.name("a name"), start.to(p.last))


def bind_as(_b: Binder, relation: Relation, tree: As, scope: Scope) -> Relation:
    # The name is known from here to the end of the statement, and tables are bound where they are named.
    scope.names.setdefault(tree.name, relation)
    return relation


def parse_getschema(_p: Parser, start: Span) -> GetSchema:
    return GetSchema(start)


def bind_getschema(b: Binder, relation: Relation, _tree: GetSchema, _scope: Scope) -> Relation:
    made = tuple(
        b.column(name, type_)
        for name, type_ in (
            ("ColumnName", STRING),
            ("ColumnOrdinal", LONG),
            ("DataType", STRING),
            ("ColumnType", STRING),
        )
    )
    rows = tuple(
        (
            Constant(c.name, STRING),
            Constant(i, LONG),
            Constant(CLR_NAMES[c.type], STRING),
            Constant(c.type.value, STRING),
        )
        for i, c in enumerate(relation.columns)
    )
    return Values(made, rows)


OPERATORS = (
    Declared(("render",), Render, parse_render, bind_render, "Says how the result is drawn."),
    Declared(("as",), As, parse_as, bind_as, "Names the rows so far."),
    Declared(("getschema",), GetSchema, parse_getschema, bind_getschema, "The columns as rows."),
)
