"""Operators over a table's schema: project-by-names, assert-schema; and consume, which leaves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Reference, Relation
from aforo.kql.literals import json_value
from aforo.kql.operators.rows import matching
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Filter, Project
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class ProjectByNames(s.Operator):
    names: tuple[s.Syntax, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class AssertSchema(s.Operator):
    keeps: ClassVar[bool] = True
    schema: tuple[s.ColumnDeclaration, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Consume(s.Operator):
    span: Span


def parse_by_names(p: Parser, start: Span) -> ProjectByNames:
    names = [p.expression()]
    while p.take_mark(","):
        names.append(p.expression())
    return ProjectByNames(tuple(names), start.to(p.last))


def bind_by_names(b: Binder, relation: Relation, tree: ProjectByNames, scope: Scope) -> Relation:
    """Names that there are not are passed over; `*` stands for any letters."""
    chosen: list[Column] = []
    for part in tree.names:
        bound = b.scalar(part, Row(scope=scope))
        if bound is BROKEN:
            return relation
        value = json_value(bound.value) if isinstance(bound, Constant) else None
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            b.report(say.must_be_constant("the names of project-by-names", part.span))
            return relation
        for name in names:
            chosen += [c for c in matching(relation.columns, name) if c not in chosen]
    return Project(relation, tuple((c, Reference(c)) for c in chosen))


def parse_assert_schema(p: Parser, start: Span) -> AssertSchema:
    return AssertSchema(p.schema(), start.to(p.last))


def bind_assert_schema(b: Binder, relation: Relation, tree: AssertSchema, _scope: Scope) -> Relation:
    have = {c.name: c.type for c in relation.columns}
    wanted = {c.name: c.type for c in tree.schema}
    for declared in tree.schema:
        if declared.name not in have:
            b.report(say.unknown_column(declared.name, declared.span, have))
        elif have[declared.name] is not declared.type:
            b.report(
                say.wrong_type(
                    f"'{declared.name}'", declared.type.value, have[declared.name].value, declared.span
                )
            )
    if extra := [name for name in have if name not in wanted]:
        b.report(
            say.bad_argument(f"the column '{extra[0]}' is not in the schema that is asserted", tree.span)
        )
    return relation


def parse_consume(p: Parser, start: Span) -> Consume:
    p.options("decodeblocks")
    return Consume(start.to(p.last))


def bind_consume(_b: Binder, relation: Relation, _tree: Consume, _scope: Scope) -> Relation:
    return Filter(relation, Constant(False, BOOL))


OPERATORS = (
    Declared(
        ("project-by-names",),
        ProjectByNames,
        parse_by_names,
        bind_by_names,
        "Columns by names that are computed.",
    ),
    Declared(
        ("assert-schema",),
        AssertSchema,
        parse_assert_schema,
        bind_assert_schema,
        "Says what the columns must be.",
    ),
    Declared(("consume",), Consume, parse_consume, bind_consume, "Reads the rows and gives none."),
)
