"""A subquery over parts at once answers as the same subquery over each part alone."""

from __future__ import annotations

import json
import random

import pytest

from tests.support.kql_run import answer

KEYS = "abc"
SUBQUERIES = [
    "top 2 by v, t",
    "summarize s = sum(v), n = count() by t",
    "summarize s = sum(v)",
    "where v > 4 | sort by v asc, t asc | extend n = row_number(), c = row_cumsum(v), p = prev(v), x = next(t)",
    "distinct t",
    "count",
    "sort by v desc, t asc | take 3 | extend r = row_rank_dense(v)",
    "summarize arg_max(v, k)",
    "mv-expand x = range(1, v, 3) to typeof(long) | summarize sum(x)",
    "join kind=inner (datatable(t: string, w: long)['x', 1, 'y', 2, 'y', 3]) on t",
    "join kind=innerunique (datatable(t: string, w: long)['x', 1, 'y', 2]) on t | count",
    "join kind=leftouter (datatable(t: string, w: long)['x', 1]) on t | summarize count() by w",
    "join kind=leftanti (datatable(t: string, w: long)['x', 1]) on t | count",
    "top-nested 1 of t by sum(v)",
    "make-series s = sum(v) on v from 0 to 10 step 5",
    "sort by v asc, t asc | scan declare (c: long = 0) with (step s: true => c = v + s.c;)",
    "sort by v asc, t asc | extend s = row_window_session(v, 4, 2)",
    "mv-apply y = range(1, v, 1) to typeof(long) on (summarize z = sum(y)) | summarize max(z)",
    "evaluate narrow() | count",
    "sort by v asc, t asc | evaluate rows_near(t == 'x', 1)",
    "search 'x' | count",
    "where v in ((range v from 1 to 3 step 1)) | count",
    "partition hint.strategy=native by t (top 1 by v)",
    "project-away v | summarize n = count() by t | sort by n desc, t asc | take 1",
]


def _table() -> str:
    source = random.Random(7)
    rows = [(source.choice(KEYS), source.choice(["x", "y", ""]), source.randint(0, 9)) for _ in range(25)]
    cells = ", ".join(f'"{k}", "{t}", {v}' for k, t, v in rows)
    return f"let T = datatable(k: string, t: string, v: long)[{cells}];\n"


@pytest.mark.parametrize("subquery", SUBQUERIES)
def test_parts(subquery: str) -> None:
    columns, rows = answer(f"{_table()} T | partition hint.strategy=native by k ({subquery})")
    wanted: list[list[object]] = []
    for key in KEYS:
        own, found = answer(f"{_table()} T | where k == '{key}' | serialize | {subquery}")
        assert own == columns
        wanted += found
    assert sorted(map(json.dumps, rows)) == sorted(map(json.dumps, wanted))
