"""Longs keep their lowest 64 bits, as Kusto's do, and are reckoned in 128 only where that may matter."""

from __future__ import annotations

import random

import pytest

from aforo.kql.compile import compile_query
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.types import INT, LONG
from aforo.source import Source
from tests.support.kql_run import answer

MOST = (1 << 63) - 1
ABC = "datatable(a: long, b: long, i: int)"


def wrapped(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


EXPRESSIONS = [
    "a + b", "a - b", "a * b", "a + 1", "1 - a", "a * 3 - b", "a * a * a", "(a + 1) * (b - 2)", "a - (a - 5) * (b + a)",
    "i * i * i * i", "a + i * 2", "a * a * a * b * b + i", "5 + a + b + a + b", "(a + b) * (a + b) * (a + b)",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_leaves_64_bits_is_cut_to_them(expression: str) -> None:
    chance = random.Random(expression)
    rows = [
        (MOST, 1, 2**31 - 1),
        (-MOST - 1, -1, -(2**31)),
        (MOST, MOST, 1),
        (-MOST - 1, -MOST - 1, -1),
        (2, 3, 4),
    ]
    rows += [
        (chance.randint(-MOST, MOST), chance.randint(-MOST, MOST), chance.randint(-9, 9)) for _ in range(10)
    ]
    cells = ", ".join(f"long({a}), long({b}), int({i})" for a, b, i in rows)
    found = answer(f"{ABC}[{cells}] | extend r = {expression} | project r")
    assert found[0] == ["r:long"]
    # Python reads these expressions as Kusto does; ints are longs in arithmetic.
    expected = [[wrapped(eval(expression, {}, {"a": a, "b": b, "i": i}))] for a, b, i in rows]
    assert found[1] == expected


def test_nulls_stay_nulls() -> None:
    text = f"{ABC}[long(null), 1, 1, 5, long(null), 1] | project a + b, a * b * i, a - 1"
    assert answer(text)[1] == [[None, None, None], [None, None, 4]]


def test_sums_are_cut_too() -> None:
    text = f"datatable(a: long, k: string)[{MOST}, 'x', 1, 'x', 5, 'y', long(null), 'z'] | summarize sum(a) by k | sort by k asc"
    assert answer(text)[1] == [["x", -MOST - 1], ["y", 5], ["z", 0]]
    assert answer(f"print a = {MOST} | summarize s = sum(a + 1), t = sumif(a, true) + 2")[1] == [
        [-MOST - 1, -MOST]
    ]


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        ("a + b", True),
        ("a * 2", True),
        ("i + i", False),
        ("i * 1000", False),
        ("strlen('x') * 8", False),
        ("i * a", True),
    ],
)
def test_nothing_is_asked_where_no_value_is_large_enough(expression: str, asked: bool) -> None:
    columns = (ColumnSymbol("a", LONG), ColumnSymbol("b", LONG), ColumnSymbol("i", INT))
    database = Database("d", {"T": TableSymbol("T", columns)})
    compiled = compile_query(Source("q", f"T | project r = {expression}"), database, now=0).compiled
    assert compiled is not None
    assert ("TRY(" in compiled.sql) is asked


def test_a_chain_is_tried_as_one() -> None:
    database = Database("d", {"T": TableSymbol("T", (ColumnSymbol("a", LONG),))})
    text = "T | project r = " + " + ".join(["a"] * 30)
    compiled = compile_query(Source("q", text), database, now=0).compiled
    assert compiled is not None
    assert compiled.sql.count("TRY(") == 1
    assert len(compiled.sql) < 2_000
