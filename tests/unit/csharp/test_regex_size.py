"""Patterns that become too large when their repetitions are written out are refused before they are."""

from __future__ import annotations

import pytest

from aforo.csharp.runtime import regexes
from aforo.csharp.runtime.exceptions import ArgumentException
from aforo.csharp.runtime.limits import begin
from aforo.regex_size import expanded


@pytest.mark.parametrize("options", [0, 4, 32])
@pytest.mark.parametrize(
    "pattern",
    [
        "a{1000000000}",
        "a{99999}",
        "(?<a>.){1000000000}",
        "(?:ab){1000000000,}",
        "(?:(?:(?:a{99}){99}){99}){99}",
        "(a{1000}){1000}",
        "(?:a{10}){10}" * 200,
        "(?x)(?:(?:a{99}){99}#(\n){99}){99}",  # a parenthesis in a comment is none
        "(?:(?:a{999}(?#))))){99}){999}",
        "[a(]{3}(?:b{1000}){1000}",
        r"(?:\((?:a{99}){99}\)){99}",
        "x" * 30_000,
    ],
)
def test_what_would_grow_is_refused(pattern: str, options: int) -> None:
    begin()
    with pytest.raises(ArgumentException, match="larger than"):
        regexes.compiled(pattern, options)
    assert "larger than" in regexes.regex_problem(pattern, options)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,7})?Z$",
        r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
        r"(?<name_of_a_group>\d){1000}",
        r"^.{1,4096}$",
        r"(?:[A-Za-z0-9+/]{4}){300}",
        r"\{99999999\}x{2}",
        r"[{99999}]{3}",
        "a{0,999999999}",
    ],
)
def test_what_people_write_is_taken(pattern: str) -> None:
    begin()
    assert regexes.compiled(pattern, 0) is not None


def test_counting() -> None:
    assert expanded("(a{9}){90}", verbose=False, enough=2000) in range(810, 2001)
    assert expanded("(a{99}){99}", verbose=False, enough=2000) > 2000
    assert expanded("(a{99}#(\n){99}", verbose=True, enough=2000) > 2000
    assert expanded("a{99}(a{99}|b)", verbose=False, enough=2000) <= 2000
