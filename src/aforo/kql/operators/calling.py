"""Operators that call functions over tables: invoke."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Relation
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.scope import Scope
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class Invoke(s.Operator):
    call: s.Syntax
    span: Span


def parse_invoke(p: Parser, start: Span) -> Invoke:
    return Invoke(p.primary(), start.to(p.last))


def bind_invoke(b: Binder, relation: Relation, tree: Invoke, scope: Scope) -> Relation:
    call = tree.call
    if not isinstance(call, s.Call):
        b.report(say.expected("a function call", "another expression", call.span))
        return relation
    return b.invoked(call, relation, scope)


OPERATORS = (
    Declared(("invoke",), Invoke, parse_invoke, bind_invoke, "Calls a function over the rows so far."),
)
