"""Exactly once: a shipper that dies at any step, and one that is really killed, store each frame one time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aforo.logs import day_files, delta
from aforo.logs import shipper as shipping
from aforo.logs.intake import Intake
from aforo.logs.shipper import Shipper
from aforo.spool.reader import SpoolReader
from aforo.spool.records import AmendRecord, BeginRecord, RowsRecord
from tests.support.calls import START_NS, WORKSPACE, make_call, open_writer, rows_of
from tests.support.examples import examples

LOGS = "ApiManagementGatewayLogs"


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def dying_at(step: int) -> Iterator[None]:
    """Each effect that a shipper has on the world is two steps, before and after it; die at that one."""
    left = step

    def tick() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            tick()
            value = real(*args, **options)
            tick()
            return value

        return call

    with (
        mock.patch.object(delta, "commit_files", dying(delta.commit_files)),
        mock.patch.object(day_files, "write", dying(day_files.write)),
        mock.patch.object(delta.TableWriter, "amend", dying(delta.TableWriter.amend)),
        mock.patch.object(Intake, "save", dying(Intake.save)),
        mock.patch.object(SpoolReader, "discard", dying(SpoolReader.discard)),
    ):
        yield


@contextmanager
def in_slices(frames: int) -> Iterator[None]:
    """As large bodies are taken: so many frames at once, their files written in another thread, several for a commit."""
    with (
        mock.patch.object(shipping, "_SLICE_FRAMES", frames),
        mock.patch.object(shipping, "_FILE_BYTES", 4_000),
        mock.patch.object(shipping, "_BATCH_BYTES", 12_000),
        mock.patch.object(shipping, "_LARGE_BYTES", 1),
    ):
        yield


@pytest.mark.parametrize("way", ["at once", "in slices"])
@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.integers(1, 25),
    st.randoms(use_true_random=False),
)
def test_a_shipper_that_dies_at_any_step(way: str, steps: list[int], batch: int, rng: random.Random) -> None:
    with tempfile.TemporaryDirectory() as name, in_slices(2) if way == "in slices" else nullcontext():
        root = Path(name)
        writers = [open_writer(root / "spool" / spool, segment_bytes=12 * 1024) for spool in "ab"]
        calls = diagnostics = 0
        now_s = START_NS / 1e9
        left: set[str] = set()
        for step in [*steps, 0]:
            for _ in range(rng.randrange(12)):
                writer, context = rng.choice(writers)
                calls += 1
                ended = int(now_s * 1e9) + rng.randrange(-90, 90) * 10**9
                call = make_call(number=calls, context=context, ended_ns=ended)
                if rng.random() < 0.2:
                    writer.append_begin(BeginRecord(call))
                writer.append_call(call)
                if rng.random() < 0.2:
                    writer.append_amend(AmendRecord(call.call_id, "client", ended))
                    left.add(call.call_id)
                if rng.random() < 0.2:
                    diagnostics += 1
                    writer.append_rows(
                        RowsRecord([WORKSPACE], "AzureDiagnostics", [{"DurationMs": diagnostics}])
                    )
            now_s += rng.randrange(70)
            clock = partial(float, now_s)
            with Shipper(root / "spool", root / "tables", clock=clock, batch_frames=batch) as shipper:
                if not step:
                    shipper.drain()
                    assert [s.pending for s in shipper.status()] == [0, 0]
                    continue
                try:
                    with dying_at(step):
                        while shipper.run_once():
                            pass
                except Killed:
                    pass
        for writer, _ in writers:
            writer.close()
        stored = rows_of(root / "tables", LOGS, "CorrelationId", "Aborted")
        assert [int(i.replace("-", ""), 16) for i, _ in stored] == list(range(1, calls + 1))
        assert {i.replace("-", "") for i, aborted in stored if aborted == "client"} == left
        messages = rows_of(root / "tables", "ApiManagementGatewayLlmLog", "CorrelationId", "SequenceNumber")
        assert len(messages) == len(set(messages)) == 2 * calls
        rows = rows_of(root / "tables", "AzureDiagnostics", "DurationMs")
        assert rows == [(n,) for n in range(1, diagnostics + 1)]
        metrics = rows_of(root / "tables", "AzureMetrics", "MetricName", "Total")
        assert sum(total for metric, total in metrics if metric == "Requests") == calls


SHIP = """
import sys, threading
from pathlib import Path
from aforo.logs.shipper import Shipper
root = Path(sys.argv[1])
with Shipper(root / "spool", root / "tables", interval_s=0.01, batch_frames=40) as shipper:
    print("ready", flush=True)
    shipper.run(threading.Event())
"""


@pytest.mark.slow
def test_a_shipper_that_is_really_killed(tmp_path: Path) -> None:
    rng = random.Random(11)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=32 * 1024)
    calls = 0
    with writer:
        for _ in range(5):
            child = subprocess.Popen(
                [sys.executable, "-c", SHIP, str(tmp_path)], stdout=subprocess.PIPE, env=environment
            )
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            seen = len(rows_of(tmp_path / "tables", LOGS, "CorrelationId"))
            wanted = seen + rng.randrange(30, 150)
            while len(rows_of(tmp_path / "tables", LOGS, "CorrelationId")) < wanted:
                for _ in range(rng.randrange(40)):
                    calls += 1
                    writer.append_call(make_call(number=calls, context=context))
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
        with Shipper(tmp_path / "spool", tmp_path / "tables") as shipper:
            shipper.drain()
            (status,) = shipper.status()
            assert (status.pending, status.damaged, status.accepted) == (0, 0, writer.accepted)
    numbers = [int(i.replace("-", ""), 16) for (i,) in rows_of(tmp_path / "tables", LOGS, "CorrelationId")]
    assert numbers == list(range(1, calls + 1))
    messages = rows_of(tmp_path / "tables", "ApiManagementGatewayLlmLog", "CorrelationId", "SequenceNumber")
    assert max(Counter(messages).values()) == 1
    assert len(messages) == 2 * calls
    metrics = rows_of(tmp_path / "tables", "AzureMetrics", "MetricName", "Total")
    assert sum(total for metric, total in metrics if metric == "Requests") == calls
