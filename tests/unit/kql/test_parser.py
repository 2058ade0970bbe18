"""Tokens to syntax: precedence, pipelines, recovery with every mistake in one go."""

from __future__ import annotations

from aforo.kql import syntax as s
from aforo.kql.compile import parse
from aforo.kql.operators.grouping import Summarize
from aforo.kql.operators.rows import Where


def _body(text: str) -> s.Syntax:
    tree, mistakes = parse(text)
    assert not mistakes, mistakes
    assert tree.body is not None
    return tree.body


def _codes(text: str) -> list[str]:
    return [m.code for m in parse(text)[1]]


def _predicate(text: str) -> s.Syntax:
    body = _body(f"T | where {text}")
    assert isinstance(body, s.Pipeline)
    (where,) = body.operators
    assert isinstance(where, Where)
    return where.predicate


def _shape(tree: s.Syntax) -> str:
    match tree:
        case s.Binary(op=op, left=left, right=right):
            return f"({_shape(left)} {op} {_shape(right)})"
        case s.Name(text=text):
            return text
        case s.Literal(value=value):
            return str(value)
        case s.Unary(op=op, operand=operand):
            return f"({op}{_shape(operand)})"
        case _:
            return type(tree).__name__


def test_precedence() -> None:
    assert _shape(_predicate("a or b and c == 1 + 2 * 3")) == "(a or (b and (c == (1 + (2 * 3)))))"
    assert _shape(_predicate("a - b - c")) == "((a - b) - c)"
    assert _shape(_predicate("-a * b")) == "((-a) * b)"


def test_paths_and_indexes() -> None:
    tree = _predicate("a.b['c d'][0]")
    assert isinstance(tree, s.Index)
    assert isinstance(tree.target, s.Index)
    assert isinstance(tree.target.target, s.Member)


def test_digits_at_the_start_of_a_name() -> None:
    body = _body("T | summarize 95th = percentile(x, 95), 1d = count() by y")
    assert isinstance(body, s.Pipeline)
    summarize = body.operators[0]
    assert isinstance(summarize, Summarize)
    assert [a.names for a in summarize.aggregates if isinstance(a, s.Named)] == [("95th",), ("1d",)]


def test_lost_pipes_are_told_one_by_one() -> None:
    _, mistakes = parse("T\ntake 100\nproject a, b")
    assert [(m.code, m.message) for m in mistakes] == [
        ("KQL0102", "a pipe is missing before 'take'"),
        ("KQL0102", "a pipe is missing before 'project'"),
    ]


def test_a_lost_pipe_in_the_middle() -> None:
    assert _codes("T | where a == 1\nsummarize count() | take 5") == ["KQL0102"]


def test_all_mistakes_in_one_answer() -> None:
    assert _codes("T | wher a | take | sort a") == ["KQL0103", "KQL0101", "KQL0101"]


def test_a_table_named_like_an_operator() -> None:
    assert isinstance(_body("range"), s.Name)


def test_nothing_is_no_query() -> None:
    assert _codes("  // only a comment") == ["KQL0106"]


def test_two_results_are_refused() -> None:
    assert _codes("T; U") == ["KQL0107"]


def test_neighbouring_texts_are_one() -> None:
    tree = _predicate("a == 'x' 'y'")
    assert isinstance(tree, s.Binary)
    assert isinstance(tree.right, s.Literal)
    assert tree.right.value == "xy"


def test_nesting_has_an_end() -> None:
    assert "KQL0004" in _codes("print " + "(" * 1000 + "1" + ")" * 1000)
