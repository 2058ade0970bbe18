"""Plugins that follow who came when over several windows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kql_run import answer, mistakes

# Who came on which day of November 2019.
USERS = """let Users = datatable(t: datetime, us: dynamic)[
  datetime(2019-11-01), dynamic([0,2,3,4]), datetime(2019-11-02), dynamic([0,1,3,4,5]),
  datetime(2019-11-03), dynamic([0,2,4,5]), datetime(2019-11-04), dynamic([0,1,2,3]),
  datetime(2019-11-05), dynamic([0,1,2,3,4])] | mv-expand user = us to typeof(long)
  | extend k = iff(user > 2, "a", "b") | project Timestamp = t, user, k;
"""


def cohorts(arguments: str) -> tuple[list[str], list[list[Any]]]:
    """The answer, its days without month and year."""
    columns, rows = answer(f"{USERS} Users | evaluate new_activity_metrics(user, Timestamp, {arguments})")
    return columns, [[int(row[0][8:10]), int(row[1][8:10]), *row[2:]] for row in rows]


def test_each_cohort_of_new_users_is_followed_to_the_end() -> None:
    columns, rows = cohorts("datetime(2019-11-01), datetime(2019-11-07) - 1tick, 1d")
    assert columns == [
        "from_Timestamp:datetime", "to_Timestamp:datetime", "dcount_new_values:long", "dcount_retained_values:long",
        "dcount_churn_values:long", "retention_rate:real", "churn_rate:real",
    ]  # fmt: skip
    assert rows[:11] == [
        [1, 1, 4, 4, 0, 1.0, 0.0], [1, 2, 2, 3, 1, 0.75, 0.25], [1, 3, 1, 3, 1, 0.75, 0.25], [1, 4, 1, 3, 1, 0.75, 0.25],
        [1, 5, 1, 4, 0, 1.0, 0.0], [1, 6, 0, 0, 4, 0.0, 1.0], [2, 2, 2, 2, 0, 1.0, 0.0], [2, 3, 0, 1, 1, 0.5, 0.5],
        [2, 4, 0, 1, 1, 0.5, 0.5], [2, 5, 0, 1, 1, 0.5, 0.5], [2, 6, 0, 0, 2, 0.0, 1.0],
    ]  # fmt: skip
    assert len(rows) == 21
    assert rows[-1] == [6, 6, 0, 0, 0, "NaN", "NaN"]


def test_one_cohort_by_dimension_without_those_known_before() -> None:
    arguments = "datetime(2019-11-01), datetime(2019-11-03), 1d, datetime(2019-11-01), k, (print user = 0)"
    columns, rows = cohorts(arguments)
    assert columns[2] == "k:string"
    assert sorted(rows) == [
        [1, 1, "a", 2, 2, 0, 1.0, 0.0], [1, 1, "b", 1, 1, 0, 1.0, 0.0], [1, 2, "a", 1, 2, 0, 1.0, 0.0],
        [1, 2, "b", 1, 0, 1, 0.0, 1.0], [1, 3, "a", 1, 1, 1, 0.5, 0.5], [1, 3, "b", 0, 1, 0, 1.0, 0.0],
    ]  # fmt: skip


def test_windows_of_the_calendar_and_of_numbers() -> None:
    _, rows = cohorts("datetime(2019-11-01), datetime(2019-11-30), 'month'")
    assert rows == [[1, 1, 6, 6, 0, 1.0, 0.0]]
    text = (
        "datatable(u: long, n: long)[1, 0, 2, 0, 1, 1, 3, 2] | evaluate new_activity_metrics(u, n, 0, 2, 1)"
    )
    assert answer(text)[1][2] == [0, 2, 1, 0, 2, 0.0, 1.0]
    assert answer("datatable(u: long, n: long)[] | evaluate new_activity_metrics(u, n, 0, 2, 1)")[1] == []
    text = "print u = 1, t = now() | evaluate new_activity_metrics(u, t, ago(1d), now(), 'hour')"
    assert "'week'" in mistakes(text)[0]


VISITS = """datatable(u: string, t: datetime, k: string)["A", datetime(2020-01-01), "x", "B", datetime(2020-01-01 10:00), "x",
  "A", datetime(2020-01-01 12:00), "y", "A", datetime(2020-01-02), "x", "C", datetime(2020-01-03), "x",
  "Z", datetime(2019-12-31), "x"]"""


def test_engagement() -> None:
    columns, rows = answer(
        f"{VISITS} | evaluate activity_engagement(u, t, datetime(2020-01-01), datetime(2020-01-03), 1d, 2d)"
    )
    assert columns[1:] == [
        "dcount_activities_inner:long",
        "dcount_activities_outer:long",
        "activity_ratio:real",
    ]
    # Z came before the start, and counts for the window that reaches back to it.
    assert [row[1:] for row in rows] == [[2, 3, 2 / 3], [1, 2, 0.5], [1, 2, 0.5]]


def test_engagement_of_all_rows() -> None:
    columns, rows = answer(f"{VISITS} | evaluate activity_engagement(u, t, 1d, 2d)")
    assert columns[0] == "t:datetime"
    # A day begins at midnight, whenever its first row came; none is told behind the last one.
    assert [[row[0][:10], *row[1:]] for row in rows] == [
        ["2019-12-31", 1, 1, 1.0],
        ["2020-01-01", 2, 3, 2 / 3],
        ["2020-01-02", 1, 2, 0.5],
        ["2020-01-03", 1, 2, 0.5],
    ]
    late = f"{VISITS} | extend t = t + 7h"
    assert [r[1:] for r in answer(f"{late} | evaluate activity_engagement(u, t, 1d, 2d)")[1]] == [
        row[1:] for row in rows
    ]
    assert answer(f"{VISITS} | where false | evaluate activity_engagement(u, t, 1d, 2d)")[1] == []
    nulls = f"{VISITS} | extend t = iff(u == 'A', datetime(null), t)"
    assert [r[1:] for r in answer(f"{nulls} | evaluate activity_engagement(u, t, 1d, 2d)")[1]] == [
        [1, 1, 1.0],
        [1, 2, 0.5],
        [0, 1, 0.0],
        [1, 1, 1.0],
    ]


def test_engagement_of_all_rows_by_dimension() -> None:
    columns, rows = answer(f"{VISITS} | evaluate activity_engagement(u, t, 1d, 2d, k)")
    bounds = "datetime(2019-12-31), datetime(2020-01-03)"
    assert (columns, sorted(rows)) == (
        (bounded := answer(f"{VISITS} | evaluate activity_engagement(u, t, {bounds}, 1d, 2d, k)"))[0],
        sorted(bounded[1]),
    )
    numbers = "datatable(u: long, n: long)[1, 0, 2, 3, 1, 4]"
    assert answer(f"{numbers} | evaluate activity_engagement(u, n, 2, 4)")[1] == [
        [0, 1, 1, 1.0],
        [2, 1, 2, 0.5],
        [4, 1, 2, 0.5],
    ]
    said = mistakes(f"{VISITS} | evaluate activity_engagement(u, t, datetime(2020-01-01), 1d)")
    assert said == mistakes(f"{VISITS} | evaluate activity_engagement(u, t, datetime(2020-01-01), 1d, k)")
    assert said
    said = mistakes(f"{VISITS} | evaluate activity_engagement(u, t, datetime(2020-01-01), now(), 1d)")
    assert "an outer window" in said[0]


@pytest.mark.parametrize(
    ("arguments", "column", "rows"),
    [
        ("val, 50, Timestamp, 1d, 3", "rolling_3_percentile_val_50:long", [[12], [24], [36], [60]]),
        ("val, 50, Timestamp, 1d, 1", "rolling_1_percentile_val_50:long", [[12], [36], [60], [84]]),
        ("val, 99.5, Timestamp, 2d, 2", "rolling_2_percentile_val_99.5:long", [[48], [96]]),
    ],
)
def test_rolling_percentile(arguments: str, column: str, rows: list[list[int]]) -> None:
    hours = (
        "range idx from 0 to 24*4-1 step 1 | project Timestamp = datetime(2018-01-01) + 1h*idx, val = idx + 1"
    )
    got = answer(f"{hours} | evaluate rolling_percentile({arguments}) | project-away Timestamp")
    assert got == ([column], rows)


def test_rolling_percentile_over_gaps_and_by_dimension() -> None:
    text = "datatable(v: real, i: long)[1.0, 1, 2.0, 5, real(null), 5] | evaluate rolling_percentile(v, 50, i, 2, 2)"
    assert answer(text)[1] == [[0, 1.0], [4, 2.0]]
    text = "range i from 0 to 3 step 1 | extend k = i % 2 | evaluate rolling_percentile(i, 100, i, 2, 2, k)"
    assert sorted(answer(text)[1]) == [[0, 0, 0], [0, 1, 1], [2, 0, 2], [2, 1, 3]]
    assert "rows" in mistakes("print v = 1, i = 1 | evaluate rolling_percentile(v, 50, i, 1, 0)")[0]


def test_rolling_percentile_of_more_than_all() -> None:
    rows = "datatable(t: datetime, v: long)[datetime(2024-01-01), 1]"
    said = mistakes(f"{rows} | evaluate rolling_percentile(v, 101, t, 1d, 2)")
    assert said == ["a percentile is a number from 0 to 100, this is 101"]
