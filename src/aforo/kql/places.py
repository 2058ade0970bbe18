"""References that name a place (`database("x").T`, `workspace("id").T`), and patterns that stand for tables.

A place that is the one asked, or one of the others that the asker may read, is resolved; any other is refused by
name. It knows no operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bound import Constant, Expression
from aforo.kql.expressions import PLACES
from aforo.kql.scope import RESTRICTED, Choice, Row, Scope
from aforo.kql.symbols import Database
from aforo.source import Diagnostic


class Asked(Protocol):
    """What is needed of the binder: where it is, its aliases, and its ways to bind."""

    @property
    def database(self) -> Database: ...
    @property
    def aliases(self) -> Mapping[str, s.Call]: ...
    def report(self, mistake: Diagnostic) -> None: ...
    def scalar(self, tree: s.Syntax, row: Row) -> Expression: ...
    def let(self, statement: s.Let, scope: Scope) -> Scope: ...


@dataclass(frozen=True, slots=True)
class Meant:
    """What a reference stands for: syntax that is bound in a scope over the tables of a database. `shown` is the place
    as it was named, empty for the one that is asked."""

    syntax: s.Syntax
    scope: Scope
    database: Database
    shown: str = ""


def split(tree: s.Syntax, scope: Scope) -> tuple[s.Call, s.Syntax] | None:
    """(the call that names the place or the pattern, what is meant there), None for any other syntax."""
    match tree:
        case s.Member(target=s.Call() as call, name=name) if _leads(call, scope):
            return call, s.Star(tree.span, name) if "*" in name else s.Name(name, tree.span)
        case s.Index(target=s.Call() as call, index=s.Literal(value=str() as name)) if _leads(call, scope):
            return call, s.Name(name, tree.span)
        case s.Call(function=function, arguments=(s.Call() as call, *rest)) if (
            function not in PLACES and _is_place(call, scope)
        ):
            return call, s.Call(function, tuple(rest), tree.span, tree.name_span)
        case s.Call() if isinstance(scope.find(tree.function), Choice):
            return tree, s.Missing(tree.span)
        case _:
            return None


def _is_place(call: s.Call, scope: Scope) -> bool:
    return call.function in PLACES and scope.find(call.function) is None


def _leads(call: s.Call, scope: Scope) -> bool:
    return _is_place(call, scope) or isinstance(scope.find(call.function), Choice)


def meant(b: Asked, tree: s.Syntax, scope: Scope) -> Meant | None:
    """What the reference stands for; None (reported) when it is nowhere that may be read."""
    found = split(tree, scope)
    assert found is not None
    call, inner = found
    choice = scope.find(call.function)
    if isinstance(choice, Choice):
        return _chosen(b, call, inner, choice, scope)
    database = _database(b, call, scope)
    if database is None:
        return None
    restriction = scope.find(RESTRICTED)
    outside = Scope({} if restriction is None else {RESTRICTED: restriction})
    shown = "" if database is b.database else _shown(call)
    return Meant(inner, outside, database, shown)


class Placed(Protocol):
    """What stands in a database."""

    database: Database


@contextmanager
def over(b: Placed, database: Database) -> Iterator[None]:
    """While it lasts, names mean the tables and functions of that database."""
    before, b.database = b.database, database
    try:
        yield
    finally:
        b.database = before


def _shown(call: s.Call) -> str:
    last = call.arguments[-1]
    return f'{call.function}("{last.value if isinstance(last, s.Literal) else ""}")'


def _database(b: Asked, call: s.Call, scope: Scope) -> Database | None:
    """The place that the call names; None (reported) when there is none that may be read."""
    arguments = list(call.arguments)
    if arguments and isinstance(arguments[0], s.Call) and arguments[0].function in PLACES:
        if _database(b, arguments[0], scope) is None:
            return None
        arguments = arguments[1:]
    name = b.scalar(arguments[0], Row(scope=scope)) if len(arguments) == 1 else None
    if not isinstance(name, Constant) or not isinstance(name.value, str):
        b.report(say.must_be_constant(f"the name in {call.function}()", call.span))
        return None
    if (alias := b.aliases.get(name.value)) is not None and call.function == "database":
        return _database(b, alias, Scope())
    here = {own.lower() for own in (b.database.name, *b.database.also)}
    if name.value.lower() in here:
        return b.database
    if call.function in _NAMING and (other := b.database.others.get(name.value.lower())) is not None:
        return other
    b.report(say.elsewhere(f'{call.function}("{name.value[:80]}")', call.span))
    return None


# What names another workspace. The others name what is not here: applications, clusters, the resource graph.
_NAMING = frozenset({"workspace", "database"})


def _chosen(b: Asked, call: s.Call, inner: s.Syntax, choice: Choice, scope: Scope) -> Meant | None:
    """The body of the case that fits the arguments of a pattern, and the path behind them."""
    values = [b.scalar(a, Row(scope=scope)) for a in call.arguments]
    given = [v.value if isinstance(v, Constant) else None for v in values]
    path = inner.text if isinstance(inner, s.Name) else None
    for case in choice.pattern.cases:
        if list(case.values) == given and case.path == path:
            names = {p.name: v for p, v in zip(choice.pattern.parameters, values, strict=False)}
            body = choice.scope.inner(dict(names))
            for let in case.statements:
                body = b.let(let, body)
            return Meant(case.body, body, b.database)
    shown = ", ".join(repr(v) for v in (*given, *([path] if path is not None else [])))
    b.report(say.bad_argument(f"the pattern '{call.function}' has no case for {shown}", call.span))
    return None
