"""Counters in this process's own memory, for one worker. Atomic because nothing here waits.

Sliding windows are kept in slices of a fiftieth; fixed windows start at an epoch. Many workers share counters
through another adapter of the same port (policy/services.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from aforo.policy.services import CounterState, Reservation

_SLICES = 50


class _Window:
    """What was taken in one window of one key."""

    __slots__ = ("ends", "slices", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.ends = 0.0  # fixed windows: when it is over
        self.slices: deque[list[float]] = deque()  # sliding windows: [time, amount]


class MemoryCounters:
    """The `Counters` port, in process. `clock` gives unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, int, bool], _Window] = {}
        self._next = 0
        self._reserved: dict[str, tuple[_Window, tuple[str, int, bool], int]] = {}

    async def reserve(
        self, key: str, amount: int, limit: int, window_s: int, *, sliding: bool, epoch_s: int = 0
    ) -> CounterState:
        now = self._clock()
        window = self._window(key, window_s, sliding, epoch_s, now)
        if window.taken + amount > limit:
            return CounterState(
                False, max(0, limit - window.taken), self._wait(window, amount, limit, window_s, now)
            )
        self._take(window, amount, window_s, sliding, now)
        self._next += 1
        reservation = Reservation(str(self._next), key, amount)
        self._reserved[reservation.id] = (window, (key, window_s, sliding), limit)
        return CounterState(True, limit - window.taken, 0.0, reservation)

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        window, (_, window_s, sliding), limit = self._reserved.pop(reservation.id)
        self._take(window, amount - reservation.amount, window_s, sliding, self._clock())
        return CounterState(True, limit - window.taken, 0.0)

    async def release(self, reservation: Reservation) -> None:
        found = self._reserved.pop(reservation.id, None)
        if found is not None:
            window, (_, window_s, sliding), _ = found
            self._take(window, -reservation.amount, window_s, sliding, self._clock())

    async def peek(
        self, key: str, limit: int, window_s: int, *, sliding: bool, epoch_s: int = 0
    ) -> CounterState:
        now = self._clock()
        window = self._window(key, window_s, sliding, epoch_s, now)
        wait = 0.0 if window.taken < limit else self._wait(window, 1, limit, window_s, now)
        return CounterState(window.taken < limit, max(0, limit - window.taken), wait)

    def _window(self, key: str, window_s: int, sliding: bool, epoch_s: int, now: float) -> _Window:
        name = (key, window_s, sliding)
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = _Window()
        if sliding:
            oldest = now - window_s
            while window.slices and window.slices[0][0] <= oldest:
                window.taken -= int(window.slices.popleft()[1])
        elif window_s and now >= window.ends:
            window.taken = 0
            window.ends = epoch_s + ((now - epoch_s) // window_s + 1) * window_s
        return window

    @staticmethod
    def _take(window: _Window, amount: int, window_s: int, sliding: bool, now: float) -> None:
        window.taken += amount
        if sliding:
            if window.slices and now - window.slices[-1][0] < window_s / _SLICES:
                window.slices[-1][1] += amount
            else:
                window.slices.append([now, amount])

    @staticmethod
    def _wait(window: _Window, amount: int, limit: int, window_s: int, now: float) -> float:
        """Seconds until `amount` fits: when enough of the oldest has left the window."""
        if not window.slices:
            return max(0.0, window.ends - now) if window.ends else float(window_s)
        excess = window.taken + amount - limit
        for at, taken in window.slices:
            excess -= int(taken)
            if excess <= 0:
                return max(0.0, at + window_s - now)
        return float(window_s)
