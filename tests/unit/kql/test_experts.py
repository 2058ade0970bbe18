"""What those try who know Kusto by heart: answers that were wrong or refused once."""

from __future__ import annotations

from typing import Any

import pytest

from aforo.kql.complete import complete
from aforo.kql.wildcards import fits
from tests.support.kql_run import EMPTY, answer, mistakes


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("print a=6, b=3, c=2 | project x=a*b, y=a/b*c, z=(c+a*b), w=a%b*c", [[18, 4, 20, 0]]),
        ("print a=6, b=3 | summarize sum(a*b), m=max(a*b) | project m*sum_", [[324]]),
        ("print aTb=1, aTc=2, d=3 | project-away a*b", [[2, 3]]),
        ("print aTb=1, aTc=2, d=3 | project-reorder d, a* desc", [[3, 2, 1]]),
        ("let aXb = () {print 7}; let aYb = view () {print 8}; union a*b", [[8]]),
    ],
)
def test_products_without_blanks_are_no_wildcards(text: str, rows: list[list[Any]]) -> None:
    assert answer(text)[1] == rows


_LONG = 300_000


@pytest.mark.parametrize(
    "text",
    [
        "print " + "1" * _LONG,
        "print " + "1_" * _LONG,
        "print ['" + "a" * _LONG + "']=1 | project-away *" + "a*" * 20 + "b | project-away x",
        "print extract('{2}" + "[" * 19_000 + "', 1, 'a')",
    ],
)
def test_long_texts_are_refused_without_an_hour_of_thought(text: str) -> None:
    assert mistakes(text)


@pytest.mark.parametrize("end", [" ", "!", "a", "-"])
def test_words_are_completed_behind_long_texts(end: str) -> None:
    for word in ("a" * _LONG, "a-" * _LONG, "1" * _LONG):
        assert complete(word + end, len(word) + 1, EMPTY).span.end == len(word) + 1


@pytest.mark.parametrize(
    ("name", "pattern", "fitting"),
    [
        ("abc", "abc", True),
        ("abc", "a*", True),
        ("abc", "*c", True),
        ("abc", "*", True),
        ("abc", "a*c", True),
        ("abc", "*b*", True),
        ("abc", "ab*bc", False),
        ("abab", "*ab*ab", True),
        ("ab", "*ab*ab", False),
        ("a.c", "a?c", False),
        ("abc", "A*", False),
    ],
)
def test_patterns_of_names(name: str, pattern: str, fitting: bool) -> None:
    assert fits(name, pattern) is fitting


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("union Nope* | count", "there is no table 'Nope*'"),
        ("union *", "there is no table to unite"),
        ("search in (Nope*) 'x'", "there is no table 'Nope*'"),
        ("_GetWatchlist('x') | take 1", "there is no function '_GetWatchlist'"),
        ("duckdb_settings() | take 1", "there is no function 'duckdb_settings'"),
        ("strlen('x') | take 1", "a table is expected here, this is a single value"),
    ],
)
def test_what_is_not_there_is_said(text: str, said: str) -> None:
    assert mistakes(text) == [said]


def test_columns_of_other_types_are_packed_by_find() -> None:
    tables = "let A = view () {print n=1, s='x', k='a'}; let B = view () {print n=2.5, s='x', k='b'};"
    assert answer(f"{tables} find in (A, B) where s == 'x'") == (
        ["source_:string", "s:string", "k:string", "pack_:dynamic"],
        [["A", "x", "a", '{"n":1}'], ["B", "x", "b", '{"n":2.5}']],
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("02/17/2024 10:11:12 AM", "2024-02-17T10:11:12Z"),
        ("2/7/2024 1:05 PM", "2024-02-07T13:05:00Z"),
        ("12/31/2024 12:00:00 am", "2024-12-31T00:00:00Z"),
        ("2/7/2024 13:05 PM", None),
        ("2/7/2024 PM", None),
        ("2024", "2024-01-01T00:00:00Z"),
        ("2024-2", "2024-02-01T00:00:00Z"),
        ("2024-2-3 4:5:6", "2024-02-03T04:05:06Z"),
        ("2024-02-03T10", "2024-02-03T10:00:00Z"),
        (" 2024-02-03 10:00 ", "2024-02-03T10:00:00Z"),
        ("01-02-2024 10:11:12", "2024-01-02T10:11:12Z"),
        ("02/30/2024", None),
        ("2024-13", None),
    ],
)
def test_moments_are_read_alike_from_constants_and_from_columns(text: str, moment: str | None) -> None:
    assert answer(f"print todatetime('{text}')")[1] == [[moment]]
    assert answer(f"datatable(s:string)['{text}'] | project todatetime(s)")[1] == [[moment]]


def test_ranges_of_mixed_numbers_are_real() -> None:
    assert answer("print range(0, 1, 0.5), range(1, 2.5), range(int(1), 2)")[1] == [
        ["[0.0,0.5,1.0]", "[1.0,2.0]", "[1,2]"]
    ]


@pytest.mark.parametrize(
    "text",
    [
        "let m = materialize(range x from 1 to 5 step 1 | extend r=rand()); m | join kind=inner (m) on x",
        "let m = materialize(range x from 1 to 5 step 1 | sample 2); union m, m",
        "let g = toscalar(print new_guid()); print g == g",
    ],
)
def test_chance_is_not_asked_twice_for_what_is_computed_once(text: str) -> None:
    assert ["by chance and is used more than once" in m for m in mistakes(text)] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "let m = materialize(range x from 1 to 5 step 1 | extend r=rand()); m | where r < 2 | count",
        "let m = materialize(range x from 1 to 5 step 1); m | join kind=inner (m) on x | count",
        "let r = toscalar(print rand()); range x from 1 to 5 step 1 | where r < 2 | count",
    ],
)
def test_what_is_computed_once_may_come_by_chance_or_be_used_twice(text: str) -> None:
    assert answer(text)[1] == [[5]]


def test_plugins_take_tables_without_parentheses() -> None:
    nets = 'datatable(n:string, l:string)["10.0.0.0/8", "corp"]'
    text = f'datatable(x:string)["10.0.0.1"] | evaluate ipv4_lookup({nets}, x, n) | project l'
    assert answer(text)[1] == [["corp"]]


ROWS = "datatable(t:datetime, v:long)[datetime(2024-01-01), 1, datetime(2024-01-03), 2]"


@pytest.mark.parametrize(
    ("text", "series"),
    [
        ("make-series sum(v) on t from toscalar(T | summarize min(t)) to datetime(2024-01-04) step 1d", "[1,0,2]"),
        ("make-series sum(v) on t from datetime(2024-01-01) to toscalar(T | summarize max(t)) + 1d step 1d", "[1,0,2]"),
        ("make-series sum(v) default=toscalar(T | count) on t step toscalar(print 1d)", "[1,2,2]"),
    ],
)  # fmt: skip
def test_series_whose_ends_are_asked(text: str, series: str) -> None:
    assert answer(f"let T = {ROWS}; T | {text} | project sum_v")[1] == [[series]]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("let s = toscalar(print 2h); print bin(datetime(2024-01-01 03:00), s)", ["2024-01-01T02:00:00Z"]),
        ("""let j = toscalar(print '{"a":[1,{"b":"x"}]}'); print parse_json(j).a[1].b, tostring(todynamic(j).a[0])""",
         ["x", "1"]),
        ("let k = toscalar(print dynamic(['a','b'])); print strcat_array(k, '-'), array_rotate_left(k, 1)", ["a-b", '["b","a"]']),
        ("let n = toscalar(print 2); print repeat('a', n), bin(7, n), strcat_array(range(1, n), toscalar(print '+'))",
         ['["a","a"]', 6, "1+2"]),
    ],
)  # fmt: skip
def test_what_toscalar_gives_stands_in_any_function(text: str, row: list[Any]) -> None:
    assert answer(text)[1] == [row]
