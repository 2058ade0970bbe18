"""One table as its writer sees it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from aforo.logs import retention
from aforo.logs.delta import TableWriter
from aforo.logs.retention import Maintenance
from aforo.logs.versions import TableVersions
from aforo.tables.schema import Column, ColumnType, Table
from aforo.tables.standard import STANDARD, TIME

DAY_US = 86_400_000_000
START_US = 20_410 * DAY_US + 3_600_000_000  # 2025-11-18 01:00


def table(*more: Column) -> Table:
    named = (Column("CorrelationId", ColumnType.STRING, ""), Column("Aborted", ColumnType.STRING, ""))
    return Table("T", "", (TIME, *named, *STANDARD, *more))


def row(number: int, *more: Any, time_us: int = START_US) -> tuple[Any, ...]:
    return (time_us, f"c{number}", "", "/r", "s", 1.0, "true", *more)


def ask(path: Path, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        files = DeltaTable(path).file_uris()
        query = f"SELECT {columns} FROM read_parquet(?, union_by_name=true) ORDER BY ALL"
        return connection.execute(query, [files]).fetchall()


def test_positions_are_committed_with_rows_and_survive_opening_compaction_and_checkpoints(
    tmp_path: Path,
) -> None:
    path = tmp_path / "w" / "T"
    writer = TableWriter(path, table(), "w")
    assert writer.position("a") == 0
    for number in range(1, 6):
        writer.append([row(number)], {"a": number * 10, f"b{number}": 7})
    assert writer.position("a") == 50
    DeltaTable(path).create_checkpoint()
    DeltaTable(path).optimize.compact()
    again = TableWriter(path, table(), "w")
    assert [again.position(a) for a in ("a", "b1", "b5", "c")] == [50, 7, 7, 0]
    again.append([row(9)], {"a": 60})
    assert len(ask(path, "CorrelationId")) == 6


def test_two_writers_with_the_same_position_to_reach_cannot_both_commit(tmp_path: Path) -> None:
    first, second = (TableWriter(tmp_path / "T", table(), "w") for _ in range(2))
    first.append([row(1)], {"a": 1})
    assert second.position("a") == 1
    first.append([row(2)], {"a": 2})
    with pytest.raises(CommitFailedError, match="oncurrent"):
        second.append([row(2)], {"a": 2})
    assert second.position("a") == 2
    assert ask(tmp_path / "T", "CorrelationId") == [("c1",), ("c2",)]


def test_a_table_gets_columns_that_were_declared_later(tmp_path: Path) -> None:
    TableWriter(tmp_path / "T", table(), "w").append([row(1)], {"a": 1})
    wider = TableWriter(
        tmp_path / "T",
        table(Column("Cost", ColumnType.DECIMAL, ""), Column("Later", ColumnType.DATETIME, "")),
        "w",
    )
    assert wider.position("a") == 1
    wider.append([row(2, 1.25, START_US)], {"a": 2})
    assert ask(tmp_path / "T", "CorrelationId, Cost::VARCHAR, epoch_us(Later)") == [
        ("c1", None, None),
        ("c2", "1.250000000000", START_US),
    ]


def test_files_are_apart_by_day_and_their_times_prune(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "w" / "T", table(), "w")
    writer.append([row(1), row(2, time_us=START_US + DAY_US)], {"a": 1})
    writer.append([row(3, time_us=START_US + 999)], {"a": 2})
    version = TableVersions(tmp_path).latest("w", "T")
    assert version is not None
    assert len(version.files) == 3
    assert {Path(f.path).parent.name for f in version.files} == {"_day=2025-11-18", "_day=2025-11-19"}
    assert len(version.between(START_US + DAY_US - 10, None)) == 1
    assert len(version.between(START_US + 999, START_US + 1_000)) >= 1


def test_amending_twice_changes_nothing_more_and_refuses_what_is_no_id(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "T", table(), "w")
    span = {"since_us": START_US - DAY_US, "until_us": START_US}
    writer.amend({"Aborted": "client"}, ["c1"], **span)
    assert not (tmp_path / "T").exists()
    writer.append([row(1), row(2)], {"a": 1})
    writer.append([row(1, time_us=START_US - 3 * DAY_US)], {"a": 2})
    other_day = {f for f in DeltaTable(tmp_path / "T").file_uris() if "_day=2025-11-15" in f}
    for _ in range(2):
        writer.amend({"Aborted": "client"}, ["c1"], **span)
    assert ask(tmp_path / "T", "CorrelationId, Aborted") == [("c1", ""), ("c1", "client"), ("c2", "")]
    assert other_day < set(DeltaTable(tmp_path / "T").file_uris())
    assert writer.position("a") == 2
    with pytest.raises(ValueError, match="no id"):
        writer.amend({"Aborted": "client"}, ["' OR true --"], **span)


def test_sync_meets_files_that_compaction_took_away(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "T", table(), "w")
    writer.sync()
    for number in range(3):
        writer.append([row(number)], {"a": number + 1})
    writer.sync()
    DeltaTable(tmp_path / "T").optimize.compact()
    DeltaTable(tmp_path / "T").vacuum(0, dry_run=False, enforce_retention_duration=False)
    writer.sync()
    writer.append([row(9)], {"a": 9})
    writer.sync()
    assert len(ask(tmp_path / "T", "CorrelationId")) == 4


def test_small_files_are_compacted_while_readers_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "w" / "T"
    writer = TableWriter(path, table(), "w")
    for number in range(30):
        writer.append([row(number)], {"a": number + 1})
    versions = TableVersions(tmp_path)
    before = versions.latest("w", "T")
    assert before is not None
    now_s = START_US / 1e6
    Maintenance(tmp_path, retention_days=lambda *_: 0, clock=lambda: now_s).run_once()
    after = versions.latest("w", "T")
    assert after is not None
    assert (len(before.files), len(after.files)) == (30, 1)
    assert all(Path(f.path).exists() for f in before.files)
    writer.append([row(99)], {"a": 31})
    assert len(ask(path, "CorrelationId")) == 31


def test_old_days_go(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "w" / "T", table(), "w")
    for day in range(5):
        writer.append([row(day, time_us=START_US + day * DAY_US)], {"a": day + 1})
    asked: list[tuple[str, str]] = []

    def days(workspace: str, name: str) -> int:
        asked.append((workspace, name))
        return 2

    now_s = (START_US + 4 * DAY_US) / 1e6
    Maintenance(tmp_path, retention_days=days, clock=lambda: now_s).run_once()
    assert asked == [("w", "T")]
    assert ask(tmp_path / "w" / "T", "CorrelationId") == [("c2",), ("c3",), ("c4",)]
    writer.append([row(9, time_us=START_US + 4 * DAY_US)], {"a": 6})
    assert writer.position("a") == 6
    assert len(ask(tmp_path / "w" / "T", "CorrelationId")) == 4


def test_vacuum_takes_what_nobody_refers_to_and_only_when_it_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_VACUUM_EVERY_S", -1.0)
    path = tmp_path / "w" / "T"
    writer = TableWriter(path, table(), "w")
    for number in range(30):
        writer.append([row(number)], {"a": number + 1})
    day = path / "_day=2025-11-18"
    replaced = set(day.iterdir())
    (day / "part-orphan-old.zstd.parquet").write_bytes(b"of a killed writer")
    (day / "part-orphan-new.zstd.parquet").write_bytes(b"of one that is about to commit")
    long_ago = time.time() - 3600
    for file in (*replaced, day / "part-orphan-old.zstd.parquet"):
        os.utime(file, (long_ago, long_ago))
    Maintenance(tmp_path, retention_days=lambda *_: 0).run_once()
    left = {f.name for f in day.iterdir()}
    assert "part-orphan-old.zstd.parquet" not in left
    assert "part-orphan-new.zstd.parquet" in left
    assert {f.name for f in replaced} <= left  # somebody may still read the version before the compaction
    assert len(ask(path, "CorrelationId")) == 30
