"""Plugins over activity in time, over rows nearby, and over lookup tables."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

VISITS = """let T = datatable(u: string, t: datetime, k: string)[
  "A", datetime(2020-01-01), "x", "B", datetime(2020-01-01 10:00), "x", "A", datetime(2020-01-01 12:00), "y",
  "A", datetime(2020-01-02), "x", "C", datetime(2020-01-03), "x", "B", datetime(2020-01-03), "y"];
let from = datetime(2020-01-01); let to = datetime(2020-01-03);
"""


def day(n: int) -> str:
    return f"2020-01-0{n}T00:00:00Z"


@pytest.mark.parametrize(
    ("call", "columns", "rows"),
    [
        ("sliding_window_counts(u, t, from, to, 2d, 1d)", ["t:datetime", "Count:long", "Dcount:long"],
         [[day(1), 3, 2], [day(2), 4, 2], [day(3), 3, 3]]),
        ("sliding_window_counts(u, t, from, to, 1d, 1d, k)", ["t:datetime", "k:string", "Count:long", "Dcount:long"],
         [[day(1), "x", 2, 2], [day(1), "y", 1, 1], [day(2), "x", 1, 1], [day(3), "x", 1, 1], [day(3), "y", 1, 1]]),
        ("activity_counts_metrics(u, t, from, to, 1d)",
         ["t:datetime", "count:long", "dcount:long", "new_dcount:long", "aggregated_dcount:long"],
         [[day(1), 3, 2, 2, 2], [day(2), 1, 1, 0, 2], [day(3), 2, 2, 1, 3]]),
        ("activity_metrics(u, t, from, to, 1d)",
         ["t:datetime", "dcount_values:long", "dcount_newvalues:long", "retention_rate:real", "churn_rate:real"],
         [[day(1), 2, 2, "NaN", "NaN"], [day(2), 1, 0, 0.5, 0.5], [day(3), 2, 2, 0.0, 1.0]]),
        ("active_users_count(u, t, from, to, 3d, 1d, 2, 1d)", ["t:datetime", "dcount:long"], [[day(2), 1], [day(3), 1]]),
    ],
)  # fmt: skip
def test_activity(call: str, columns: list[str], rows: list[list[object]]) -> None:
    got = answer(f"{VISITS} T | evaluate {call}")
    assert got[0] == columns
    assert sorted(got[1]) == sorted(rows)


def test_a_time_line_of_numbers() -> None:
    text = "datatable(u: long, n: long)[1, 0, 1, 1, 2, 3] | evaluate sliding_window_counts(u, n, 0, 3, 2, 1)"
    assert answer(text)[1] == [[0, 1, 1], [1, 2, 1], [2, 1, 1], [3, 1, 1]]


def test_rows_near() -> None:
    numbers = "range i from 1 to 9 step 1 | sort by i asc"
    assert answer(f"{numbers} | evaluate rows_near(i == 5, 1)")[1] == [[4], [5], [6]]
    assert answer(f"{numbers} | evaluate rows_near(i in (1, 8), 0, 2)")[1] == [[1], [2], [3], [8], [9]]
    assert "order" in mistakes("union (print i = 1) | evaluate rows_near(i == 5, 1)")[0]


def test_addresses_are_looked_up_in_networks() -> None:
    nets = 'let N = datatable(net: string, ip: long)["10.0.0.0/8", 1, "11.0.0.0/8", 2];'
    ips = 'datatable(ip: string)["10.0.0.1", "12.0.0.1"]'
    assert answer(f"{nets} {ips} | evaluate ipv4_lookup(N, ip, net)") == (
        ["ip:string", "net:string", "ip1:long"], [["10.0.0.1", "10.0.0.0/8", 1]]
    )  # fmt: skip
    unmatched = answer(f"{nets} {ips} | evaluate ipv4_lookup(N, ip, net, return_unmatched=true)")[1]
    assert unmatched == [["10.0.0.1", "10.0.0.0/8", 1], ["12.0.0.1", "", None]]


def test_a_further_key_must_agree_and_is_shown_once() -> None:
    nets = 'let N = datatable(net: string, k: long, name: string)["10.0.0.0/8", 1, "one", "10.0.0.0/8", 2, "two"];'
    got = answer(
        f'{nets} datatable(ip: string, k: long)["10.0.0.1", 2] | evaluate ipv4_lookup(N, ip, net, k)'
    )
    assert got == (
        ["ip:string", "k:long", "net:string", "name:string"],
        [["10.0.0.1", 2, "10.0.0.0/8", "two"]],
    )


@pytest.mark.parametrize(
    "plugin", ["http_request('x')", "python('x')", "preview(2)", "sql_request('a', 'b')"]
)
def test_plugins_that_are_not_allowed_say_why(plugin: str) -> None:
    assert "not allowed here" in mistakes(f"print x = 1 | evaluate {plugin}")[0]


def test_sets_in_common() -> None:
    text = """datatable(k: string, v: long)["a", 1, "a", 2, "a", 3, "b", 2, "b", 3, "c", 3, "c", 9]
    | summarize x = hll_if(v, k == "a"), y = hll_if(v, k == "b"), z = hll_if(v, k == "c")
    | evaluate dcount_intersect(x, y, z) | project s0, s1, s2"""
    assert answer(text) == (["s0:long", "s1:long", "s2:long"], [[3, 2, 1]])
    assert "dynamic" in mistakes("print a = 1, b = 2 | evaluate dcount_intersect(a, b)")[0]


def test_a_pivot_of_nothing_is_told() -> None:
    assert "no columns" in mistakes("datatable(a: string, b: long)[] | evaluate pivot(a, sum(b))")[0]
