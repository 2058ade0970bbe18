"""Binds scalar expressions: names to columns, operators to typed operations. Calls are in `bind_calls.py`."""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_dynamics import hints_of, mixed
from aforo.kql.bound import (
    Aggregation,
    Column,
    Constant,
    Expression,
    InRelation,
    Path,
    Reference,
    Relation,
    ScalarQuery,
)
from aforo.kql.chance import by_chance
from aforo.kql.convert import apply, cast, coerce, coerce_literal
from aforo.kql.literals import json_value
from aforo.kql.patterns import problem_of
from aforo.kql.plan import Aggregate
from aforo.kql.scope import Choice, Deferred, Defined, Restriction, Row, Scope
from aforo.kql.size import MOST_PARTS, Budget
from aforo.kql.time_rules import TIME_RULES
from aforo.kql.types import (
    BOOL,
    DATETIME,
    DYNAMIC,
    GUID,
    INT,
    INTEGERS,
    LONG,
    NUMBERS,
    REAL,
    STRING,
    TIMESPAN,
    KqlType,
    widest,
)  # fmt: skip
from aforo.source import Diagnostic, Span

_COMPARE = {
    "==": "equals",
    "!=": "not_equals",
    "<": "less",
    ">": "greater",
    "<=": "less_equal",
    ">=": "greater_equal",
}
_ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}
# Types whose values look the same as text and inside an array.
_IN_ARRAYS = frozenset({STRING, INT, LONG, BOOL, GUID})
# What stands in for an expression that could not be bound; it passes every check, so that one mistake is told once.
BROKEN = Constant(None, DYNAMIC)


def any_broken(*expressions: Expression) -> bool:
    """Whether one of them could not be bound (told apart from a null by identity)."""
    return any(expression is BROKEN for expression in expressions)


class ExpressionBinder:
    """Binds expressions over a `Row`. Mistakes are collected; a broken part becomes `BROKEN`."""

    mistakes: list[Diagnostic]

    def __init__(self) -> None:
        self.mistakes = []
        self._ids = 0
        self.budget = Budget(MOST_PARTS)
        # What `set` statements say that counts, by name.
        self.options: dict[str, Expression] = {}
        # What is to be computed once, comes out by chance, and has been used.
        self._chanced: set[int] = set()

    def once(self, call: str, holder: object, made: Expression | Relation, span: Span) -> None:
        """What `materialize` and `toscalar` compute once is written down for each use: rows by chance would differ."""
        if by_chance(made):
            if id(holder) in self._chanced:
                self.report(
                    say.unsupported(f"{call}() of what comes out by chance and is used more than once", span)
                )
            self._chanced.add(id(holder))

    # -- to be had from the whole binder -----------------------------------------------------------------

    def relation(self, tree: s.Syntax, scope: Scope) -> Relation:
        raise NotImplementedError

    def is_tabular(self, tree: s.Syntax, scope: Scope) -> bool:
        raise NotImplementedError

    def call(self, tree: s.Call, row: Row) -> Expression:
        raise NotImplementedError

    def part_of_call(self, target: s.Syntax, key: Expression, row: Row) -> Expression | None:
        """One column of a call that gives several; None for any other index."""
        raise NotImplementedError

    # -- shared ------------------------------------------------------------------------------------------

    def report(self, mistake: Diagnostic) -> None:
        self.mistakes.append(mistake)

    def broken(self, mistake: Diagnostic) -> Expression:
        self.report(mistake)
        return BROKEN

    def column(self, name: str, type_: KqlType) -> Column:
        """A new column with an id of its own."""
        self.budget.spend()
        self._ids += 1
        return Column(self._ids, name, type_)

    # -- expressions -------------------------------------------------------------------------------------

    def scalar(self, tree: s.Syntax, row: Row) -> Expression:
        """The expression with its type."""
        self.budget.spend()
        match tree:
            case s.Literal(value=value, type=type_):
                return Constant(value, type_)
            case s.Name():
                return self._name(tree, row)
            case s.Member(target=target, name=name):
                return self._member(tree, target, name, row)
            case s.Index(target=target, index=index):
                return self._index(tree, target, index, row)
            case s.Call():
                return self.call(tree, row)
            case s.Unary(operand=operand):
                return self._negate(self.scalar(operand, row), tree.span)
            case s.Binary():
                return self._binary(tree, row)
            case s.Between():
                return self._between(tree, row)
            case s.InList():
                return self._in_list(tree, row)
            case s.Named(expression=inner):
                return self.scalar(inner, row)
            case s.Missing():
                return BROKEN
            case s.Pipeline() | s.Datatable() | s.Operator():
                return self.broken(say.not_a_scalar(tree.span))
            case s.Star():
                return self.broken(say.unsupported("'*' for all columns in an expression", tree.span))
            case _:
                return self.broken(say.bad_argument("this cannot stand in an expression", tree.span))

    def condition(self, tree: s.Syntax, row: Row, what: str = "the condition") -> Expression:
        """A boolean expression."""
        bound = self.scalar(tree, row)
        if bound.type is BOOL or bound is BROKEN:
            return bound
        if bound.type is DYNAMIC or bound.type in NUMBERS:
            return cast(bound, BOOL)
        return self.broken(say.wrong_type(what, "bool", bound.type.value, tree.span))

    def _name(self, tree: s.Name, row: Row) -> Expression:
        if (column := row.find(tree.text)) is not None:
            return Reference(column)
        meaning = row.scope.find(tree.text)
        match meaning:
            case None:
                known = [c.name for c in row.columns] or list(row.scope.all_names())
                return self.broken(say.unknown_column(tree.text, tree.span, known))
            case Deferred(syntax=syntax, scope=scope):
                if self.is_tabular(syntax, scope):
                    return self.broken(say.not_a_scalar(tree.span))
                return self.scalar(syntax, Row(scope=scope))
            case Defined():
                return self.broken(
                    say.bad_argument(f"'{tree.text}' is a function: call it with ()", tree.span)
                )
            case Relation():
                return self.broken(say.not_a_scalar(tree.span))
            case Choice() | Restriction():
                return self.broken(say.bad_argument(f"'{tree.text}' is no value", tree.span))
            case ScalarQuery():
                self.once("toscalar", meaning, meaning, tree.span)
                return meaning
            case _:
                return meaning

    def _member(self, tree: s.Member, target: s.Syntax, name: str, row: Row) -> Expression:
        if isinstance(target, s.Name) and target.text in ("$left", "$right") and row.sides is not None:
            columns = row.sides[target.text == "$right"]
            for column in columns:
                if column.name == name:
                    return Reference(column)
            return self.broken(say.unknown_column(name, tree.span, [c.name for c in columns]))
        if (
            isinstance(target, s.Name)
            and row.find(target.text) is None
            and row.scope.find(target.text) is None
        ):
            return self.broken(say.unknown_column(target.text, target.span, [c.name for c in row.columns]))
        return self._path(self.scalar(target, row), name, tree)

    def _index(self, tree: s.Index, target: s.Syntax, index: s.Syntax, row: Row) -> Expression:
        key = self.scalar(index, row)
        if (part := self.part_of_call(target, key, row)) is not None:
            return part
        base = self.scalar(target, row)
        if isinstance(key, Constant) and isinstance(key.value, str | int) and not isinstance(key.value, bool):
            return self._path(base, key.value, tree)
        if base is BROKEN or key is BROKEN:
            return BROKEN
        if base.type is not DYNAMIC:
            return self.broken(_not_dynamic(base.type, tree.span))
        if key.type in INTEGERS:
            return apply("element_at", (base, cast(key, LONG)), DYNAMIC)
        if key.type in (STRING, DYNAMIC):
            return apply("property_at", (base, cast(key, STRING)), DYNAMIC)
        return self.broken(say.wrong_type("an index", "a number or a text", key.type.value, index.span))

    def _path(self, base: Expression, step: str | int, tree: s.Syntax) -> Expression:
        if base is BROKEN:
            return BROKEN
        if base.type is not DYNAMIC:
            return self.broken(_not_dynamic(base.type, tree.span))
        if isinstance(base, Path):
            return Path(base.base, (*base.steps, step))
        return Path(base, (step,))

    def _negate(self, operand: Expression, span: Span) -> Expression:
        if operand is BROKEN:
            return BROKEN
        if operand.type in NUMBERS or operand.type is TIMESPAN:
            return apply("negate", (operand,), LONG if operand.type is INT else operand.type)
        if operand.type is DYNAMIC:
            return apply("dynamic_negate", (operand,), DYNAMIC)
        return self.broken(
            say.wrong_type("what '-' is applied to", "a number or a timespan", operand.type.value, span)
        )

    def _binary(self, tree: s.Binary, row: Row) -> Expression:
        op = tree.op
        if op in ("and", "or"):
            left = self.condition(tree.left, row, f"what '{op}' joins")
            right = self.condition(tree.right, row, f"what '{op}' joins")
            return apply(op, (left, right), BOOL)
        if isinstance(tree.left, s.Star):
            return self._everywhere(tree, row)
        left, right = self.scalar(tree.left, row), self.scalar(tree.right, row)
        if left is BROKEN or right is BROKEN:
            return BROKEN if op in _ARITHMETIC else Constant(None, BOOL)
        if op in _COMPARE:
            return self.compare(op, left, right, tree.op_span)
        if op in _ARITHMETIC:
            return self.arithmetic(op, left, right, tree.op_span)
        return self._text(op, left, right, tree)

    def _everywhere(self, tree: s.Binary, row: Row) -> Expression:
        """`* has "x"`: the operator over the text of every column."""
        right = self.scalar(tree.right, row)
        if right is BROKEN:
            return Constant(None, BOOL)
        if tree.op.startswith("!") or tree.op not in _EVERYWHERE:
            return self.broken(say.unsupported(f"'{tree.op}' over all columns", tree.op_span))
        if tree.op == "==":
            word = self.text(right, tree.right.span)
            return searched(row.columns, lambda text: apply("equals", (text, word), BOOL))
        return searched(row.columns, lambda text: self._text(tree.op, text, right, tree))

    # -- comparisons -------------------------------------------------------------------------------------

    def compare(self, op: str, left: Expression, right: Expression, span: Span) -> Expression:
        """`==` and its kin, after bringing both sides to one type."""
        pair = self.alike(left, right, equality=op in ("==", "!="))
        if pair is None:
            hint = ""
            if STRING in (left.type, right.type):
                hint = "tostring(...) makes a text, tolong(...), todatetime(...) and their kin read one"
            elif left.type is right.type:
                hint = "tostring(...) compares dynamic values as text"
            return self.broken(
                say.no_operator(op, left.type.value, right.type.value, span, *([hint] if hint else []))
            )
        return apply(_COMPARE[op], pair, BOOL)

    def alike(
        self, a: Expression, b: Expression, *, equality: bool = True
    ) -> tuple[Expression, Expression] | None:
        """Both sides in the type in which they are compared, None where Kusto compares no such types."""
        ta, tb = a.type, b.type
        for one, other in ((a, b), (b, a)):
            if isinstance(one, Constant) and one.value is None and one.type is not other.type:
                null = Constant(None if other.type is not STRING else "", other.type)
                return (null, other) if one is a else (other, null)
        if ta is tb:
            return (a, b) if ta is not DYNAMIC else None
        if (number := widest(ta, tb)) is not None:
            # A whole constant that fits takes the column's type, so that the column stays bare and prunes.
            if ta is INT and (small := coerce(b, INT)) is not None and small.type is INT:
                return a, small
            if tb is INT and (small := coerce(a, INT)) is not None and small.type is INT:
                return small, b
            return cast(a, number), cast(b, number)
        if DYNAMIC in (ta, tb):
            type_ = tb if ta is DYNAMIC else ta
            # A whole number on one side must not cut the fraction of the other.
            target = REAL if type_ in INTEGERS else type_
            return cast(a, target), cast(b, target)
        if (lifted := coerce_literal(b, ta)) is not None and (equality or ta is not STRING):
            return self.alike(a, lifted)
        if (lifted := coerce_literal(a, tb)) is not None and (equality or tb is not STRING):
            return self.alike(lifted, b)
        if {ta, tb} == {GUID, STRING}:
            return cast(a, STRING), cast(b, STRING)
        if BOOL in (ta, tb) and (INTEGERS & {ta, tb}):
            return cast(a, LONG), cast(b, LONG)
        return None

    def _between(self, tree: s.Between, row: Row) -> Expression:
        operand, low, high = (self.scalar(t, row) for t in (tree.operand, tree.low, tree.high))
        if any_broken(operand, low, high):
            return Constant(None, BOOL)
        if low.type is DATETIME and high.type is TIMESPAN:
            high = apply("add", (low, high), DATETIME)
        lower = self.compare(">=", operand, low, tree.low.span)
        upper = self.compare("<=", operand, high, tree.high.span)
        inside = apply("and", (lower, upper), BOOL)
        return apply("not", (inside,), BOOL) if tree.negated else inside

    def _in_list(self, tree: s.InList, row: Row) -> Expression:
        operand = self.scalar(tree.operand, row)
        if operand is BROKEN:
            return Constant(None, BOOL)
        negated, op = tree.op.startswith("!"), tree.op.lstrip("!")
        if len(tree.items) == 1 and self.is_tabular(tree.items[0], row.scope):
            found = self._in_relation(operand, self.relation(tree.items[0], row.scope), op, tree)
        else:
            found = self._in_values(operand, self._items(tree.items, row), op, tree)
        return apply("not", (found,), BOOL) if negated else found

    def _items(self, trees: tuple[s.Syntax, ...], row: Row) -> list[tuple[Expression, Span]]:
        """The listed values; a constant array stands for its elements."""
        out: list[tuple[Expression, Span]] = []
        for tree in trees:
            item = self.scalar(tree, row)
            value = json_value(item.value) if isinstance(item, Constant) and item.type is DYNAMIC else None
            if isinstance(value, list):
                out.extend((_json_constant(v), tree.span) for v in value)
            elif item is not BROKEN:
                out.append((item, tree.span))
        return out

    def _in_values(
        self, operand: Expression, items: list[tuple[Expression, Span]], op: str, tree: s.InList
    ) -> Expression:
        if op.startswith("has_"):
            text = self.text(operand, tree.operand.span)
            if len(items) == 1 and items[0][0].type is DYNAMIC:
                return apply(op.rstrip("~"), (text, items[0][0]), BOOL)
            words = [self.text(item, span) for item, span in items]
            return apply(op.rstrip("~"), (text, *words), BOOL)
        plain: list[Expression] = []
        arrays: list[Expression] = []
        for item, span in items:
            if item.type is DYNAMIC:
                arrays.append(item)
                continue
            if operand.type is STRING and item.type is not STRING and not isinstance(item, Constant):
                self.report(say.no_operator(op, operand.type.value, item.type.value, span))
                continue
            pair = self.alike(operand, item)
            if pair is None:
                self.report(say.no_operator(op, operand.type.value, item.type.value, span))
                continue
            if pair[0] is not operand and operand.type is not DYNAMIC and pair[0].type is not operand.type:
                # One wider item widens the whole comparison.
                operand = pair[0]
            plain.append(pair[1])
        if operand.type is DYNAMIC:
            types = {item.type for item in plain} or {STRING}
            if len(types) > 1:
                return self.broken(
                    say.unsupported("'in' over a dynamic value with items of several types", tree.span)
                )
            operand = cast(operand, types.pop())
        name = "in_ci" if op == "in~" else "in"
        if name == "in_ci" and operand.type is not STRING:
            name = "in"
        plain = [coerce(item, operand.type) or item for item in plain]
        found = apply(name, (operand, *plain), BOOL) if plain or not arrays else None
        if arrays and operand.type not in _IN_ARRAYS:
            return self.broken(say.unsupported(f"'{op}' of {operand.type} in a dynamic array", tree.span))
        for array in arrays:
            one = apply(f"{name}_array", (cast(operand, STRING), array), BOOL)
            found = one if found is None else apply("or", (found, one), BOOL)
        assert found is not None
        return found

    def _in_relation(self, operand: Expression, relation: Relation, op: str, tree: s.InList) -> Expression:
        if not relation.columns:
            return Constant(None, BOOL)
        if op.startswith("has_"):
            # The words of the first column, once each, as the array that the operators take too.
            first = relation.columns[0]
            words = Aggregation("make_set", (Reference(first),), DYNAMIC)
            array = ScalarQuery(Aggregate(relation, (), ((self.column("words", DYNAMIC), words),)), DYNAMIC)
            return apply(op.rstrip("~"), (self.text(operand, tree.operand.span), array), BOOL)
        have = relation.columns[0].type
        if have is not operand.type:
            number = widest(have, operand.type)
            if operand.type is DYNAMIC and have is not DYNAMIC:
                operand = cast(operand, have)
            elif number is None:
                return self.broken(say.no_operator(op, operand.type.value, have.value, tree.span))
        return InRelation(operand, relation, op == "in~" and operand.type is STRING)

    # -- text and arithmetic -----------------------------------------------------------------------------

    def text(self, operand: Expression, span: Span) -> Expression:
        """An operand of a text operator."""
        if operand.type in (STRING, DYNAMIC):
            return cast(operand, STRING)
        if operand is BROKEN:
            return operand
        return self.broken(
            say.wrong_type(
                "what a text operator is applied to",
                "string",
                operand.type.value,
                span,
                "tostring(...) makes it one",
            )
        )

    def _text(self, op: str, left: Expression, right: Expression, tree: s.Binary) -> Expression:
        negated = op.startswith("!")
        name = {"=~": "equals_ci", "!~": "equals_ci", "matches regex": "matches_regex"}.get(
            op, op.lstrip("!")
        )
        constant = json_value(right.value) if isinstance(right, Constant) else None
        if name == "matches_regex" and (problem := problem_of(constant)):
            return self.broken(say.bad_argument(problem, tree.right.span))
        found = apply(name, (self.text(left, tree.left.span), self.text(right, tree.right.span)), BOOL)
        return apply("not", (found,), BOOL) if negated else found

    def arithmetic(self, op: str, left: Expression, right: Expression, span: Span) -> Expression:
        """`+` and its kin."""
        name, a, b = _ARITHMETIC[op], left.type, right.type
        if (number := widest(a, b)) is not None:
            number = LONG if number is INT else number
            return apply(name, (cast(left, number), cast(right, number)), number)
        if (rule := TIME_RULES.get((op, a, b))) is not None:
            return rule(left, right)
        if (found := mixed(op, name, left, right)) is not None:
            return found
        return self.broken(say.no_operator(op, a.value, b.value, span, *hints_of(op, a, b)))


# What may stand behind `*`.
_EVERYWHERE = frozenset(
    ["==", "=~", "matches regex"]
    + [
        op + case
        for op in ("has", "contains", "startswith", "endswith", "hasprefix", "hassuffix")
        for case in ("", "_cs")
    ]
)
# Times and truth values are no texts to be searched.
_SEARCHED = frozenset({STRING, DYNAMIC, GUID, *NUMBERS})


def searched(columns: tuple[Column, ...], test: Callable[[Expression], Expression]) -> Expression:
    """Whether the text of any column passes."""
    tests = [test(cast(Reference(c), STRING)) for c in columns if c.type in _SEARCHED]
    while len(tests) > 1:
        pairs = [apply("or", (a, b), BOOL) for a, b in zip(tests[::2], tests[1::2], strict=False)]
        tests = pairs + tests[len(pairs) * 2 :]
    return tests[0] if tests else Constant(False, BOOL)


def _json_constant(value: object) -> Constant:
    match value:
        case bool():
            return Constant(value, BOOL)
        case int():
            return Constant(value, LONG)
        case float():
            return Constant(value, REAL)
        case str():
            return Constant(value, STRING)
        case _:
            return Constant(value, DYNAMIC)


def _not_dynamic(type_: KqlType, span: Span) -> Diagnostic:
    hint = "parse_json(...) makes a text dynamic" if type_ is STRING else ""
    return say.wrong_type(
        "what a path is applied to", "dynamic", type_.value, span, *([hint] if hint else [])
    )
