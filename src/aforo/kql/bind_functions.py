"""Functions that a query or a workspace defines: what is a table and what a value, calls with their arguments, bodies
bound in the scope of their definition. It knows no operator.
"""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_calls import CallBinder
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.bound import Constant, Expression, Relation
from aforo.kql.convert import coerce
from aforo.kql.places import split
from aforo.kql.plan import Values
from aforo.kql.scope import Deferred, Defined, Meaning, Row, Scope
from aforo.kql.symbols import Database
from aforo.source import Diagnostic, Span

# Calls within calls: one that goes deeper has no end.
_MAX_CALLS = 64
# What stands in for rows that could not be bound, so that one mistake is told once.
SOME_TABLE = Values((), ())


class FunctionBinder(CallBinder):
    """Binds calls of functions that are written in KQL; `parse_function` reads the text of a saved one."""

    def __init__(self, database: Database, parse_function: Callable[[str, str], s.Function | None]) -> None:
        super().__init__()
        self.database = database
        self.parse_function = parse_function
        self._calls = 0
        self._saved: dict[tuple[str, str], Defined | None] = {}

    def statement(self, statement: s.Statement, scope: Scope) -> Scope:
        raise NotImplementedError

    # -- table or value ----------------------------------------------------------------------------------

    def is_tabular(self, tree: s.Syntax, scope: Scope) -> bool:
        if split(tree, scope) is not None:
            return True
        match tree:
            case s.Pipeline() | s.Datatable() | s.Operator() | s.Star():
                return True
            case s.Name(text=text):
                meaning = scope.find(text)
                if meaning is None:
                    return text in self.database.tables or self.bare_function(text) is not None
                return self._means_table(meaning)
            case s.Call(function=function, arguments=arguments):
                meaning = scope.find(function)
                if isinstance(meaning, Defined) or (meaning := self.saved_function(function)) is not None:
                    return self._makes_table(meaning)
                if function == "materialize" and arguments:
                    return self.is_tabular(arguments[0], scope)
                return function == "table"
            case _:
                return False

    def _means_table(self, meaning: Meaning) -> bool:
        match meaning:
            case Deferred(syntax=syntax, scope=scope):
                return self.is_tabular(syntax, scope)
            case Defined():
                return self.is_bare(meaning) and self._makes_table(meaning)
            case Relation():
                return True
            case _:
                return False

    def is_bare(self, defined: Defined) -> bool:
        """Whether it can be called without arguments, and so without parentheses."""
        return all(p.default is not None for p in defined.function.parameters)

    def _makes_table(self, defined: Defined) -> bool:
        function = defined.function
        names: dict[str, Meaning] = {
            p.name: (SOME_TABLE if p.type is None else Constant(None, p.type)) for p in function.parameters
        }
        scope = defined.scope.inner(names)
        for let in function.statements:
            scope = scope.inner({let.name: self._unbound(let.value, scope)})
        return self.is_tabular(function.body, scope)

    def _unbound(self, value: s.Syntax, scope: Scope) -> Meaning:
        return Defined(value, scope) if isinstance(value, s.Function) else Deferred(value, scope)

    # -- calls -------------------------------------------------------------------------------------------

    def saved_function(self, name: str) -> Defined | None:
        key = (self.database.place, name)
        if key not in self._saved:
            text = self.database.functions.get(name)
            function = None if text is None else self.parse_function(name, text)
            if text is not None and function is None:
                self.report(say.broken_function(name))
            self._saved[key] = None if function is None else Defined(function, Scope(), name)
        return self._saved[key]

    def bare_function(self, name: str) -> Defined | None:
        """A saved function that may be called without parentheses: it gives a table and needs no argument."""
        found = self.saved_function(name)
        return found if found is not None and self.is_bare(found) and self._makes_table(found) else None

    def user_call(self, tree: s.Call, defined: Defined, row: Row) -> Expression:
        before = len(self.mistakes)
        inner = self.enter(tree, defined, row)
        if inner is None:
            return BROKEN
        body = defined.function.body
        if self.is_tabular(body, inner):
            self._calls -= 1
            return self.broken(say.not_a_scalar(tree.span))
        result = self.scalar(body, Row(scope=inner))
        self._leave(tree, defined, before)
        return result

    def invoked(self, tree: s.Call, piped: Relation | None, scope: Scope) -> Relation:
        """A function that gives a table; `piped` is its first argument in `T | invoke f(...)`."""
        meaning = scope.find(tree.function) or self.saved_function(tree.function)
        if not isinstance(meaning, Defined):
            self.report(
                say.unknown_function(
                    tree.function, tree.name_span, [*scope.all_names(), *self.database.functions]
                )
            )
            return SOME_TABLE
        before = len(self.mistakes)
        inner = self.enter(tree, meaning, Row(scope=scope), piped)
        if inner is None:
            return SOME_TABLE
        relation = self.relation(meaning.function.body, inner)
        self._leave(tree, meaning, before)
        return relation

    def _leave(self, tree: s.Call, defined: Defined, before: int) -> None:
        """Mistakes in a saved function's own text are told where it was called."""
        self._calls -= 1
        if defined.saved:
            told = [say.inside(defined.saved, m, tree.span) for m in self.mistakes[before:]]
            self.mistakes[before:] = told

    def enter(self, tree: s.Call, defined: Defined, row: Row, piped: Relation | None = None) -> Scope | None:
        """The scope of a function's body with its parameters bound; `piped` is the first argument of `invoke`."""
        function = defined.function
        if self._calls >= _MAX_CALLS:
            self.report(say.endless(tree.function, tree.span))
            return None
        names: dict[str, Meaning] = {}
        given: list[s.Syntax] = list(tree.arguments)
        parameters = list(function.parameters)
        if piped is not None and parameters:
            names[parameters.pop(0).name] = piped
        by_name = {a.names[0]: a.expression for a in given if isinstance(a, s.Named)}
        positional = [a for a in given if not isinstance(a, s.Named)]
        if len(positional) > len(parameters):
            self.report(
                say.wrong_count(tree.function, f"{len(parameters)} arguments", len(positional), tree.span)
            )
            return None
        known = {p.name for p in parameters}
        for one in given:
            if isinstance(one, s.Named) and one.names[0] not in known:
                self.report(say.unknown_parameter(one.names[0], one.span, sorted(known)))
                return None
        for parameter in parameters:
            # Those without a name fill what the named ones leave, in order.
            argument = by_name.get(parameter.name)
            if argument is None and positional:
                argument = positional.pop(0)
            meaning = self._argument(parameter, argument, defined, row, tree)
            if meaning is None:
                return None
            names[parameter.name] = meaning
        self._calls += 1
        scope = defined.scope.inner(names)
        for let in function.statements:
            scope = self.statement(let, scope)
        return scope

    def _argument(
        self, parameter: s.Parameter, argument: s.Syntax | None, defined: Defined, row: Row, tree: s.Call
    ) -> Meaning | None:
        if argument is None and parameter.default is None:
            count = f"{len(defined.function.parameters)} arguments"
            self.report(say.wrong_count(tree.function, count, len(tree.arguments), tree.span))
            return None
        if parameter.type is None:
            assert argument is not None
            return Deferred(argument, row.scope)
        if argument is None:
            assert parameter.default is not None
            value = self.scalar(parameter.default, Row(scope=defined.scope))
        else:
            value = self.scalar(argument, row)
        self.budget.check(value)
        fitted = coerce(value, parameter.type)
        if fitted is None:
            self.report(self._misfit(parameter, value, argument, tree.span))
        return fitted

    def _misfit(
        self, parameter: s.Parameter, value: Expression, argument: s.Syntax | None, span: Span
    ) -> Diagnostic:
        place = span if argument is None else argument.span
        return say.wrong_type(f"'{parameter.name}'", str(parameter.type), value.type.value, place)
