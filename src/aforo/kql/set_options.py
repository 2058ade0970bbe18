"""What `set` statements change of a query's answer. Options that only say how a cluster works have no effect here, and
that is told. It knows no operator.
"""

from __future__ import annotations

from typing import Protocol

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_forms import OPTIONS
from aforo.kql.bound import Constant, Expression
from aforo.kql.convert import coerce
from aforo.kql.scope import Row, Scope
from aforo.kql.types import DATETIME, LONG, STRING, KqlType
from aforo.source import Diagnostic

# The only column whose times can be bounded from outside of the query.
TIME_COLUMN = "TimeGenerated"
_TYPES: dict[str, KqlType] = {
    "query_now": DATETIME,
    "query_take_max_records": LONG,
    "query_datetimescope_from": DATETIME,
    "query_datetimescope_to": DATETIME,
    "query_datetimescope_column": STRING,
}


class Asked(Protocol):
    """What is needed of the binder. `timespan` is (start, end) in ticks, both of it; `most_rows` the answer's."""

    now: int
    timespan: tuple[int | None, int | None] | None
    most_rows: Constant | None
    options: dict[str, Expression]

    def report(self, mistake: Diagnostic) -> None: ...
    def scalar(self, tree: s.Syntax, row: Row) -> Expression: ...


def take(b: Asked, statement: s.SetOption, scope: Scope) -> None:
    """Do what `set name = value` says."""
    name, tree = statement.name, statement.value
    if name in OPTIONS and tree is not None:
        b.options[name] = b.scalar(tree, Row(scope=scope))
        return
    if name not in _TYPES or tree is None:
        b.report(say.ignored(f"'set {name}'", statement.span))
        return
    value = coerce(b.scalar(tree, Row(scope=scope)), _TYPES[name])
    if not isinstance(value, Constant) or value.value is None:
        b.report(say.must_be_constant(f"the value of '{name}', of type {_TYPES[name].value},", tree.span))
        return
    _apply(b, name, value, tree)


def _apply(b: Asked, name: str, value: Constant, tree: s.Syntax) -> None:
    start, end = b.timespan or (None, None)
    match name, value.value:
        case "query_now", int(moment):
            b.now = moment
        case "query_take_max_records", int(count) if count >= 0:
            b.most_rows = value
        case "query_datetimescope_from", int(moment):
            b.timespan = (moment if start is None else max(start, moment), end)
        case "query_datetimescope_to", int(moment):
            b.timespan = (start, moment if end is None else min(end, moment))
        case "query_datetimescope_column", str(column) if column == TIME_COLUMN:
            pass
        case "query_datetimescope_column", _:
            b.report(say.unsupported(f"a scope of times over another column than {TIME_COLUMN}", tree.span))
        case _:
            b.report(say.bad_row_count(value.value, tree.span))
