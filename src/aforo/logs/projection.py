"""Calls of a batch become rows of the tables that their contexts name, and those who watch hear of each once. It reads
no spool and writes no file.

Some calls at a time go through one step after the other: what a step needs is at hand in the processor then, which is a
quarter of the time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from aforo.llm.digest import Digest
from aforo.logs.batch import Batch, Place
from aforo.logs.intake import TakenCall
from aforo.logs.project import Context, gateway_row, llm_rows, read_call, trace_rows
from aforo.logs.rows import RowMaker
from aforo.spool.records import (
    LOG_GATEWAY,
    LOG_LLM_REQUESTS,
    LOG_LLM_RESPONSES,
    LOG_TRACES,
    CallRecord,
)
from aforo.tables.app_traces import APP_TRACES
from aforo.tables.gateway_logs import GATEWAY_LOGS
from aforo.tables.llm_logs import LLM_LOGS

log = logging.getLogger("aforo.logs")

_LLM = LOG_LLM_REQUESTS | LOG_LLM_RESPONSES
_TOGETHER = 64


class Watcher(Protocol):
    """Who hears of each call once, on its way to the tables: metrics, traces. It never fails and never waits."""

    def saw(self, call: CallRecord, context: Context, read: Digest | None) -> None: ...

    def tick(self, now_s: float) -> None:
        """A batch is stored, or there was none."""


class Projection:
    """Remembers up to which frame of each application the watchers have seen the calls: what is read again after a
    failure was seen before it."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers
        self._watched: dict[str, int] = {}
        self._traces = RowMaker(APP_TRACES)

    def add(self, batch: Batch, items: Sequence[TakenCall], application: str) -> None:
        """The rows of those calls, whose frames are an application's and in their order."""
        for first in range(0, len(items), _TOGETHER):
            self._add(batch, items[first : first + _TOGETHER], application)

    def _add(self, batch: Batch, items: Sequence[TakenCall], application: str) -> None:
        reads = [read_call(item.call) for item in items]
        self._tell(items, reads, application)
        logged = [
            (item, read)
            for item, read in zip(items, reads, strict=True)
            if item.call.log_flags & LOG_GATEWAY and item.context.gateway
        ]
        rows = [gateway_row(item.call, item.context, read, item.size_bytes) for item, read in logged]
        places = _Places(batch, GATEWAY_LOGS.name, application)
        for (item, _), row in zip(logged, rows, strict=True):
            for its_rows, sequences in places.of(item.context.gateway):
                its_rows.append(row)
                sequences.append(item.sequence)
        for item in items:
            if item.call.log_flags & LOG_TRACES and item.context.gateway:
                self._add_traces(batch, item, application)
        spoken = [
            (item, read)
            for item, read in zip(items, reads, strict=True)
            if read is not None and item.call.log_flags & _LLM and item.context.llm
        ]
        messages = [llm_rows(item.call, item.context, read, item.size_bytes) for item, read in spoken]
        places = _Places(batch, LLM_LOGS.name, application)
        for (item, _), several in zip(spoken, messages, strict=True):
            for its_rows, sequences in places.of(item.context.llm):
                its_rows += several
                sequences += (item.sequence,) * len(several)

    def _tell(self, items: Sequence[TakenCall], reads: Sequence[Digest | None], application: str) -> None:
        seen = self._watched.get(application, 0)
        self._watched[application] = max(seen, items[-1].sequence)
        for watcher in self._watchers:
            for item, read in zip(items, reads, strict=True):
                if item.sequence <= seen:
                    continue
                try:
                    watcher.saw(item.call, item.context, read)
                except Exception:
                    # A bug of ours; no row may wait for it.
                    log.exception("bug: call %s was not counted", item.call.call_id)

    def _add_traces(self, batch: Batch, item: TakenCall, application: str) -> None:
        call = item.call
        for record, values in zip(call.trace_records, trace_rows(call, item.context), strict=True):
            row = self._traces.make(values, time_us=call.started_ns // 1_000, size_bytes=len(record.message))
            for workspace in item.context.gateway:
                batch.parts[workspace, APP_TRACES.name].add(row, application, item.sequence)


class _Places:
    """Where rows of one table go, by workspaces: calls that follow each other most often have the same ones."""

    def __init__(self, batch: Batch, table: str, application: str) -> None:
        self._batch = batch
        self._table = table
        self._application = application
        self._workspaces: tuple[str, ...] = ()
        self._places: list[Place] = []

    def of(self, workspaces: tuple[str, ...]) -> list[Place]:
        if workspaces is not self._workspaces:
            self._workspaces = workspaces
            parts = self._batch.parts
            self._places = [parts[w, self._table].of[self._application] for w in workspaces]
        return self._places
