"""Plugins that are written in KQL themselves: a text over the table `T` and some named values, bound in its place."""

from __future__ import annotations

from collections.abc import Mapping

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import coerce
from aforo.kql.operators.plugins.spec import PluginCall
from aforo.kql.scope import Meaning, Row, Scope
from aforo.kql.types import DATETIME, INT, LONG, REAL, TIMESPAN, KqlType
from aforo.source import has_errors


def written(b: Binder, call: PluginCall, text: str, names: Mapping[str, Meaning]) -> Relation | None:
    """The answer of a query written here; None (reported at the call) when it does not bind."""
    function = b.parse_function("plugin", "() {" + text + "}")
    assert function is not None, text
    before = len(b.mistakes)
    scope = Scope().inner(dict(names))
    for statement in function.statements:
        scope = b.let(statement, scope)
    relation = b.relation(function.body, scope)
    told = b.mistakes[before:]
    if has_errors(told):
        b.mistakes[before:] = [say.bad_argument(f"{call.name}: {m.message}", call.span) for m in told[:1]]
        return None
    return relation


def quoted(name: str) -> str:
    """A column's name as KQL writes it."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'


def column_of(b: Binder, relation: Relation, tree: s.Syntax) -> Column | None:
    """The column that an argument names; None (reported) when it is none."""
    bound = b.scalar(tree, Row(relation.columns))
    if isinstance(bound, Reference):
        return bound.column
    if bound is not BROKEN:
        b.report(say.bad_argument("a column stands here", tree.span))
    return None


def constant_of(b: Binder, tree: s.Syntax, scope: Scope, type_: KqlType | None = None) -> Constant | None:
    """A constant argument, in a type if asked; None (reported) when it is none."""
    bound: Expression | None = b.scalar(tree, Row(scope=scope))
    if bound is BROKEN:
        return None
    if bound is not None and type_ is not None:
        bound = coerce(bound, type_)
    if isinstance(bound, Constant) and bound.value is not None:
        return bound
    b.report(say.must_be_constant("this argument", tree.span))
    return None


def timeline(b: Binder, column: Column, call: PluginCall) -> tuple[KqlType, KqlType] | None:
    """The types of a place and of a distance on a time line; None (reported) for what is none."""
    if column.type is DATETIME:
        return DATETIME, TIMESPAN
    if column.type in (INT, LONG, REAL):
        type_ = REAL if column.type is REAL else LONG
        return type_, type_
    b.report(say.wrong_type("a time line", "datetime or a number", column.type.value, call.span))
    return None
