"""Operators that take columns out of a text: parse, parse-where, parse-kv."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply, cast
from aforo.kql.literals import json_text
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.patterns import judge
from aforo.kql.plan import Filter, Project
from aforo.kql.scope import Row, Scope
from aforo.kql.tokens import TokenKind
from aforo.kql.types import BOOL, DECIMAL, DYNAMIC, INT, LONG, REAL, STRING, KqlType
from aforo.source import Span

# A piece of the pattern: "*", a constant text, or a column.
Piece = str | s.ColumnDeclaration
_STAR = "*"
_KINDS = ("simple", "regex", "relaxed")
_FLAGS = frozenset("imsU")


@dataclass(frozen=True, slots=True)
class ParseText(s.Operator):
    subject: s.Syntax
    kind: str
    flags: str
    pieces: tuple[tuple[str, Piece], ...]  # ("star" | "text" | "column", piece)
    filters: bool
    span: Span


@dataclass(frozen=True, slots=True)
class ParseKv(s.Operator):
    """`options` are (name, value) in their order: `quote` and `escape` may come several times."""

    subject: s.Syntax
    columns: tuple[s.ColumnDeclaration, ...]
    options: tuple[tuple[str, object], ...]
    span: Span


# -- parse -----------------------------------------------------------------------------------------------


def _parse(*, filters: bool) -> Callable[[Parser, Span], ParseText]:
    def parse(p: Parser, start: Span) -> ParseText:
        options = p.options("kind", "flags")
        kind = options["kind"].text if "kind" in options else "simple"
        if kind not in _KINDS:
            hint = "one of " + ", ".join(_KINDS)
            p.report(say.expected("a kind of parse", f"'{kind}'", options["kind"].span, hint))
        flags = str(options["flags"].value or options["flags"].text) if "flags" in options else ""
        if flags and (kind != "regex" or not _FLAGS.issuperset(flags)):
            hint = "flags i, m, s and U go with kind=regex"
            p.report(say.expected("flags of a regular expression", f"'{flags}'", options["flags"].span, hint))
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
        return ParseText(subject, kind, flags, tuple(pieces), filters, start.to(p.last))

    return parse


def bind_parse(b: Binder, relation: Relation, tree: ParseText, scope: Scope) -> Relation:
    subject = b.scalar(tree.subject, Row(relation.columns, scope))
    if subject is BROKEN:
        return relation
    subject = cast(subject, STRING)
    declared = [piece for _, piece in tree.pieces if isinstance(piece, s.ColumnDeclaration)]
    for kind, piece in tree.pieces:
        if tree.kind == "regex" and kind == "text" and (problem := judge(str(piece))[0]):
            b.report(say.bad_argument(problem, tree.span))
            return relation
    text, groups = _regex(tree)
    pattern = Constant(text, STRING)
    outputs: dict[str, tuple[Column, Expression]] = {c.name: (c, Reference(c)) for c in relation.columns}
    found: list[Expression] = []
    for group, column in zip(groups, declared, strict=True):
        part = apply("extract", (pattern, Constant(group, LONG), subject), STRING)
        found.append(part if column.type is STRING else cast(part, column.type))
    # Unless relaxed, a value that does not fit its type undoes the whole match.
    strict = tree.kind != "relaxed"
    matched = apply("matches_regex", (subject, pattern), BOOL)
    if strict:
        for value in found:
            if value.type is not STRING:
                matched = apply("and", (matched, apply("isnotnull", (value,), BOOL)), BOOL)
    for column, value in zip(declared, found, strict=True):
        null = Constant("" if value.type is STRING else None, value.type)
        chosen = apply("case", (matched, value, null), value.type) if strict and len(declared) > 1 else value
        outputs[column.name] = (b.column(column.name, column.type), chosen)
    if tree.filters:
        relation = Filter(relation, matched)
    return Project(relation, tuple(outputs.values()))


def _regex(tree: ParseText) -> tuple[str, list[int]]:
    """The pattern as one regular expression over the whole text, and the number of each column's group."""
    by_regex = tree.kind == "regex"
    out = [f"(?{tree.flags})" if tree.flags else "" if by_regex else "(?s)", "^"]
    groups: list[int] = []
    group = 0
    for i, (kind, piece) in enumerate(tree.pieces):
        last = i == len(tree.pieces) - 1
        if kind == "star":
            out.append(".*" if last and not by_regex else ".*?")
        elif isinstance(piece, s.ColumnDeclaration):
            group += 1
            groups.append(group)
            typed = piece.type if tree.kind == "simple" else STRING
            # Written as Kusto does: greedy in regular expressions, as little as will do elsewhere.
            whole = by_regex and piece.type in (INT, LONG)
            out.append(r"(-?\d+)" if whole else _group(typed, greedy=last or by_regex))
        elif by_regex:
            out.append(f"(?:{piece})")
            group += judge(str(piece))[1]
        else:
            out.append(re.escape(str(piece)))
    out.append("$")
    return "".join(out), groups


def _group(type_: KqlType, *, greedy: bool) -> str:
    if type_ in (INT, LONG):
        return r"\s*(-?\d+)\s*"
    if type_ in (REAL, DECIMAL):
        return r"\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*"
    return "(.*)" if greedy else "(.*?)"


# -- parse-kv --------------------------------------------------------------------------------------------

_KV_OPTIONS = ("pair_delimiter", "kv_delimiter", "quote", "escape", "greedy", "regex")


def parse_kv(p: Parser, start: Span) -> ParseKv:
    subject = p.expression()
    p.expect_name("as")
    columns = p.schema()
    options: list[tuple[str, object]] = []
    if p.take_name("with"):
        p.expect_mark("(")
        while not p.peek_mark(")") and not p.at_end():
            token = p.peek()
            name = p.name("an option")
            if name not in _KV_OPTIONS:
                p.report(say.unknown_parameter(name, token.span, _KV_OPTIONS))
            p.expect_mark("=")
            value = p.primary()
            options.append((name, value.value if isinstance(value, s.Literal) else None))
            if not p.take_mark(","):
                break
        p.expect_mark(")")
    return ParseKv(subject, columns, tuple(options), start.to(p.last))


def bind_parse_kv(b: Binder, relation: Relation, tree: ParseKv, scope: Scope) -> Relation:
    subject = b.scalar(tree.subject, Row(relation.columns, scope))
    if subject is BROKEN:
        return relation
    rules = _rules(b, tree)
    if rules is None:
        return relation
    held = b.column("pairs", DYNAMIC)
    pairs = Apply("parse_kv", (cast(subject, STRING), Constant(json_text(rules), STRING)), DYNAMIC)
    given = Project(relation, (*((c, Reference(c)) for c in relation.columns), (held, pairs)))
    outputs: dict[str, tuple[Column, Expression]] = {c.name: (c, Reference(c)) for c in relation.columns}
    for column in tree.columns:
        text = cast(Apply("property_at", (Reference(held), Constant(column.name, STRING)), DYNAMIC), STRING)
        value = text if column.type is STRING else cast(text, column.type)
        outputs[column.name] = (b.column(column.name, column.type), value)
    return Project(given, tuple(outputs.values()))


def _rules(b: Binder, tree: ParseKv) -> dict[str, object] | None:
    """The options as the function that reads pairs takes them; None (reported) when they do not go together."""
    told: dict[str, list[object]] = {}
    for name, value in tree.options:
        told.setdefault(name, []).append(value)
    texts = {n: [str(v) for v in values] for n, values in told.items() if n != "greedy"}
    problem = ""
    if any(not isinstance(v, str) or not v for n, values in told.items() if n != "greedy" for v in values):
        problem = "options of parse-kv are constant texts"
    elif "regex" in texts and len(told) > 1:
        problem = "'regex' stands alone"
    elif "regex" in texts:
        problem, groups = judge(texts["regex"][0])
        if not problem and groups != 2:
            problem = "the regular expression of parse-kv has two groups: the key and the value"
    elif ("pair_delimiter" in told) != ("kv_delimiter" in told):
        problem = "'pair_delimiter' and 'kv_delimiter' go together"
    elif "greedy" in told and "kv_delimiter" not in told:
        problem = "'greedy' needs delimiters"
    elif any(len(q) not in (1, 2) for q in texts.get("quote", ())):
        problem = "'quote' is one mark, or an opening and a closing one"
    elif any(len(e) != 1 for e in texts.get("escape", ())):
        problem = "'escape' is one mark"
    if problem:
        b.report(say.bad_argument(problem, tree.span))
        return None
    return {
        "keys": [c.name for c in tree.columns],
        "pair": texts.get("pair_delimiter", [""])[0],
        "kv": texts.get("kv_delimiter", [""])[0],
        "quotes": texts.get("quote", []),
        "escapes": texts.get("escape", []),
        "greedy": told.get("greedy", [False])[0] is True,
        "regex": texts.get("regex", [""])[0],
    }


OPERATORS = (
    Declared(("parse",), ParseText, _parse(filters=False), bind_parse, "Takes columns out of a text."),
    Declared(
        ("parse-where",),
        ParseText,
        _parse(filters=True),
        bind_parse,
        "Takes columns out of a text, keeping only rows that fit.",
    ),
    Declared(("parse-kv",), ParseKv, parse_kv, bind_parse_kv, "Takes the values of keys out of a text."),
)
