"""NaN: equal to nothing, in no order with anything, and beside the nulls when rows are sorted."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer

FOUR = "datatable(x:real)[real(nan), 1.0, real(null), real(-inf), real(+inf)]"


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("x > 0.5", [1.0]),
        ("x >= 1.0", [1.0]),
        ("x < 5.0", [1.0]),
        ("x <= 1.0", [1.0]),
        ("1.0 <= x", [1.0]),
        ("x == x", [1.0]),
        ("x == real(nan)", []),
        ("x != 1.0", ["NaN"]),
        ("x != x", ["NaN"]),
        ("x between (0.0 .. real(+inf))", [1.0]),
        ("not(x > 0.5)", ["NaN"]),
    ],
)
def test_what_compares(condition: str, kept: list[object]) -> None:
    assert answer(f"datatable(x:real)[real(nan), 1.0] | where {condition}")[1] == [[x] for x in kept]


def test_whole_numbers_compare_with_nan_too() -> None:
    row = "datatable(n:long, x:real)[1, real(nan)] | project n < x, n > x, n == x, n != x"
    assert answer(row)[1] == [[False, False, False, True]]


@pytest.mark.parametrize(
    ("order", "sorted_"),
    [
        ("asc", [None, "NaN", "-Infinity", 1.0, "Infinity"]),
        ("desc", ["Infinity", 1.0, "-Infinity", "NaN", None]),
        ("asc nulls last", ["-Infinity", 1.0, "Infinity", "NaN", None]),
        ("desc nulls first", [None, "NaN", "Infinity", 1.0, "-Infinity"]),
    ],
)
def test_where_it_stands_in_order(order: str, sorted_: list[object]) -> None:
    assert answer(f"{FOUR} | sort by x {order}")[1] == [[x] for x in sorted_]


def test_an_average_of_nothing_passes_no_limit() -> None:
    text = "datatable(k:string, n:long)['a', long(null), 'b', 7] | summarize m = avg(n) by k | where m > 5"
    assert answer(text)[1] == [["b", 7.0]]


def test_totals_that_nobody_reads_are_one_row() -> None:
    for rows in ("", "1, 2, 3"):
        assert answer(f"datatable(n:long)[{rows}] | summarize count(), max(n) | project x = 1")[1] == [[1]]
