"""Questions over files as the product writes them: by its own writer, with promoted values, over several versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from deltalake import DeltaTable

from aforo.identity.access import Principal
from aforo.logs.audit import Asked, audit_row
from aforo.logs.delta import TableWriter
from aforo.logs.evaluate import Evaluator
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest, ResultColumn, TimeRange
from aforo.logs.rows import RowMaker
from aforo.logs.versions import TableVersion, TableVersions
from aforo.tables.gateway_logs import GATEWAY_LOGS
from aforo.tables.la_query_logs import LA_QUERY_LOGS
from tests.support.stored_tables import micros, write_rows

W = "11111111-1111-1111-1111-111111111111"
V = "22222222-2222-2222-2222-222222222222"
START = datetime(2026, 11, 22, 10, tzinfo=UTC)


class Files:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.evaluator = Evaluator(TableVersions(root), memory_bytes=1 << 28, threads=1)

    def answer(self, text: str, **more: Any) -> QueryAnswer:
        given = {"workspace_ids": (W,), "now_us": micros(START)} | more
        return self.evaluator.answer(QueryRequest(text=text, **given))

    def rows(self, text: str, **more: Any) -> list[list[Any]]:
        answer = self.answer(text, **more)
        assert answer.outcome is Outcome.OK, (answer.message, answer.mistakes)
        rows: list[list[Any]] = orjson.loads(b"[" + answer.rows + b"]")
        assert len(rows) == answer.row_count
        return rows


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_what_the_writer_writes_a_query_reads(files: Files) -> None:
    asked = Asked(
        principal=Principal("oid", "cid", "somebody"),
        correlation_id="c1",
        client_app="tool",
        target="/ws",
        workspaces=("/ws",),
        resources=(),
        text="T | count",
        timespan=TimeRange(micros(START), None),
        began=START.timestamp() + 0.25,
        ended=START.timestamp() + 0.5,
        status=200,
    )
    answer = QueryAnswer(outcome=Outcome.OK, columns=(ResultColumn("a", "long"),), row_count=7, tables=("T",))
    made = RowMaker(LA_QUERY_LOGS)
    row = made.make(audit_row(asked, answer, "tenant", W), time_us=0, size_bytes=10)
    assert made.odd == set()
    TableWriter(files.root / W / LA_QUERY_LOGS.name, LA_QUERY_LOGS, W).append([row], {"spool": 1})
    found = files.rows(
        "LAQueryLogs | project TimeGenerated, AADEmail, QueryText, QueryTimeRangeStart, QueryTimeRangeEnd, "
        "ResponseDurationMs, ResponseRowCount, TablesRead[0], TenantId, Type"
    )
    assert found == [
        [
            "2026-11-22T10:00:00.25Z", "somebody", "T | count", "2026-11-22T10:00:00Z", None, 250.0, 7, "T", W,
            "LAQueryLogs",
        ]
    ]  # fmt: skip


BODIES = {
    "TimeGenerated": "datetime",
    "CorrelationId": "string",
    "BackendResponseBody": "string",
    "_ResourceId": "string",
}
PROMOTED = {
    "_BackendResponseBody_model": "string",
    "_BackendResponseBody_prompt_tokens": "long",
    "_BackendResponseBody_completion_tokens": "long",
    "_BackendResponseBody_total_tokens": "long",
    "_BackendResponseBody_finish_reason": "string",
    "_BackendResponseBody_odd": "bool",
}
TOKENS = (
    "ApiManagementGatewayLogs | project CorrelationId, "
    "t = tolong(parse_json(BackendResponseBody)['usage']['total_tokens']), "
    "m = tostring(parse_json(BackendResponseBody).model) | order by CorrelationId asc"
)


def body(total: Any, model: Any = "m") -> str:
    return orjson.dumps({"model": model, "usage": {"total_tokens": total}}).decode()


def call(number: int, text: str, **promoted: Any) -> dict[str, Any]:
    about = {"TimeGenerated": START + timedelta(seconds=number), "CorrelationId": f"c{number}"}
    return about | {"BackendResponseBody": text, "_ResourceId": "/subscriptions/s/a"} | promoted


def clean(number: int, total: int) -> dict[str, Any]:
    promoted = {"_BackendResponseBody_model": "m", "_BackendResponseBody_total_tokens": total}
    return call(number, body(total), **promoted, _BackendResponseBody_odd=False)


def test_promoted_values_are_taken_at_their_word_where_no_flag_is_set(files: Files) -> None:
    # The text says something else on purpose: it must not have been read.
    lying = clean(1, 10) | {"BackendResponseBody": body(99)}
    write_rows(files.root, W, GATEWAY_LOGS.name, BODIES | PROMOTED, [lying])
    assert files.rows(TOKENS) == [["c1", 10, "m"]]


def test_rows_whose_flag_is_set_or_missing_are_read_from_their_text(files: Files) -> None:
    write_rows(files.root, W, GATEWAY_LOGS.name, BODIES | PROMOTED, [clean(1, 10)])
    assert files.rows(TOKENS) == [["c1", 10, "m"]]
    odd = call(2, body("20", model=5), _BackendResponseBody_odd=True)
    write_rows(files.root, W, GATEWAY_LOGS.name, BODIES | PROMOTED, [odd, clean(3, 30)])
    write_rows(files.root, W, GATEWAY_LOGS.name, BODIES, [call(4, body(40))])
    assert files.rows(TOKENS) == [["c1", 10, "m"], ["c2", 20, "5"], ["c3", 30, "m"], ["c4", 40, "m"]]


def test_files_from_before_any_promotion_are_read_from_their_text(files: Files) -> None:
    write_rows(files.root, W, GATEWAY_LOGS.name, BODIES, [call(1, body(40))])
    assert files.rows(TOKENS) == [["c1", 40, "m"]]


def test_columns_that_a_table_has_grown_can_be_asked(files: Files) -> None:
    columns = {"TimeGenerated": "datetime", "Category": "string"}
    write_rows(files.root, W, "AzureDiagnostics", columns, [{"TimeGenerated": START, "Category": "old"}])
    grown = columns | {"extra_s": "string", "extra_d": "real", "extra_b": "bool"}
    row = {"TimeGenerated": START, "Category": "new", "extra_s": "x", "extra_d": 1.5, "extra_b": True}
    write_rows(files.root, W, "AzureDiagnostics", grown, [row])
    text = "AzureDiagnostics | project Category, extra_s, extra_d, extra_b | order by Category asc"
    assert files.rows(text) == [["new", "x", 1.5, True], ["old", "", None, None]]
    # Also where the text does not spell the table out.
    assert files.rows("union Azure* | where extra_d > 1 | project Category") == [["new"]]


def test_several_workspaces_are_one_table(files: Files) -> None:
    columns = {"TimeGenerated": "datetime", "A": "string"}
    write_rows(files.root, W, "T_CL", columns, [{"TimeGenerated": START, "A": "one"}])
    write_rows(files.root, V, "T_CL", columns | {"B": "long"}, [{"TimeGenerated": START, "A": "two", "B": 2}])
    text = "T_CL | project A, B | order by A asc"
    assert files.rows(text, workspace_ids=(W, V)) == [["one", None], ["two", 2]]
    assert files.rows("T_CL | project A", readable={W: ("T_CL",), V: ()}, workspace_ids=(W, V)) == [["one"]]


def test_only_rows_of_the_resource_are_seen(files: Files) -> None:
    rows = [
        call(1, body(1)),
        call(2, body(2)) | {"_ResourceId": "/subscriptions/s/A/below"},
        call(3, body(3)) | {"_ResourceId": "/subscriptions/s/abc"},
    ]
    write_rows(files.root, W, GATEWAY_LOGS.name, BODIES, rows)
    text = "ApiManagementGatewayLogs | project CorrelationId | order by CorrelationId asc"
    assert files.rows(text, resource_scopes=("/subscriptions/s/a",)) == [["c1"], ["c2"]]
    assert files.rows("ApiManagementGatewayLogs | count", resource_scopes=("/subscriptions/s/abc",)) == [[1]]
    # A table that does not say whose its rows are shows none of them.
    write_rows(files.root, W, "T_CL", {"TimeGenerated": "datetime"}, [{"TimeGenerated": START}])
    assert files.rows("T_CL | count", resource_scopes=("/subscriptions/s/a",)) == [[0]]


def test_files_outside_the_asked_time_are_not_read(files: Files) -> None:
    columns = {"TimeGenerated": "datetime", "A": "string"}
    for hour in range(5):
        row = {"TimeGenerated": START + timedelta(hours=hour), "A": f"h{hour}"}
        write_rows(files.root, W, "T_CL", columns, [row])
    answer = files.answer("T_CL | where TimeGenerated >= datetime(2026-11-22T13:00:00Z) | count")
    assert (answer.rows, answer.statistics.files) == (b"[2]", (2, 5))
    within = TimeRange(micros(START + timedelta(hours=1)), micros(START + timedelta(hours=2)))
    answer = files.answer("T_CL | count", timespan=within)
    assert (answer.rows, answer.statistics.files) == (b"[2]", (2, 5))


class Compacting(TableVersions):
    """Compaction and clean-up come right after the first look at the log."""

    tidied = False

    def latest(self, workspace_id: str, table: str) -> TableVersion | None:
        version = super().latest(workspace_id, table)
        if not self.tidied:
            self.tidied = True
            delta = DeltaTable(self.root / workspace_id / table)
            delta.optimize.compact()
            delta.vacuum(0, dry_run=False, enforce_retention_duration=False)
        return version


def test_files_that_are_compacted_away_under_a_query_are_no_failure(tmp_path: Path) -> None:
    columns = {"TimeGenerated": "datetime", "A": "string"}
    for _ in range(3):
        write_rows(tmp_path, W, "T_CL", columns, [{"TimeGenerated": START, "A": "a"}])
    files = Files(tmp_path)
    versions = Compacting(tmp_path)
    files.evaluator = Evaluator(versions, memory_bytes=1 << 28, threads=1)
    assert files.rows("T_CL | summarize count() by A") == [["a", 3]]
    assert versions.tidied


def test_a_table_that_lacks_a_file_fails_with_an_id(files: Files) -> None:
    columns = {"TimeGenerated": "datetime", "A": "string"}
    write_rows(files.root, W, "T_CL", columns, [{"TimeGenerated": START, "A": "a"}])
    for file in (files.root / W / "T_CL").glob("*.parquet"):
        file.unlink()
    answer = files.answer("T_CL | project A")
    assert answer.outcome is Outcome.FAILED
    assert "the log has it under" in answer.message


def test_the_schema_is_told_with_grown_columns(files: Files) -> None:
    write_rows(
        files.root, W, "T_CL", {"TimeGenerated": "datetime", "n": "long"}, [{"TimeGenerated": START, "n": 1}]
    )
    rows = [r for r in files.rows("", describe=True) if r[0] in ("T_CL", "ApiManagementGatewayLogs")]
    assert [r[3:5] for r in rows if r[0] == "T_CL"] == [["TimeGenerated", "datetime"], ["n", "long"]]
    names = [r[3] for r in rows if r[0] == "ApiManagementGatewayLogs"]
    assert "BackendResponseBody" in names
    assert not [n for n in names if n.startswith("_BackendResponseBody")]


def test_hidden_columns_cannot_be_named(files: Files) -> None:
    answer = files.answer("ApiManagementGatewayLogs | project _BackendResponseBody_odd")
    assert answer.outcome is Outcome.INVALID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|",
        "T | where (",
        "'",
        "T_CL | where A == 'x'; drop table T_CL",
        "T_CL'); SELECT 1; --",
        "print x = '\"; DROP VIEW x; --'",
        "let x = 1;",
        "\x00",
        "((((((((((" * 200,
        "externaldata(x:string)['file:///etc/hosts']",
        "T_CL | project ['a\"b']",
    ],
)
def test_no_text_makes_it_fail(files: Files, text: str) -> None:
    write_rows(
        files.root,
        W,
        "T_CL",
        {"TimeGenerated": "datetime", "A": "string"},
        [{"TimeGenerated": START, "A": "a"}],
    )
    answer = files.answer(text)
    assert answer.outcome in (Outcome.OK, Outcome.INVALID)
    if answer.outcome is Outcome.INVALID:
        assert answer.errors
    assert files.rows("T_CL | count") == [[1]]


def test_the_newest_rows_are_found_without_reading_all_bodies(files: Files) -> None:
    """A thousand of forty thousand calls, whose bodies together are more than the memory of a query."""
    columns = {"TimeGenerated": "datetime", "BackendResponseBody": "string", "RequestBody": "string"}
    for part in range(4):
        numbers = range(part * 10_000, (part + 1) * 10_000)
        rows = [
            {
                "TimeGenerated": START + timedelta(seconds=n),
                "BackendResponseBody": f"{n}" + "x" * 16_000,
                "RequestBody": f"{n}",
            }
            for n in numbers
        ]
        write_rows(files.root, W, GATEWAY_LOGS.name, columns, rows)
    newest = f"{GATEWAY_LOGS.name} | sort by TimeGenerated desc | take 1000 | project RequestBody, BackendResponseBody"
    found = files.rows(newest)
    assert [(number, len(body)) for number, body in found] == [
        (str(n), 16_005) for n in range(39_999, 38_999, -1)
    ]
