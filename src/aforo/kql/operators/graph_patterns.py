"""The grammar of `graph-match`: `(a)-[e*1..3]->(b)<-[f]-()`, a condition, and what is shown of each path."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.parser import Parser
from aforo.source import Span

_CYCLES = ("all", "none", "unique_edges")


@dataclass(frozen=True, slots=True)
class Edge:
    """`direction` is `forth`, `back` or `any`; `varies` says that a length was written."""

    name: str
    direction: str
    least: int = 1
    most: int = 1
    varies: bool = False


@dataclass(frozen=True, slots=True)
class Match(s.GraphOperator):
    """A path: `nodes` (their names, empty for those without) with one edge between each two."""

    cycles: str
    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    where: s.Syntax | None
    items: tuple[s.Syntax, ...]
    span: Span


def parse(p: Parser, start: Span) -> Match:
    options = p.options("cycles")
    cycles = options["cycles"].text if "cycles" in options else "unique_edges"
    if cycles not in _CYCLES:
        p.report(
            say.expected(
                "what cycles may be", f"'{cycles}'", options["cycles"].span, "one of " + ", ".join(_CYCLES)
            )
        )
    nodes = [_node(p)]
    edges: list[Edge] = []
    known = len(p.mistakes)
    while (p.peek_mark("-") or p.peek_mark("<")) and len(p.mistakes) == known:
        edges.append(_edge(p, nodes, edges))
        nodes.append(_node(p))
    if p.peek_mark(","):
        p.report(say.unsupported("a pattern of several paths", p.peek().span))
    if len(p.mistakes) > known:
        p.skip_to_pipe()
        return Match(cycles, tuple(nodes), tuple(edges), None, (), start.to(p.last))
    where = p.expression() if p.take_name("where") else None
    p.expect_name("project")
    return Match(cycles, tuple(nodes), tuple(edges), where, p.named_list(), start.to(p.last))


def _node(p: Parser) -> str:
    p.expect_mark("(")
    name = "" if p.peek_mark(")") else p.name("a node")
    p.expect_mark(")")
    return name


def _edge(p: Parser, nodes: list[str], edges: list[Edge]) -> Edge:
    back = p.take_mark("<")
    p.expect_mark("-")
    name, least, most, varies = "", 1, 1, False
    if p.take_mark("["):
        if not p.peek_mark("]") and not p.peek_mark("*"):
            place = p.peek().span
            name = p.name("an edge")
            if name in nodes or any(name == e.name for e in edges):
                p.report(say.bad_argument(f"'{name}' stands twice in the pattern", place))
        if p.take_mark("*"):
            varies = True
            least = _length(p)
            p.expect_mark("..")
            most = _length(p)
            if not 1 <= least <= most:
                p.report(say.unsupported(f"an edge of {least} to {most} steps", p.last))
        p.expect_mark("]")
    p.expect_mark("-")
    forth = not back and p.take_mark(">")
    return Edge(name, "back" if back else "forth" if forth else "any", least, most, varies)


def _length(p: Parser) -> int:
    token = p.next()
    if not token.text.isascii() or not token.text.isdigit() or len(token.text) > 6:
        p.report(say.expected("a number of steps", p.shown(token), token.span))
        return 1
    return int(token.text)
