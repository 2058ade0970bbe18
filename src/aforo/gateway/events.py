"""Loggers to which policies send events: bounded queues beside the calls, emptied into files or Kafka.

`send` never waits and never fails a call: what a queue cannot take is counted and told in the log.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from aforo.errors import Refusal
from aforo.private_files import private_directory
from aforo.snapshot.snapshot import LoggerEntry
from aforo.stamps import iso_stamp

log = logging.getLogger("aforo.gateway")

QUEUE_EVENTS: Final = 10_000
QUEUE_BYTES: Final = 32 * 1024 * 1024
BATCH: Final = 500
_BACKOFF_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_UNKNOWN_TOLD: Final = 100


@dataclass(frozen=True, slots=True)
class Event:
    """One event. At most one of `partition_id` and `partition_key` is given."""

    data: bytes
    at_ns: int
    partition_id: str | None = None
    partition_key: str | None = None


class Sink(Protocol):
    """Where the events of one logger go."""

    async def write(self, events: list[Event]) -> list[Event]:
        """Write them in their order and give back those that may be tried again later; what is refused for good is told
        in the log. An exception means that none was written."""

    async def close(self) -> None: ...


class Loggers:
    """The `Events` port. `sink_of` makes the sink of a logger; `configure` takes up those of another configuration."""

    def __init__(self, sink_of: Callable[[LoggerEntry], Sink]) -> None:
        self._sink_of = sink_of
        self._channels: dict[str, _Channel] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._unknown: set[str] = set()
        self._lost = 0

    @property
    def dropped(self) -> int:
        """Events that no queue took, or that went to a logger that does not exist."""
        return self._lost + sum(c.dropped for c in self._channels.values())

    def configure(self, entries: Iterable[LoggerEntry]) -> None:
        """A logger that is as it was keeps its queue; one that is gone or changed empties its own first."""
        known, self._channels = self._channels, {}
        self._unknown.clear()
        for entry in entries:
            name = entry.id.lower()
            kept = known.get(name)
            if kept is not None and kept.entry == entry:
                self._channels[name] = known.pop(name)
            else:
                self._channels[name] = _Channel(entry, self._sink_of)
        for channel in known.values():
            self._lost += channel.dropped
            if channel.began:
                leaving = asyncio.get_running_loop().create_task(channel.close(10.0))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

    def send(
        self, logger_id: str, data: bytes, *, partition_id: str | None, partition_key: str | None
    ) -> None:
        channel = self._channels.get(logger_id.lower())
        if channel is not None:
            channel.put(Event(data, time.time_ns(), partition_id, partition_key))
            return
        self._lost += 1
        if logger_id not in self._unknown and len(self._unknown) < _UNKNOWN_TOLD:
            self._unknown.add(logger_id)
            log.error("events for the logger %r are dropped: there is no such logger", logger_id[:80])

    async def close(self, timeout_s: float) -> None:
        """Write what is queued, as far as that goes in the time; the rest is counted and told."""
        began = [c for c in self._channels.values() if c.began]
        await asyncio.gather(*(c.close(timeout_s) for c in began), *self._leaving)


class _Channel:
    """The queue of one logger, and who empties it: begun by the first event."""

    def __init__(self, entry: LoggerEntry, sink_of: Callable[[LoggerEntry], Sink]) -> None:
        self.entry = entry
        self.dropped = 0
        self._sink_of = sink_of
        self._sink: Sink | None = None
        self._queue: deque[Event] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._told = 0

    @property
    def began(self) -> bool:
        return self._task is not None

    def put(self, event: Event) -> None:
        if len(self._queue) >= QUEUE_EVENTS or self._bytes + len(event.data) > QUEUE_BYTES:
            self.dropped += 1
            if self.dropped == 1 or self.dropped >= self._told * 10:
                self._told = self.dropped
                log.error(
                    "%d events for the logger %r were dropped: its queue is full", self.dropped, self.entry.id
                )
            return
        self._queue.append(event)
        self._bytes += len(event.data)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        self._more.set()

    async def close(self, timeout_s: float) -> None:
        self._closing = True
        self._more.set()
        task = self._task
        if task is not None:
            await asyncio.wait({task}, timeout=timeout_s)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._queue:
            self.dropped += len(self._queue)
            log.error("%d events for the logger %r were not delivered", len(self._queue), self.entry.id)
        if self._sink is not None:
            try:
                await asyncio.wait_for(self._sink.close(), 5.0)
            except Exception as error:  # noqa: BLE001 - it is over, and whatever a client library raises is told
                log.warning("the logger %r did not close: %s", self.entry.id, type(error).__name__)

    async def _run(self) -> None:
        failures = 0
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._more.clear()
                await self._more.wait()
                continue
            batch = [self._queue[i] for i in range(min(BATCH, len(self._queue)))]
            try:
                if self._sink is None:
                    self._sink = self._sink_of(self.entry)
                again = await self._sink.write(batch)
            except Exception as error:  # noqa: BLE001 - whatever a client library raises: the events wait
                if failures == 0:
                    # Its own words could hold what it was given to sign in with.
                    log.error("the logger %r cannot be reached: %s", self.entry.id, _reason(error))
                again = batch
            for event in batch:
                self._queue.popleft()
                self._bytes -= len(event.data)
            for event in reversed(again):
                self._queue.appendleft(event)
                self._bytes += len(event.data)
            if not again:
                if failures:
                    log.error("the logger %r can be reached again", self.entry.id)
                failures = 0
                continue
            with contextlib.suppress(TimeoutError):
                pause = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
                failures += 1
                await asyncio.sleep(pause)


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, Refusal) else type(error).__name__


class FileSink:
    """One file of JSON lines: `{"time", "partitionId" | "partitionKey", "body"}`; `bodyBase64` for what is no text. At
    `most_bytes` it becomes `<name>.1`, in the place of the one before."""

    def __init__(self, file: Path, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._file = file
        self._most = most_bytes

    async def write(self, events: list[Event]) -> list[Event]:
        private_directory(self._file.parent)
        data = b"".join(_line(event) for event in events)
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.fstat(descriptor).st_size + len(data) > self._most:
                self._file.replace(self._file.with_name(f"{self._file.name}.1"))
                os.close(descriptor)
                descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
        return []

    async def close(self) -> None:
        """Nothing is open between writes."""


def _line(event: Event) -> bytes:
    out: dict[str, Any] = {"time": iso_stamp(event.at_ns, 6)}
    if event.partition_id is not None:
        out["partitionId"] = event.partition_id
    if event.partition_key is not None:
        out["partitionKey"] = event.partition_key
    try:
        out["body"] = event.data.decode()
    except UnicodeDecodeError:
        out["bodyBase64"] = base64.b64encode(event.data).decode()
    return orjson.dumps(out) + b"\n"
