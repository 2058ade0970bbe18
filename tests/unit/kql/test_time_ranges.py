"""Which files and row groups a query can skip: ranges of `TimeGenerated` follow from conditions of every form, through
renames, unions, joins and groups; and where rows outside the range matter, there is none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from aforo.kql.compile import Compiled, compile_query
from aforo.kql.sql.duckdb.prepare import prepare
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.ticks import TICKS_PER_DAY, TICKS_PER_H, TICKS_PER_US, UNIX_EPOCH, from_datetime
from aforo.kql.time_ranges import TimeRange
from aforo.kql.types import KqlType
from aforo.source import Source

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = from_datetime(datetime(2026, 3, 10, 12, 30, tzinfo=UTC))
DAY5 = from_datetime(datetime(2026, 3, 5, tzinfo=UTC))
COLUMNS = (
    ColumnSymbol("TimeGenerated", KqlType.DATETIME),
    ColumnSymbol("Id", KqlType.LONG),
    ColumnSymbol("Name", KqlType.STRING),
)
DATABASE = Database("logs", {n: TableSymbol(n, COLUMNS) for n in ("T", "U")})


def _compiled(text: str) -> Compiled:
    result = compile_query(Source("q", text), DATABASE, now=NOW)
    assert result.compiled is not None, result.diagnostics
    return result.compiled


def _days(first: float, last: float, less: int = 0) -> TimeRange:
    """From the start of a day of March to the start of another, as far as they are given."""
    base = from_datetime(START) - TICKS_PER_DAY
    return base + round(first * TICKS_PER_DAY), base + round(last * TICKS_PER_DAY) - less


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    """Twelve days of rows in each table, four a day, a few without a time."""
    made = duckdb.connect()
    prepare(made)
    rows = [(START + timedelta(hours=6 * i), i, f"n{i % 3}") for i in range(48)]
    for name in ("T", "U"):
        made.execute(f'CREATE TABLE "{name}" ("TimeGenerated" TIMESTAMPTZ, "Id" BIGINT, "Name" VARCHAR)')
        made.executemany(
            f'INSERT INTO "{name}" VALUES (?, ?, ?)', [*rows, (None, 100, None), (None, 101, "n1")]
        )
    return made


# A condition on one row of T, and the range that it leaves.
CONDITIONS = {
    "bin(TimeGenerated, 1d) == datetime(2026-03-05)": _days(5, 6, 1),
    "bin(TimeGenerated, 1d) < datetime(2026-03-05)": (None, _days(5, 5, 1)[1]),
    "bin(TimeGenerated, 1d) > datetime(2026-03-05)": (DAY5 + 1, None),
    "bin(TimeGenerated, 1d) >= ago(1d)": (NOW - TICKS_PER_DAY, None),
    "bin(TimeGenerated, 1h) between (datetime(2026-03-05) .. datetime(2026-03-06))": (
        DAY5,
        DAY5 + TICKS_PER_DAY + TICKS_PER_H - 1,
    ),
    "bin_at(TimeGenerated, 1d, datetime(2026-01-01 06:00)) == datetime(2026-03-05 06:00)": _days(
        5.25, 6.25, 1
    ),
    "startofday(TimeGenerated) == datetime(2026-03-05)": _days(5, 6, 1),
    "datetime(2026-03-05) == startofday(TimeGenerated)": _days(5, 6, 1),
    "startofday(TimeGenerated) in (datetime(2026-03-05), datetime(2026-03-07))": _days(5, 8, 1),
    "startofweek(TimeGenerated) == datetime(2026-03-01)": _days(1, 8, 1),
    "startofmonth(TimeGenerated) == datetime(2026-03-01)": _days(1, 32, 1),
    "startofyear(TimeGenerated) == datetime(2026-01-01)": _days(1 - 59, 1 - 59 + 366, 1),
    "endofday(TimeGenerated) == datetime(2026-03-05 23:59:59.9999999)": _days(5, 6, 1),
    "endofday(TimeGenerated) <= datetime(2026-03-05 23:59:59.9999999)": (None, _days(5, 6, 1)[1]),
    "getyear(TimeGenerated) == 2026": _days(1 - 59, 1 - 59 + 365, 1),
    "datetime_part('year', TimeGenerated) >= 2026": (_days(1 - 59, 1)[0], None),
    "TimeGenerated in (datetime(2026-03-05), datetime(2026-03-07))": _days(5, 7),
    "TimeGenerated between (datetime(2026-03-05) .. 2d)": _days(5, 7),
    "TimeGenerated + 1d >= datetime(2026-03-05)": (_days(4, 4)[0], None),
    "TimeGenerated - 1d < datetime(2026-03-05)": (None, _days(6, 6, 1)[1]),
    "now() - TimeGenerated < 5d": (NOW - 5 * TICKS_PER_DAY + 1, None),
    "TimeGenerated - datetime(2026-03-05) >= 12h": (DAY5 + 12 * TICKS_PER_H, None),
    "TimeGenerated > datetime(2026-03-07) or TimeGenerated > datetime(2026-03-05)": (DAY5, None),
    "TimeGenerated > datetime(2026-03-05) and Id > 3 or TimeGenerated == datetime(2026-03-02)": (
        _days(2, 2)[0],
        None,
    ),
    # These say nothing.
    "TimeGenerated > datetime(2026-03-05) or Id > 3": None,
    "not(TimeGenerated > datetime(2026-03-05))": None,
    "TimeGenerated != datetime(2026-03-05)": None,
    "TimeGenerated !between (datetime(2026-03-05) .. 2d)": None,
    "TimeGenerated !in (datetime(2026-03-05))": None,
    "hourofday(TimeGenerated) == 6": None,
    "isnull(TimeGenerated)": None,
    "iff(Id > 3, TimeGenerated, now()) > datetime(2026-03-05)": None,
    "Id > 3": None,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_a_condition_leaves(connection: duckdb.DuckDBPyConnection, condition: str) -> None:
    expected = CONDITIONS[condition]
    compiled = _compiled(f"T | where {condition} | project Id, TimeGenerated")
    assert compiled.time_range == {"T": expected}
    # The rows are those for which the condition holds when nothing is known about ranges.
    plain = _compiled(f"T | extend ok = {condition} | where ok | project Id, TimeGenerated")
    hidden = _compiled(
        f"T | serialize ok = {condition} | extend n = row_number() | where ok | project Id, TimeGenerated"
    )
    assert hidden.time_range == {"T": None}
    rows = sorted(connection.execute(compiled.sql).fetchall(), key=repr)
    assert rows == sorted(connection.execute(plain.sql).fetchall(), key=repr)
    assert rows == sorted(connection.execute(hidden.sql).fetchall(), key=repr)
    if expected is not None:
        low, high = expected
        for _, ticks in rows:
            assert low is None or ticks >= low
            assert high is None or ticks <= high


SINCE5 = "where TimeGenerated >= datetime(2026-03-05)"
FROM5: TimeRange = (DAY5, None)
# A query, and the range of each table that it reads.
QUERIES: dict[str, dict[str, TimeRange | None]] = {
    "T | extend d = startofday(TimeGenerated) | where d == datetime(2026-03-05)": {"T": _days(5, 6, 1)},
    "T | project-rename At = TimeGenerated | where bin(At, 1d) == datetime(2026-03-05)": {
        "T": _days(5, 6, 1)
    },
    f"T | summarize count() by bin(TimeGenerated, 1d) | {SINCE5}": {"T": FROM5},
    "T | summarize n = count() by Name, Day = startofday(TimeGenerated) | where Day < datetime(2026-03-05)": {
        "T": (None, DAY5 + TICKS_PER_DAY - 1)
    },
    f"T | summarize TimeGenerated = max(TimeGenerated) by Name | {SINCE5}": {"T": None},
    f"T | distinct TimeGenerated | {SINCE5}": {"T": FROM5},
    f"union T, U | {SINCE5} | count": {"T": FROM5, "U": FROM5},
    f"union (T | where TimeGenerated < datetime(2026-03-07)), U | {SINCE5} | count": {
        "T": _days(5, 7),
        "U": FROM5,
    },
    f"T | join kind=inner (U) on Id | {SINCE5}": {"T": FROM5, "U": None},
    "T | join kind=inner (U) on Id | where TimeGenerated1 >= datetime(2026-03-05)": {"T": None, "U": FROM5},
    f"T | join kind=leftouter (U) on Id | {SINCE5}": {"T": FROM5, "U": None},
    "T | join kind=leftouter (U) on Id | where TimeGenerated1 >= datetime(2026-03-05)": {
        "T": None,
        "U": None,
    },
    "T | join kind=rightouter (U) on Id | where TimeGenerated1 >= datetime(2026-03-05)": {
        "T": None,
        "U": FROM5,
    },
    f"T | join kind=fullouter (U) on Id | {SINCE5}": {"T": None, "U": None},
    f"T | join kind=leftanti (U) on Id | {SINCE5}": {"T": FROM5, "U": None},
    f"T | join kind=leftsemi (U | {SINCE5}) on Id": {"T": None, "U": FROM5},
    f"T | join (U) on Name | {SINCE5}": {"T": None, "U": None},
    "T | join (U) on Name | where TimeGenerated1 >= datetime(2026-03-05)": {"T": None, "U": FROM5},
    f"T | lookup (U | project Name, At = TimeGenerated) on Name | {SINCE5}": {"T": FROM5, "U": None},
    f"T | take 5 | {SINCE5}": {"T": None},
    f"T | top 3 by Id | {SINCE5}": {"T": None},
    f"T | sort by TimeGenerated asc | serialize n = row_number() | {SINCE5}": {"T": None},
    f"T | summarize count() | extend TimeGenerated = now() | {SINCE5}": {"T": None},
    f"T | mv-expand x = dynamic([1, 2]) | {SINCE5}": {"T": FROM5},
    "let f = (n: timespan) { T | where TimeGenerated > ago(n) }; f(1d) | count": {
        "T": (NOW - TICKS_PER_DAY, None)
    },
    "let since = startofday(ago(2d)); T | where TimeGenerated >= since | count": {
        "T": (_days(8, 8)[0], None)
    },
    f"let t = materialize(T); union (t | {SINCE5}), (t | where TimeGenerated < datetime(2026-03-02)) | count": {
        "T": None
    },
    f"let t = T; t | {SINCE5} | join kind=inner (t | where bin(TimeGenerated, 1d) == datetime(2026-03-03)) on Name": {
        "T": (_days(3, 3)[0], None)
    },
    "U | where Id in ((T | where bin(TimeGenerated, 1d) == datetime(2026-03-05) | project Id))": {
        "U": None,
        "T": _days(5, 6, 1),
    },
    f"U | where Id == toscalar(T | {SINCE5} | summarize max(Id))": {"U": None, "T": FROM5},
}


@pytest.mark.parametrize("query", QUERIES)
def test_how_far_a_range_reaches(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    compiled = _compiled(query)
    assert compiled.time_range == QUERIES[query]
    # What lies outside of the range is not there when the query really runs: the answer must not know the difference.
    whole = connection.execute(compiled.sql).fetchall()
    kept = ", ".join(
        f'"{table}" AS (SELECT * FROM memory.main."{table}" WHERE {_within(span)})'
        for table, span in compiled.time_range.items()
    )
    fewer = connection.execute(f"WITH {kept} {compiled.sql}").fetchall()
    assert sorted(fewer, key=repr) == sorted(whole, key=repr)


def _within(span: TimeRange | None) -> str:
    low, high = span or (None, None)
    ends = [f"epoch_us(\"TimeGenerated\") {op} {(end - UNIX_EPOCH) // TICKS_PER_US}" for op, end in ((">=", low), ("<=", high)) if end is not None]  # fmt: skip
    return " AND ".join(ends) or "true"


def test_what_follows_is_said_where_the_rows_are_read() -> None:
    """A comparison of the column itself with a constant: by it the engine skips row groups."""
    sql = _compiled("T | where bin(TimeGenerated, 1d) == datetime(2026-03-05) | count").sql
    assert "\"TimeGenerated\" >= CAST('2026-03-05 00:00:00.000000+00' AS TIMESTAMPTZ)" in sql
    assert "\"TimeGenerated\" <= CAST('2026-03-05 23:59:59.999999+00' AS TIMESTAMPTZ)" in sql
    once = _compiled("T | where TimeGenerated > datetime(2026-03-05) | count").sql
    assert once.count("TIMESTAMPTZ") == 1
