"""Regular expressions of queries that would fill the memory when their repetitions are written out."""

from __future__ import annotations

import duckdb
import pytest

from aforo.kql.patterns import judge
from tests.support.kql_run import answer, compiled


@pytest.mark.parametrize(
    "pattern", ["a{1000000000}", "(?P<a>.){100000000}", "(a{1000}){1000}", "a{1000}" * 100, "a" * 30_000]
)
def test_too_large(pattern: str) -> None:
    problem, groups = judge(pattern)
    assert "too large" in problem
    assert groups == 0


@pytest.mark.parametrize("pattern", [r"^\d{4}-\d{2}-\d{2}$", "(a{10}){90}", "[a-z]{1,1000}"])
def test_what_people_write(pattern: str) -> None:
    assert judge(pattern)[0] == ""


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ('dynamic(["a"])', "a regular expression must be one text, this is an array"),
        ('dynamic({"a": 1})', "a regular expression must be one text, this is a bag"),
        ('dynamic("(")', "'(' is no regular expression: missing ) at position 1"),
    ],
)
def test_only_a_text_is_a_pattern(right: str, said: str) -> None:
    text = f'print "a" matches regex {right}'
    result, _ = compiled(duckdb.connect(), text)
    assert result.compiled is None
    assert [(text[d.span.start : d.span.end], d.message) for d in result.diagnostics] == [(right, said)]


def test_a_text_in_a_dynamic_is_a_pattern() -> None:
    assert answer('print "ab" matches regex dynamic("^a.$"), "b" matches regex dynamic("^a")')[1] == [
        [True, False]
    ]
