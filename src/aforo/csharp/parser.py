"""Text to syntax tree, through the maintained C# grammar. It knows no types."""

from __future__ import annotations

from collections.abc import Callable

from aforo.csharp import syntax as s
from aforo.csharp.read_expressions import ExpressionReader
from aforo.csharp.read_queries import QueryReader
from aforo.csharp.read_statements import StatementReader
from aforo.csharp.reader import Place


class _Reader(ExpressionReader, QueryReader, StatementReader):
    """Statements hold expressions, and lambdas hold statements."""


def parse_expression(text: str, place: Place, secret: Callable[[int, int], bool]) -> s.Expr:
    """The tree of what stands in `@(...)`. Raises Mistake."""
    reader = _Reader("class C{object M(){return ", text, "\n;}}", place, secret)
    statements = reader.body()
    if len(statements) != 1 or statements[0].type != "return_statement":
        raise reader.wrong(statements[0] if statements else None)
    inner = reader.only(statements[0])
    return reader.expr(inner)


def parse_block(text: str, place: Place, secret: Callable[[int, int], bool]) -> s.Block:
    """The tree of what stands in `@{...}`, braces not included. Raises Mistake."""
    reader = _Reader("class C{object M(){", text, "\n}}", place, secret)
    return s.Block(tuple(reader.stmt(n) for n in reader.body()), place(0, len(text)))
