"""Operators that work row by row: where, extend, serialize, the project family."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Expression, Reference, Relation
from aforo.kql.naming import Names, own_name
from aforo.kql.operators.several import Bags, given
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Filter, Project, Sort
from aforo.kql.scope import Scope
from aforo.kql.tokens import TokenKind
from aforo.kql.wildcards import fits
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class Where(s.Operator):
    predicate: s.Syntax
    span: Span


@dataclass(frozen=True, slots=True)
class Extend(s.Operator):
    items: tuple[s.Syntax, ...]
    span: Span
    serialize: bool = False


@dataclass(frozen=True, slots=True)
class ProjectItems(s.Operator):
    items: tuple[s.Syntax, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ProjectNames(s.Operator):
    """project-away, project-keep, project-reorder: names and patterns, with an order for reorder."""

    kind: str
    names: tuple[tuple[s.Syntax, str], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ProjectRename(s.Operator):
    items: tuple[s.Syntax, ...]
    span: Span


# -- where -----------------------------------------------------------------------------------------------


def parse_where(p: Parser, start: Span) -> Where:
    return Where(p.expression(), start.to(p.last))


def bind_where(b: Binder, relation: Relation, tree: Where, scope: Scope) -> Relation:
    row = b.row(relation, scope)
    predicate = b.condition(tree.predicate, row, "the condition of 'where'")
    return Filter(b.with_windows(relation, row), predicate)


# -- extend, serialize -----------------------------------------------------------------------------------


def parse_extend(p: Parser, start: Span) -> Extend:
    return Extend(p.named_list(), start.to(p.last))


def parse_serialize(p: Parser, start: Span) -> Extend:
    ends = p.at_end() or p.peek().text in ("|", ";", ")")
    return Extend(() if ends else p.named_list(), start.to(p.last), serialize=True)


def _passed_on(relation: Relation) -> Iterable[tuple[Column, Expression]]:
    """All columns as items that pass them on; those of a projection below, as far as it passes them on itself."""
    if not isinstance(relation, Project):
        return [(c, Reference(c)) for c in relation.columns]
    # A table has a hundred columns, and extends follow each other.
    return [
        item if type(item[1]) is Reference and item[1].column is item[0] else (item[0], Reference(item[0]))
        for item in relation.items
    ]


def bind_extend(b: Binder, relation: Relation, tree: Extend, scope: Scope) -> Relation:
    if tree.serialize:
        relation = Sort(relation, ())
    items: dict[str, tuple[Column, Expression]] = {c.name: (c, e) for c, e in _passed_on(relation)}
    names = Names(tuple(items))
    row = b.row(relation, scope)
    bags = Bags(b, row)
    for item in tree.items:
        if (parts := bags.parts(item)) is not None:
            for name, expression in given(b, item, parts, names):
                items[name] = (b.column(name, expression.type), expression)
            continue
        expression = b.scalar(item, row)
        if isinstance(item, s.Named):
            if len(item.names) > 1:
                b.report(say.unsupported("giving several names to one expression", item.span))
            name = item.names[0]
        else:
            wanted = own_name(item)
            # `extend tostring(x)` takes the place of x, as with Kusto's own binder.
            name = wanted if wanted in items else names.free(wanted)
        items[name] = (b.column(name, expression.type), expression)
    return Project(bags.below(b.with_windows(relation, row)), tuple(items.values()))


# -- project ---------------------------------------------------------------------------------------------


def parse_project(p: Parser, start: Span) -> ProjectItems:
    return ProjectItems(p.named_list(), start.to(p.last))


def bind_project(b: Binder, relation: Relation, tree: ProjectItems, scope: Scope) -> Relation:
    row = b.row(relation, scope)
    items: list[tuple[Column, Expression]] = []
    explicit = {name for item in tree.items if isinstance(item, s.Named) for name in item.names}
    names = Names(tuple(explicit))
    seen: set[str] = set()
    bags = Bags(b, row)
    for item in tree.items:
        if isinstance(item, s.Star):
            for column in matching(relation.columns, item.pattern):
                items.append((column, Reference(column)))
            continue
        if (parts := bags.parts(item)) is not None:
            for name, expression in given(b, item, parts, names, rest=True):
                if name in seen:
                    b.report(say.duplicate_column(name, item.span))
                seen.add(name)
                items.append((b.column(name, expression.type), expression))
            continue
        expression = b.scalar(item, row)
        if isinstance(item, s.Named):
            name = item.names[0]
            if name in seen:
                b.report(say.duplicate_column(name, item.span))
                continue
            seen.add(name)
        else:
            name = names.free(own_name(item))
        if isinstance(expression, Reference) and expression.column.name == name:
            items.append((expression.column, expression))
        else:
            items.append((b.column(name, expression.type), expression))
    ids = [column.id for column, _ in items]
    if len(set(ids)) < len(ids):
        b.report(say.duplicate_column(next(c.name for c, _ in items if ids.count(c.id) > 1), tree.span))
        return relation
    return Project(bags.below(b.with_windows(relation, row)), tuple(items))


# -- project-away, project-keep, project-reorder ---------------------------------------------------------


def _parse_names(kind: str) -> Callable[[Parser, Span], ProjectNames]:
    def parse(p: Parser, start: Span) -> ProjectNames:
        names: list[tuple[s.Syntax, str]] = []
        while True:
            name = p.name_pattern() or p.primary()
            order = ""
            word, after = p.operator_keyword()
            if p.peek().kind is TokenKind.NAME and word in _ORDERS:
                order, p.index = word, after
            names.append((name, order))
            if not p.take_mark(","):
                break
        return ProjectNames(kind, tuple(names), start.to(p.last))

    return parse


def bind_names(b: Binder, relation: Relation, tree: ProjectNames, _scope: Scope) -> Relation:
    chosen: list[Column] = []
    for name, order in tree.names:
        found = _named(b, relation, name)
        if order:
            by_number = order.startswith("granny")
            found = sorted(
                found,
                key=lambda c: _numbered(c.name) if by_number else [c.name],
                reverse=order.endswith("desc"),
            )
        chosen += [c for c in found if c not in chosen]
    if tree.kind == "away":
        keep = [c for c in relation.columns if c not in chosen]
    elif tree.kind == "keep":
        keep = [c for c in relation.columns if c in chosen]
    else:
        keep = chosen + [c for c in relation.columns if c not in chosen]
    return Project(relation, tuple((c, Reference(c)) for c in keep))


# How `project-reorder` orders what a pattern matches; granny takes digits in names for numbers.
_ORDERS = ("asc", "desc", "granny-asc", "granny-desc")


def _numbered(name: str) -> list[str]:
    """A key by which `a2` stands before `a10`."""
    return [part.rjust(20, "0") if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _named(b: Binder, relation: Relation, name: s.Syntax) -> list[Column]:
    match name:
        case s.Star(pattern=pattern):
            return matching(relation.columns, pattern)
        case s.Name(text=text):
            found = [c for c in relation.columns if c.name == text]
            if not found:
                b.report(say.unknown_column(text, name.span, [c.name for c in relation.columns]))
            return found
        case s.Missing():
            return []
        case _:
            b.report(say.bad_argument("only names of columns stand here", name.span))
            return []


def matching(columns: tuple[Column, ...], pattern: str) -> list[Column]:
    """The columns whose names fit a pattern with `*`."""
    return [c for c in columns if fits(c.name, pattern)]


# -- project-rename --------------------------------------------------------------------------------------


def parse_rename(p: Parser, start: Span) -> ProjectRename:
    return ProjectRename(p.named_list(), start.to(p.last))


def bind_rename(b: Binder, relation: Relation, tree: ProjectRename, _scope: Scope) -> Relation:
    renamed: dict[int, Column] = {}
    for item in tree.items:
        if not isinstance(item, s.Named) or not isinstance(item.expression, s.Name):
            b.report(say.bad_argument("'project-rename' takes new = old", item.span))
            continue
        for column in _named(b, relation, item.expression):
            renamed[column.id] = b.column(item.names[0], column.type)
    items = tuple((renamed.get(c.id, c), Reference(c)) for c in relation.columns)
    names = [c.name for c, _ in items]
    if (twice := next((n for n in names if names.count(n) > 1), None)) is not None:
        b.report(say.duplicate_column(twice, tree.span))
    return Project(relation, items)


OPERATORS = (
    Declared(
        ("where", "filter"), Where, parse_where, bind_where, "Keeps the rows for which a condition holds."
    ),
    Declared(("extend",), Extend, parse_extend, bind_extend, "Adds or replaces columns."),
    Declared(("serialize",), Extend, parse_serialize, bind_extend, "Takes the rows to be in their order."),
    Declared(("project",), ProjectItems, parse_project, bind_project, "Chooses and computes columns."),
    Declared(("project-away",), ProjectNames, _parse_names("away"), bind_names, "Drops columns."),
    Declared(("project-keep",), ProjectNames, _parse_names("keep"), bind_names, "Keeps only these columns."),
    Declared(("project-reorder",), ProjectNames, _parse_names("reorder"), bind_names, "Puts columns first."),
    Declared(("project-rename",), ProjectRename, parse_rename, bind_rename, "Renames columns."),
)
