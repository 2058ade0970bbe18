"""Operators that make rows of arrays: mv-expand, and mv-apply, which runs a subquery over each row's elements."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder, is_ordered
from aforo.kql.bound import Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply, cast
from aforo.kql.naming import Names, own_name
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.parts import ApartError, Parts, is_by_row, row_numbers
from aforo.kql.plan import Project, Sort, SortKey, Unnest
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, INTEGERS, LONG, NUMBERS, STRING, KqlType
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class MvExpand(s.Operator):
    """`pairs`: bags as `[name, value]`. `subquery` is mv-apply's, None for mv-expand."""

    items: tuple[tuple[s.Syntax, KqlType | None], ...]
    pairs: bool
    index: str
    limit: s.Syntax | None
    subquery: tuple[s.Operator, ...] | None
    span: Span


@dataclass(frozen=True, slots=True)
class MvApply(MvExpand):
    pass


@dataclass(frozen=True, slots=True)
class Element:
    """What one item becomes: `element` is the dynamic column of the Unnest, `column` the one to be seen. `replaced` is
    the column of the input in whose place it stands."""

    element: Column
    source: Expression
    column: Column
    value: Expression
    replaced: Column | None


# The least rows per row of the older spelling.
_OLD_LIMIT = 128


def parse_mv_expand(p: Parser, start: Span) -> MvExpand:
    old = p.last.end - p.last.start == len("mvexpand")
    pairs, index, items, limit = _parse_items(p)
    if limit is None and old:
        limit = s.Literal(_OLD_LIMIT, LONG, start)
    return MvExpand(items, pairs, index, limit, None, start.to(p.last))


def parse_mv_apply(p: Parser, start: Span) -> MvApply:
    pairs, index, items, limit = _parse_items(p)
    p.expect_name("on")
    return MvApply(items, pairs, index, limit, p.transformation(), start.to(p.last))


def _parse_items(
    p: Parser,
) -> tuple[bool, str, tuple[tuple[s.Syntax, KqlType | None], ...], s.Syntax | None]:
    options = p.options("kind", "bagexpansion", "with_itemindex")
    items: list[tuple[s.Syntax, KqlType | None]] = []
    while True:
        item = p.named_expression()
        type_: KqlType | None = None
        if p.take_name("to"):
            p.expect_name("typeof")
            p.expect_mark("(")
            type_ = p.type_name()
            p.expect_mark(")")
        items.append((item, type_))
        if not p.take_mark(","):
            break
    limit = p.expression() if p.take_name("limit") else None
    kind = options.get("kind") or options.get("bagexpansion")
    if kind is not None and kind.text not in ("bag", "array"):
        p.report(say.expected("'bag' or 'array'", f"'{kind.text}'", kind.span))
    index = (
        str(options["with_itemindex"].value or options["with_itemindex"].text)
        if "with_itemindex" in options
        else ""
    )
    return kind is not None and kind.text == "array", index, tuple(items), limit


def _elements(
    b: Binder, relation: Relation, tree: MvExpand, scope: Scope
) -> tuple[list[Element], Column | None]:
    """The expanded items, and the column of the index."""
    row = Row(relation.columns, scope)
    by_name = {c.name: c for c in relation.columns}
    out: list[Element] = []
    names = Names(tuple(by_name))
    for item, type_ in tree.items:
        expression = b.scalar(item, row)
        if expression is BROKEN:
            continue
        if expression.type is not DYNAMIC:
            b.report(say.wrong_type("what mv-expand takes apart", "dynamic", expression.type.value, item.span,
                                    "parse_json(...) or split(...) gives an array"))  # fmt: skip
            continue
        wanted = item.names[0] if isinstance(item, s.Named) else own_name(item)
        replaced = by_name.get(wanted)
        name = wanted if replaced is not None or isinstance(item, s.Named) else names.free(wanted)
        if any(e.column.name == name for e in out):
            b.report(say.duplicate_column(name, item.span))
            continue
        element = b.column(name, DYNAMIC)
        value: Expression = Reference(element)
        if type_ is not None and type_ is not DYNAMIC:
            value = element_as(value, type_)
        column = element if value.type is DYNAMIC else b.column(name, value.type)
        names.taken.add(name)
        out.append(Element(element, expression, column, value, replaced))
    index = b.column(names.free(tree.index), LONG) if tree.index else None
    return out, index


def element_as(value: Expression, type_: KqlType) -> Expression:
    """An element in a type: one that is of another kind becomes null, a text is not read as a number."""
    typed = cast(value, type_)
    if type_ not in NUMBERS and type_ is not BOOL:
        return typed
    kind = apply("gettype", (value,), STRING)
    kinds = ("bool",) if type_ is BOOL else ("long", "int", "double", "real", "decimal")
    fits = apply("in", (kind, *(Constant(k, STRING) for k in kinds)), BOOL)
    return apply("case", (fits, typed, Constant(None, type_)), type_)


def bind_mv_expand(b: Binder, relation: Relation, tree: MvExpand, scope: Scope) -> Relation:
    elements, index = _elements(b, relation, tree, scope)
    if not elements:
        return relation
    outputs: dict[str, tuple[Column, Expression]] = {c.name: (c, Reference(c)) for c in relation.columns}
    for e in elements:
        outputs[e.column.name] = (e.column, e.value)
    if index is not None:
        outputs[index.name] = (index, Reference(index))
    return Project(_unnested(b, relation, elements, index, tree, scope), tuple(outputs.values()))


def bind_mv_apply(b: Binder, relation: Relation, tree: MvApply, scope: Scope) -> Relation:
    elements, index = _elements(b, relation, tree, scope)
    if not elements or tree.subquery is None:
        return relation
    seen: dict[str, tuple[Column, Expression]] = {c.name: (c, Reference(c)) for c in relation.columns}
    for e in elements:
        seen[e.column.name] = (e.column, e.value)
    if index is not None:
        seen[index.name] = (index, Reference(index))
    visible = tuple(seen.values())
    shown = Sort(Project(_unnested(b, relation, elements, index, tree, scope), visible), ())
    result = b.applied(shown, tree.subquery, scope.inner())
    if not result.columns and not isinstance(result, Project):
        return relation
    expanded = {e.replaced.id for e in elements if e.replaced is not None}
    carried = tuple(c for c in relation.columns if c.id not in expanded)
    parts = Parts(b, shown, shown, (), carried)
    if not is_by_row(result, shown):
        key, numbered = row_numbers(b, relation)
        hidden = tuple((c, Reference(c)) for c in carried if c.id not in {v.id for v, _ in visible})
        unnested = _unnested(b, numbered, elements, index, tree, scope)
        told = Project(unnested, (*visible, *hidden, (key, Reference(key))))
        parts = Parts(b, shown, Sort(told, ()), (key,), carried)
    try:
        plan, keys, held = parts.over(result)
    except ApartError as error:
        b.report(say.unsupported(f"mv-apply with {error.what}", tree.span))
        return relation
    if not is_by_row(result, shown) and not is_ordered(plan):
        # The parts come in the order of their rows, as Kusto goes through them.
        plan = Sort(plan, tuple(SortKey(Reference(k), True, True) for k in keys))
    return _joined(carried, result, plan, dict(zip((c.name for c in carried), held, strict=True)))


def _joined(
    carried: tuple[Column, ...], result: Relation, plan: Relation, held: dict[str, Column]
) -> Relation:
    """The columns of the row that were not taken apart, then those of the subquery."""
    by_name = {c.name: c for c in result.columns}
    columns: list[Column] = []
    for c in carried:
        if (own := by_name.pop(c.name, None)) is not None:
            columns.append(own)
        elif c.name in held:
            columns.append(held[c.name])
    columns += by_name.values()
    return Project(plan, tuple((c, Reference(c)) for c in columns))


def _unnested(
    b: Binder, relation: Relation, elements: list[Element], index: Column | None, tree: MvExpand, scope: Scope
) -> Relation:
    items = tuple((e.element, e.source) for e in elements)
    return Unnest(relation, items, index, tree.pairs, _limit(b, tree.limit, scope))


def _limit(b: Binder, tree: s.Syntax | None, scope: Scope) -> int | None:
    if tree is None:
        return None
    limit = b.scalar(tree, Row(scope=scope))
    if limit is BROKEN:
        return None
    if not isinstance(limit, Constant) or limit.type not in INTEGERS:
        b.report(say.must_be_constant("the limit of mv-expand", tree.span))
        return None
    if not isinstance(limit.value, int) or limit.value < 0:
        b.report(say.bad_row_count(limit.value, tree.span))
        return None
    return limit.value


OPERATORS = (
    Declared(
        ("mv-expand", "mvexpand"),
        MvExpand,
        parse_mv_expand,
        bind_mv_expand,
        "One row per element of an array.",
    ),
    Declared(
        ("mv-apply", "mvapply"),
        MvApply,
        parse_mv_apply,
        bind_mv_apply,
        "A subquery over the elements of each array.",
    ),
)
