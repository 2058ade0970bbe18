"""Operators that take columns out of a text: parse, parse-where."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply, cast
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Filter, Project
from aforo.kql.scope import Row, Scope
from aforo.kql.tokens import TokenKind
from aforo.kql.types import BOOL, DECIMAL, INT, LONG, REAL, STRING, KqlType
from aforo.source import Span

# A piece of the pattern: "*", a constant text, or a column.
Piece = str | s.ColumnDeclaration
_STAR = "*"


@dataclass(frozen=True, slots=True)
class ParseText(s.Operator):
    subject: s.Syntax
    kind: str
    pieces: tuple[tuple[str, Piece], ...]  # ("star" | "text" | "column", piece)
    filters: bool
    span: Span


def _parse(*, filters: bool) -> Callable[[Parser, Span], ParseText]:
    def parse(p: Parser, start: Span) -> ParseText:
        options = p.options("kind", "flags")
        if "flags" in options:
            p.report(say.unsupported("'flags' of parse", options["flags"].span))
        subject = p.expression()
        p.expect_name("with")
        pieces: list[tuple[str, Piece]] = []
        while True:
            token = p.peek()
            if p.take_mark("*"):
                pieces.append(("star", _STAR))
            elif token.kind is TokenKind.STRING:
                p.next()
                pieces.append(("text", str(token.value)))
            elif token.kind is TokenKind.NAME or p.at_bracketed_name():
                name = p.name("a column")
                type_ = p.type_name() if p.take_mark(":") else STRING
                pieces.append(("column", s.ColumnDeclaration(name, type_, token.span)))
            else:
                break
        kind = options["kind"].text if "kind" in options else "simple"
        return ParseText(subject, kind, tuple(pieces), filters, start.to(p.last))

    return parse


def bind_parse(b: Binder, relation: Relation, tree: ParseText, scope: Scope) -> Relation:
    subject = b.scalar(tree.subject, Row(relation.columns, scope))
    if subject is BROKEN:
        return relation
    subject = b.text(subject, tree.subject.span)
    if tree.kind not in ("simple", "relaxed"):
        b.report(
            say.unsupported(f"'parse kind={tree.kind}'", tree.span, "extract(...) takes regular expressions")
        )
        return relation
    declared = [piece for _, piece in tree.pieces if isinstance(piece, s.ColumnDeclaration)]
    pattern = Constant(_regex(tree.pieces), STRING)
    outputs: dict[str, tuple[Column, Expression]] = {c.name: (c, Reference(c)) for c in relation.columns}
    found: list[Expression] = []
    for i, column in enumerate(declared):
        text = apply("extract", (pattern, Constant(i + 1, LONG), subject), STRING)
        found.append(text if column.type is STRING else cast(text, column.type))
    # In simple mode a value that does not fit its type undoes the whole match.
    matched = apply("matches_regex", (subject, pattern), BOOL)
    if tree.kind == "simple":
        for value in found:
            if value.type is not STRING:
                matched = apply("and", (matched, apply("isnotnull", (value,), BOOL)), BOOL)
    for column, value in zip(declared, found, strict=True):
        strict = tree.kind == "simple" and len(declared) > 1
        null = Constant("" if value.type is STRING else None, value.type)
        chosen = apply("case", (matched, value, null), value.type) if strict else value
        outputs[column.name] = (b.column(column.name, column.type), chosen)
    if tree.filters:
        relation = Filter(relation, matched)
    return Project(relation, tuple(outputs.values()))


def _regex(pieces: tuple[tuple[str, Piece], ...]) -> str:
    """The pattern as one regular expression, each column a group."""
    out = ["(?s)^"]
    for i, (kind, piece) in enumerate(pieces):
        last = i == len(pieces) - 1
        if kind == "star":
            out.append(".*" if last else ".*?")
        elif isinstance(piece, s.ColumnDeclaration):
            out.append(_group(piece.type, greedy=last))
        else:
            out.append(re.escape(str(piece)))
    out.append("$")
    return "".join(out)


def _group(type_: KqlType, *, greedy: bool) -> str:
    if type_ in (INT, LONG):
        return r"\s*(-?\d+)\s*"
    if type_ in (REAL, DECIMAL):
        return r"\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*"
    return "(.*)" if greedy else "(.*?)"


OPERATORS = (
    Declared(("parse",), ParseText, _parse(filters=False), bind_parse, "Takes columns out of a text."),
    Declared(
        ("parse-where",), ParseText, _parse(filters=True), bind_parse, "The same, keeping only rows that fit."
    ),
)
