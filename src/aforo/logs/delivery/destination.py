"""One destination: what is read from the spools for it, in batches, and how they are delivered. It knows no protocol.

Reading and delivering are two steps with the outbox between them; a place that is away stops the second, and the first
when enough waits.
"""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aforo.logs.delivery.forms import METRICS, Form, JsonForm, RowForm
from aforo.logs.delivery.held import Held
from aforo.logs.delivery.outbox import Batch, Outbox, Part, Positions
from aforo.logs.intake import Intake, TakenAmend, TakenCall
from aforo.logs.minutes import Minutes, Sums, metric_rows
from aforo.logs.project import gateway_row, llm_rows, read_call
from aforo.logs.rows import Row, RowMaker
from aforo.model.deliveries_file import Destination
from aforo.spool.records import LOG_GATEWAY, LOG_LLM_REQUESTS, LOG_LLM_RESPONSES, LOG_METRICS
from aforo.spool.recover import lock_folder, segments
from aforo.tables.azure_metrics import AZURE_METRICS

log = logging.getLogger("aforo.logs")

_Parts = dict[tuple[str, str], list[bytes]]

_LLM = LOG_LLM_REQUESTS | LOG_LLM_RESPONSES
_FRAMES = 2_000
# Records of one batch, and bytes of batches that wait: then nothing more is read until some are delivered.
BATCH_BYTES = 4 * 1024 * 1024
WAITING_BYTES = 32 * 1024 * 1024


class Place(Protocol):
    """Where batches go. A batch that was given before is given again after a failure, and must do no harm."""

    def deliver(self, batch: Batch) -> None:
        """Any exception means: not delivered, try again later."""

    def close(self) -> None: ...


class Reading:
    """Reads the spools for one destination into its outbox."""

    def __init__(
        self,
        destination: Destination,
        outbox: Outbox,
        held: Held,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.destination = destination
        self.outbox = outbox
        self._held = held
        self._clock = clock
        self._intakes: dict[str, Intake] = {}
        self._resource = destination.resource_id.lower()
        self._categories = frozenset(destination.categories)
        form = RowForm if destination.kind == "delta" else JsonForm
        self._form: Form = form(self._categories)
        self._minutes = Minutes()
        self._metrics = RowMaker(AZURE_METRICS)

    def read(self) -> int:
        """Decide on one more batch; how many frames were looked at. 0 when there is nothing, or too much waits."""
        if self.outbox.size() > WAITING_BYTES:
            return 0
        before = self.outbox.decided
        taken, again, counts = dict(before.taken), dict(before.read), dict(before.frames)
        broken = dict(before.broken)
        skipped = before.skipped
        parts: _Parts = defaultdict(list)
        frames = size = 0
        for spool, folder, writer in self._held.spools():
            intake = self._intake(spool, folder, writer)
            gap = intake.reader.before() - counts.get(spool, 1 << 62)
            if gap > 0:
                # Segments went before they were read: more waited than may be held.
                skipped += gap
                intake.reader.seek(taken[spool])
            while size < BATCH_BYTES:
                count, grown = self._take(spool, intake, writer, taken, again, broken, parts)
                frames += count
                size += grown
                if count < _FRAMES:
                    break
            counts[spool] = max(intake.reader.count(taken[spool]), intake.reader.before())
        minutes = self._count(again, parts) if METRICS in self._categories else before.minutes
        if taken != before.taken or again != before.read or minutes != before.minutes or parts:
            positions = Positions(before.number + 1, taken, again, 0, counts, skipped, minutes, broken=broken)
            self.outbox.put(positions, [Part(c, f, lines) for (c, f), lines in parts.items()])
        return frames

    def pending(self) -> int:
        """Frames that are in no delivered batch yet."""
        total = 0
        for spool, folder, writer in self._held.spools():
            reader = self._intake(spool, folder, writer).reader
            total += max(reader.accepted() - reader.count(self.outbox.delivered.taken.get(spool, 0)), 0)
        return total

    def forget(self) -> None:
        """Read from the noted positions again."""
        for intake in self._intakes.values():
            intake.reader.close()
        self._intakes.clear()
        self._minutes = Minutes()

    def _intake(self, spool: str, folder: Path, writer: Path) -> Intake:
        intake = self._intakes.get(spool)
        if intake is None:
            intake = self._intakes[spool] = Intake(folder, writer)
            intake.reader.seek(self.outbox.decided.read.get(spool, 0))
        return intake

    def _take(
        self,
        spool: str,
        intake: Intake,
        writer: Path,
        taken: dict[str, int],
        again: dict[str, int],
        broken: dict[str, int],
        parts: _Parts,
    ) -> tuple[int, int]:
        """Frames that were read, and bytes that they became."""
        done = taken.get(spool, 0)
        gone = _is_gone(intake.folder, writer)  # asked before reading: what was written until then is seen
        taking = intake.take(_FRAMES)
        amends = {t.record.call_id: t.record.aborted for t in taking.items if isinstance(t, TakenAmend)}
        size = 0
        for item in taking.items:
            if isinstance(item, TakenCall):
                self._measure(spool, item)
            if isinstance(item, TakenCall) and item.sequence > done:
                aborted = amends.get(item.call.call_id)
                size += self._add(item.aborted(aborted) if aborted else item, parts)
        # The end of a call may stand in frames that were not read yet.
        over = intake.ended(gone=gone and not taking.frames)
        known = broken.get(spool, 0)
        for item in over:
            if item.sequence > known:
                size += self._add(item.aborted("gateway"), parts)
        if over:
            broken[spool] = max(known, over[-1].sequence)
        intake.settle(over)
        begun = intake.oldest_begun
        taken[spool] = max(done, intake.position)
        again[spool] = min(taken[spool], begun - 1) if begun else taken[spool]
        return taking.frames, size

    def _add(self, item: TakenCall, parts: _Parts) -> int:
        call, context = item.call, item.context
        if not self._is_ours(item):
            return 0
        read = read_call(call)
        time_us = call.started_ns // 1_000
        size = 0
        if "GatewayLogs" in self._categories and call.log_flags & LOG_GATEWAY:
            row = gateway_row(call, context, read, item.size_bytes)
            size += self._put("GatewayLogs", row, time_us, parts)
        if "GatewayLlmLogs" in self._categories and call.log_flags & _LLM and read is not None:
            for row in llm_rows(call, context, read, item.size_bytes):
                size += self._put("GatewayLlmLogs", row, time_us, parts)
        return size

    def _is_ours(self, item: TakenCall) -> bool:
        since_ns = self.destination.since_ns
        return item.context.resource_id == self._resource and item.call.ended_ns >= since_ns

    def _put(self, category: str, row: Row, time_us: int, parts: _Parts) -> int:
        folder, line = self._form.make(category, row, self._resource, time_us)
        parts[category, folder].append(line)
        return len(line)

    def _measure(self, spool: str, item: TakenCall) -> None:
        """A call counts in its minute, unless a batch has that minute."""
        if METRICS not in self._categories or not item.call.log_flags & LOG_METRICS:
            return
        if self._is_ours(item) and item.sequence > self.outbox.decided.minutes.get(spool, 0):
            self._minutes.add(spool, item.sequence, item.call, self._resource, ("",))

    def _count(self, again: dict[str, int], parts: _Parts) -> dict[str, int]:
        """The minutes that are over become records; up to where each spool is counted then. The frames of the others
        are read again after a start."""
        closed = self._minutes.closed(self._clock())
        sums: dict[int, Sums] = defaultdict(Sums)
        for run in (run for runs in closed.values() for run in runs):
            for of_run in run.sums.values():
                sums[run.minute].merge(of_run)
        for minute, of_minute in sorted(sums.items()):
            for values in metric_rows(minute, self._resource, of_minute):
                row = self._metrics.make(values, time_us=0, size_bytes=100)
                self._put(METRICS, row, minute * 60_000_000, parts)
        self._minutes.drop(closed)
        counted = dict(self.outbox.decided.minutes)
        for spool, intake in self._intakes.items():
            reached = self._minutes.counted(spool, intake.position)
            counted[spool] = max(counted.get(spool, 0), reached)
            again[spool] = min(again.get(spool, 0), counted[spool])
        return counted


def deliver(outbox: Outbox, place: Place, stopped: Callable[[], bool]) -> int:
    """Deliver what waits, oldest first; how many records. An exception leaves the rest where it is."""
    total = 0
    while not stopped() and (batch := outbox.first()) is not None:
        if batch.parts:
            place.deliver(batch)
        outbox.done(batch)
        total += batch.records
    return total


def _is_gone(folder: Path, writer: Path) -> bool:
    """Whether no process writes there now, and all that was written can be read in the folder of links."""
    if not writer.is_dir():
        return True
    lock = lock_folder(writer)
    if lock is None:
        return False
    os.close(lock)
    return {s.name for s in segments(writer)} <= {s.name for s in segments(folder)}
