"""Rows of tables that workspaces declare: stored once, through growth, changed types and restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aforo.logs.shipper import Shipper
from aforo.spool.records import RowsRecord
from tests.support.calls import START_NS, WORKSPACE, open_writer, rows_of

Columns = list[tuple[str, str]]
T = "T_CL"


def shipper_of(root: Path) -> Shipper:
    return Shipper(root / "spool", root / "tables", clock=lambda: START_NS / 1e9)


def record(columns: Columns, *rows: dict[str, Any], table: str = T, to: str = WORKSPACE) -> RowsRecord:
    return RowsRecord([to], table, [{"TimeGenerated": START_NS, **row} for row in rows], columns)


def stored(root: Path, *columns: str, table: str = T, workspace: str = WORKSPACE) -> list[tuple[Any, ...]]:
    return sorted(rows_of(root / "tables", table, *columns, workspace=workspace), key=repr)


def test_the_record_says_what_its_table_is(tmp_path: Path) -> None:
    writer, _ = open_writer(tmp_path / "spool" / "control")
    columns = [
        ("n", "long"),
        ("r", "real"),
        ("b", "bool"),
        ("s", "string"),
        ("j", "dynamic"),
        ("t", "datetime"),
        ("w", "timespan"),
        ("g", "guid"),
    ]
    with writer, shipper_of(tmp_path) as shipper:
        values = {
            "n": 1,
            "r": 0.5,
            "b": True,
            "s": "x",
            "j": {"a": [1]},
            "t": START_NS,
            "w": 5,
            "g": "74be27de-1e4e-49d9-b579-fe0b331d3642",
        }
        writer.append_rows(record(columns, values, {}))
        shipper.run_once()
    given, empty = stored(tmp_path, *(n for n, _ in columns), "Type", "TenantId")
    assert given[:5] == (1, 0.5, True, "x", '{"a":[1]}')
    assert given[6:] == (5, "74be27de-1e4e-49d9-b579-fe0b331d3642", T, WORKSPACE)
    assert empty[:8] == (None,) * 8


def test_a_table_grows_within_a_batch_and_after_a_restart(tmp_path: Path) -> None:
    writer, _ = open_writer(tmp_path / "spool" / "control")
    with writer:
        with shipper_of(tmp_path) as shipper:
            writer.append_rows(record([("a", "string")], {"a": "1"}))
            writer.append_rows(record([("b", "long"), ("a", "string")], {"a": "2", "b": 2}))
            shipper.run_once()
            writer.append_rows(record([("a", "string"), ("c", "dynamic")], {"a": "3", "c": [3]}))
            shipper.run_once()
        with shipper_of(tmp_path) as shipper:
            writer.append_rows(record([("d", "real"), ("a", "string")], {"a": "4", "d": 4.0}))
            writer.append_rows(record([("a", "string")], {"a": "5"}))
            # What was not in the first record after the start is known by its files alone, until one says what it is.
            writer.append_rows(record([("a", "string"), ("c", "dynamic")], {"a": "6", "c": "text"}))
            shipper.run_once()
    assert stored(tmp_path, "a", "b", "c", "d") == [
        ("1", None, None, None), ("2", 2, None, None), ("3", None, "[3]", None), ("4", None, None, 4.0),
        ("5", None, None, None), ("6", None, '"text"', None),
    ]  # fmt: skip


def test_a_column_stays_what_it_is_in_the_files(tmp_path: Path) -> None:
    writer, _ = open_writer(tmp_path / "spool" / "control")
    with writer:
        with shipper_of(tmp_path) as shipper:
            writer.append_rows(record([("a", "long")], {"a": 1}))
            shipper.run_once()
        # The declaration was dropped and made anew; nothing is held up by it.
        with shipper_of(tmp_path) as shipper:
            writer.append_rows(record([("a", "string")], {"a": "2"}, {"a": "many"}))
            shipper.run_once()
            (status,) = shipper.status()
            assert status.pending == 0
    assert stored(tmp_path, "a") == [(1,), (2,), (None,)]


def test_workspaces_have_tables_of_their_own_under_one_name(tmp_path: Path) -> None:
    writer, _ = open_writer(tmp_path / "spool" / "control")
    with writer, shipper_of(tmp_path) as shipper:
        writer.append_rows(record([("a", "long")], {"a": 1}))
        writer.append_rows(record([("a", "string")], {"a": "x"}, to="other"))
        shipper.run_once()
    assert stored(tmp_path, "a") == [(1,)]
    assert stored(tmp_path, "a", workspace="other") == [("x",)]


def test_frames_that_are_read_again_are_not_stored_again(tmp_path: Path) -> None:
    writer, _ = open_writer(tmp_path / "spool" / "control")
    with writer:
        writer.append_rows(record([("a", "long")], {"a": 1}, {"a": 2}))
        writer.append_rows(record([("b", "long")], {"b": 1}, table="U_CL"))
        with shipper_of(tmp_path) as shipper:
            shipper.run_once()
        # As after a kill between the commits and the note beside the spool.
        (tmp_path / "spool" / "control" / "stored.json").unlink()
        with shipper_of(tmp_path) as shipper:
            shipper.run_once()
            shipper.drain()
    assert stored(tmp_path, "a") == [(1,), (2,)]
    assert stored(tmp_path, "b", table="U_CL") == [(1,)]


def test_names_mean_nothing_beyond_themselves(tmp_path: Path) -> None:
    writer, _ = open_writer(tmp_path / "spool" / "control")
    columns = [("properties_s", "string"), ("ResourceId", "string"), ("AdditionalFields", "dynamic")]
    with writer, shipper_of(tmp_path) as shipper:
        values = {
            "properties_s": '{"modelName":"m"}',
            "ResourceId": "/subscriptions/other",
            "AdditionalFields": {"a": 1},
        }
        writer.append_rows(record(columns, values))
        shipper.run_once()
    names = [n for n, _ in columns]
    assert stored(tmp_path, *names, "_ResourceId") == [
        ('{"modelName":"m"}', "/subscriptions/other", '{"a":1}', None)
    ]
