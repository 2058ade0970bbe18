"""Percentiles of one column are asked for together, and come out as if each were asked for alone."""

from __future__ import annotations

import random

import duckdb
import pytest

from tests.support.kql_run import answer, compiled

CHANCE = random.Random(3)
VALUES = [(CHANCE.choice("abc"), CHANCE.randrange(-50, 50) if n % 7 else None) for n in range(60)]
TABLE = (
    "datatable(g:string, x:long)["
    + ", ".join(f"'{g}', {'long(null)' if x is None else x}" for g, x in [*VALUES, ("only nulls", None)])
    + "]"
)
POINTS = (0, 1, 5, 33.3, 50, 90, 99.9, 100)


@pytest.mark.parametrize("by", ["", " by g"])
def test_together_as_alone(by: str) -> None:
    named = ", ".join(f"p{i} = percentile(x, {p})" for i, p in enumerate(POINTS))
    together = answer(f"{TABLE} | summarize {named}{by}")
    alone = [answer(f"{TABLE} | summarize percentile(x, {p}){by}") for p in POINTS]
    first = 1 if by else 0
    for number, found in enumerate(alone):
        mine = sorted(((*row[:first], row[first + number]) for row in together[1]), key=repr)
        assert mine == sorted((tuple(row) for row in found[1]), key=repr)


def test_of_several_columns_and_conditions() -> None:
    row = answer(
        "range x from 1 to 100 step 1 | summarize percentiles(x, 10, 90), percentiles(x * 2, 10, 90), "
        "percentiles_array(x, 50, 95), percentile(x, 50)"
    )[1][0]
    assert list(row) == [10, 90, 20, 180, "[50,95]", 50]


@pytest.mark.parametrize(
    ("aggregate", "place", "said"),
    [
        ("percentile(x, 101)", "101", "a percentile is a number from 0 to 100, this is 101"),
        ("percentile(x, -5)", "-5", "a percentile is a number from 0 to 100, this is -5"),
        ("percentile(x, real(nan))", "real(nan)", "a percentile is a number from 0 to 100, this is nan"),
        ("percentile(x, int(null))", "int(null)", "a percentile is a number from 0 to 100, this is null"),
        ("percentiles(x, 5, 101, 100, 0)", "101", "a percentile is a number from 0 to 100, this is 101"),
        ("percentilew(x, x, 101)", "101", "a percentile is a number from 0 to 100, this is 101"),
        ("percentilesw(x, x, 5, -0.5)", "-0.5", "a percentile is a number from 0 to 100, this is -0.5"),
        ("percentiles_array(x, 50, 101)", "101", "a percentile is a number from 0 to 100, this is 101"),
        (
            "percentiles_array(x, dynamic([50, 101]))",
            "dynamic([50, 101])",
            "a percentile is a number from 0 to 100, this is 101",
        ),
        (
            'percentilesw_array(x, x, dynamic(["a"]))',
            'dynamic(["a"])',
            "a percentile is a number from 0 to 100, this is a",
        ),
        ("percentiles_array(x, dynamic([]))", "dynamic([])", "an array of percentiles has at least one"),
    ],
)
def test_what_is_no_percentile_is_a_mistake_at_its_place(aggregate: str, place: str, said: str) -> None:
    text = f"range x from 1 to 3 step 1 | summarize {aggregate}"
    result, _ = compiled(duckdb.connect(), text)
    assert result.compiled is None
    assert [(text[d.span.start : d.span.end], d.message) for d in result.diagnostics] == [(place, said)]
