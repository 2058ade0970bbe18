"""make-series in all its forms: with and without ends, kinds of axes, defaults, over nothing."""

from __future__ import annotations

import json

import duckdb
import pytest

from tests.support.kql_run import answer, compiled, mistakes

LONGS = "datatable(x: long, v: long)[-3, 1, 4, 2]"
TIMES = """datatable(k: string, t: datetime, v: long)["a", datetime(2020-01-01 05:00), 1, "a", datetime(2020-01-03), 5,
  "b", datetime(2020-01-02), 7]"""


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (f"{LONGS} | make-series s = sum(v) on x from -4 to 6 step 2", [[[1, 0, 0, 0, 2], [-4, -2, 0, 2, 4]]]),
        (f"{LONGS} | make-series s = sum(v) on x step 2", [[[1, 0, 0, 0, 2], [-4, -2, 0, 2, 4]]]),
        (f"{LONGS} | make-series s = sum(v) on x from -3 step 2", [[[1, 0, 0, 2], [-3, -1, 1, 3]]]),
        (f"{LONGS} | make-series s = sum(v) on x to 1 step 2", [[[1, 0, 0], [-4, -2, 0]]]),
        (f"{LONGS} | make-series s = sum(v) default = 9 on x in range(-3, 5, 4)", [[[1, 2, 9], [-3, 1, 5]]]),
        (f"{LONGS} | where x > 9 | make-series s = sum(v) on x step 2", []),
        (f"{LONGS} | where x > 9 | make-series s = sum(v) on x from 0 to 4 step 2", []),
        (f"{LONGS} | where x > 9 | make-series kind=nonempty s = sum(v) default=9 on x from 0 to 4 step 2", [[[9, 9], [0, 2]]]),
        ("datatable(x: real, v: long)[0.1, 1, 0.25, 2, 0.9, 3] | make-series s = sum(v) on x from 0.0 to 1.0 step 0.25",
         [[[1, 2, 0, 3], [0.0, 0.25, 0.5, 0.75]]]),
        ("datatable(x: long, v: long)[1, 2] | make-series n = count() default=0.5 on x from 0 to 3 step 1",
         [[[0.5, 1, 0.5], [0, 1, 2]]]),
        ("datatable(x: timespan)[1h, 3h] | make-series n = count() on x from 0h to 4h step 2h", [[[1, 1], ["00:00:00", "02:00:00"]]]),
    ],
)  # fmt: skip
def test_series(text: str, rows: list[list[object]]) -> None:
    assert [[json.loads(cell) for cell in row] for row in answer(text)[1]] == rows


def test_each_series_has_ends_of_its_own_where_none_are_given() -> None:
    columns, rows = answer(f"{TIMES} | make-series n = count() on t step 1d by k")
    assert columns == ["k:string", "n:dynamic", "t:dynamic"]
    days = [f"2020-01-0{d}T00:00:00.0000000Z" for d in (1, 2, 3)]
    found = {k: (json.loads(n), json.loads(t)) for k, n, t in rows}
    assert found == {"a": ([1, 0, 1], days), "b": ([1], days[1:2])}


def test_an_aggregate_of_several_columns_has_one_default() -> None:
    columns, rows = answer(
        f"{LONGS} | make-series percentiles(v, 50, 90) default=7, n = count() on x from 3 to 5 step 1"
    )
    assert columns == ["percentile_v_50:dynamic", "percentile_v_90:dynamic", "n:dynamic", "x:dynamic"]
    assert rows == [["[7,2]", "[7,2]", "[0,1]", "[3,4]"]]


def test_mistakes() -> None:
    assert "cannot go" in mistakes(f"{LONGS} | make-series count() on x from ago(1d) to now() step 1d")[0]
    assert "a number" in mistakes(f"{LONGS} | make-series make_list(v) on x step 1")[0]
    assert "range(start, stop, step)" in mistakes(f"{LONGS} | make-series count() on x in (1, 2)")[0].replace(
        "expected ", ""
    )


def test_a_name_for_the_axis_of_a_range() -> None:
    assert answer(f"{LONGS} | make-series s = sum(v) on y = x in range(-3, 5, 4)")[0] == [
        "s:dynamic",
        "y:dynamic",
    ]


@pytest.mark.parametrize(
    ("axis", "place", "kind"),
    [
        ("v from 0 to 3 step 0", "0", "number"),
        ("v from 0 to 3 step -1", "-1", "number"),
        ("v step -0.5", "-0.5", "number"),
        ("v from 0 to 3 step long(null)", "long(null)", "number"),
        ("todouble(v) from 0.0 to 3.0 step real(+inf)", "real(+inf)", "number"),
        ("t from ago(1h) to now() step 0s", "0s", "timespan"),
        ("t in range(ago(1h), now(), -1m)", "-1m", "timespan"),
    ],
)
def test_a_step_that_leads_nowhere_is_a_mistake_at_its_place(axis: str, place: str, kind: str) -> None:
    text = f"{TIMES} | make-series count() on {axis}"
    result, _ = compiled(duckdb.connect(), text)
    assert result.compiled is None
    said = f"the step of make-series must be a {kind} above zero"
    assert [(text[d.span.start : d.span.end], d.message) for d in result.diagnostics] == [(place, said)]


@pytest.mark.parametrize("step", ["0", "-1", "long(null)"])
def test_a_step_that_a_query_finds_ends_it(step: str) -> None:
    query = f"let s = toscalar(print {step}); {LONGS} | make-series count() on v from 0 to 3 step s"
    with pytest.raises(
        duckdb.InvalidInputException, match="aforo: the step of make-series is not above zero"
    ):
        answer(query)
