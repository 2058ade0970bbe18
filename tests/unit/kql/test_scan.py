"""scan: steps that repeat, promote and end, what is output of them, sequences apart in each part."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

EVENTS = """datatable(t: long, e: string)[0, "A", 1, "Start", 2, "B", 3, "D", 4, "Stop", 6, "C", 8, "Start", 11, "E", 12, "Stop"]
| sort by t asc """


def test_a_step_that_always_matches_carries_a_value_on() -> None:
    text = "range x from 1 to 5 step 1 | scan declare (s: long = 10) with (step a: true => s = x + a.s;)"
    assert answer(text) == (["x:long", "s:long"], [[1, 11], [2, 13], [3, 16], [4, 20], [5, 25]])


def test_three_steps_with_the_number_of_the_match() -> None:
    columns, rows = answer(
        EVENTS
        + """| scan with_match_id=m with (step s1: e == "Start";
        step s2: e != "Start" and e != "Stop" and t - s1.t <= 5; step s3: e == "Stop" and t - s1.t <= 5;)"""
    )
    assert columns == ["t:long", "e:string", "m:long"]
    assert [(t, m) for t, _, m in rows] == [(1, 0), (2, 0), (3, 0), (4, 0), (8, 1), (11, 1), (12, 1)]


def test_a_step_without_output_ends_a_session() -> None:
    text = """datatable(t: long)[0, 1, 3, 32, 38, 75] | sort by t asc
    | scan with_match_id=id declare (start: long) with (
        step inside: true => start = iff(isnull(inside.start), t, inside.start);
        step over output=none: t - inside.start > 30;)"""
    assert answer(text)[1] == [[0, 0, 0], [1, 0, 0], [3, 0, 0], [32, 32, 1], [38, 32, 1], [75, 75, 2]]


@pytest.mark.parametrize(
    ("output", "rows"),
    [
        ("all", [[1, "a", 7], [2, "a", 7], [3, "b", 2], [4, "a", 7], [5, "b", 4], [6, "b", 4]]),
        ("last", [[2, "a", 7], [3, "b", 2], [4, "a", 7], [6, "b", 4]]),
        ("none", []),
    ],
)
def test_output(output: str, rows: list[list[object]]) -> None:
    text = f"""datatable(t: long, e: string)[1, "a", 2, "a", 3, "b", 4, "a", 5, "b", 6, "b"] | sort by t asc
    | scan declare (n: long = 7) with (step s1 output={output}: e == "a"; step s2 output={output}: e == "b" => n = s1.t;)"""
    assert answer(text)[1] == rows


def test_each_part_has_sequences_of_its_own() -> None:
    text = """datatable(t: long, u: long, e: string)[1, 1, "in", 2, 2, "in", 5, 2, "out", 9, 1, "out"]
    | partition hint.strategy=native by u (sort by t asc | scan declare (took: long) with (
        step s1 output=none: e == "in"; step s2: e == "out" => took = t - s1.t;))"""
    assert answer(text)[1] == [[9, 1, "out", 8], [5, 2, "out", 3]]
    text = "print a = dynamic([3, 1, 2]) | mv-apply a to typeof(long) on (scan declare (s: long = 0) with (step q: true => s = a + q.s;))"
    assert answer(text)[1] == [[3, 3], [1, 4], [2, 6]]


def test_nothing_to_scan() -> None:
    assert answer("datatable(t: long)[] | scan with (step a: true;)")[1] == []


def test_mistakes() -> None:
    assert "order" in mistakes("print t = 1 | summarize by t | scan with (step a: true;)")[0]
    assert mistakes("print t = 1 | scan with (step a: a.nope > 1;)") == ["there is no column 'nope'"]
    assert mistakes("print t = 1 | scan with (step a: true => z = 1;)") == ["there is no column 'z'"]
    assert "two steps" in mistakes("print t = 1 | scan with (step a: true; step a: true;)")[0]
