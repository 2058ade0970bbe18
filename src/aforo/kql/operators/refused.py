"""Operators that Kusto has and that do not run here: known by name, so that the answer says which and why."""

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
    "execute-and-cache",
    "macro-expand",
    "graph-shortest-paths",
    "graph-mark-components",
    "graph-where-nodes",
    "graph-where-edges",
]
_ONE_ANSWER = "it gives several tables, and a query here gives one"
_REACH = "it reads from outside; 'externaldata' does that, where an administrator allows it"
# What will not run, by its reason.
_FORBIDDEN = {
    "fork": _ONE_ANSWER,
    "facet": _ONE_ANSWER,
}
_UNPUBLISHED = "how it finds its patterns is not published, and other patterns would be other answers"
_OUTSIDE = ("inline_external_table",)


@dataclass(frozen=True, slots=True)
class Refused(s.Operator):
    keyword: str
    span: Span


def _parse(keyword: str, reason: str = "", *hints: str) -> Callable[[Parser, Span], Refused]:
    def parse(p: Parser, start: Span) -> Refused:
        what = f"the operator '{keyword}'"
        p.report(say.refused(what, reason, start) if reason else say.unsupported(what, start, *hints))
        p.skip_to_pipe()
        return Refused(keyword, start)

    return parse


def bind(_b: Binder, relation: Relation, _tree: Refused, _scope: Scope) -> Relation:
    return relation


OPERATORS = (
    Declared(("reduce",), Refused, _parse("reduce", "", _UNPUBLISHED), bind, f"Not allowed: {_UNPUBLISHED}."),
    *(Declared((k,), Refused, _parse(k), bind, "Not supported yet.") for k in _PIPED),
    *(
        Declared((k,), Refused, _parse(k, reason), bind, f"Not allowed: {reason}.")
        for k, reason in _FORBIDDEN.items()
    ),
    *(
        Declared((k,), Refused, _parse(k, _REACH), bind, f"Not allowed: {_REACH}.", pipes=False, starts=True)
        for k in _OUTSIDE
    ),
)
