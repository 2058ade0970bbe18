"""Operators that look into many tables at once: search, find."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN, searched
from aforo.kql.binder import Binder
from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply, cast
from aforo.kql.operators.joining import legs_of, united
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Filter, Project, Scan, Union
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, STRING, KqlType
from aforo.source import Span

_SENSITIVE = {"case_sensitive": True, "case_insensitive": False, "default": False}
_CASED = frozenset(
    {"has", "contains", "startswith", "endswith", "hasprefix", "hassuffix"}
    | {"!has", "!contains", "!startswith", "!endswith", "!hasprefix", "!hassuffix"}
)


@dataclass(frozen=True, slots=True)
class Search(s.Operator):
    """`tables` are empty where none are named: the rows so far, or every table there is."""

    predicate: s.Syntax
    tables: tuple[s.Syntax, ...]
    sensitive: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Find(s.Operator):
    """`columns` are those of `project` (None: project-smart), each with the type asked for; `packs`: the rest as a bag."""

    predicate: s.Syntax
    tables: tuple[s.Syntax, ...]
    source_column: str
    columns: tuple[tuple[s.Name, KqlType | None], ...] | None
    packs: bool
    span: Span


def parse_search(p: Parser, start: Span) -> Search:
    options = p.options("kind")
    kind = options.get("kind")
    if kind is not None and kind.text not in _SENSITIVE:
        p.report(
            say.expected("a kind of search", f"'{kind.text}'", kind.span, "one of " + ", ".join(_SENSITIVE))
        )
    tables = _tables(p)
    sensitive = kind is not None and _SENSITIVE.get(kind.text, False)
    return Search(p.expression(), tables, sensitive, start.to(p.last))


def parse_find(p: Parser, start: Span) -> Find:
    options = p.options("withsource")
    tables = _tables(p)
    p.take_name("where")
    predicate = p.expression()
    source = options.get("withsource")
    columns: list[tuple[s.Name, KqlType | None]] | None = None
    packs = False
    keyword, after = p.operator_keyword()
    if keyword == "project-smart":
        p.index = after
    elif p.take_name("project"):
        columns = []
        while True:
            if p.peek().text in ("pack_all", "pack") and p.peek(1).text == "(":
                p.primary()
                packs = True
            else:
                place = p.peek().span
                name = s.Name(p.name("a column"), place)
                columns.append((name, p.type_name() if p.take_mark(":") else None))
            if not p.take_mark(","):
                break
    label = "source_" if source is None else str(source.value or source.text)
    chosen = None if columns is None else tuple(columns)
    return Find(predicate, tables, label, chosen, packs, start.to(p.last))


def _tables(p: Parser) -> tuple[s.Syntax, ...]:
    if not p.peek_name("in") and p.peek().text != "in":
        return ()
    p.next()
    p.expect_mark("(")
    out = [p.name_pattern() or p.pipeline()]
    while p.take_mark(","):
        out.append(p.name_pattern() or p.pipeline())
    p.expect_mark(")")
    return tuple(out)


# -- the tables that are looked into ---------------------------------------------------------------------


def _legs(
    b: Binder, relation: Relation, tables: tuple[s.Syntax, ...], scope: Scope
) -> list[tuple[str, Relation]]:
    if relation.columns:
        return [(_label(relation), relation)]
    legs: list[tuple[str, Relation]] = []
    for table in tables or (s.Star(Span(0, 0)),):
        legs += legs_of(b, table, scope, len(legs))
    return [(label, leg) for label, leg in legs if leg.columns]


def _label(relation: Relation) -> str:
    while isinstance(relation, Filter):
        relation = relation.input
    return relation.table.name if isinstance(relation, Scan) else "union_arg0"


def _named(tree: object) -> Iterator[str]:
    """The names that stand in a condition."""
    if isinstance(tree, s.Name):
        yield tree.text
    elif isinstance(tree, tuple):
        for part in tree:
            yield from _named(part)
    elif isinstance(tree, s.Syntax):
        for name in getattr(tree, "__dataclass_fields__", ()):
            yield from _named(getattr(tree, name))


def _row(leg: Relation, legs: Sequence[Relation], names: set[str], scope: Scope) -> Row:
    """The row of one table; a column that only others have is null in it."""
    own = {c.name for c in leg.columns}
    others = {c.name for other in legs for c in other.columns if c.name in names} - own
    nulls = {name: Constant(None, DYNAMIC) for name in others}
    return Row(leg.columns, scope.inner(dict(nulls)) if nulls else scope)


# -- the condition ---------------------------------------------------------------------------------------


def condition(b: Binder, tree: s.Syntax, row: Row, *, sensitive: bool) -> Expression:
    """A condition in which a bare text is looked for in all columns."""
    if isinstance(tree, s.Binary) and tree.op == "has" and tree.op_span.end - tree.op_span.start == 1:
        return _column_term(b, tree, row, sensitive=sensitive)
    match tree:
        case s.Star(pattern="*"):
            return Constant(True, BOOL)
        case s.Literal(value=str() as word, type=KqlType.STRING):
            return searched(row.columns, lambda text: term(text, word, sensitive=sensitive))
        case s.Binary(op="and" | "or" as op, left=left, right=right):
            parts = (
                condition(b, left, row, sensitive=sensitive),
                condition(b, right, row, sensitive=sensitive),
            )
            return apply(op, parts, BOOL)
        case s.Call(function="not", arguments=(inner,)):
            return apply("not", (condition(b, inner, row, sensitive=sensitive),), BOOL)
        case _:
            if sensitive and isinstance(tree, s.Binary) and tree.op in _CASED:
                tree = dataclasses.replace(tree, op=tree.op + "_cs")
            return b.condition(tree, row, "what is searched by")


def _column_term(b: Binder, tree: s.Binary, row: Row, *, sensitive: bool) -> Expression:
    """`column: "term"`; what is no text is compared."""
    wanted = tree.right
    if not isinstance(wanted, s.Literal) or not isinstance(wanted.value, str):
        return b.condition(dataclasses.replace(tree, op="=="), row)
    word = wanted.value
    if isinstance(tree.left, s.Star):
        return searched(row.columns, lambda text: term(text, word, sensitive=sensitive))
    subject = b.scalar(tree.left, row)
    return BROKEN if subject is BROKEN else term(cast(subject, STRING), word, sensitive=sensitive)


def term(text: Expression, word: str, *, sensitive: bool) -> Expression:
    """A word with wildcards: a whole term, its beginning, its end, any piece, or what stands between two pieces."""
    cased = "_cs" if sensitive else ""
    bare = word.strip("*")
    if "*" in bare:
        pattern = ".*".join(re.escape(piece) for piece in bare.split("*"))
        start = "" if word.startswith("*") else r"\b"
        end = "" if word.endswith("*") else r"\b"
        flags = "(?s)" if sensitive else "(?si)"
        return apply("matches_regex", (text, Constant(flags + start + pattern + end, STRING)), BOOL)
    before, after = word.startswith("*"), word.endswith("*")
    operation = "contains" if before and after else "hassuffix" if before else "hasprefix" if after else "has"
    return apply(operation + cased, (text, Constant(bare, STRING)), BOOL)


# -- search ----------------------------------------------------------------------------------------------


def bind_search(b: Binder, relation: Relation, tree: Search, scope: Scope) -> Relation:
    if relation.columns and tree.tables:
        b.report(
            say.bad_argument("'search in (...)' begins a query", tree.span, "leave out what stands before it")
        )
        return relation
    legs = _legs(b, relation, tree.tables, scope)
    if not legs:
        if not b.mistakes:
            b.report(say.bad_argument("there is no table to search in", tree.span))
        return relation
    names = set(_named(tree.predicate))
    plans = [leg for _, leg in legs]
    filtered = [
        Filter(leg, condition(b, tree.predicate, _row(leg, plans, names, scope), sensitive=tree.sensitive))
        for leg in plans
    ]
    if any(c.name == "$table" for c in plans[0].columns):
        return filtered[0]
    return united(b, filtered, source="$table", labels=[label for label, _ in legs])


# -- find ------------------------------------------------------------------------------------------------


def bind_find(b: Binder, relation: Relation, tree: Find, scope: Scope) -> Relation:
    legs = _legs(b, relation, tree.tables, scope)
    names = set(_named(tree.predicate))
    known = {c.name for _, leg in legs for c in leg.columns}
    wanted = names & known
    if wanted:
        # A table that has none of the columns that the condition reads has nothing to be found.
        legs = [(label, leg) for label, leg in legs if wanted & {c.name for c in leg.columns}]
    if not legs:
        if not b.mistakes:
            b.report(say.bad_argument("there is no table to look into", tree.span))
        return relation
    plans = [leg for _, leg in legs]
    filtered = [
        Filter(leg, condition(b, tree.predicate, _row(leg, plans, names, scope), sensitive=False))
        for leg in plans
    ]
    labels = [label for label, _ in legs]
    if tree.columns is not None:
        return _projected(b, filtered, labels, tree, tree.columns)
    return _smart(b, filtered, labels, tree, wanted)


def _smart(b: Binder, legs: list[Filter], labels: list[str], tree: Find, wanted: set[str]) -> Relation:
    """The columns that the condition names and those that all tables have; the rest of each row as a bag.

    What differs in type from table to table is no column that they share.
    """
    types = [{c.name: c.type for c in leg.columns} for leg in legs]
    shown = wanted | {name for name, _ in set.intersection(*(set(t.items()) for t in types))}
    chosen = [Project(leg, tuple((c, Reference(c)) for c in leg.columns if c.name in shown)) for leg in legs]
    rest = [[c for c in leg.columns if c.name not in shown] for leg in legs]
    if not any(rest):
        return united(b, chosen, source=tree.source_column, labels=labels)
    packed = [
        Project(
            leg,
            (
                *((c, Reference(c)) for c in leg.columns if c.name in shown),
                (b.column("pack_", DYNAMIC), _bag(r)),
            ),
        )
        for leg, r in zip(legs, rest, strict=True)
    ]
    found = united(b, packed, source=tree.source_column, labels=labels)
    last = sorted(found.columns, key=lambda c: c.name == "pack_")
    return Project(found, tuple((c, Reference(c)) for c in last))


def _bag(columns: list[Column]) -> Expression:
    flat: list[Expression] = []
    for column in columns:
        flat += [Constant(column.name, STRING), Reference(column)]
    return Apply("bag_pack", tuple(flat), DYNAMIC)


def _projected(
    b: Binder,
    legs: list[Filter],
    labels: list[str],
    tree: Find,
    columns: tuple[tuple[s.Name, KqlType | None], ...],
) -> Relation:
    known = sorted({c.name for leg in legs for c in leg.columns})
    made = [b.column(tree.source_column, STRING)]
    sources: list[list[Expression]] = [[Constant(label, STRING)] for label in labels]
    for name, type_ in columns:
        found = [next((c for c in leg.columns if c.name == name.text), None) for leg in legs]
        have = {c.type for c in found if c is not None}
        if not have and type_ is None:
            b.report(say.unknown_column(name.text, name.span, known))
            continue
        if len(have) > 1 and type_ is None:
            b.report(say.bad_argument(f"'{name.text}' has several types: {', '.join(sorted(have))}", name.span,
                                      "write the type behind it, as in 'name: string'"))  # fmt: skip
            continue
        result = type_ or next(iter(have))
        made.append(b.column(name.text, result))
        for expressions, column in zip(sources, found, strict=True):
            null = Constant("" if result is STRING else None, result)
            expressions.append(null if column is None else cast(Reference(column), result))
    if tree.packs:
        named = {name.text for name, _ in columns}
        made.append(b.column("pack_", DYNAMIC))
        for expressions, leg in zip(sources, legs, strict=True):
            expressions.append(_bag([c for c in leg.columns if c.name not in named]))
    return Union(tuple(made), tuple((leg, tuple(e)) for leg, e in zip(legs, sources, strict=True)))


OPERATORS = (
    Declared(("search",), Search, parse_search, bind_search, "Rows in which a term occurs.", starts=True),
    Declared(
        ("find",),
        Find,
        parse_find,
        bind_find,
        "Rows of many tables that fit a condition.",
        pipes=False,
        starts=True,
    ),
)
