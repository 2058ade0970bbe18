"""mv-expand, mv-apply and partition: what becomes of each part, of empty and null arrays, of names."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

ARRAYS = "datatable(i: int, a: dynamic)[0, dynamic([5, 1, 3]), 1, dynamic([4, 10])]"
PARTS = 'datatable(s: string, v: long)["a", 1, "a", 5, "b", 2, "b", 7, "b", 3]'


def test_an_empty_array_gives_no_row_and_null_gives_one() -> None:
    _, rows = answer(
        "datatable(i: int, a: dynamic)[1, dynamic([]), 2, dynamic(null), 3, dynamic([7])] | mv-expand a"
    )
    assert rows == [[2, None], [3, "7"]]


def test_the_longest_array_counts() -> None:
    _, rows = answer("print a = dynamic([1, 2]), b = dynamic([]), c = dynamic(null) | mv-expand a, b, c")
    assert rows == [["1", None, None], ["2", None, None]]


def test_elements_of_another_kind_are_null() -> None:
    _, rows = answer('print a = dynamic([1, "2", true, null, 2.5]) | mv-expand a to typeof(long)')
    assert rows == [[1], [None], [None], [None], [2]]


@pytest.mark.parametrize(
    ("subquery", "columns", "rows"),
    [
        ("x = a to typeof(long) on (top 2 by x | summarize t = make_list(x))", ["i:int", "a:dynamic", "t:dynamic"],
         [[0, "[5,1,3]", "[5,3]"], [1, "[4,10]", "[10,4]"]]),
        ("a to typeof(long) on (summarize s = sum(a))", ["i:int", "s:long"], [[0, 9], [1, 14]]),
        ("a to typeof(long) on (take 1)", ["i:int", "a:long"], [[0, 5], [1, 4]]),
        ("x = a to typeof(long) on (where x > 4 + i | project i = x)", ["i:long", "a:dynamic"],
         [[5, "[5,1,3]"], [10, "[4,10]"]]),
        ("with_itemindex=n a to typeof(long) on (where n > 0 | count)", ["i:int", "Count:long"], [[0, 2], [1, 1]]),
        ("x = a to typeof(long) on (sort by x asc | extend p = prev(x) | where isnotnull(p) | project p)",
         ["i:int", "a:dynamic", "p:long"], [[0, "[5,1,3]", 1], [0, "[5,1,3]", 3], [1, "[4,10]", 4]]),
        ("x = a to typeof(long) limit 1 on (distinct x)", ["i:int", "a:dynamic", "x:long"],
         [[0, "[5,1,3]", 5], [1, "[4,10]", 4]]),
    ],
)  # fmt: skip
def test_mv_apply(subquery: str, columns: list[str], rows: list[list[object]]) -> None:
    assert answer(f"{ARRAYS} | mv-apply {subquery}") == (columns, rows)


def test_mv_apply_inside_mv_apply() -> None:
    text = "print a = dynamic([[1, 2], [3]]) | mv-apply a on (mv-apply b = a to typeof(long) on (summarize s = sum(b)))"
    assert answer(text) == (["a:dynamic", "s:long"], [["[1,2]", 3], ["[3]", 3]])


def test_mv_apply_over_another_table_is_refused() -> None:
    assert "a table of its own" in mistakes(f"{ARRAYS} | mv-apply a on (union (print z = 1))")[0]


@pytest.mark.parametrize(
    ("rest", "rows"),
    [
        ("hint.strategy=native by s (top 1 by v)", [["a", 5], ["b", 7]]),
        (
            "by s (sort by v asc | extend n = row_number() | where n == 2 | project-away n)",
            [["a", 5], ["b", 3]],
        ),
        ("by s (summarize t = sum(v) by s)", [["a", 6], ["b", 12]]),
        ("hint.strategy=native by s (where v > 6 | count)", [[1]]),
        ("by s (where v > 6 | count)", [[0], [1]]),
        ("by s (as P | where v == toscalar(P | summarize max(v)))", [["a", 5], ["b", 7]]),
        ('by s { datatable(k: string, n: long)["a", 10, "c", 30] | where k == toscalar(s) }', [["a", 10]]),
    ],
)
def test_partition(rest: str, rows: list[list[object]]) -> None:
    assert sorted(answer(f"{PARTS} | partition {rest}")[1]) == rows


def test_a_subquery_of_its_own_for_each_of_many_values_is_refused() -> None:
    text = "range x from 1 to 100 step 1 | partition by x { print y = x }"
    assert "more than 64 values" in mistakes(text)[0]
