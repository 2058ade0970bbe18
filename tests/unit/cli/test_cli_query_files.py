"""`aforo query --output`: rows as files that other programs read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from arro3.io import read_ipc, read_ipc_stream

from aforo.cli import query
from aforo.cli.exits import Exit, Failure

COLUMNS = {
    "n": "long", "t": "datetime", "d": "decimal", "r": "real", "b": "bool", "j": "dynamic", "s": "string", "i": "int",
    "g": "guid", "w": "timespan",
}  # fmt: skip
ROWS: list[list[Any]] = [
    [1, "2026-11-22T10:11:12.1234567Z", "1.25", "NaN", True, '{"a":[1]}', 'x,"ü"\n', -3, "74be27de-1e4e-49d9-b579-fe0b331d3642", "1.00:00:00"],
    [None, None, None, None, None, None, "", None, None, None],
]  # fmt: skip


def answer(rows: list[list[Any]] = ROWS) -> dict[str, Any]:
    columns = [{"name": n, "type": t} for n, t in COLUMNS.items()]
    return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}


def test_parquet_keeps_types_and_nulls(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    query._write(answer(), path)
    found = duckdb.connect()
    found.execute("SET TimeZone = 'UTC'")
    types = [row[1] for row in found.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
    assert types == [
        "BIGINT", "TIMESTAMP WITH TIME ZONE", "DECIMAL(38,12)", "DOUBLE", "BOOLEAN", "VARCHAR", "VARCHAR", "INTEGER",
        "VARCHAR", "VARCHAR",
    ]  # fmt: skip
    first = found.execute(
        f"SELECT n, epoch_us(t), d::VARCHAR, isnan(r), b, j, s, i FROM '{path}' WHERE n = 1"
    ).fetchone()
    assert first == (1, 1795342272123456, "1.250000000000", True, True, '{"a":[1]}', 'x,"ü"\n', -3)
    assert found.execute(
        f"SELECT count(*) FROM '{path}' WHERE n IS NULL AND t IS NULL AND j IS NULL AND s = ''"
    ).fetchone() == (1,)


@pytest.mark.parametrize("name", ["rows.arrow", "rows.feather", "rows.arrows"])
def test_arrow_files_and_streams_are_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    query._write(answer(), path)
    read = read_ipc_stream if name.endswith("s") else read_ipc
    table = read(str(path)).read_all()
    assert table.num_rows == 2
    assert table.column("n").to_pylist() == [1, None]


def test_a_decimal_of_many_digits_stays_whole_as_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    many = "0.1234567890123456789"
    query._write({"tables": [{"columns": [{"name": "d", "type": "decimal"}], "rows": [[many], ["1"]]}]}, path)
    assert duckdb.sql(f"SELECT d FROM '{path}'").fetchall() == [(many,), ("1",)]


def test_text_files(tmp_path: Path) -> None:
    query._write(answer(), tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(COLUMNS)
    assert (rows[1][0], rows[1][4], rows[1][6]) == ("1", "true", 'x,"ü"\n')
    query._write(answer(), tmp_path / "rows.json")
    assert json.loads((tmp_path / "rows.json").read_text())[0]["d"] == "1.25"
    query._write(answer(), tmp_path / "rows.jsonl")
    assert [json.loads(line)["n"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == [1, None]


def test_no_rows_are_a_file_too(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow", "a.csv", "a.jsonl"):
        query._write(answer([]), tmp_path / name)
    assert duckdb.sql(f"SELECT count(*) FROM '{tmp_path / 'a.parquet'}'").fetchall() == [(0,)]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot be written"):
        query._write(answer(), tmp_path / "nowhere" / "a.csv")


def test_other_extensions_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"\.parquet") as caught:
        query.query("print 1", output=tmp_path / "a.xlsx", data=tmp_path)
    assert caught.value.code == Exit.USAGE
