"""Operators that Kusto has and we have not yet: known by name, so that the answer is 'not yet' and not 'unknown'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Relation
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.scope import Scope
from aforo.source import Span

_PIPED = [
    "scan",
    "reduce",
    "fork",
    "facet",
    "consume",
    "project-by-names",
    "assert-schema",
    "execute-and-cache",
    "macro-expand",
    "make-graph",
    "graph-match",
    "graph-shortest-paths",
    "graph-to-table",
    "graph-mark-components",
    "graph-where-nodes",
    "graph-where-edges",
]
_STARTING = ("externaldata",)


@dataclass(frozen=True, slots=True)
class Refused(s.Operator):
    keyword: str
    span: Span


def _parse(keyword: str) -> Callable[[Parser, Span], Refused]:
    def parse(p: Parser, start: Span) -> Refused:
        p.report(say.unsupported(f"the operator '{keyword}'", start))
        p.skip_to_pipe()
        return Refused(keyword, start)

    return parse


def bind(_b: Binder, relation: Relation, _tree: Refused, _scope: Scope) -> Relation:
    return relation


OPERATORS = (
    *(Declared((k,), Refused, _parse(k), bind, "Not supported yet.") for k in _PIPED),
    *(
        Declared((k,), Refused, _parse(k), bind, "Not supported yet.", pipes=False, starts=True)
        for k in _STARTING
    ),
)
