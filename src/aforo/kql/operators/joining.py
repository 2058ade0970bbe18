"""Operators over two or more tables: join, lookup, union."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import any_broken
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Expression, Reference, Relation
from aforo.kql.naming import Names
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.places import meant, over, split
from aforo.kql.plan import Join, JoinKind, Project, Union
from aforo.kql.scope import Defined, Row, Scope
from aforo.kql.types import STRING, KqlType
from aforo.kql.wildcards import fits
from aforo.source import Span, has_errors


@dataclass(frozen=True, slots=True)
class JoinWith(s.Operator):
    """`kind` as written (empty: the default); `lookup` leaves the right keys out."""

    right: s.Syntax
    on: tuple[s.Syntax, ...]
    kind: str
    lookup: bool
    span: Span


@dataclass(frozen=True, slots=True)
class UnionOf(s.Operator):
    tables: tuple[s.Syntax, ...]
    kind: str
    source_column: str
    fuzzy: bool
    span: Span


_KINDS: dict[str, tuple[JoinKind, bool]] = {  # the kind, and whether the sides change places
    "": (JoinKind.INNER_UNIQUE, False),
    "innerunique": (JoinKind.INNER_UNIQUE, False),
    "inner": (JoinKind.INNER, False),
    "leftouter": (JoinKind.LEFT, False),
    "rightouter": (JoinKind.RIGHT, False),
    "fullouter": (JoinKind.FULL, False),
    "leftsemi": (JoinKind.LEFT_SEMI, False),
    "leftanti": (JoinKind.LEFT_ANTI, False),
    "leftantisemi": (JoinKind.LEFT_ANTI, False),
    "anti": (JoinKind.LEFT_ANTI, False),
    "rightsemi": (JoinKind.LEFT_SEMI, True),
    "rightanti": (JoinKind.LEFT_ANTI, True),
    "rightantisemi": (JoinKind.LEFT_ANTI, True),
}


def _parse(*, lookup: bool) -> Callable[[Parser, Span], JoinWith]:
    def parse(p: Parser, start: Span) -> JoinWith:
        options = p.options("kind")
        right = p.subquery()
        on: list[s.Syntax] = []
        if p.expect_name("on"):
            on.append(p.expression())
            while p.take_mark(","):
                on.append(p.expression())
        kind = options["kind"].text if "kind" in options else ("leftouter" if lookup else "")
        tree = JoinWith(right, tuple(on), kind, lookup, start.to(p.last))
        allowed = ("leftouter", "inner") if lookup else tuple(_KINDS)
        if kind not in allowed:
            p.report(
                say.expected(
                    "a kind of join",
                    f"'{kind}'",
                    options["kind"].span,
                    "one of " + ", ".join(k for k in allowed if k),
                )
            )
        return tree

    return parse


def bind_join(b: Binder, left: Relation, tree: JoinWith, scope: Scope) -> Relation:
    right = b.relation(tree.right, scope)
    on = _conditions(b, left, right, tree, scope)
    kind, swapped = _KINDS.get(tree.kind, (JoinKind.INNER, False))
    if not right.columns or not left.columns:
        return left
    if swapped:
        return Join(right, left, kind, tuple((r, le) for le, r in on))
    joined = Join(left, right, kind, tuple(on))
    if kind in (JoinKind.LEFT_SEMI, JoinKind.LEFT_ANTI):
        return joined
    dropped = {e.column.id for _, e in on if isinstance(e, Reference)} if tree.lookup else set()
    names = Names(tuple(c.name for c in left.columns))
    items: list[tuple[Column, Expression]] = [(c, Reference(c)) for c in left.columns]
    for column in right.columns:
        if column.id in dropped:
            continue
        name = names.free(column.name)
        made = column if name == column.name else b.column(name, column.type)
        items.append((made, Reference(column)))
    b.joined.update(c.id for c, _ in items)
    return Project(joined, tuple(items))


def _conditions(
    b: Binder, left: Relation, right: Relation, tree: JoinWith, scope: Scope
) -> list[tuple[Expression, Expression]]:
    out: list[tuple[Expression, Expression]] = []
    for condition in tree.on:
        for part in _conjuncts(condition):
            pair = _pair(b, left, right, part, scope)
            if pair is None:
                continue
            alike = b.alike(*pair)
            if alike is None:
                b.report(say.no_operator("==", pair[0].type.value, pair[1].type.value, part.span,
                                         "convert one side before the join"))  # fmt: skip
            else:
                out.append(alike)
    return out


def _conjuncts(tree: s.Syntax) -> list[s.Syntax]:
    if isinstance(tree, s.Binary) and tree.op == "and":
        return _conjuncts(tree.left) + _conjuncts(tree.right)
    return [tree]


def _pair(
    b: Binder, left: Relation, right: Relation, tree: s.Syntax, scope: Scope
) -> tuple[Expression, Expression] | None:
    """The two sides of one condition: a shared name, or `$left.a == $right.b` in either order."""
    if isinstance(tree, s.Name):
        sides: list[Expression] = []
        for relation in (left, right):
            column = next((c for c in relation.columns if c.name == tree.text), None)
            if column is None:
                b.report(say.unknown_column(tree.text, tree.span, [c.name for c in relation.columns]))
                return None
            sides.append(Reference(column))
        return sides[0], sides[1]
    if not isinstance(tree, s.Binary) or tree.op != "==":
        b.report(say.bad_argument("a join condition is a shared column or '$left.a == $right.b'", tree.span))
        return None
    row = Row((), scope, sides=(left.columns, right.columns))
    one, other = b.scalar(tree.left, row), b.scalar(tree.right, row)
    if any_broken(one, other):
        return None
    ids = {c.id for c in left.columns}
    if not isinstance(one, Reference) or not isinstance(other, Reference):
        b.report(
            say.unsupported(
                "an expression in a join condition", tree.span, "compute it with 'extend' before the join"
            )
        )
        return None
    one_left, other_left = one.column.id in ids, other.column.id in ids
    if one_left == other_left:
        b.report(say.bad_argument("a join condition compares $left with $right", tree.span))
        return None
    return (one, other) if one_left else (other, one)


# -- union -----------------------------------------------------------------------------------------------


def parse_union(p: Parser, start: Span) -> UnionOf:
    options = p.options("kind", "withsource", "isfuzzy")
    tables = [p.name_pattern() or p.subquery()]
    while p.take_mark(","):
        tables.append(p.name_pattern() or p.subquery())
    source = options.get("withsource")
    return UnionOf(
        tuple(tables),
        options["kind"].text if "kind" in options else "outer",
        "" if source is None else str(source.value or source.text),
        "isfuzzy" in options and options["isfuzzy"].text == "true",
        start.to(p.last),
    )


def bind_union(b: Binder, relation: Relation, tree: UnionOf, scope: Scope) -> Relation:
    legs: list[tuple[str, Relation]] = []
    if relation.columns:
        legs.append(("union_arg0", relation))
    for table in tree.tables:
        legs += legs_of(b, table, scope, len(legs), fuzzy=tree.fuzzy)
    legs = [(name, leg) for name, leg in legs if leg.columns]
    if not legs:
        if tree.fuzzy and not has_errors(b.mistakes):
            for table in tree.tables:
                legs_of(b, table, scope, 0)
        if not has_errors(b.mistakes):
            b.report(say.bad_argument("there is no table to unite", tree.span))
        return relation
    labels = [label for label, _ in legs]
    return united(
        b, [leg for _, leg in legs], inner=tree.kind == "inner", source=tree.source_column, labels=labels
    )


def united(
    b: Binder, legs: Sequence[Relation], *, inner: bool = False, source: str = "", labels: Sequence[str] = ()
) -> Union:
    """All rows of all legs, columns matched by name and type; with `source`, a first column that has the leg's label."""
    plan = _outline(list(legs), inner=inner)
    made = [b.column(name, type_) for name, type_, _ in plan]
    if source:
        made.insert(0, b.column(source, STRING))
    branches: list[tuple[Relation, tuple[Expression, ...]]] = []
    for i, leg in enumerate(legs):
        expressions: list[Expression] = []
        for _, type_, sources in plan:
            column = sources.get(i)
            null = Constant("" if type_ is STRING else None, type_)
            expressions.append(null if column is None else Reference(column))
        if source:
            expressions.insert(0, Constant(labels[i], STRING))
        branches.append((leg, tuple(expressions)))
    return Union(tuple(made), tuple(branches))


def legs_of(
    b: Binder, table: s.Syntax, scope: Scope, number: int, *, fuzzy: bool = False
) -> list[tuple[str, Relation]]:
    """The tables that an item of a list means, each with what `withsource` calls it."""
    if split(table, scope) is not None:
        told = len(b.mistakes)
        there = meant(b, table, scope)
        if there is None:
            if fuzzy and (gone := [m for m in b.mistakes[told:] if m.code in say.NOT_THERE]):
                b.mistakes[told:] = [say.left_out(gone[0])]
            return []
        with over(b, there.database):
            legs = legs_of(b, there.syntax, there.scope, number, fuzzy=fuzzy)
        return [(f"{there.shown}.{label}" if there.shown else label, leg) for label, leg in legs]
    if isinstance(table, s.Star):
        stored = [
            (n, b.scan(t))
            for n, t in sorted(b.database.tables.items())
            if fits(n, table.pattern) and b.readable(n, scope)
        ]
        views = [n for n in sorted(set(scope.all_names())) if fits(n, table.pattern) and _is_view(scope, n)]
        if not stored and not views and table.pattern != "*":
            nothing = say.unknown_table(table.pattern, table.span, ())
            b.report(say.left_out(nothing) if fuzzy else nothing)
        return stored + [(n, b.relation(s.Name(n, table.span), scope)) for n in views]
    label = table.text if isinstance(table, s.Name) else f"union_arg{number}"
    told, read = len(b.mistakes), len(b.scanned)
    leg = b.relation(table, scope)
    if fuzzy and (gone := [m for m in b.mistakes[told:] if m.code in say.NOT_THERE]):
        # A leg that reads what is not there is none, whatever else is wrong in it for that.
        b.mistakes[told:] = [say.left_out(gone[0])]
        del b.scanned[read:]
        return []
    return [(label, leg)]


def _is_view(scope: Scope, name: str) -> bool:
    meaning = scope.find(name)
    return isinstance(meaning, Defined) and meaning.function.view and not meaning.function.parameters


def _outline(legs: list[Relation], *, inner: bool) -> list[tuple[str, KqlType, dict[int, Column]]]:
    """The result's columns with their source in each leg; one name with several types becomes one column per type."""
    by_name: dict[str, dict[KqlType, dict[int, Column]]] = {}
    for i, leg in enumerate(legs):
        for column in leg.columns:
            by_name.setdefault(column.name, {}).setdefault(column.type, {})[i] = column
    out: list[tuple[str, KqlType, dict[int, Column]]] = []
    for name, types in by_name.items():
        for type_, sources in types.items():
            if inner and len(sources) < len(legs):
                continue
            out.append((name if len(types) == 1 else f"{name}_{type_.value}", type_, sources))
    return out


OPERATORS = (
    Declared(("join",), JoinWith, _parse(lookup=False), bind_join, "Joins two tables."),
    Declared(("lookup",), JoinWith, _parse(lookup=True), bind_join, "Adds the columns of a dimension table."),
    Declared(("union",), UnionOf, parse_union, bind_union, "All rows of several tables.", starts=True),
)
