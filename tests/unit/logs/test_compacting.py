"""Files of a day become few, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from aforo.logs import compacting, day_files, retention
from aforo.logs.columns import DAY_US
from aforo.logs.delta import TableWriter
from aforo.logs.retention import Maintenance
from aforo.tables.schema import Column, ColumnType, Table
from aforo.tables.standard import STANDARD, TIME

START_US = 20_410 * DAY_US + 3_600_000_000  # 2025-11-18 01:00
DAY = "2025-11-18"
FIRST = (
    TIME,
    Column("CorrelationId", ColumnType.STRING, ""),
    Column("Aborted", ColumnType.STRING, ""),
    *STANDARD,
)
OLD = Table("T", "", FIRST)
NEW = Table("T", "", (*FIRST, Column("Cost", ColumnType.DECIMAL, ""), Column("Body", ColumnType.STRING, "")))


def row(number: int, *more: Any, day: int = 0) -> tuple[Any, ...]:
    return (START_US + day * DAY_US + number * 1_000, f"c{number}", "", "/r", "s", 1.0, "true", *more)


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    files = DeltaTable(path).file_uris()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = "TimeGenerated, CorrelationId, Aborted, _BilledSize, Cost, Body"
        query = (
            f"SELECT {names} FROM read_parquet(?, union_by_name=true, hive_partitioning=false) ORDER BY ALL"
        )
        return connection.execute(query, [files]).fetchall()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Files of two days, of a table that grew meanwhile."""
    path = tmp_path / "w" / "T"
    writer = TableWriter(path, OLD, "w")
    for number in (5, 3, 1):
        writer.append([row(number), row(number + 10, day=1)], {"a": 10 - number})
    writer = TableWriter(path, NEW, "w")
    for number in (2, 4):
        writer.append([row(number, 1.5, "é" * 500), row(number + 100, None, None)], {"a": 20 + number})
    return path


@pytest.mark.parametrize("own", [True, False])
def test_rows_stay_and_other_days_too(table: Path, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    before, position = rows_of(table), TableWriter(table, NEW, "w").position("a")
    if not own:
        monkeypatch.setattr(day_files, "parquet", None)
    assert compacting.compact(table, DAY, 1 << 20) == 5
    assert rows_of(table) == before
    assert sorted(Path(u).parent.name for u in DeltaTable(table).file_uris()) == [
        f"_day={DAY}",
        *["_day=2025-11-19"] * 3,
    ]
    assert TableWriter(table, NEW, "w").position("a") == position
    assert compacting.compact(table, DAY, 1 << 20) == 0


def test_files_follow_each_other_by_the_time_of_their_rows(table: Path) -> None:
    compacting.compact(table, DAY, 1 << 20)
    adds = DeltaTable(table).get_add_actions(flatten=True)
    (at,) = (n for n, p in enumerate(adds.column("path").to_pylist()) if DAY in p)
    assert adds.column("num_records").to_pylist()[at] == 7
    file = next(u for u in DeltaTable(table).file_uris() if DAY in u)
    with duckdb.connect() as connection:
        ids = [
            r[0] for r in connection.execute("SELECT CorrelationId FROM read_parquet(?)", [file]).fetchall()
        ]
    assert ids == ["c1", "c2", "c102", "c3", "c4", "c104", "c5"]


def test_bins_stay_below_their_size(table: Path) -> None:
    sizes = [f.stat().st_size for f in table.glob(f"_day={DAY}/*.parquet")]
    before = rows_of(table)
    compacting.compact(table, DAY, 2 * max(sizes) + 1)
    assert len([u for u in DeltaTable(table).file_uris() if DAY in u]) == 3
    assert rows_of(table) == before


def test_rows_that_change_meanwhile_are_not_lost(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = TableWriter(table, NEW, "w")
    write = day_files.write_whole

    def slowly(*arguments: Any) -> None:
        write(*arguments)
        writer.amend({"Aborted": "client"}, ["c3"], since_us=START_US, until_us=START_US + DAY_US)

    monkeypatch.setattr(day_files, "write_whole", slowly)
    with pytest.raises(CommitFailedError):
        compacting.compact(table, DAY, 1 << 20)
    assert [r[2] for r in rows_of(table) if r[1] == "c3"] == ["client"]
    assert len(rows_of(table)) == 10


def test_rows_that_come_meanwhile_stay(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = TableWriter(table, NEW, "w")
    write = day_files.write_whole

    def slowly(*arguments: Any) -> None:
        write(*arguments)
        writer.append([row(77, None, None)], {"a": 77})

    monkeypatch.setattr(day_files, "write_whole", slowly)
    assert compacting.compact(table, DAY, 1 << 20) == 5
    assert len(rows_of(table)) == 11
    assert TableWriter(table, NEW, "w").position("a") == 77


def test_a_file_that_lacks_rows_takes_none_of_the_others_with_it(table: Path) -> None:
    before = rows_of(table)
    sound, broken = sorted(table.glob(f"_day={DAY}/*.parquet"), key=lambda f: f.stat().st_size)[:2]
    kept = broken.read_bytes()
    broken.write_bytes(
        sorted(table.glob("_day=2025-11-18/*"), key=lambda f: -f.stat().st_size)[0].read_bytes()
    )
    with pytest.raises(OSError, match="rows, and its table says"):
        compacting.compact(table, DAY, 1 << 20)
    broken.write_bytes(b"PAR1")
    with pytest.raises(OSError, match="could not be made one"):
        compacting.compact(table, DAY, 1 << 20)
    broken.write_bytes(kept)
    assert rows_of(table) == before
    assert len(list(table.glob(f"_day={DAY}/*.parquet"))) == 5
    assert sound.exists()


def test_maintenance_has_it_done_beside(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_SMALL_BYTES", 1)
    monkeypatch.setattr(retention, "_MIDDLE_FILES", 5)
    maintenance = Maintenance(table.parent.parent, retention_days=lambda *_: 0)
    before = rows_of(table)
    maintenance.run_once()
    assert len([u for u in DeltaTable(table).file_uris() if DAY in u]) == 1
    assert rows_of(table) == before


def test_maintenance_lets_rows_go_first(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_SMALL_BYTES", 1)
    monkeypatch.setattr(retention, "_MIDDLE_FILES", 2)
    busy = True
    maintenance = Maintenance(table.parent.parent, retention_days=lambda *_: 0, busy=lambda: busy)
    before = DeltaTable(table).version()
    maintenance.run_once()
    assert DeltaTable(table).version() == before
    monkeypatch.setattr(retention, "_BUSY_TIMES", 2)  # there are very many
    maintenance.run_once()
    assert DeltaTable(table).version() > before


def test_maintenance_brings_each_new_file_onto_the_disk_once(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(retention, "fsync", lambda path: synced.append(str(path)))
    maintenance = Maintenance(table.parent.parent, retention_days=lambda *_: 0)
    maintenance.run_once()
    assert sorted(synced) == sorted(DeltaTable(table).file_uris())
    synced.clear()
    TableWriter(table, NEW, "w").append([row(7, 1.5, "x")], {"a": 30})
    maintenance.run_once()
    assert len(synced) == 1
    assert synced[0] in DeltaTable(table).file_uris()


def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aforo.logs.compacting", str(tmp_path / "none"), DAY, "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "TableNotFoundError" in done.stderr


def test_maintenance_gives_back_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, given = threading.Event(), []

    def give_back() -> None:
        given.append(1)
        stop.set()

    monkeypatch.setattr(retention, "give_back", give_back)
    Maintenance(tmp_path, retention_days=lambda *_: 0).run(stop, interval_s=0.001)
    assert given == [1]
    compacting.give_back()  # on this platform too
