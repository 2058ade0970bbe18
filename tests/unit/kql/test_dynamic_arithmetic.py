"""Arithmetic with dynamic values: types as the reference binder has them, values read as the other side's type."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

D = (
    'print d = dynamic({"a": 7, "b": 2, "f": 1.5, "s": "5", "u": "x", "l": [1], "big": 9223372036854775807,'
    ' "t": "2026-11-22T10:00:00Z", "x": "01:00:00"})'
)
MOMENT = "datetime(2026-11-22)"


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("d.a + 1", "long", 8),
        ("2 * d.b", "long", 4),
        ("d.a / 2", "long", 3),
        ("d.a % 4", "long", 3),
        ("d.a + int(1)", "long", 8),
        ("d.f + 1", "long", 2),  # read as long
        ("d.f + 1.0", "real", 2.5),
        ("10 - d.f * 2.0", "real", 7.0),
        ("d.a + decimal(1)", "decimal", "8"),
        ("d.s + 1", "long", 6),
        ("d.u + 1", "long", None),
        ("d.nothing + 1", "long", None),
        ("d.a + d.b", "dynamic", "9"),
        ("d.a - d.f", "dynamic", "5.5"),
        ("d.a * d.f", "dynamic", "10.5"),
        ("d.a / d.b", "dynamic", "3"),
        ("(0 - 7) / d.b", "long", -3),
        ("-d.a / d.b", "dynamic", "-3"),
        ("d.a / d.f", "dynamic", "4.666666666666667"),
        ("-d.a % d.b", "dynamic", "1"),
        ("d.a / (d.b - d.b)", "dynamic", None),
        ("d.big + d.b", "dynamic", "-9223372036854775807"),
        ("d.a + d.s", "dynamic", None),
        ("d.a + d.l", "dynamic", None),
        ("d.a + d.nothing", "dynamic", None),
        ("-d.a", "dynamic", "-7"),
        ("-d.u", "dynamic", None),
        ("datetime(2026-11-22 11:00) - d.t", "timespan", "01:00:00"),
        (f"d.t - {MOMENT}", "timespan", "10:00:00"),
        ("d.x + 1h", "timespan", "02:00:00"),
        ("2h - d.x", "timespan", "01:00:00"),
        (f"{MOMENT} + d.x", "datetime", "2026-11-22T01:00:00Z"),
    ],
)
def test_arithmetic_with_a_dynamic_value(expression: str, kind: str, value: object) -> None:
    columns, rows = answer(f"{D} | project r = {expression}")
    assert columns == [f"r:{kind}"]
    assert rows == [[value]]


@pytest.mark.parametrize(
    "expression", ["1h * d.a", "d.a / 1h", "d.a + true", "d.a + 'x'", "-dynamic(1) + 'x'"]
)
def test_what_kusto_has_no_operator_for(expression: str) -> None:
    assert "cannot be applied to" in mistakes(f"{D} | project {expression}")[0]


def test_tokens_are_added_as_people_write_it() -> None:
    text = """print x = '{"usage": {"prompt_tokens": 10, "completion_tokens": 5}}'
    | extend u = parse_json(x).usage | extend total = u.prompt_tokens + u.completion_tokens
    | where total > 10 | summarize sum(tolong(total)), sum(u.prompt_tokens * 1.5)"""
    assert answer(text) == (["sum_total:long", "sum_:real"], [[15, 15.0]])


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("iff(true, d.a, 'n')", "string", "7"),
        ("iff(false, 'n', d.l)", "string", "[1]"),
        ("iff(true, d.nothing, 'n')", "string", ""),
        ("iif(true, d.a, 2)", "long", 7),
        ("iff(true, 2.5, d.a)", "real", 2.5),
        ("iff(true, d.t, datetime(2026-11-22))", "datetime", "2026-11-22T10:00:00Z"),
        ("case(false, 'x', false, d.a, d.u)", "string", "x"),
        ("case(false, 1, true, d.f, 2.5)", "real", 1.5),
        ("iff(true, d.a, d.b)", "dynamic", "7"),
        ("iff(true, d.a, dynamic(null))", "dynamic", "7"),
        ("coalesce(d.a, d.b)", "dynamic", "7"),
    ],
)
def test_a_choice_between_a_dynamic_value_and_another_is_of_the_other_type(
    expression: str, kind: str, value: object
) -> None:
    columns, rows = answer(f"{D} | project r = {expression}")
    assert columns == [f"r:{kind}"]
    assert rows == [[value]]


def test_such_a_choice_is_grouped_and_sorted_by() -> None:
    text = f"{D} | extend k = iff(isempty('x'), 'none', d.s) | summarize n = count() by k | sort by k asc"
    assert answer(text) == (["k:string", "n:long"], [["5", 1]])
