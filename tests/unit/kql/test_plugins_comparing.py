"""Plugins that compare two sets of rows."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.kql.natives.difference_patterns import difference_patterns
from aforo.kql.natives.spec import dumped, parsed
from aforo.kql.natives.text_differences import text_differences
from tests.support.kql_run import answer, mistakes

CALLS = """datatable(model: string, region: string, ok: bool)["gpt-4o", "east", true, "gpt-4o", "west", true, "o3", "east", true,
  "o3", "west", false, "o3", "west", false, "o3", "west", false, "o1", "east", bool(null)]"""
TOLD = [
    "SegmentId:long",
    "CountA:long",
    "CountB:long",
    "PercentA:real",
    "PercentB:real",
    "PercentDiffAB:real",
]


def test_the_greatest_difference_is_first() -> None:
    columns, rows = answer(f"{CALLS} | evaluate diffpatterns(ok, 'true', 'false')")
    assert columns == [*TOLD, "model:string", "region:string"]
    assert rows == [
        [0, 0, 3, 0.0, 100.0, 100.0, "o3", "west"],
        [1, 2, 0, 66.67, 0.0, 66.67, "gpt-4o", ""],
        [2, 2, 0, 66.67, 0.0, 66.67, "", "east"],
    ]


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        # Of one dimension.
        ("'~', '~', 1", [["o3", ""], ["gpt-4o", ""]]),
        # What is less apart does not count.
        ("'~', 0.7", [["o3", "west"]]),
        ("'~', '~', '~', '*'", [["o3", "west"], ["gpt-4o", "*"], ["*", "east"]]),
        # A value that is the wildcard is in no pattern: what is told means one thing.
        ("'~', 0.7, '~', 'o3', '~'", []),
    ],
)
def test_arguments(arguments: str, rows: list[list[str]]) -> None:
    found = answer(f"{CALLS} | evaluate diffpatterns(ok, 'true', 'false', {arguments})")[1]
    assert [r[6:] for r in found] == rows


def test_weights_count_as_rows() -> None:
    text = f"{CALLS} | extend n = iff(region == 'east', 4, 1) | evaluate diffpatterns(ok, 'true', 'false', n)"
    columns, rows = answer(text)
    assert columns == [*TOLD, "model:string", "region:string"]
    assert rows[0] == [0, 0, 3, 0.0, 100.0, 100.0, "o3", "west"]
    assert [8, 0, 88.89, 0.0, 88.89, "", "east"] in [r[1:] for r in rows]


def test_values_of_all_types_come_back() -> None:
    values = ("i = toint(4)", "l = 9007199254740993", "r = 0.1", "d = datetime(2024-01-01 00:00:00.0000001)", "t = 1d",
              "b = true", "g = guid(12345678-1234-1234-1234-123456789012)", "m = decimal(1.25)",
              'y = dynamic({"a": [1]})')  # fmt: skip
    for value in values:
        name, _, literal = value.partition(" = ")
        both = f"union (print s = 'a', {value}), (print s = 'b') | project s, {name}"
        columns, rows = answer(f"{both} | evaluate diffpatterns(s, 'a', 'b')")
        wanted = answer(f"print {name} = {literal}")
        assert (columns[6:], [r[6:] for r in rows]) == wanted


def test_sets_without_rows_and_names_that_are_taken() -> None:
    assert answer(f"{CALLS} | evaluate diffpatterns(ok, 'true', 'maybe')")[1] == []
    assert answer(f"{CALLS} | project ok | evaluate diffpatterns(ok, 'true', 'false')") == (TOLD, [])
    taken = answer("print CountA = 1, s = 'a' | evaluate diffpatterns(s, 'a', 'b')")[0]
    assert taken == [*TOLD, "CountA1:long"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("'ok', 'a', 'b'", "a column"),
        ("ok, 'a', 'b', model", "a weight"),
        ("ok, 'a', 'b', '~', 0.01", "0.015 to 1"),
        ("ok, 'a', 'b', '~', '~', 0", "one dimension"),
        ("ok, 'a', 'b', '~', '~', '~', rand()", "a wildcard"),
        ("ok, 'a'", "arguments"),
        ("ok, 'a', 'b', threshold=0.1", "none of its arguments by name"),
    ],
)
def test_mistakes(arguments: str, said: str) -> None:
    assert said in mistakes(f"{CALLS} | evaluate diffpatterns({arguments})")[0]


def test_too_many_different_rows_end_the_query() -> None:
    text = "range i from 1 to 60000 step 1 | extend s = iff(i < 9, 'a', 'b') | evaluate diffpatterns(s, 'a', 'b')"
    with pytest.raises(duckdb.InvalidInputException, match="aforo: diffpatterns compares"):
        answer(text)


ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), *[st.integers(0, 2)] * 3), max_size=30)


@settings(max_examples=40)
@given(ROWS)
def test_counts_are_those_of_the_rows(rows: list[tuple[Any, ...]]) -> None:
    texts = [dumped([side, weight, dumped(values)]) for side, weight, *values in rows]
    found = parsed(difference_patterns(dumped(texts), "a", "b", 0.05, None, "[null,null,null]"))
    whole = {side: sum(w for s, w, *_ in rows if s == side) for side in "ab"}
    patterns = [tuple(told[6:]) for told in found]
    assert len(set(patterns)) == len(patterns)
    assert [told[0] for told in found] == list(range(len(found)))
    apart = [told[5] for told in found]
    assert apart == sorted(apart, reverse=True)
    for told in found:
        pattern = told[6:]
        assert any(v is not None for v in pattern)
        count = {
            side: sum(
                w
                for s, w, *values in rows
                if s == side and all(p is None or p == v for p, v in zip(pattern, values, strict=True))
            )
            for side in "ab"
        }
        assert told[1:3] == [count["a"], count["b"]]
        parts = [100 * count[side] / whole[side] for side in "ab"]
        assert told[3:6] == pytest.approx([*parts, abs(parts[0] - parts[1])], abs=0.0051)
        assert told[5] >= 5


LINES = """datatable(status: int, message: string)[429, "quota exceeded for gpt-4o", 429, "  quota  exceeded\\tfor o3 ",
  200, "answered in 12 ms", 200, "answered in 8 ms", 200, "", 500, "* * *"]"""
TEXT = [
    "Count_of_True:long",
    "Count_of_False:long",
    "Percent_of_True:real",
    "Percent_of_False:real",
    "Pattern:string",
]


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ("", [[2, 0, 100.0, 0.0, "quota exceeded for *"], [0, 2, 0.0, 50.0, "answered in * ms *"]]),
        (", 4, 0.6", []),
        (", 0, 0.6", [[2, 0, 100.0, 0.0, "quota exceeded for *"]]),
        (", '~', '~', 1", [[2, 0, 100.0, 0.0, "quota"], [0, 2, 0.0, 50.0, "answered"]]),
        (", 1, 0.05, 4", [[2, 0, 100.0, 0.0, "quota exceeded for *"], [0, 2, 0.0, 50.0, "answered in * ms"]]),
    ],
)
def test_first_words_of_texts(arguments: str, rows: list[list[object]]) -> None:
    text = f"{LINES} | evaluate diffpatterns_text(message, status == 429{arguments})"
    assert answer(text) == (TEXT, rows)


def test_only_the_first_twenty_words_count() -> None:
    text = "range i from 1 to 30 step 1 | summarize m = strcat_array(make_list(strcat('w', i)), ' ') by b = i > 31"
    both = (
        f"union ({text} | extend b = true), (print m = 'other', b = false) | evaluate diffpatterns_text(m, b)"
    )
    assert [r[4] for r in answer(both)[1]] == [" ".join(f"w{i}" for i in range(1, 21)), "other *"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("status, true", "string"),
        ("message, message", "bool"),
        ("message, true, 201", "0 to 200"),
        ("message, true, 1, 2", "0.015 to 1"),
        ("message, true, 1, 0.1, 21", "1 to 20"),
        ("message", "arguments"),
        ("message, true, mintokens=2", "none of its arguments by name"),
    ],
)
def test_mistakes_of_texts(arguments: str, said: str) -> None:
    assert said in mistakes(f"{LINES} | evaluate diffpatterns_text({arguments})")[0]


WORDS = st.lists(st.sampled_from(["x", "y", "z", "*"]), max_size=5)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), WORDS), max_size=30), st.integers(0, 3))
def test_counts_are_those_of_the_texts(rows: list[tuple[bool, list[str]]], least: int) -> None:
    texts = [dumped([side, 1, " ".join(words)]) for side, words in rows]
    for told in parsed(text_differences(dumped(texts), 0.05, least, 4)):
        pattern = told[4].split()
        assert sum(word != "*" for word in pattern) >= max(least, 1)
        if pattern[-1] == "*":
            pattern.pop()
        for side, count in zip((True, False), told, strict=False):
            matching = [
                words
                for s, words in rows
                if s is side
                and len(words) >= len(pattern)
                and all(p in ("*", w) for p, w in zip(pattern, words, strict=False))
            ]
            assert count == len(matching)
