"""Reading a version of a table: which files there are, which can be skipped, what a view over them gives."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from aforo.logs.metadata import AskedTable, asked_table
from aforo.logs.sandbox import name, open_sandbox, seal
from aforo.logs.versions import TableVersions
from aforo.tables.schema import Column, ColumnType, Promotion, Table
from tests.support.stored_tables import micros, write_rows

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
W = "11111111-1111-1111-1111-111111111111"
COLUMNS = {"TimeGenerated": "datetime", "A": "string", "N": "int"}


def rows(count: int, start: datetime = START) -> list[dict[str, object]]:
    return [{"TimeGenerated": start + timedelta(seconds=i), "A": f"a{i}", "N": i} for i in range(count)]


def test_a_table_without_files_has_no_version(tmp_path: Path) -> None:
    versions = TableVersions(tmp_path)
    assert versions.latest(W, "T") is None
    assert versions.names(W) == ()
    (tmp_path / W / "T").mkdir(parents=True)
    assert versions.latest(W, "T") is None


def test_a_row_committed_just_now_is_in_the_next_version(tmp_path: Path) -> None:
    write_rows(tmp_path, W, "T", COLUMNS, rows(3))
    versions = TableVersions(tmp_path)
    first = versions.latest(W, "T")
    assert first is not None
    assert versions.names(W) == ("T",)
    assert sum(f.rows for f in first.files) == 3
    assert versions.latest(W, "T") is first
    write_rows(tmp_path, W, "T", COLUMNS, rows(2))
    second = versions.latest(W, "T")
    assert second is not None
    assert sum(f.rows for f in second.files) == 5


def test_a_table_that_was_removed_and_made_anew_is_opened_again(tmp_path: Path) -> None:
    write_rows(tmp_path, W, "T", COLUMNS, rows(3))
    write_rows(tmp_path, W, "T", COLUMNS, rows(3))
    versions = TableVersions(tmp_path)
    versions.latest(W, "T")
    shutil.rmtree(tmp_path / W / "T")
    assert versions.latest(W, "T") is None
    write_rows(tmp_path, W, "T", COLUMNS, rows(1))
    latest = versions.latest(W, "T")
    assert latest is not None
    assert sum(f.rows for f in latest.files) == 1


def test_files_outside_a_time_range_are_skipped_and_none_inside(tmp_path: Path) -> None:
    for hour in range(4):
        write_rows(tmp_path, W, "T", COLUMNS, rows(10, START + timedelta(hours=hour)))
    version = TableVersions(tmp_path).latest(W, "T")
    assert version is not None
    hour = [micros(START + timedelta(hours=h)) for h in range(5)]
    assert len(version.between(None, None)) == 4
    assert len(version.between(hour[1], hour[2])) == 2
    assert len(version.between(hour[1], hour[2] - 1)) == 1
    assert len(version.between(hour[1], None)) == 3
    assert len(version.between(None, hour[1] - 1)) == 1
    assert version.between(hour[4], None) == ()


def test_statistics_cut_to_milliseconds_lose_no_row(tmp_path: Path) -> None:
    late = START + timedelta(microseconds=999)
    write_rows(tmp_path, W, "T", COLUMNS, [{"TimeGenerated": late, "A": "x", "N": 1}])
    version = TableVersions(tmp_path).latest(W, "T")
    assert version is not None
    assert len(version.between(micros(late), None)) == 1


DECLARED = Table(
    "T",
    "A table.",
    (
        Column("TimeGenerated", ColumnType.DATETIME, "When."),
        Column("A", ColumnType.STRING, "A."),
        Column("N", ColumnType.LONG, "N, wider than in old files."),
        Column("Later", ColumnType.STRING, "A column that old files lack."),
        Column("Body", ColumnType.STRING, "A body."),
        Column("_p", ColumnType.LONG, "Promoted.", hidden=True),
        Column("_pf", ColumnType.BOOL, "Its flag.", hidden=True),
    ),
    (Promotion("Body", ("x",), "_p", ColumnType.LONG, "_pf"),),
)


def every(table: AskedTable) -> str:
    """A query's SQL that names every column."""
    return " ".join(name(c) for c in (*(c.name for c in table.symbol.columns), *table.symbol.hidden))


def test_a_table_gives_the_declared_columns_whatever_the_files_have(tmp_path: Path) -> None:
    write_rows(tmp_path, W, "T", COLUMNS, rows(1))
    new = COLUMNS | {"Later": "string", "Body": "string", "_p": "long", "_pf": "bool", "grown_s": "string"}
    newer = {"TimeGenerated": START + timedelta(hours=1), "A": "new", "N": 7, "Later": "l", "Body": '{"x":1}'}
    write_rows(tmp_path, W, "T", new, [newer | {"_p": 1, "_pf": False, "grown_s": "g"}])
    version = TableVersions(tmp_path).latest(W, "T")
    assert version is not None
    table = asked_table("T", DECLARED, version.columns)
    assert [c.name for c in table.symbol.columns] == ["TimeGenerated", "A", "N", "Later", "Body", "grown_s"]
    connection = open_sandbox(1 << 28, 1)
    seal(connection, version.files)
    found = connection.execute(
        f"SELECT * FROM ({table.rows_sql(version.files, every(table))}) ORDER BY TimeGenerated"
    ).fetchall()
    names = [d[0] for d in connection.description or ()]
    old, young = (dict(zip(names, row, strict=True)) for row in found)
    assert old["TimeGenerated"] == START
    assert (old["N"], old["Later"], old["grown_s"], old["_p"]) == (0, None, None, None)
    # Without a flag the promoted value says nothing: the text must be asked.
    assert old["_pf"] is True
    assert (young["_p"], young["_pf"], young["grown_s"]) == (1, False, "g")


def test_a_declared_table_without_files_is_an_empty_table(tmp_path: Path) -> None:
    table = asked_table("T", DECLARED, ())
    connection = open_sandbox(1 << 28, 1)
    seal(connection, ())
    cursor = connection.execute(table.rows_sql((), every(table)))
    assert [d[0] for d in cursor.description][:5] == ["TimeGenerated", "A", "N", "Later", "Body"]
    assert cursor.fetchall() == []


def test_a_sealed_sandbox_reads_its_files_and_nothing_else(tmp_path: Path) -> None:
    write_rows(tmp_path, W, "T", COLUMNS, rows(1))
    write_rows(tmp_path, W, "Other", COLUMNS, rows(1))
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    versions = TableVersions(tmp_path)
    mine, other = versions.latest(W, "T"), versions.latest(W, "Other")
    assert mine is not None
    assert other is not None
    connection = open_sandbox(1 << 28, 1)
    seal(connection, mine.files)
    assert connection.execute(f"SELECT count(*) FROM read_parquet('{mine.files[0].path}')").fetchone() == (1,)
    hostile_variable = [1, 2, 3]  # noqa: F841 - a name that a query must not find
    for statement in (
        f"SELECT * FROM read_parquet('{other.files[0].path}')",
        f"SELECT * FROM read_text('{secret}')",
        f"SELECT * FROM glob('{tmp_path}/*')",
        "SELECT * FROM '/etc/hosts'",
        "SELECT * FROM hostile_variable",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/new.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        f"EXPORT DATABASE '{tmp_path}/dump'",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(statement).fetchall()
    assert sorted(p.name for p in tmp_path.iterdir()) == [W, "secret.txt"]
