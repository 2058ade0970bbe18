"""Ends the question at hand when its time is over or nobody wants it. One thread, started before any memory limit
holds: under the limit of a query process a new thread may not start any more. It knows no question's content.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time

import duckdb

from aforo.logs.question import Outcome

_INTERRUPT_AGAIN_S = 0.05
_LONGEST_PAUSE_S = 3600.0


class Watchdog:
    """Watches one question at a time. `end` and `stop` may be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        # A plain queue, for its waiting allocates nothing: memory may be gone when it is needed.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopped = False
        self._number = 0
        self._over = True
        self._deadline = 0.0
        self._running: duckdb.DuckDBPyConnection | None = None
        self._given_up: set[int] = set()
        self.ended: Outcome | None = None
        threading.Thread(target=self._watch, name="query watchdog", daemon=True).start()

    def begin(self, number: int, timeout_s: float) -> None:
        """From now on this question is watched. `ended` is set already when it was given up before it began."""
        with self._guard:
            self._number, self._over = number, False
            self._deadline = time.monotonic() + timeout_s
            self.ended = Outcome.CANCELLED if number in self._given_up else None
            self._given_up = {n for n in self._given_up if n > number}
        self._bell.put(None)

    def hold(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What to interrupt."""
        with self._guard:
            self._running = connection

    def release(self) -> duckdb.DuckDBPyConnection | None:
        """What was held; it is not interrupted any more."""
        with self._guard:
            running, self._running = self._running, None
        return running

    def go_on(self) -> None:
        """Raises when the question was ended from outside."""
        if self.ended is not None:
            raise duckdb.InterruptException("ended")

    def over(self) -> None:
        """The question has its answer."""
        with self._guard:
            self._over = True

    def end(self, number: int, why: Outcome) -> None:
        """End this question, also one that is still to come."""
        with self._guard:
            if number > self._number:
                self._given_up.add(number)
            elif number == self._number and not self._over:
                self.ended = self.ended or why
        self._bell.put(None)

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._bell.put(None)

    def _watch(self) -> None:
        while not self._stopped:
            # Whatever fails here for want of memory is tried again: this thread has to outlive it.
            with contextlib.suppress(queue.Empty, MemoryError):
                self._bell.get(timeout=self._pause_s())
            with contextlib.suppress(MemoryError):
                self._look()

    def _pause_s(self) -> float:
        with self._guard:
            if self._over:
                return _LONGEST_PAUSE_S
            if self.ended is not None:
                return _INTERRUPT_AGAIN_S
            return min(max(self._deadline - time.monotonic(), 0.0), _LONGEST_PAUSE_S)

    def _look(self) -> None:
        """Interrupt what is to be ended, and again until it is over: between two statements it has no effect."""
        with self._guard:
            if self._over:
                return
            if self.ended is None and time.monotonic() >= self._deadline:
                self.ended = Outcome.TIMEOUT
            if self.ended is not None and self._running is not None:
                self._running.interrupt()
