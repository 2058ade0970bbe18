"""Files that the writer of a table makes itself, beside those that `deltalake` makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from aforo.logs import day_files
from aforo.logs.columns import DAY_US, Columns
from aforo.logs.delta import TableWriter
from aforo.tables.schema import Column, ColumnType, Table
from aforo.tables.standard import STANDARD, TIME

START_US = 20_410 * DAY_US + 3_600_000_123
KINDS = (
    ColumnType.BOOL,
    ColumnType.INT,
    ColumnType.LONG,
    ColumnType.REAL,
    ColumnType.DECIMAL,
    ColumnType.STRING,
    ColumnType.DATETIME,
    ColumnType.TIMESPAN,
    ColumnType.GUID,
    ColumnType.DYNAMIC,
)
VALUES: tuple[Any, ...] = (True, -7, 1 << 40, 0.5, 1.25, "é\n\0", START_US, -5, "g", '{"a":1}')
TABLE = Table("T", "", (TIME, *STANDARD, *(Column(k.value.title(), k, "") for k in KINDS)))
NOTHING = (None,) * len(KINDS)


def row(time_us: int, *values: Any) -> tuple[Any, ...]:
    return (time_us, "/r", "s", 1.0, "true", *values)


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    names = ", ".join(f'"{c.name}"' for c in TABLE.columns)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        files = DeltaTable(path).file_uris()
        query = (
            f"SELECT {names} FROM read_parquet(?, union_by_name=true, hive_partitioning=false) ORDER BY ALL"
        )
        return connection.execute(query, [files]).fetchall()


def described(path: Path) -> list[tuple[Any, ...]]:
    """What the log says of the files, but their names, sizes and times."""
    adds = DeltaTable(path).get_add_actions(flatten=True)
    return sorted(
        zip(
            *(
                adds.column(n).to_pylist()
                for n in (
                    "num_records",
                    "min.TimeGenerated",
                    "max.TimeGenerated",
                    "null_count.TimeGenerated",
                    "partition._day",
                )
            ),
            strict=True,
        )
    )


ROWS = [
    row(START_US, *VALUES),
    row(START_US + 1, *NOTHING),
    row(START_US + 999_999, *VALUES),
    row(START_US + DAY_US, *VALUES),
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], [ROWS[0]] * 70, []])
def test_both_ways_to_write_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[Any, ...]]
) -> None:
    assert day_files.can_write()
    for name in ("own", "library"):
        if name == "library":
            monkeypatch.setattr(day_files, "parquet", None)
        writer = TableWriter(tmp_path / name, TABLE, "w", clock=lambda: 5.0)
        writer.append(ROWS, {"a": 1})
        writer.append(rows, {"a": 2, "b": 3})
        assert TableWriter(tmp_path / name, TABLE, "w").position("b") == 3
    assert rows_of(tmp_path / "own") == rows_of(tmp_path / "library")
    assert described(tmp_path / "own") == described(tmp_path / "library")
    assert len(rows_of(tmp_path / "own")) == len(ROWS) + len(rows)


def test_logs_stay_short_and_files_are_compacted_across_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = TableWriter(tmp_path / "T", TABLE, "w")
    for number in range(34):
        monkeypatch.setattr(day_files, "parquet", None if number % 2 else day_files.parquet or _real())
        writer.append([row(START_US + number, *VALUES)], {"a": number + 1})
    assert list((tmp_path / "T" / "_delta_log").glob("*.checkpoint.parquet"))
    DeltaTable(tmp_path / "T").optimize.compact()
    assert len(DeltaTable(tmp_path / "T").file_uris()) == 1
    assert len(rows_of(tmp_path / "T")) == 34
    writer.sync()


def _real() -> Any:
    from arro3.io import write_parquet

    return write_parquet


def test_a_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_: Any, path: Path, **__: Any) -> None:
        path.write_bytes(b"PAR1")
        raise OSError("no space")

    writer = TableWriter(tmp_path / "T", TABLE, "w")
    writer.append(ROWS, {"a": 1})
    before = sorted((tmp_path / "T").rglob("*.parquet"))
    monkeypatch.setattr(day_files, "parquet", half)
    with pytest.raises(OSError, match="no space"):
        writer.append(ROWS, {"a": 2})
    assert sorted((tmp_path / "T").rglob("*.parquet")) == before
    assert writer.position("a") == 1


def test_columns_of_one_value_are_kept_and_take_any_number_of_rows() -> None:
    columns = Columns(TABLE, "w")
    for count in (3, 1, 40, 7):
        (part,) = columns.by_day([row(START_US, *VALUES)] * count, 1)
        assert part.columns.num_rows == count
        assert part.columns.column("String").to_pylist() == ["é\n\0"] * count
        assert part.varied == ()
    (part,) = columns.by_day([row(START_US, *NOTHING)] * 2, 1)
    assert part.columns.column("String").to_pylist() == [None, None]
    (part,) = columns.by_day(
        [row(START_US + n, *VALUES[:5], "x" * (n * 300), *VALUES[6:]) for n in (1, 1)], 1
    )
    assert part.varied == ("String",)
    assert part.columns.column("String").to_pylist() == ["x" * 300] * 2


def test_columns_of_empty_texts_and_equal_columns_are_what_they_say(tmp_path: Path) -> None:
    """Both are made in ways of their own: the empty ones as a part of something longer, the equal ones once."""
    table = Table(
        "T", "", (TIME, *STANDARD, *(Column(n, ColumnType.STRING, "", content=True) for n in "ABC"))
    )
    columns = Columns(table, "w")
    for count in (5, 70, 2):
        rows = [row(START_US + n, f"said {n}", f"said {n}", "") for n in range(count)]
        parts = [*columns.by_day(rows, 1), *columns.by_day([row(START_US, "", "", "x")] * 3, 1)]
        assert parts[0].varied == ("TimeGenerated", "A", "B")
        (add,) = day_files.write(tmp_path, parts, columns.unlike)
        with duckdb.connect() as connection:
            found = connection.execute(
                "SELECT A, B, C FROM read_parquet(?)", [str(tmp_path / add.path)]
            ).fetchall()
        assert found == [(f"said {n}", f"said {n}", "") for n in range(count)] + [("", "", "x")] * 3
        assert f'"numRecords":{count + 3}' in add.stats


@pytest.mark.parametrize("bad", [row("now", *VALUES), row(START_US, "yes", *VALUES[1:]), row(START_US)])
def test_what_does_not_fit_is_told_before_anything_is_written(tmp_path: Path, bad: tuple[Any, ...]) -> None:
    writer = TableWriter(tmp_path / "T", TABLE, "w")
    assert not writer.fits(bad)
    assert writer.fits(ROWS[0])
    with pytest.raises((TypeError, ValueError)):
        writer.append([bad], {"a": 1})
    assert not list(tmp_path.rglob("*.parquet"))
