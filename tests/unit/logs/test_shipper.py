"""From spools to tables: everything once, positions, failures, what cannot be stored."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from aforo.errors import Conflict
from aforo.logs import day_files, delta
from aforo.logs.shipper import Shipper
from aforo.logs.status import spool_status
from aforo.spool.records import (
    KIND_CALL,
    LOG_TRACES,
    AmendRecord,
    BeginRecord,
    RowsRecord,
    TraceRecord,
)
from tests.support.calls import START_NS, WORKSPACE, make_call, open_writer, rows_of

LOGS = "ApiManagementGatewayLogs"
LLM = "ApiManagementGatewayLlmLog"


def shipper_of(root: Path, *, now_s: float = START_NS / 1e9, **options: Any) -> Shipper:
    return Shipper(root / "spool", root / "tables", clock=lambda: now_s, **options)


def ids(root: Path) -> list[int]:
    return [int(i.replace("-", ""), 16) for (i,) in rows_of(root / "tables", LOGS, "CorrelationId")]


def test_calls_become_rows_of_three_tables(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer, shipper_of(tmp_path) as shipper:
        for number in range(3):
            writer.append_call(make_call(number=number, context=context))
        assert shipper.run_once() == 4
        assert ids(tmp_path) == [0, 1, 2]
        assert rows_of(tmp_path / "tables", LLM, "SequenceNumber") == [(0,), (0,), (0,), (1,), (1,), (1,)]
        (first, *_) = rows_of(tmp_path / "tables", LOGS, "TimeGenerated", "TenantId", "Type", "SourceSystem")
        assert first[0].isoformat() == "2026-11-18T11:06:40.123456"
        assert first[1:] == (WORKSPACE, LOGS, "Azure")
        assert rows_of(tmp_path / "tables", "AzureMetrics", "MetricName") == []
        (status,) = shipper.status()
        assert (status.accepted, status.stored, status.pending) == (writer.accepted, 4, 0)
        assert shipper.run_once() == 0


def test_what_trace_policies_say_has_a_table_of_its_own_also_where_the_call_is_not_sampled(
    tmp_path: Path,
) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    said = [TraceRecord(START_NS, "here", "error", "it broke", {"team": "blue"})]
    with writer, shipper_of(tmp_path) as shipper:
        writer.append_call(make_call(number=1, context=context, trace_records=said, log_flags=LOG_TRACES))
        writer.append_call(make_call(number=2, context=context, trace_records=said))
        shipper.run_once()
    columns = ("Message", "SeverityLevel", "Properties", "OperationId", "TimeGenerated", "_ResourceId")
    (row,) = rows_of(tmp_path / "tables", "AppTraces", *columns)
    assert row[:2] == ("it broke", 3)
    assert '"team":"blue"' in row[2]
    assert row[3] == "00000000-0000-0000-0000-000000000001"
    assert row[4].isoformat() == "2026-11-18T11:06:40.123456"
    assert row[5].endswith("/apim-lab")
    assert ids(tmp_path) == [2]


def test_pending_is_what_is_accepted_and_not_stored(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer, shipper_of(tmp_path, batch_frames=10) as shipper:
        for number in range(30):
            writer.append_call(make_call(number=number, context=context))
        shipper.run_once()
        (status,) = shipper.status()
        assert (status.accepted, status.stored, status.pending) == (31, 10, 21)
        assert spool_status(tmp_path / "spool") == [status]
    assert spool_status(tmp_path / "nowhere") == []


def test_damage_is_told_and_the_rest_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "g"
    writer, context = open_writer(folder)
    with writer, shipper_of(tmp_path) as shipper:
        for number in range(10):
            writer.append_call(make_call(number=number, context=context))
        (segment,) = folder.glob("*.seg")
        data = bytearray(segment.read_bytes())
        data[data.index(make_call(number=4).call_id.encode())] ^= 0xFF
        segment.write_bytes(data)
        shipper.run_once()  # while the writer lives: a sound frame behind it shows that it is damage
        assert ids(tmp_path) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
        (status,) = shipper.status()
        assert (status.accepted, status.stored, status.pending, status.damaged) == (11, 11, 0, 1)


def test_several_spools_share_commits_and_none_starves(tmp_path: Path) -> None:
    first, context = open_writer(tmp_path / "spool" / "a")
    second, other = open_writer(tmp_path / "spool" / "b")
    with first, second, shipper_of(tmp_path, batch_frames=10) as shipper:
        for number in range(100):
            first.append_call(make_call(number=number, context=context))
        second.append_call(make_call(number=1000, context=other))
        shipper.run_once()
        shipper.run_once()
        assert 1000 in ids(tmp_path)
        shipper.drain()
        assert ids(tmp_path) == [*range(100), 1000]


def test_a_restart_goes_on_and_lost_notes_do_no_harm(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer:
        for round_number in range(4):
            for number in range(5):
                writer.append_call(make_call(number=round_number * 5 + number, context=context))
            with shipper_of(tmp_path) as shipper:
                shipper.run_once()
            if round_number % 2:
                (tmp_path / "spool" / "g" / "stored.json").unlink()
            else:
                (tmp_path / "spool" / "g" / "stored.json").write_bytes(b"{torn")
    assert ids(tmp_path) == list(range(20))


@pytest.mark.parametrize("whole_folder", [False, True])
@pytest.mark.parametrize("restart", [False, True])
def test_a_folder_that_was_made_anew_is_another_spool(
    tmp_path: Path, restart: bool, whole_folder: bool
) -> None:
    folder = tmp_path / "spool" / "g"
    shipper = shipper_of(tmp_path)
    for life in range(3):
        writer, context = open_writer(folder)
        with writer:
            writer.append_call(make_call(number=life, context=context))
            while shipper.run_once():
                pass
        for path in folder.iterdir():
            path.unlink()
        if whole_folder:
            folder.rmdir()
        if restart:
            shipper.close()
            shipper = shipper_of(tmp_path)
        assert shipper.run_once() == 0
    shipper.close()
    assert ids(tmp_path) == [0, 1, 2]


def test_one_shipper_per_root(tmp_path: Path) -> None:
    with shipper_of(tmp_path), pytest.raises(Conflict, match="another process ships"):
        shipper_of(tmp_path)
    shipper_of(tmp_path).close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_store_that_fails_gets_each_row_once_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    real = delta.commit_files
    calls = 0

    def failing(*args: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if when == "after":
            real(*args, **options)
        if calls % 2:
            raise OSError("the store is away")
        if when == "before":
            real(*args, **options)

    with writer, shipper_of(tmp_path) as shipper:
        writer.append_call(make_call(number=0, context=context))
        shipper.run_once()
        monkeypatch.setattr(delta, "commit_files", failing)
        for number in range(1, 6):
            writer.append_call(make_call(number=number, context=context))
        failures = 0
        while True:
            try:
                if not shipper.run_once():
                    break
            except OSError:
                failures += 1
        assert failures == (1 if when == "after" else 2)
        (status,) = shipper.status()
        assert status.pending == 0
    assert ids(tmp_path) == list(range(6))
    assert len(rows_of(tmp_path / "tables", LLM, "SequenceNumber")) == 12


def test_run_ships_until_it_is_stopped_and_outlasts_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aforo.logs.shipper._BACKOFF_S", (0.0,))
    writer, context = open_writer(tmp_path / "spool" / "g")
    stored, stop = threading.Event(), threading.Event()
    real = delta.commit_files
    failures = iter([OSError("away"), ValueError("odd")])

    def sometimes(*args: Any, **options: Any) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure
        real(*args, **options)
        stored.set()

    monkeypatch.setattr(delta, "commit_files", sometimes)
    with writer, shipper_of(tmp_path, interval_s=0.001) as shipper:
        thread = threading.Thread(target=shipper.run, args=(stop,))
        thread.start()
        writer.append_call(make_call(number=1, context=context))
        assert stored.wait(20)
        writer.append_call(make_call(number=2, context=context))
        stop.set()
        thread.join(20)
    assert ids(tmp_path) == [1, 2]


def test_rows_are_stored_as_given(tmp_path: Path) -> None:
    writer, _ = open_writer(tmp_path / "spool" / "account")
    values = {
        "TimeGenerated": START_NS,
        "Category": "RequestResponse",
        "OperationName": "ChatCompletions_Create",
        "DurationMs": 12,
        "ResultSignature": 200,
        "ResourceId": "/SUBSCRIPTIONS/SUB/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.COGNITIVESERVICES/ACCOUNTS/A",
        "properties_s": '{"modelName":"gpt-35-turbo","requestLength":128,"streamType":"Streaming","new":1}',
        "something": {"else": 1},
    }
    with writer, shipper_of(tmp_path) as shipper:
        writer.append_rows(
            RowsRecord([WORKSPACE, "other"], "AzureDiagnostics", [values, {"DurationMs": "x"}])
        )
        shipper.run_once()
    columns = ("DurationMs", "ResultSignature", "modelName_s", "requestLength_d", "AdditionalFields",
               "_ResourceId", "_SubscriptionId", "TenantId", "Type")  # fmt: skip
    rows = rows_of(tmp_path / "tables", "AzureDiagnostics", *columns)
    assert rows[0] == (
        12,
        "200",
        "gpt-35-turbo",
        128.0,
        '{"something":{"else":1}}',
        values["ResourceId"].lower(),
        "sub",
        WORKSPACE,
        "AzureDiagnostics",
    )
    assert rows[1][:5] == (None, "", "", None, '{"DurationMs":"x"}')
    assert len(rows_of(tmp_path / "tables", "AzureDiagnostics", "Type", workspace="other")) == 2


def test_what_cannot_become_rows_is_put_aside_and_holds_nothing_up(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer, shipper_of(tmp_path) as shipper:
        writer.append(KIND_CALL, b"no record")
        writer.append(99, b"of tomorrow")
        writer.append_rows(RowsRecord([WORKSPACE], "NoSuchTable_CL", [{"a": 1}]))
        writer.append_call(make_call(number=5, context=77))
        writer.append_call(make_call(number=6, context=context, attempts=1 << 40))
        writer.append_call(make_call(number=7, context=context))
        shipper.drain()
        assert ids(tmp_path) == [7]
        (status,) = shipper.status()
        assert (status.pending, status.refused) == (0, 4)
    assert (tmp_path / "spool" / "g" / "refused.frames").stat().st_size > 0
    assert "1099511627776" in (tmp_path / "tables" / WORKSPACE / f"{LOGS}.refused.txt").read_text()


@pytest.mark.parametrize("stored_before", [False, True])
def test_an_amendment_reaches_its_row(tmp_path: Path, stored_before: bool) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer, shipper_of(tmp_path) as shipper:
        for number in (1, 2):
            writer.append_call(make_call(number=number, context=context))
        if stored_before:
            shipper.run_once()
        writer.append_amend(AmendRecord(f"{2:032x}", "client", START_NS))
        shipper.drain()
        writer.append_call(make_call(number=3, context=context))
        shipper.drain()
    rows = rows_of(tmp_path / "tables", LOGS, "CorrelationId", "Aborted")
    assert [a for _, a in rows] == ["", "client", ""]


def test_a_call_that_was_begun_by_a_process_that_died_is_an_aborted_row(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "g"
    writer, context = open_writer(folder)
    writer.append_begin(BeginRecord(make_call(number=1, context=context, status=0)))
    writer.append_begin(BeginRecord(make_call(number=2, context=context, status=0)))
    writer.append_call(make_call(number=2, context=context))
    with shipper_of(tmp_path) as shipper:
        shipper.drain()
        assert ids(tmp_path) == [2]  # its process lives: the first call is still under way
    writer.close()
    with shipper_of(tmp_path) as shipper:
        shipper.run_once()
        assert ids(tmp_path) == [2]
        writer, context = open_writer(folder)
        with writer:
            writer.append_call(make_call(number=3, context=context))
            shipper.run_once()
            shipper.run_once()
    for _ in range(2):
        with shipper_of(tmp_path) as shipper:
            shipper.drain()
    rows = rows_of(tmp_path / "tables", LOGS, "CorrelationId", "Aborted", "ResponseCode")
    assert [r[1:] for r in rows] == [("gateway", None), ("", 200), ("", 200)]


def test_who_is_not_started_again_keeps_nothing_open(tmp_path: Path) -> None:
    """A system that is started with fewer workers has spools that nobody writes: no later session ends their calls."""
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer, shipper_of(tmp_path, batch_frames=2) as shipper:
        writer.append_begin(BeginRecord(make_call(number=1, context=context, status=0)))
        writer.append_begin(BeginRecord(make_call(number=2, context=context, status=0)))
        for _ in range(3):
            shipper.run_once()
        assert ids(tmp_path) == []
        for number in (3, 4, 5, 2):
            writer.append_call(make_call(number=number, context=context))
        writer.close()
        shipper.run_once()
        assert ids(tmp_path) == [3, 4]  # what is written is read first: the end of a call may be there
        for _ in range(4):
            shipper.run_once()
        assert shipper.status()[0].pending == 0
    rows = rows_of(tmp_path / "tables", LOGS, "CorrelationId", "Aborted")
    assert sorted(a for _, a in rows) == ["", "", "", "", "gateway"]


class _Panic(BaseException):
    """As Rust's panics reach Python: no Exception."""


@pytest.mark.parametrize("place", ["library", "shipper"])
def test_a_panic_of_a_library_is_tried_again_like_any_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A full disk makes the library that writes Parquet panic."""
    writer, context = open_writer(tmp_path / "spool" / "g")
    stop = threading.Event()
    tried: list[int] = []

    def panics(work: Any) -> Any:
        def once(*args: Any, **options: Any) -> Any:
            tried.append(1)
            if len(tried) == 1:
                raise _Panic("called `Result::unwrap()` on an `Err` value: StorageFull")
            return work(*args, **options)

        return once

    with writer, shipper_of(tmp_path) as shipper:
        writer.append_call(make_call(number=1, context=context))
        if place == "library":
            monkeypatch.setattr(day_files, "parquet", panics(day_files.parquet))
        else:
            monkeypatch.setattr(shipper, "run_once", panics(shipper.run_once))
        shipping = threading.Thread(target=shipper.run, args=(stop,))
        shipping.start()
        for _ in range(200):
            if len(tried) > 1 and (tmp_path / "tables").is_dir() and shipper.status()[0].pending == 0:
                break
            stop.wait(0.05)
        stop.set()
        shipping.join(10)
    assert ids(tmp_path) == [1]
    if place == "library":
        tried.clear()
        with pytest.raises(OSError, match="StorageFull"):
            day_files.write_whole(None, tmp_path / "x", 1)  # type: ignore[arg-type]


def test_draining_a_dead_spool_settles_what_was_begun(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer:
        writer.append_begin(BeginRecord(make_call(number=1, context=context, status=0)))
    for _ in range(2):
        with shipper_of(tmp_path) as shipper:
            shipper.drain()
            assert shipper.status()[0].pending == 0
    assert rows_of(tmp_path / "tables", LOGS, "Aborted") == [("gateway",)]


def test_segments_go_when_all_is_stored_minutes_included(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "g"
    writer, context = open_writer(folder, segment_bytes=8 * 1024)
    with writer:
        for number in range(60):
            writer.append_call(make_call(number=number, context=context))
        segments = len(list(folder.glob("*.seg")))
        assert segments > 5
        with shipper_of(tmp_path) as shipper:
            while shipper.run_once():
                pass
            assert len(list(folder.glob("*.seg"))) == segments  # the minute is still open
        with shipper_of(tmp_path, now_s=START_NS / 1e9 + 120) as shipper:
            while shipper.run_once():
                pass
            shipper.run_once()
            assert len(list(folder.glob("*.seg"))) == 1
            assert shipper.status()[0].pending == 0
    assert ids(tmp_path) == list(range(60))


def test_minutes_of_all_spools_come_to_one_row_per_metric(tmp_path: Path) -> None:
    spools = [open_writer(tmp_path / "spool" / name) for name in "ab"]
    for number, (writer, context) in enumerate(spools):
        writer.append_call(make_call(number=number, context=context, status=200 + number * 300))
        writer.append_call(make_call(number=number + 10, context=context, ended_ns=START_NS + 60_000_000_000))
    with shipper_of(tmp_path, now_s=START_NS / 1e9 + 30) as shipper:
        while shipper.run_once():
            pass
    with shipper_of(tmp_path, now_s=START_NS / 1e9 + 300) as shipper:
        while shipper.run_once():
            pass
    rows = rows_of(
        tmp_path / "tables", "AzureMetrics", "TimeGenerated", "MetricName", "Total", "Count", "Maximum"
    )
    got = {(time.minute, name): (total, count, maximum) for time, name, total, count, maximum in rows}
    assert len(got) == len(rows) == 16
    assert got[6, "Requests"] == (2.0, 2.0, 1.0)
    assert got[7, "Requests"] == (2.0, 2.0, 1.0)
    assert got[6, "Duration"] == pytest.approx((91.2, 2.0, 45.6))
    assert got[6, "FailedRequests"] == (1.0, 2.0, 1.0)
    assert got[7, "Duration"][0] == pytest.approx(120_000)
    for writer, _ in spools:
        writer.close()
