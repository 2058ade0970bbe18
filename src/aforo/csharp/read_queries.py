"""Query syntax (`from x in xs where ... select ...`) to the calls that the C# specification translates it to (12.19.3).

What several range variables are in scope for is a lambda over an object that holds them all; in it, each of their names
stands for a member of that object.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.reader import DEPTH_LIMIT, Reader, named
from aforo.source import Span

if TYPE_CHECKING:
    from tree_sitter import Node

# Clauses of one query: each is a call around those before it.
_CLAUSES = DEPTH_LIMIT


@dataclass(slots=True)
class _Query:
    """What is known while clauses are read: the source so far, the parameter of the next lambda, and its variables."""

    source: s.Expr
    parameter: str
    variables: list[str]
    span: Span
    clauses: int = 0

    @property
    def several(self) -> bool:
        return len(self.variables) > 1

    def inside(self, node: s.Expr) -> s.Expr:
        """An expression with the variables as a lambda's body sees them."""
        if not self.several:
            return node
        found: s.Expr = _seen(node, frozenset(self.variables), self.parameter)
        return found

    def call(self, name: str, *arguments: s.Expr, types: tuple[s.TypeRef, ...] = ()) -> s.Expr:
        span = self.span
        target = s.Member(self.source, name, types, False, span, span)
        return s.Call(target, tuple(s.Argument(a, "", "", a.span) for a in arguments), span)

    def over(self, body: s.Expr) -> s.Expr:
        return s.Lambda(((self.parameter, None),), self.inside(body), body.span)

    def with_other(self, other: str, body: s.Expr) -> s.Expr:
        """A lambda over what there is and one variable more."""
        return s.Lambda(((self.parameter, None), (other, None)), self.inside(body), body.span)

    def everything(self, name: str, value: s.Expr, span: Span) -> s.Expr:
        """`new { x, y, name = value }`"""
        members = [(each, s.Name(each, (), span)) for each in self.variables]
        return s.NewAnonymous((*members, (name, value)), span)

    def add(self, name: str, span: Span) -> None:
        """From here on there is one variable more, and a parameter that no author can name."""
        if name in self.variables:
            raise say.declared_twice(span, name)
        self.clauses += 1
        self.variables = [*self.variables, name]
        self.parameter = f"\u2026q{span.start}_{self.clauses}"


class QueryReader(Reader):
    """Reads queries."""

    def x_query_expression(self, node: Node) -> s.Expr:
        first, *clauses = [c for c in node.children if c.type != "comment"]
        if len(clauses) > _CLAUSES:
            raise say.too_deep(self.span(node))
        query = self.opened(first)
        done: s.Expr | None = None
        for at, each in enumerate(clauses):
            if each.type == "into":
                assert done is not None
                name = clauses[at + 1]
                query = _Query(done, self.word(name), [self.word(name)], self.span(name), query.clauses)
                done = None
            elif done is None:
                done = self.clause(query, each, behind=at > 0)
        if done is None:
            raise self.wrong(node)
        return done

    def opened(self, node: Node) -> _Query:
        name, source = self.ranged(node)
        return _Query(source, name, [name], self.span(node))

    def word(self, node: Node) -> str:
        return self.raw(node).removeprefix("@")

    def ranged(self, node: Node) -> tuple[str, s.Expr]:
        """`T x in source`; a type that is written is a cast of every element."""
        parts = [c for c in node.children if c.type != "comment"]
        at = next(i for i, c in enumerate(parts) if c.type == "in")
        source = self.expr(parts[at + 1])
        written = node.child_by_field_name("type")
        if written is not None:
            source = _Query(source, "", [], self.span(node)).call("Cast", types=(self.type_ref(written),))
        return self.word(parts[at - 1]), source

    def clause(self, query: _Query, node: Node, *, behind: bool) -> s.Expr | None:
        """Reads a clause into the query; the last one gives the whole."""
        query.span = query.source.span.to(self.span(node))
        inner = named(node)
        match node.type:
            case "where_clause":
                query.source = query.call("Where", query.over(self.expr(inner[0])))
            case "let_clause":
                self.let(query, node, inner)
            case "from_clause":
                self.another(query, node)
            case "join_clause":
                self.join(query, node)
            case "order_by_clause":
                self.order(query, node)
            case "select_clause":
                value = self.expr(inner[0])
                return (
                    query.source
                    if behind and self.plain(query, value)
                    else query.call("Select", query.over(value))
                )
            case "group_clause":
                value, key = self.expr(inner[0]), query.over(self.expr(inner[1]))
                more = () if self.plain(query, value) else (query.over(value),)
                return query.call("GroupBy", key, *more)
            case "identifier":
                return None
            case _:
                raise self.wrong(node)
        return None

    def plain(self, query: _Query, value: s.Expr) -> bool:
        """Whether it is the one variable itself."""
        return not query.several and isinstance(value, s.Name) and value.name == query.parameter

    def let(self, query: _Query, node: Node, inner: list[Node]) -> None:
        name, span = self.word(inner[0]), self.span(node)
        body = query.everything(name, self.expr(inner[1]), span)
        query.source = query.call("Select", query.over(body))
        query.add(name, span)

    def another(self, query: _Query, node: Node) -> None:
        name, source = self.ranged(node)
        span = self.span(node)
        made = query.with_other(name, query.everything(name, s.Name(name, (), span), span))
        query.source = query.call("SelectMany", query.over(source), made)
        query.add(name, span)

    def join(self, query: _Query, node: Node) -> None:
        name, source = self.ranged(node)
        span = self.span(node)
        parts = [c for c in node.children if c.type != "comment"]
        on, equals = (next(i for i, c in enumerate(parts) if c.type == word) for word in ("on", "equals"))
        outer = query.over(self.expr(parts[on + 1]))
        key = self.expr(parts[equals + 1])
        inner = s.Lambda(((name, None),), key, key.span)
        into = next((c for c in parts if c.type == "join_into_clause"), None)
        result = name if into is None else self.word(named(into)[0])
        made = query.with_other(result, query.everything(result, s.Name(result, (), span), span))
        query.source = query.call("Join" if into is None else "GroupJoin", source, outer, inner, made)
        query.add(result, span)

    def order(self, query: _Query, node: Node) -> None:
        word = "OrderBy"
        parts = [c for c in node.children if c.type != "comment"]
        for at, each in enumerate(parts):
            if not each.is_named:
                continue
            falls = at + 1 < len(parts) and parts[at + 1].type == "descending"
            query.source = query.call(word + ("Descending" if falls else ""), query.over(self.expr(each)))
            word = "ThenBy"


def _seen(node: Any, names: frozenset[str], parameter: str) -> Any:
    """Syntax in which names are members of a parameter."""
    if isinstance(node, tuple):
        return tuple(_seen(each, names, parameter) for each in node)
    if isinstance(node, s.Name) and not node.args and node.name in names:
        return s.Member(s.Name(parameter, (), node.span), node.name, (), False, node.span, node.span)
    if isinstance(node, s.Lambda):
        for name, _ in node.parameters:
            if name in names:
                raise say.declared_twice(node.span, name)
    if not is_dataclass(node) or isinstance(node, (Span, s.TypeRef, s.Literal)):
        return node
    changed: dict[str, Any] = {}
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(value, tuple) or (is_dataclass(value) and not isinstance(value, Span)):
            made = _seen(value, names, parameter)
            if made is not value:
                changed[each.name] = made
    return replace(node, **changed) if changed else node  # type: ignore[type-var]
