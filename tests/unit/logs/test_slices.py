"""What a batch of the shipper is: slices of large bodies, files that are written beside, where it ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from deltalake import DeltaTable

from aforo.logs import day_files
from aforo.logs.intake import Intake, Taking
from aforo.logs.shipper import Shipper
from aforo.spool.records import CallRecord, Message
from tests.support.calls import START_NS, WORKSPACE, make_call, open_writer, rows_of

LOGS = "ApiManagementGatewayLogs"
LLM = "ApiManagementGatewayLlmLog"


def shipper_of(root: Path) -> Shipper:
    return Shipper(root / "spool", root / "tables", clock=lambda: START_NS / 1e9)


def ids(root: Path) -> list[int]:
    return [int(i.replace("-", ""), 16) for (i,) in rows_of(root / "tables", LOGS, "CorrelationId")]


def large(number: int, context: int, **changes: Any) -> CallRecord:
    """A call of 40 KB, with text of its own."""
    said = f"{number:05d} " * 3_000
    body = orjson.dumps({"messages": [{"role": "user", "content": said}]})
    return make_call(number=number, context=context, request=Message([], body, len(body)), **changes)


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of 20 KB are large ones here."""
    for name, size in (("SLICE", 45_000), ("FILE", 80_000), ("BATCH", 200_000), ("LARGE", 1)):
        monkeypatch.setattr(f"aforo.logs.shipper._{name}_BYTES", size)


@pytest.mark.usefixtures("slices")
def test_large_bodies_are_taken_in_slices_and_committed_together(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=1 << 20)
    day_ns = 86_400 * 10**9
    with writer, shipper_of(tmp_path) as shipper:
        for number in range(24):
            # The last two began a day later: they have a file of their own.
            late = day_ns if number > 21 else 0
            writer.append_call(large(number, context, started_ns=START_NS + late))
        batches = []
        while taken := shipper.run_once():
            batches.append(taken)
            assert shipper.behind or sum(batches) == 25
        assert not shipper.behind
    assert sum(batches) == 25
    assert len(batches) in (2, 3)
    table = DeltaTable(tmp_path / "tables" / WORKSPACE / LOGS)
    assert table.version() == len(batches)  # the first made the table
    assert len(table.file_uris()) > len(batches)
    found = rows_of(tmp_path / "tables", LOGS, "CorrelationId", "RequestBody", "BackendRequestBody")
    assert len(found) == 24
    for number, (correlation, asked, sent) in enumerate(found):
        assert int(correlation.replace("-", ""), 16) == number
        assert orjson.loads(asked)["messages"][0]["content"] == f"{number:05d} " * 3_000
        assert sent == asked
    messages = rows_of(tmp_path / "tables", LLM, "CorrelationId", "SequenceNumber")
    assert len(messages) == 2 * 24


@pytest.mark.usefixtures("slices")
def test_files_of_a_batch_that_failed_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=1 << 20)
    real, written = day_files.write, []

    def third_fails(*args: Any, **options: Any) -> Any:
        written.append(1)
        if len(written) == 3:
            raise OSError("no space")
        return real(*args, **options)

    monkeypatch.setattr(day_files, "write", third_fails)
    with writer, shipper_of(tmp_path) as shipper:
        for number in range(8):
            writer.append_call(large(number, context))
        with pytest.raises(OSError, match="no space"):
            shipper.run_once()
        assert len(written) > 3
        assert not list((tmp_path / "tables").glob("*/*/_day=*/*"))
        shipper.drain()
    assert ids(tmp_path) == list(range(8))


def test_nobody_waits_while_more_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few frames are no reason to wait for more where their bytes are what ended the batch."""
    monkeypatch.setattr("aforo.logs.shipper._BATCH_BYTES", 100_000)
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=1 << 20)
    waits: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            self.set()
            return True

    with writer, shipper_of(tmp_path) as shipper:
        for number in range(20):
            writer.append_call(large(number, context))
        seen = len(ids(tmp_path))
        shipper.run(Stop())
        assert seen == 0
        assert ids(tmp_path) == list(range(20))
    assert len(waits) == 1


def test_a_batch_ends_where_its_spool_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a writer that goes on would keep the rows that are there from being stored."""
    writer, context = open_writer(tmp_path / "spool" / "g")
    real, taken = Intake.take, []

    def take(intake: Intake, *limits: int) -> Taking:
        found = real(intake, *limits)
        taken.append(found.frames)
        writer.append_call(make_call(number=100 + len(taken), context=context))
        return found

    monkeypatch.setattr(Intake, "take", take)
    monkeypatch.setattr("aforo.logs.shipper._SLICE_FRAMES", 4)
    with writer, shipper_of(tmp_path) as shipper:
        for number in range(8):
            writer.append_call(make_call(number=number, context=context))
        # The context and eight calls, and two that came while those were taken.
        assert shipper.run_once() == 9 + 2
        assert taken == [4, 4, 3]
        assert shipper.run_once() == 1
