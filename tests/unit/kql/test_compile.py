"""The entry: names and types of columns, time ranges, time spans, parameters, promoted columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from aforo.kql.compile import Compiled, compile_query
from aforo.kql.symbols import ColumnSymbol, Database, PromotedPath, TableSymbol
from aforo.kql.ticks import TICKS_PER_DAY, TICKS_PER_H
from aforo.kql.types import LONG, STRING
from aforo.source import Source
from tests.support.kql_lab import DATABASE, NOW, lab


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return lab()


def _compiled(query: str, **options: object) -> Compiled:
    result = compile_query(Source("q", query), DATABASE, **{"now": NOW, **options})  # type: ignore[arg-type]
    assert result.compiled is not None, result.diagnostics
    return result.compiled


def _codes(query: str, database: Database = DATABASE) -> list[str]:
    return [d.code for d in compile_query(Source("q", query), database, now=NOW).diagnostics]


def _columns(query: str) -> list[tuple[str, str]]:
    return [(c.name, c.type.value) for c in _compiled(query).columns]


def test_automatic_names() -> None:
    query = (
        "ApiManagementGatewayLogs | summarize count(), countif(ResponseCode > 399), dcount(Url), sum(TotalTime), "
        "avg(TotalTime), percentile(TotalTime, 99.9), make_list(Url), make_set(Url), take_any(Url), sum(TotalTime * 2), "
        "round(avg(TotalTime), 1) by bin(TimeGenerated, 1h), tolower(Url), tostring(ResponseCode)"
    )
    assert [name for name, _ in _columns(query)] == [
        "TimeGenerated", "Column1", "ResponseCode", "count_", "countif_", "dcount_Url", "sum_TotalTime", "avg_TotalTime",
        "percentile_TotalTime_99_9", "list_Url", "set_Url", "Url", "sum_", "avg_TotalTime1",
    ]  # fmt: skip


def test_promoted_columns_are_hidden_from_the_schema() -> None:
    names = [name for name, _ in _columns("ApiManagementGatewayLogs | take 1")]
    assert names == [c.name for c in DATABASE.tables["ApiManagementGatewayLogs"].columns]


def test_a_promoted_path_is_not_parsed_without_a_flag() -> None:
    table = TableSymbol(
        "T", (ColumnSymbol("body", STRING),), (PromotedPath("body", ("a", "b"), "a_b", LONG),), ("a_b",)
    )
    result = compile_query(
        Source("q", "T | summarize sum(tolong(parse_json(body).a.b))"), Database("d", {"T": table}), now=0
    )
    assert result.compiled is not None
    assert '"a_b"' in result.compiled.sql
    assert "json" not in result.compiled.sql
    assert '"body"' not in result.compiled.sql


def test_time_ranges_come_from_the_conditions() -> None:
    day = "ApiManagementGatewayLogs | where TimeGenerated >= ago(1d)"
    assert _compiled(day).time_range == {"ApiManagementGatewayLogs": (NOW - TICKS_PER_DAY, None)}
    both = day + " | extend t = TimeGenerated | where t < ago(1h) | count"
    assert _compiled(both).time_range == {
        "ApiManagementGatewayLogs": (NOW - TICKS_PER_DAY, NOW - TICKS_PER_H)
    }
    assert _compiled(day + " or ResponseCode == 200").time_range == {"ApiManagementGatewayLogs": None}


def test_a_range_above_a_limit_or_a_window_is_no_bound() -> None:
    for step in ("take 5", "sort by TotalTime | extend n = row_number()"):
        query = f"ApiManagementGatewayLogs | {step} | where TimeGenerated > ago(1h)"
        assert _compiled(query).time_range == {"ApiManagementGatewayLogs": None}


def test_two_reads_of_a_table_need_the_wider_range() -> None:
    query = (
        "union (ApiManagementGatewayLogs | where TimeGenerated > ago(1d)), "
        "(ApiManagementGatewayLogs | where TimeGenerated > ago(1h))"
    )
    assert _compiled(query).time_range == {"ApiManagementGatewayLogs": (NOW - TICKS_PER_DAY, None)}


def test_a_timespan_limits_every_table(connection: duckdb.DuckDBPyConnection) -> None:
    start = datetime(2024, 1, 1, 10, 30, tzinfo=UTC)
    compiled = _compiled("ApiManagementGatewayLogs | count", timespan=(start, start + timedelta(hours=1)))
    assert connection.execute(compiled.sql).fetchall() == [(1,)]
    low, high = compiled.time_range["ApiManagementGatewayLogs"] or (None, None)
    assert high is not None
    assert low is not None
    assert high - low == TICKS_PER_H


def test_query_parameters(connection: duckdb.DuckDBPyConnection) -> None:
    query = "declare query_parameters(code: long, unused: string = 'x'); ApiManagementGatewayLogs | where ResponseCode == code | count"
    assert connection.execute(_compiled(query, parameters={"code": "429"}).sql).fetchall() == [(1,)]
    assert _codes(query) == ["KQL0207"]


def test_now_may_be_a_datetime() -> None:
    moment = datetime(2024, 1, 2, tzinfo=UTC)
    assert _compiled("print now()", now=moment).sql == _compiled("print now()", now=NOW).sql


def test_values_of_sql_and_cells_of_json(connection: duckdb.DuckDBPyConnection) -> None:
    compiled = _compiled(
        "print a = datetime(2024-01-02 00:00:00.5), b = 1h, c = decimal(1.50), d = real(nan), e = dynamic({'x': [1]}), "
        "f = 'q\"\\n', g = long(null), h = true, i = guid(74be27de-1e4e-49d9-b579-fe0b331d3642), j = dynamic('text')"
    )
    (cells,) = [json.loads(row) for (row,) in connection.execute(compiled.json_sql).fetchall()]
    assert cells == [
        "2024-01-02T00:00:00.5Z", "01:00:00", "1.5", "NaN", '{"x":[1]}', 'q"\n', None, True,
        "74be27de-1e4e-49d9-b579-fe0b331d3642", "text",
    ]  # fmt: skip
    ((moment, span, *_),) = connection.execute(compiled.sql).fetchall()
    assert (moment, span) == (NOW + 5_000_000, TICKS_PER_H)


def test_the_tables_that_are_read() -> None:
    query = "ApiManagementGatewayLogs | join kind=inner ApiManagementGatewayLlmLog on CorrelationId | count"
    assert _compiled(query).tables == ("ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("Nowhere | take 1", "KQL0202"),
        ("workspace('w').ApiManagementGatewayLogs", "KQL0904"),
        ("ApiManagementGatewayLogs | where Url == 5.5", "KQL0302"),
        ("ApiManagementGatewayLogs | where TimeGenerated > 'soon'", "KQL0302"),
        ("ApiManagementGatewayLogs | where sum(TotalTime) > 1", "KQL0305"),
        ("ApiManagementGatewayLogs | summarize sum(Url)", "KQL0301"),
        ("ApiManagementGatewayLogs | extend x = 1h * parse_json(Url).a", "KQL0302"),
        ("ApiManagementGatewayLogs | summarize count() by parse_json(Url).a", "KQL0301"),
        ("ApiManagementGatewayLogs | project Url, Url = 1, Url = 2", "KQL0204"),
        ("ApiManagementGatewayLogs | join kind=sideways (AzureDiagnostics) on Category", "KQL0101"),
        ("ApiManagementGatewayLogs | project substring(Url)", "KQL0303"),
        ("let a = (x: long) { a(x) }; print a(1)", "KQL0203"),
        ("print datetime(2024-99-01)", "KQL0104"),
        ("print x", "KQL0201"),
    ],
)
def test_mistakes(query: str, code: str) -> None:
    assert code in _codes(query)


def test_engine_text_is_never_the_authors() -> None:
    """A text from the query stays a text in SQL, whatever it holds."""
    hostile = "x'); DROP TABLE T; --"
    compiled = _compiled(f'print "{hostile}"')
    assert compiled.sql.count("DROP") == 1
    assert "'x''); DROP TABLE T; --'" in compiled.sql


def test_mistakes_in_a_saved_function_are_told_at_its_call() -> None:
    database = Database(
        "d",
        DATABASE.tables,
        {"Odd": "() { ApiManagementGatewayLogs | where Nothing > 1 }", "Torn": "() { T | }"},
    )
    (mistake,) = compile_query(Source("q", "Odd | take 1"), database, now=0).diagnostics
    assert (mistake.code, mistake.span.start, mistake.span.end) == ("KQL0201", 0, 3)
    assert mistake.message.startswith("in the saved function 'Odd'")
    assert "KQL0208" in _codes("Torn()", database)


def test_a_saved_function_of_one_value(connection: duckdb.DuckDBPyConnection) -> None:
    database = Database("d", {}, {"twice": "(x: long) { x * 2 }"})
    compiled = compile_query(Source("q", "print twice(21)"), database, now=0).compiled
    assert compiled is not None
    assert connection.execute(compiled.sql).fetchall() == [(42,)]


@pytest.mark.parametrize("query", ['print "\\ud800"', "print '\ud800'", 'print dynamic({"a": "\\ud800"})'])
def test_half_a_character_is_refused(query: str) -> None:
    assert _codes(query)[0] in ("KQL0007", "KQL0104")


def test_two_halves_are_a_character(connection: duckdb.DuckDBPyConnection) -> None:
    assert connection.execute(_compiled('print "\\ud83d\\ude00"').sql).fetchall() == [("\U0001f600",)]


def test_a_null_is_not_a_mistake(connection: duckdb.DuckDBPyConnection) -> None:
    query = "datatable(a: long)[1, 2] | where a between (dynamic(null) .. 5) or a in (dynamic(null)) | count"
    assert connection.execute(_compiled(query).sql).fetchall() == [(0,)]


def test_a_row_count_below_zero_is_told_at_its_place_before_anything_runs() -> None:
    query = "let n = -5; ApiManagementGatewayLogs | take n"
    (mistake,) = compile_query(Source("q", query), DATABASE, now=NOW).diagnostics
    assert (mistake.code, mistake.span.start) == ("KQL0312", query.rindex("n"))
    assert _codes("ApiManagementGatewayLogs | take 0") == []


def test_a_row_count_of_a_query_is_checked_when_it_runs(connection: duckdb.DuckDBPyConnection) -> None:
    query = "ApiManagementGatewayLogs | take toscalar(print {}) | count"
    assert connection.execute(_compiled(query.format(3)).sql).fetchall() == [(3,)]
    for wrong in ("-3", "long(null)"):
        with pytest.raises(duckdb.InvalidInputException, match="number of rows"):
            connection.execute(_compiled(query.format(wrong)).sql)


@pytest.mark.parametrize(
    "text", ["9" * 6000, "9" * 6000 + "d", "9" * 6000 + ".5d", f"timespan({'9' * 6000})"]
)
def test_numbers_of_absurd_length_are_out_of_range(text: str) -> None:
    assert _codes(f"print {text}") in (["KQL0108"], ["KQL0104"])


def test_many_calls_with_wrong_arguments_are_not_taken_for_endless_ones() -> None:
    assert set(_codes("let f = (x: long) { x }; print " + ", ".join(["f(1, 2)"] * 80))) == {"KQL0303"}
