"""top-nested with its levels and others, top-hitters, samples, ranks of rows."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

SALES = 'datatable(s: string, t: string, v: long)["a","x",1, "a","y",5, "b","x",2, "b","z",7, "c","x",3, "c","y",1, "d","w",1]'


@pytest.mark.parametrize(
    ("levels", "columns", "rows"),
    [
        ("top-nested 2 of s by sum(v)", ["s:string", "aggregated_s:long"], [["b", 9], ["a", 6]]),
        ("top-nested 1 of s by n = sum(v) asc", ["s:string", "n:long"], [["d", 1]]),
        ("top-nested 2 of s with others='rest' by sum(v)", ["s:string", "aggregated_s:long"],
         [["b", 9], ["a", 6], ["rest", 5]]),
        ("top-nested 1 of s with others='rest' by sum(v), top-nested 1 of t by max(v)",
         ["s:string", "aggregated_s:long", "t:string", "aggregated_t:long"], [["b", 9, "z", 7], ["rest", 11, "", None]]),
        ("top-nested 1 of s with others='rest' by sum(v), top-nested 1 of t with others='more' by sum(v)",
         ["s:string", "aggregated_s:long", "t:string", "aggregated_t:long"],
         [["b", 9, "z", 7], ["b", 9, "more", 2], ["rest", 11, "more", 11]]),
        ("top-nested of s by Ignore = max(1), top-nested 1 of n = bin(v, 5) by count(), top-nested of t by count()",
         ["s:string", "Ignore:long", "n:long", "aggregated_n:long", "t:string", "aggregated_t:long"],
         [["a", 1, 0, 1, "x", 1], ["b", 1, 0, 1, "x", 1], ["c", 1, 0, 2, "x", 1], ["c", 1, 0, 2, "y", 1],
          ["d", 1, 0, 1, "w", 1]]),
        ("top-nested 1 of s by countif(v > 1) + 1.5", ["s:string", "aggregated_s:real"], [["b", 3.5]]),
        ("top-nested 1 of s by dcount(t)", ["s:string", "aggregated_s:long"], [["a", 2]]),
    ],
)  # fmt: skip
def test_top_nested(levels: str, columns: list[str], rows: list[list[object]]) -> None:
    assert answer(f"{SALES} | {levels}") == (columns, rows)


def test_top_nested_of_nothing() -> None:
    assert answer("datatable(s: string, v: long)[] | top-nested 2 of s with others='x' by sum(v)")[1] == []


def test_top_nested_keeps_others_apart_from_a_value_of_that_name() -> None:
    text = (
        "datatable(s: string, v: long)['x', 5, 'y', 3, 'z', 1] | top-nested 1 of s with others='x' by sum(v)"
    )
    assert answer(text)[1] == [["x", 5], ["x", 4]]


def test_an_aggregate_that_top_nested_has_not_is_refused() -> None:
    assert "top-nested" in mistakes(f"{SALES} | top-nested 1 of s by make_set(v)")[0]


def test_top_hitters() -> None:
    assert answer(f"{SALES} | top-hitters 2 of t") == (
        ["t:string", "approximate_count_t:long"],
        [["x", 3], ["y", 2]],
    )
    assert answer(f"{SALES} | top-hitters 1 of t by v") == (
        ["t:string", "approximate_sum_v:long"],
        [["z", 7]],
    )


def test_samples_are_so_many() -> None:
    assert answer("range x from 1 to 100 step 1 | sample 10 | summarize dcount(x)")[1] == [[10]]
    assert answer("range x from 1 to 3 step 1 | sample 10 | count")[1] == [[3]]
    assert answer(f"{SALES} | sample-distinct 2 of t | summarize dcount(t)")[1] == [[2]]


def test_ranks_of_rows() -> None:
    text = "datatable(v: int)[1, int(null), int(null), 3, 3] | sort by v asc | extend d = row_rank_dense(v), m = row_rank_min(v)"
    assert answer(text)[1] == [[None, 1, 1], [None, 1, 1], [1, 2, 3], [3, 3, 4], [3, 3, 4]]
    text = (
        "datatable(k: string, v: int)['a', 1, 'a', 1, 'a', 2, 'b', 2] | sort by k asc, v asc | extend "
        "d = row_rank_dense(v, k != prev(k)), m = row_rank_min(v, k != prev(k))"
    )
    assert answer(text)[1] == [["a", 1, 1, 1], ["a", 1, 1, 1], ["a", 2, 2, 3], ["b", 2, 1, 1]]


def test_grouping_by_what_a_window_gives() -> None:
    text = (
        "range x from 1 to 4 step 1 | extend p = prev(x) | summarize count() by odd = p % 2 | sort by odd asc"
    )
    assert answer(text)[1] == [[None, 1], [0, 1], [1, 2]]


def test_sessions_of_rows() -> None:
    text = (
        "range x from 1 to 9 step 1 | where x != 5 | sort by x asc | extend s = row_window_session(x, 4, 1)"
    )
    assert [s for _, s in answer(text)[1]] == [1, 1, 1, 1, 6, 6, 6, 6]
    text = (
        "datatable(k: string, x: long)['a', 1, 'a', 2, 'b', 3, 'a', 9, 'b', 30] | sort by k asc, x asc "
        "| extend s = row_window_session(x, 5, 5, k != prev(k)) | project s"
    )
    assert [s for (s,) in answer(text)[1]] == [1, 1, 9, 3, 30]
    text = "datatable(k: string, x: long)['a', 1, 'a', 2, 'b', 3] | partition by k (sort by x asc | extend s = row_window_session(x, 5, 5))"
    assert [s for _, _, s in answer(text)[1]] == [1, 1, 3]
    moments = (
        "datatable(t: datetime)[datetime(2020-01-01), datetime(2020-01-01 00:04), datetime(2020-01-01 00:10)]"
    )
    found = answer(f"{moments} | sort by t asc | extend s = row_window_session(t, 1h, 5m) | project s")[1]
    assert found == [["2020-01-01T00:00:00Z"], ["2020-01-01T00:00:00Z"], ["2020-01-01T00:10:00Z"]]
    assert "timespan" in mistakes(f"{moments} | sort by t asc | extend s = row_window_session(t, 5, 5)")[0]


def test_several_windows_that_restart() -> None:
    text = (
        "range x from 1 to 4 step 1 | extend r = x % 2 == 1 "
        "| serialize a = row_number(1, r), b = row_cumsum(x, r), c = row_number(10, r), d = row_rank_dense(x, r) | project-away r"
    )
    assert answer(text)[1] == [[1, 1, 1, 10, 1], [2, 2, 3, 11, 2], [3, 1, 3, 10, 1], [4, 2, 7, 11, 2]]


def test_a_null_of_no_type_is_no_broken_part_of_top_nested() -> None:
    # It is equal to what stands in for a part that could not be bound: once the operator was left out without a word.
    assert mistakes("print x = 1 | top-nested 2 of dynamic(null) by count()")
    assert mistakes("print x = 1 | top-nested 2 of x by dynamic(null)")
