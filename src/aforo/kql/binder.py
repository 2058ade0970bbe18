"""Syntax to plan: statements, tables, pipelines. Each tabular operator binds itself (`operators/`), handed in
as a table by syntax class; scalar expressions are bound by the classes below this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from aforo.kql import diagnostics as say
from aforo.kql import set_options
from aforo.kql import syntax as s
from aforo.kql.answer import Answer, UndiscoveredError
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.bind_functions import SOME_TABLE, FunctionBinder
from aforo.kql.bound import Apply, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply, coerce
from aforo.kql.expressions import PLACES
from aforo.kql.external import ExternalData
from aforo.kql.literals import scalar_value
from aforo.kql.places import meant, over, split
from aforo.kql.plan import Filter, Graph, Limit, Project, Scan, Sort, Steps, Unnest, Values, Walk, Window
from aforo.kql.scope import (
    RESTRICTED,
    Choice,
    Deferred,
    Defined,
    Meaning,
    Restriction,
    Row,
    Scope,
)
from aforo.kql.set_options import TIME_COLUMN
from aforo.kql.size import MOST_PARTS, Budget
from aforo.kql.symbols import Database, TableSymbol
from aforo.kql.types import BOOL, DATETIME
from aforo.source import Span, has_errors

OperatorBinding = Callable[["Binder", Relation, s.Operator, Scope], Relation]


class Binder(FunctionBinder):
    """Binds one query over a database. `timespan` (start, end in ticks) limits every table by `TimeGenerated`."""

    def __init__(
        self,
        database: Database,
        operators: Mapping[type[s.Operator], OperatorBinding],
        parse_function: Callable[[str, str], s.Function | None],
        *,
        now: int,
        timespan: tuple[int | None, int | None] | None,
        parameters: Mapping[str, str],
        discovered: Mapping[str, Sequence[Sequence[object]]] = MappingProxyType({}),
    ) -> None:
        super().__init__(database, parse_function)
        self.found = discovered
        self._asked = 0
        self.operators = operators
        self.now = now
        self.timespan = timespan
        self.parameters = parameters
        # The statement at hand: where a mistake is told that no single part has made.
        self.place = Span(0, 0)
        self.render: Mapping[str, object] | None = None
        self.scanned: list[str] = []
        self.joined = set()
        self.external: list[ExternalData] = []
        # `alias database x = ...`
        self.aliases: dict[str, s.Call] = {}
        self.most_rows: Constant | None = None

    # -- the query ---------------------------------------------------------------------------------------

    def query(self, tree: s.Query) -> Answer | None:
        """The plan of the answer; None when there is none (mistakes are in `mistakes`)."""
        self.budget = Budget(MOST_PARTS + tree.span.end)
        scope = Scope()
        for statement in tree.statements:
            self.place = statement.span
            scope = self.statement(statement, scope)
        if tree.body is None:
            return None
        self.place = tree.body.span
        if not self.is_tabular(tree.body, scope):
            if isinstance(tree.body, s.Name) and scope.find(tree.body.text) is None:
                self._unknown_table(tree.body)
                return None
            # A lone value is printed.
            value = self.scalar(tree.body, Row(scope=scope))
            self.budget.check(value)
            return Answer(Project(Values((), ((),)), ((self.column("print_0", value.type), value),)), None)
        relation = self.relation(tree.body, scope)
        self.budget.check(relation)
        if self.most_rows is not None and relation.columns:
            relation = Limit(relation, self.most_rows)
        return Answer(relation, self.render) if relation.columns or isinstance(relation, Project) else None

    def statement(self, statement: s.Statement, scope: Scope) -> Scope:
        match statement:
            case s.Let():
                return self.let(statement, scope)
            case s.Pattern(name=name):
                return scope.inner({name: Choice(statement, scope)})
            case s.Alias(name=name, place=place):
                if isinstance(place, s.Call) and place.function in PLACES:
                    self.aliases[name] = place
                else:
                    self.report(say.bad_argument("an alias stands for database(...)", place.span))
                return scope
            case s.Restrict(items=items):
                return self._restricted(items, scope)
            case s.DeclareParameters(parameters=parameters):
                return scope.inner({p.name: self._query_parameter(p, scope) for p in parameters})
            case s.SetOption():
                set_options.take(self, statement, scope)
                return scope

    def let(self, statement: s.Let, scope: Scope) -> Scope:
        """The scope with one name more."""
        value = statement.value
        meaning: Meaning
        if isinstance(value, s.Function):
            meaning = Defined(value, scope)
        elif self.is_tabular(value, scope):
            meaning = Deferred(value, scope)
        else:
            meaning = self.scalar(value, Row(scope=scope))
            self.budget.check(meaning)
        return scope.inner({statement.name: meaning})

    def _restricted(self, items: tuple[s.Syntax, ...], scope: Scope) -> Scope:
        """The scope from which only these tables can be read. What was named before keeps reading what it reads."""
        names: list[tuple[str, str]] = []
        for item in items:
            there = meant(self, item, scope) if split(item, scope) is not None else None
            if there is None and split(item, scope) is not None:
                continue
            place = self.database.place if there is None else there.database.place
            match item if there is None else there.syntax:
                case s.Name(text=text):
                    names.append((place, text))
                case s.Star(pattern=pattern):
                    names.append((place, pattern))
                case _:
                    self.report(say.bad_argument("'restrict access' takes names of tables", item.span))
        return scope.inner({RESTRICTED: Restriction(tuple(names))})

    def readable(self, name: str, scope: Scope) -> bool:
        """Whether `restrict access` lets a table or function be read that was there before it."""
        at: Scope | None = scope
        while at is not None:
            if name in at.names:
                return True
            if isinstance(restriction := at.names.get(RESTRICTED), Restriction):
                return restriction.allows(self.database.place, name)
            at = at.parent
        return True

    def _query_parameter(self, parameter: s.Parameter, scope: Scope) -> Expression:
        assert parameter.type is not None
        given = self.parameters.get(parameter.name)
        if given is not None:
            value = scalar_value(given, parameter.type)
            if value is None:
                self.report(say.bad_literal(parameter.type.value, given[:80], parameter.span))
            return Constant(value, parameter.type)
        if parameter.default is None:
            return self.broken(say.missing_parameter(parameter.name, parameter.span))
        return coerce(self.scalar(parameter.default, Row(scope=scope)), parameter.type) or BROKEN

    def discovered(self, relation: Relation) -> Sequence[Sequence[object]]:
        """The rows of a relation, which the plan depends on (the names that a bag has, for example).

        The first time there are none: the binding ends with UndiscoveredError, and is begun again with the rows.
        Cells are canonical values; keep the relation small (distinct names, a few columns).
        """
        self._asked += 1
        key = str(self._asked)
        rows = self.found.get(key)
        if rows is None:
            raise UndiscoveredError(key, relation)
        return rows

    # -- relations ---------------------------------------------------------------------------------------

    def relation(self, tree: s.Syntax, scope: Scope) -> Relation:
        found = self._graph_or_rows(tree, scope)
        return self._no_rows(tree.span) if isinstance(found, Graph) else found

    def _no_rows(self, span: Span) -> Relation:
        self.report(say.lost_graph(span))
        return SOME_TABLE

    def _graph_or_rows(self, tree: s.Syntax, scope: Scope) -> Relation:
        self.budget.spend()
        if split(tree, scope) is not None:
            there = meant(self, tree, scope)
            if there is None:
                return SOME_TABLE
            with over(self, there.database):
                return self.relation(there.syntax, there.scope)
        match tree:
            case s.Pipeline(source=source, operators=operators):
                return self.applied(self._graph_or_rows(source, scope), operators, scope)
            case s.Name(text=text):
                return self._table(tree, text, scope)
            case s.Operator():
                return self.operators[type(tree)](self, SOME_TABLE, tree, scope)
            case s.Call():
                return self._table_call(tree, scope)
            case s.Star():
                self.report(say.unsupported("a table name with wildcards here", tree.span, "use 'union'"))
                return SOME_TABLE
            case s.Missing():
                return SOME_TABLE
            case _:
                self.report(say.not_a_table(tree.span))
                return SOME_TABLE

    def applied(self, relation: Relation, operators: Sequence[s.Operator], scope: Scope) -> Relation:
        """The operators one after the other over the relation."""
        for operator in operators:
            if isinstance(operator, s.Operator) and relation is not SOME_TABLE:
                known = len(self.mistakes)
                if isinstance(relation, Graph) and not isinstance(operator, s.GraphOperator):
                    return self._no_rows(operator.span)
                was = relation
                relation = self.operators[type(operator)](self, was, operator, scope)
                if relation is was and not operator.keeps and not has_errors(self.mistakes):
                    # Better no answer than that of a query without this operator.
                    raise AssertionError(f"{type(operator).__name__} was left out without a word")
                if not relation.columns and relation is not SOME_TABLE:
                    # Rows of nothing: no engine has them, and further on they would be taken for a mistake's trace.
                    if len(self.mistakes) == known:
                        self.report(say.unsupported("a table without columns", operator.span))
                    relation = SOME_TABLE
        return relation

    def _table(self, tree: s.Name, text: str, scope: Scope) -> Relation:
        if not self.readable(text, scope):
            self.report(say.hidden(text, tree.span))
            return SOME_TABLE
        meaning = scope.find(text)
        match meaning:
            case Deferred(syntax=syntax, scope=inner):
                return self._graph_or_rows(syntax, inner)
            case Relation():
                return self.relabelled(meaning)
            case Defined() if self.is_bare(meaning):
                return self._table_call(s.Call(text, (), tree.span, tree.span), scope)
            case None:
                table = self.database.tables.get(text)
                if table is not None:
                    return self.scan(table)
                if self.bare_function(text) is not None:
                    return self._table_call(s.Call(text, (), tree.span, tree.span), scope)
                self._unknown_table(tree)
            case _:
                self.report(say.not_a_table(tree.span))
        return SOME_TABLE

    def _unknown_table(self, tree: s.Name) -> None:
        self.report(say.unknown_table(tree.text, tree.span, self.database.tables))

    def _table_call(self, tree: s.Call, scope: Scope) -> Relation:
        meaning = scope.find(tree.function) or self.saved_function(tree.function)
        if isinstance(meaning, Defined):
            if not self.readable(tree.function, scope):
                self.report(say.hidden(tree.function, tree.span))
                return SOME_TABLE
            return self.invoked(tree, None, scope)
        if tree.function == "materialize" and len(tree.arguments) == 1:
            kept = self.relation(tree.arguments[0], scope)
            self.once(tree.function, tree, kept, tree.name_span)
            return kept
        if tree.function == "table" and len(tree.arguments) >= 1:
            name = self.scalar(tree.arguments[0], Row(scope=scope))
            if isinstance(name, Constant) and isinstance(name.value, str):
                return self._table(s.Name(name.value, tree.span), name.value, scope)
            self.report(say.must_be_constant("the name of a table", tree.span))
            return SOME_TABLE
        if self.scalar(tree, Row(scope=scope)) is not BROKEN:
            self.report(say.not_a_table(tree.span))
        return SOME_TABLE

    def scan(self, table: TableSymbol) -> Relation:
        """All rows of a stored table, within the question's time span."""
        self.scanned.append(table.key)
        columns = tuple(self.column(c.name, c.type) for c in table.columns)
        relation: Relation = Scan(table, columns)
        time = next((c for c in columns if c.name == TIME_COLUMN and c.type is DATETIME), None)
        if time is None or self.timespan is None:
            return relation
        start, end = self.timespan
        bounds: list[Expression] = []
        if start is not None:
            bounds.append(apply("greater_equal", (Reference(time), Constant(start, DATETIME)), BOOL))
        if end is not None:
            bounds.append(apply("less_equal", (Reference(time), Constant(end, DATETIME)), BOOL))
        for bound in bounds:
            relation = Filter(relation, bound)
        return relation

    def relabelled(self, relation: Relation) -> Relation:
        """The same rows under new column ids, so that one relation can be used twice."""
        items = (
            (self.column(c.name, c.type), Apply("same", (Reference(c),), c.type)) for c in relation.columns
        )
        return Project(relation, tuple(items))

    def row(self, relation: Relation, scope: Scope) -> Row:
        """The row of a relation, for operators in which window functions may stand."""
        return Row(relation.columns, scope, windows=[], ordered=is_ordered(relation))

    def with_windows(self, relation: Relation, row: Row) -> Relation:
        """The relation with the columns of the window functions that binding over `row` has met."""
        return Window(relation, tuple(row.windows)) if row.windows else relation


def is_ordered(relation: Relation) -> bool:
    """Whether Kusto takes the rows to be in an order (`serialize` is a sort without keys)."""
    match relation:
        case Sort() | Values() | Steps() | Walk():
            return True
        case (
            Filter(input=inner)
            | Project(input=inner)
            | Limit(input=inner)
            | Window(input=inner)
            | Unnest(input=inner)
        ):
            return is_ordered(inner)
        case _:
            return False
