"""Regular expressions of queries that would fill the memory when their repetitions are written out."""

from __future__ import annotations

import pytest

from aforo.kql.patterns import judge


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
