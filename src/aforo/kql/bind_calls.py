"""Binds calls: scalar functions by their declaration, forms with rules of their own, aggregates and windows in place."""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql import bind_forms
from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN, ExpressionBinder, any_broken
from aforo.kql.bind_windows import RANKS
from aforo.kql.bound import Aggregation, Apply, Constant, Expression, Reference, ScalarQuery, Windowed
from aforo.kql.call_checks import CHECKS, percentile_problem
from aforo.kql.convert import apply, cast, coerce
from aforo.kql.functions.catalog import AGGREGATES, SCALARS, SEVERAL, WINDOWS
from aforo.kql.functions.spec import Aggregate, Function, Parameter, Scalar, Window
from aforo.kql.functions.unsupported import KNOWN_UNSUPPORTED, REASONS
from aforo.kql.ingested import OPERATION as INGESTION_TIME
from aforo.kql.naming import aggregate_name
from aforo.kql.scope import Defined, Row
from aforo.kql.symbols import Database
from aforo.kql.ticks import UNITS
from aforo.kql.types import BOOL, DATETIME, DYNAMIC, INT, LONG, REAL, STRING, TIMESPAN, KqlType, common


class CallBinder(ExpressionBinder):
    """Adds calls to expressions. `now` is the time of the question in ticks."""

    now: int
    database: Database
    # What the rows of a join have been made of: ids of their columns.
    joined: set[int]

    def user_call(self, tree: s.Call, defined: Defined, row: Row) -> Expression:
        raise NotImplementedError

    def saved_function(self, name: str) -> Defined | None:
        raise NotImplementedError

    def call(self, tree: s.Call, row: Row) -> Expression:
        meaning = row.scope.find(tree.function)
        if isinstance(meaning, Defined) or (meaning := self.saved_function(tree.function)) is not None:
            return self.user_call(tree, meaning, row)
        if (form := _FORMS.get(tree.function)) is not None:
            return form(self, tree, row)
        if row.aggregates is not None and len(tree.arguments) == 1 and tree.function in _MERGES:
            return self._aggregate_call(AGGREGATES[tree.function], tree, row)
        if (declared := SCALARS.get(tree.function)) is not None:
            return self._scalar_call(declared, tree, row)
        if (aggregate := AGGREGATES.get(tree.function)) is not None:
            return self._aggregate_call(aggregate, tree, row)
        if (window := WINDOWS.get(tree.function)) is not None:
            return self._window_call(window, tree, row)
        if tree.function in SEVERAL:
            return self.broken(
                say.unsupported(f"{tree.function}(), which gives several columns, inside an expression", tree.name_span,
                                "it stands by itself in 'extend', 'project' or 'print'")
            )  # fmt: skip
        if tree.function in KNOWN_UNSUPPORTED:
            reason = REASONS.get(tree.function)
            hints = () if reason is None else (reason,)
            return self.broken(say.unsupported(f"the function {tree.function}()", tree.name_span, *hints))
        known = [*SCALARS, *SEVERAL, *_FORMS, *AGGREGATES, *WINDOWS, *row.scope.all_names()]
        return self.broken(say.unknown_function(tree.function, tree.name_span, known))

    # -- arguments ---------------------------------------------------------------------------------------

    def arguments(self, declared: Function, tree: s.Call, row: Row) -> tuple[Expression, ...] | None:
        """The arguments, counted and converted as the declaration says; None (reported) when they do not fit."""
        least, most = declared.count
        got = len(tree.arguments)
        if got < least or (most is not None and got > most):
            self.report(say.wrong_count(declared.name, _counts(least, most), got, tree.span))
            return None
        out: list[Expression] = []
        fine = True
        for i, argument in enumerate(tree.arguments):
            bound = self.scalar(argument, row)
            parameter = declared.parameter(i)
            fitted = BROKEN if bound is BROKEN else fit(bound, parameter)
            if fitted is None:
                wanted = " or ".join(sorted(t.value for t in parameter.types))
                hint = "tostring(...) makes it one" if parameter.types == {STRING} else ""
                self.report(
                    say.wrong_type(f"'{parameter.name}' of {declared.name}()", wanted, bound.type.value, argument.span,
                                   *([hint] if hint else []))
                )  # fmt: skip
                fine = False
            elif fitted is BROKEN and bound is BROKEN:
                fine = False
            else:
                out.append(fitted)
        return tuple(out) if fine else None

    def checked_arguments(self, declared: Function, tree: s.Call, row: Row) -> tuple[Expression, ...] | None:
        """The same, and what the function asks of them beside their types."""
        arguments = self.arguments(declared, tree, row)
        if arguments is not None and (check := CHECKS.get(declared.operation)) is not None:
            problem = check(arguments)
            if problem:
                self.report(say.bad_argument(problem, tree.span))
                return None
        return arguments

    def _scalar_call(self, declared: Scalar, tree: s.Call, row: Row) -> Expression:
        arguments = self.checked_arguments(declared, tree, row)
        if arguments is None:
            return BROKEN
        type_ = declared.result_type(tuple(a.type for a in arguments))
        if declared.operation in ("tostring", "tolong", "toint", "toreal", "tobool", "todecimal", "todatetime",
                                  "totimespan", "toguid"):  # fmt: skip
            return cast(arguments[0], type_)
        return apply(declared.operation, arguments, type_)

    def _aggregate_call(self, declared: Aggregate, tree: s.Call, row: Row) -> Expression:
        if row.aggregates is None:
            return self.broken(say.aggregate_outside(tree.function, tree.name_span))
        aggregation = self.aggregation(declared, tree, row)
        if aggregation is None:
            return BROKEN
        column = self.column(aggregate_name(tree), aggregation.type)
        row.aggregates.append((column, aggregation))
        return Reference(column)

    def aggregation(self, declared: Aggregate, tree: s.Call, row: Row) -> Aggregation | None:
        """The aggregate over the rows of `row`."""
        inside = Row(row.columns, row.scope)
        arguments = self.arguments(declared, tree, inside)
        if arguments is None:
            return None
        type_ = declared.result_type(tuple(a.type for a in arguments))
        if declared.operation in ("min", "max") and arguments[0].type is DYNAMIC:
            hint = "tolong(...), tostring(...) or their kin make it one"
            span = tree.arguments[0].span
            self.report(
                say.wrong_type(f"what {declared.name}() compares", "a plain value", "dynamic", span, hint)
            )
            return None
        condition: Expression | None = None
        place = next((i for i, p in enumerate(declared.parameters) if p.name == "condition"), len(arguments))
        if place < len(arguments):
            condition = arguments[place]
            arguments = arguments[:place] + arguments[place + 1 :]
        for i in range(_CONSTANT_FROM.get(declared.operation, len(arguments)), len(arguments)):
            argument, shown = arguments[i], tree.arguments[i if i < place else i + 1].span
            if not isinstance(argument, Constant):
                self.report(say.must_be_constant(f"argument {i + 1} of {declared.name}()", shown))
                return None
            if "percentile" in declared.operation and (problem := percentile_problem(argument)):
                self.report(say.bad_argument(problem, shown))
                return None
        if declared.operation in ("count_distinct", "hll"):
            arguments = arguments[:1]
        return Aggregation(declared.operation, arguments, type_, condition)

    def _window_call(self, declared: Window, tree: s.Call, row: Row) -> Expression:
        if row.windows is None:
            return self.broken(say.bad_argument(f"{tree.function}() cannot stand here", tree.name_span))
        if not row.ordered:
            return self.broken(say.needs_order(tree.function, tree.name_span))
        arguments = self.arguments(declared, tree, row)
        if arguments is None:
            return BROKEN
        given = arguments[0].type if arguments else LONG
        if declared.operation == "row_window_session":
            if given is INT:
                # Two may lie farther apart than an int is great.
                arguments = (cast(arguments[0], LONG), *arguments[1:])
            wanted = TIMESPAN if arguments[0].type in (DATETIME, TIMESPAN) else arguments[0].type
            fitted = [coerce(a, wanted) for a in arguments[1:3]]
            if None in fitted:
                found = ", ".join(a.type.value for a in arguments[1:3])
                return self.broken(
                    say.wrong_type("the distances of a session", wanted.value, found, tree.span)
                )
            arguments = (arguments[0], *(f for f in fitted if f is not None), *arguments[3:])
        if (rank := RANKS.get(declared.operation)) is not None:
            return rank(self.column, row.windows, *arguments)
        windowed = Windowed(
            declared.operation, arguments, declared.result_type(tuple(a.type for a in arguments))
        )
        column = self.column(tree.function, windowed.type)
        row.windows.append((column, windowed))
        return (
            cast(Reference(column), INT)
            if given is INT and windowed.operation == "row_window_session"
            else Reference(column)
        )

    def part_of_call(self, target: s.Syntax, key: Expression, row: Row) -> Expression | None:
        return bind_forms.part_of_call(self, target, key, row)

    def unified(
        self, trees: tuple[s.Syntax, ...], row: Row, what: str, *, plain: bool = False
    ) -> tuple[tuple[Expression, ...], KqlType] | None:
        """Several alternatives brought to their common type; with `plain` a dynamic one is read as that of the others."""
        bound = [self.scalar(t, row) for t in trees]
        type_: KqlType | None = None
        for expression in bound:
            null = (
                isinstance(expression, Constant) and expression.value is None and expression.type is DYNAMIC
            )
            if expression is BROKEN or null or (plain and expression.type is DYNAMIC):
                continue
            merged = expression.type if type_ is None else common(type_, expression.type)
            if merged is None:
                assert type_ is not None
                self.report(say.bad_argument(f"{what} has values of {type_} and {expression.type}", trees[0].span,
                                             "bring them to one type, for example with tostring(...)"))  # fmt: skip
                return None
            type_ = merged
        type_ = type_ or DYNAMIC
        return tuple(_as(expression, type_) for expression in bound), type_


def _as(expression: Expression, type_: KqlType) -> Expression:
    if isinstance(expression, Constant) and expression.value is None:
        return Constant(None if type_ is not STRING else "", type_)
    return cast(expression, type_)


def fit(bound: Expression, parameter: Parameter) -> Expression | None:
    """An argument in a type that the parameter takes, None when there is no way."""
    if parameter.text:
        return cast(bound, STRING)
    if parameter.any or bound.type in parameter.types:
        if parameter.preferred is not None and bound.type is not parameter.preferred and not parameter.any:
            if bound.type is KqlType.DECIMAL and parameter.preferred is REAL:
                return cast(bound, REAL)
            return coerce(bound, parameter.preferred) or bound
        return bound
    if parameter.preferred is not None:
        return coerce(bound, parameter.preferred)
    for candidate in (LONG, REAL, DATETIME, TIMESPAN):
        if candidate in parameter.types and bound.type is DYNAMIC and STRING not in parameter.types:
            # A dynamic value where a number is wanted: read as real, which holds whole numbers too.
            return cast(bound, REAL if candidate is LONG else candidate)
    return None


# Functions of several digests, which are aggregates of one column of them in `summarize`.
_MERGES = frozenset(SCALARS) & frozenset(AGGREGATES)


def _counts(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} arguments"
    return f"{least} arguments" if least == most else f"{least} to {most} arguments"


# Aggregates with arguments that say how, from this one on.
_CONSTANT_FROM = {
    "make_list": 1, "make_set": 1, "make_bag": 1, "percentile": 1, "percentiles_array": 1, "count_distinct": 1, "hll": 1,
    "percentile_weighted": 2, "percentiles_weighted_array": 2,
}  # fmt: skip


# -- forms with rules of their own -----------------------------------------------------------------------

_Form = Callable[[CallBinder, s.Call, Row], Expression]


def _arity(binder: CallBinder, tree: s.Call, least: int, most: int | None) -> bool:
    got = len(tree.arguments)
    if got < least or (most is not None and got > most):
        binder.report(say.wrong_count(tree.function, _counts(least, most), got, tree.span))
        return False
    return True


def _now(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 0, 1):
        return BROKEN
    now: Expression = Constant(binder.now, DATETIME)
    if not tree.arguments:
        return now
    offset = binder.scalar(tree.arguments[0], row)
    if offset.type is not TIMESPAN:
        return binder.broken(say.wrong_type("the offset of now()", "timespan", offset.type.value, tree.span))
    return apply("add", (now, offset), DATETIME)


def _ago(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 1, 1):
        return BROKEN
    span = binder.scalar(tree.arguments[0], row)
    if span is BROKEN:
        return BROKEN
    fitted = coerce(span, TIMESPAN)
    if fitted is None:
        return binder.broken(
            say.wrong_type(
                "the argument of ago()", "timespan", span.type.value, tree.arguments[0].span, "write 1h or 7d"
            )
        )
    return apply("subtract", (Constant(binder.now, DATETIME), fitted), DATETIME)


def _ingestion_time(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    """Of the table that the row comes from; lowering finds it by the columns that the row still has."""
    if not _arity(binder, tree, 0, 0):
        return BROKEN
    if any(c.id in binder.joined for c in row.columns):
        return binder.broken(say.unsupported("ingestion_time() of rows that a join has made", tree.span,
                                        "read it before: T | extend ingested = ingestion_time() | join ..."))  # fmt: skip
    return Apply(INGESTION_TIME, tuple(Reference(c) for c in row.columns), DATETIME)


def _iff(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 3, 3):
        return BROKEN
    condition = binder.condition(tree.arguments[0], row, f"the condition of {tree.function}()")
    unified = binder.unified(tree.arguments[1:], row, f"{tree.function}()", plain=True)
    if unified is None:
        return BROKEN
    (yes, no), type_ = unified
    return apply("case", (condition, yes, no), type_)


def _case(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 3, None):
        return BROKEN
    if len(tree.arguments) % 2 == 0:
        return binder.broken(say.bad_argument("case() takes pairs of condition and value, then one value", tree.span,
                                              "the last argument is the value for all other rows"))  # fmt: skip
    conditions = [binder.condition(t, row, "a condition of case()") for t in tree.arguments[:-1:2]]
    unified = binder.unified((*tree.arguments[1::2], tree.arguments[-1]), row, "case()", plain=True)
    if unified is None:
        return BROKEN
    values, type_ = unified
    flat: list[Expression] = []
    for condition, value in zip(conditions, values, strict=False):
        flat += [condition, value]
    return apply("case", (*flat, values[-1]), type_)


def _common_form(least: int) -> _Form:
    def form(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
        if not _arity(binder, tree, least, None):
            return BROKEN
        unified = binder.unified(tree.arguments, row, f"{tree.function}()")
        if unified is None:
            return BROKEN
        arguments, type_ = unified
        if type_ is DYNAMIC and tree.function in ("max_of", "min_of"):
            return binder.broken(say.unsupported(f"{tree.function}() over dynamic values", tree.span))
        return apply(tree.function, arguments, type_)

    return form


def _toscalar(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 1, 1):
        return BROKEN
    if not binder.is_tabular(tree.arguments[0], row.scope):
        return binder.scalar(tree.arguments[0], row)
    relation = binder.relation(tree.arguments[0], row.scope)
    if not relation.columns:
        return BROKEN
    return ScalarQuery(relation, relation.columns[0].type)


def _column_ifexists(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 1, 2):
        return BROKEN
    name = binder.scalar(tree.arguments[0], row)
    if not isinstance(name, Constant) or not isinstance(name.value, str):
        return binder.broken(say.must_be_constant("the name of the column", tree.arguments[0].span))
    if (column := row.find(name.value)) is not None:
        return Reference(column)
    if len(tree.arguments) == 1:
        return Constant("", STRING)
    return binder.scalar(tree.arguments[1], row)


def _pack_all(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 0, 1):
        return BROKEN
    skip = bool(tree.arguments) and binder.scalar(tree.arguments[0], row) == Constant(True, BOOL)
    flat: list[Expression] = []
    for column in row.columns:
        flat += [Constant(column.name, STRING), Reference(column)]
    return apply("bag_pack_skip_empty" if skip else "bag_pack", tuple(flat), DYNAMIC)


def _extract(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    """`extract(regex, group, text, typeof(long))` converts what it found."""
    if not _arity(binder, tree, 3, 4):
        return BROKEN
    inner = s.Call(tree.function, tree.arguments[:3], tree.span, tree.name_span)
    found = binder._scalar_call(SCALARS["extract"], inner, row)
    if len(tree.arguments) == 4 and found is not BROKEN:
        wanted = tree.arguments[3]
        if not isinstance(wanted, s.TypeOf):
            return binder.broken(say.must_be_constant("the type", wanted.span))
        return cast(found, wanted.type)
    return found


def _range(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    """`range(start, stop, step)`: an array; the step is 1, or an hour for times."""
    if not _arity(binder, tree, 2, 3):
        return BROKEN
    parts = [binder.scalar(argument, row) for argument in tree.arguments]
    if any_broken(*parts):
        return BROKEN
    type_ = LONG if parts[0].type is INT else parts[0].type
    if type_ is LONG and any(part.type is REAL for part in parts):
        type_ = REAL
    by = TIMESPAN if type_ is DATETIME else type_
    if len(parts) == 2:
        ones = {LONG: Constant(1, LONG), REAL: Constant(1.0, REAL)}
        parts.append(ones.get(type_, Constant(UNITS["h"], TIMESPAN)))
    fitted = [coerce(part, wanted) for part, wanted in zip(parts, (type_, type_, by), strict=True)]
    ends = tuple(part for part in fitted if part is not None)
    if type_ not in (LONG, REAL, DATETIME, TIMESPAN) or len(ends) < 3:
        types = ", ".join(part.type.value for part in parts)
        return binder.broken(say.unsupported(f"range() over {types}", tree.span))
    return apply("range", ends, DYNAMIC)


def _new_guid(_binder: CallBinder, _tree: s.Call, _row: Row) -> Expression:
    return Apply("new_guid", (), KqlType.GUID)


def _current_database(binder: CallBinder, tree: s.Call, _row: Row) -> Expression:
    return Constant(binder.database.name, STRING) if _arity(binder, tree, 0, 0) else BROKEN


def _materialize(binder: CallBinder, tree: s.Call, _row: Row) -> Expression:
    return binder.broken(say.not_a_scalar(tree.span))


def _column_names_of(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 1, 1):
        return BROKEN
    relation = binder.relation(tree.arguments[0], row.scope)
    return Constant([c.name for c in relation.columns], DYNAMIC) if relation.columns else BROKEN


def _assert(binder: CallBinder, tree: s.Call, row: Row) -> Expression:
    if not _arity(binder, tree, 2, 2):
        return BROKEN
    condition = binder.condition(tree.arguments[0], row, "what assert() checks")
    message = binder.scalar(tree.arguments[1], row)
    if not isinstance(message, Constant) or message.type is not STRING:
        return binder.broken(say.must_be_constant("the message of assert()", tree.arguments[1].span))
    return Apply("assert", (condition, message), BOOL)


_FORMS: dict[str, _Form] = {
    "column_names_of": _column_names_of,
    "assert": _assert,
    "now": _now,
    "ago": _ago,
    "iff": _iff,
    "iif": _iff,
    "case": _case,
    "coalesce": _common_form(1),
    "max_of": _common_form(1),
    "min_of": _common_form(1),
    "toscalar": _toscalar,
    "column_ifexists": _column_ifexists,
    "columnifexists": _column_ifexists,
    "pack_all": _pack_all,
    "extract": _extract,
    "range": _range,
    "new_guid": _new_guid,
    "current_database": _current_database,
    "materialize": _materialize,
    INGESTION_TIME: _ingestion_time,
    **bind_forms.FORMS,
}
