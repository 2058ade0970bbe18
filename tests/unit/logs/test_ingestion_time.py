"""`ingestion_time()`: when a row came into its table, over files as the product's writer writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from arro3.core import Array, DataType, RecordBatch, Schema
from deltalake import DeltaTable, write_deltalake

from aforo.logs.columns import DAY, arrow_schema
from aforo.logs.delta import TableWriter
from aforo.logs.evaluate import Evaluator
from aforo.logs.metadata import asked_table
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from aforo.logs.retention import Maintenance
from aforo.logs.versions import TableVersions
from aforo.tables.schema import Column, ColumnType, Table
from aforo.tables.standard import INGESTED, STANDARD, TIME
from tests.support.stored_tables import micros, write_rows

W = "11111111-1111-1111-1111-111111111111"
V = "22222222-2222-2222-2222-222222222222"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HAPPENED = NOW - timedelta(days=1)
T = Table(
    "T_CL", "", (TIME, Column("Name", ColumnType.STRING, ""), Column("N", ColumnType.LONG, ""), *STANDARD)
)
U = Table("U_CL", "", T.columns)


def row(name: str, number: int) -> tuple[Any, ...]:
    return (micros(HAPPENED), name, number, "/r", "s", 1.0, "true")


def late(minutes: float) -> float:
    """Unix seconds so many minutes before the question."""
    return (NOW - timedelta(minutes=minutes)).timestamp()


class Files:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.evaluator = Evaluator(
            TableVersions(root), memory_bytes=1 << 28, threads=1, declared={"T_CL": T, "U_CL": U}
        )

    def append(self, table: Table, minutes: float, *rows: tuple[Any, ...], workspace: str = W) -> None:
        writer = TableWriter(
            self.root / workspace / table.name, table, workspace, clock=lambda: late(minutes)
        )
        writer.append(rows, {})

    def answer(self, text: str, **more: Any) -> QueryAnswer:
        given = {"workspace_ids": (W,), "now_us": micros(NOW)} | more
        return self.evaluator.answer(QueryRequest(text=text, **given))

    def rows(self, text: str, **more: Any) -> list[list[Any]]:
        answer = self.answer(text, **more)
        assert answer.outcome is Outcome.OK, (answer.message, answer.mistakes)
        rows: list[list[Any]] = orjson.loads(b"[" + answer.rows + b"]")
        return rows


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.append(T, 60, row("old", 1), row("old", 2))
    files.append(T, 2, row("new", 3))
    return files


@pytest.mark.parametrize(
    "query",
    [
        "T_CL | where ingestion_time() > ago(5m) | project N",
        "T_CL | extend at = ingestion_time() | where at > ago(5m) | project N",
        "T_CL | where N > 0 | extend M = N * 2 | sort by N asc | where ingestion_time() > ago(5m) | project N",
        "T_CL | project N, Twice = N * 2 | project Twice | where ingestion_time() > ago(5m) | project N = Twice / 2",
        "T_CL | parse Name with Head 'e' Rest | take 10 | where ingestion_time() > ago(5m) | project N",
        "T_CL | mv-expand x = dynamic([1]) | where ingestion_time() > ago(5m) | project N",
        "T_CL | serialize n = row_number() | where ingestion_time() > ago(5m) | project N",
        "let recent = (t: (*)) { t | where ingestion_time() > ago(5m) }; T_CL | invoke recent() | project N",
        "let M = materialize(T_CL | where N > 0); M | where ingestion_time() > ago(5m) | project N",
        "T_CL | where ingestion_time() == toscalar(T_CL | summarize max(ingestion_time())) | project N",
        "T_CL | summarize arg_max(ingestion_time(), N) | project N",
        "T_CL | top 1 by ingestion_time() desc | project N",
        "T_CL | where N in ((T_CL | where ingestion_time() > ago(5m) | project N)) | project N",
        "T_CL | join kind=leftsemi (T_CL | where Name == 'new') on N | where ingestion_time() > ago(5m) | project N",
        "union T_CL, (T_CL | where N > 5) | where ingestion_time() > ago(5m) | project N",
        "union T_CL, (union T_CL, T_CL | where Name == 'none') | where ingestion_time() > ago(5m) | project N",
        "search 'new' | where ingestion_time() > ago(5m) | project N",
        "T_CL | as X | where ingestion_time() > ago(5m) | project N",
        "T_CL | partition hint.strategy=native by Name (where ingestion_time() > ago(5m)) | project N",
        "T_CL | project-away N | where ingestion_time() > ago(5m) | summarize N = 2 + count()",
    ],
)
def test_it_is_the_time_of_the_row_wherever_the_row_is_still_one(files: Files, query: str) -> None:
    assert files.rows(query) == [[3]]


def test_it_says_when_and_is_called_as_kusto_calls_it(files: Files) -> None:
    answer = files.answer("T_CL | where N == 3 | project ingestion_time(), ingestion_time()")
    assert [(c.name, c.type) for c in answer.columns] == [
        ("$IngestionTime", "datetime"),
        ("$IngestionTime1", "datetime"),
    ]
    assert orjson.loads(answer.rows) == ["2026-11-22T09:58:00Z"] * 2
    grouped = files.answer("T_CL | summarize max(ingestion_time()), count() by Name")
    assert [c.name for c in grouped.columns] == ["Name", "max_$IngestionTime", "count_"]


def test_nobody_sees_the_column_that_holds_it(files: Files) -> None:
    names = [r[0] for r in files.rows("T_CL | getschema | project ColumnName")]
    assert names == [c.name for c in T.columns]
    assert [c.name for c in files.answer("T_CL").columns] == names
    assert "Ingestion" not in str(files.rows("T_CL | where N == 3 | project pack_all()"))
    assert files.answer("T_CL | project ['$IngestionTime']").outcome is Outcome.INVALID


def test_compaction_keeps_the_time_of_each_row(files: Files) -> None:
    path = files.root / W / "T_CL"
    DeltaTable(path).optimize.compact()
    assert len(DeltaTable(path).file_uris()) == 1
    assert files.rows("T_CL | summarize count() by ago = datetime_diff('minute', now(), ingestion_time()) | sort by ago") \
        == [[60, 2], [2, 1]]  # fmt: skip


def test_what_the_product_compacts_keeps_it_too(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for minute in range(30):
        files.append(T, minute, row("r", minute))
    path = tmp_path / W / "T_CL"
    before = len(DeltaTable(path).file_uris())
    Maintenance(tmp_path, retention_days=lambda _w, _t: 0).run_once()
    assert len(DeltaTable(path).file_uris()) < before == 30
    late_by = "T_CL | where datetime_diff('minute', now(), ingestion_time()) == N | count"
    assert files.rows(late_by) == [[30]]


def test_an_amended_row_keeps_its_time(files: Files) -> None:
    named = Table("T_CL", "", (*T.columns, Column("CorrelationId", ColumnType.STRING, "")))
    writer = TableWriter(files.root / W / "T_CL", named, W, clock=lambda: late(30))
    writer.append([(*row("amended", 9), "c9")], {})
    writer.amend({"Name": "after"}, ["c9"], since_us=micros(HAPPENED), until_us=micros(HAPPENED))
    assert files.rows("T_CL | where N == 9 | project Name, ingestion_time()") == [
        ["after", "2026-11-22T09:30:00Z"]
    ]


def test_rows_of_a_version_that_did_not_write_it_down_have_none(files: Files) -> None:
    columns = {"TimeGenerated": "datetime", "Name": "string", "N": "long"}
    write_rows(files.root, W, "U_CL", columns, [{"TimeGenerated": HAPPENED, "Name": "before", "N": 1}])
    assert files.rows("U_CL | project N, ingestion_time()") == [[1, None]]
    assert files.rows("union T_CL, U_CL | summarize count() by known = isnotnull(ingestion_time()) | sort by known asc") \
        == [[False, 1], [True, 3]]  # fmt: skip


def test_a_table_of_the_version_before_grows_into_it(tmp_path: Path) -> None:
    files = Files(tmp_path)
    path = tmp_path / W / "T_CL"
    fields = [f for f in map(arrow_schema(T).field, arrow_schema(T).names) if f.name != INGESTED]
    older = Schema(fields)
    path.mkdir(parents=True)
    DeltaTable.create(path, schema=older, partition_by=[DAY])
    values: dict[str, Any] = {"TimeGenerated": micros(HAPPENED), "Name": "before", "N": 7, DAY: 20_778}
    plain = {"TimeGenerated": DataType.int64(), DAY: DataType.int32()}
    arrays = [Array([values.get(f.name)], plain.get(f.name, f.type)).cast(f.type) for f in fields]
    write_deltalake(path, RecordBatch.from_arrays(arrays, schema=older), mode="append")
    assert files.rows("T_CL | project N, ingestion_time()") == [[7, None]]
    files.append(T, 2, row("new", 3))
    assert files.rows("T_CL | project N, ingestion_time() | sort by N") == [
        [7, None],
        [3, "2026-11-22T09:58:00Z"],
    ]


def test_what_has_no_time_is_null(files: Files) -> None:
    assert files.rows("T_CL | summarize count() by Name | where isnull(ingestion_time()) | count") == [[2]]
    assert files.rows("print x = 1 | extend at = ingestion_time() | project isnull(at)") == [[True]]
    assert files.rows("datatable(a: long)[1, 2] | where isnull(ingestion_time()) | count") == [[2]]
    assert files.rows("print ingestion_time()") == [[None]]


def test_it_is_refused_after_a_join_where_it_would_be_that_of_either_side(files: Files) -> None:
    answer = files.answer("T_CL | join kind=inner (T_CL) on N | where ingestion_time() > ago(5m)")
    assert answer.outcome is Outcome.INVALID
    assert "ingestion_time() of rows that a join has made" in answer.mistakes[0].message
    found = files.rows(
        "T_CL | extend at = ingestion_time() | join kind=inner (T_CL) on N | where at > ago(5m) | project N"
    )
    assert found == [[3]]


def test_it_is_of_each_workspace_its_own(files: Files) -> None:
    files.append(T, 1, row("other", 4), workspace=V)
    both = "T_CL | where ingestion_time() > ago(5m) | project N | sort by N asc"
    assert files.rows(both, workspace_ids=(W, V)) == [[3], [4]]


def test_a_table_without_files_has_nobody_to_ask() -> None:
    assert asked_table("T_CL", T, ()).symbol.ingested == ""
    assert asked_table("T_CL", T, ((INGESTED, "timestamp"),)).symbol.ingested == INGESTED
