"""Operators that make rows of arrays: mv-expand."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import cast
from aforo.kql.naming import Names, own_name
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Project, Unnest
from aforo.kql.scope import Row, Scope
from aforo.kql.types import DYNAMIC, INTEGERS, LONG, KqlType
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class MvExpand(s.Operator):
    items: tuple[tuple[s.Syntax, KqlType | None], ...]
    pairs: bool
    index: str
    limit: s.Syntax | None
    span: Span


def parse_mv_expand(p: Parser, start: Span) -> MvExpand:
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
    index = options["with_itemindex"].text if "with_itemindex" in options else ""
    return MvExpand(tuple(items), kind is not None and kind.text == "array", index, limit, start.to(p.last))


def bind_mv_expand(b: Binder, relation: Relation, tree: MvExpand, scope: Scope) -> Relation:
    row = Row(relation.columns, scope)
    expanded: list[tuple[Column, Expression]] = []
    outputs: dict[str, tuple[Column, Expression]] = {c.name: (c, Reference(c)) for c in relation.columns}
    names = Names(tuple(outputs))
    for item, type_ in tree.items:
        expression = b.scalar(item, row)
        if expression is BROKEN:
            continue
        if expression.type is not DYNAMIC:
            b.report(say.wrong_type("what mv-expand takes apart", "dynamic", expression.type.value, item.span,
                                    "parse_json(...) or split(...) gives an array"))  # fmt: skip
            continue
        wanted = item.names[0] if isinstance(item, s.Named) else own_name(item)
        name = wanted if wanted in outputs or isinstance(item, s.Named) else names.free(wanted)
        element = b.column(name, DYNAMIC)
        expanded.append((element, expression))
        typed: Expression = Reference(element)
        if type_ is not None and type_ is not DYNAMIC:
            typed = cast(typed, type_)
        outputs[name] = (element if typed.type is DYNAMIC else b.column(name, typed.type), typed)
    index = b.column(tree.index, LONG) if tree.index else None
    if index is not None:
        outputs[index.name] = (index, Reference(index))
    if not expanded:
        return relation
    unnested = Unnest(relation, tuple(expanded), index, tree.pairs, _limit(b, tree.limit, scope))
    return Project(unnested, tuple(outputs.values()))


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
)
