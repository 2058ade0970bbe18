"""Counters in this process's own memory, for one worker. Atomic because nothing here waits.

Sliding windows are kept in slices of a fiftieth; fixed windows start at an epoch. What is given back goes back to the
window or slice that it was taken from; what is owed is taken now. Many workers share counters through another adapter
of the same port (policy/services.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aforo.policy.services import CounterState, Reservation

_SLICES = 50
# Keys may be anything that a caller sends: windows that are over are looked for when there are so many.
_MANY = 1024


class _Slice:
    """What was taken within a fiftieth of a window; it leaves the window as late as its last part."""

    __slots__ = ("amount", "began", "last")

    def __init__(self, now: float) -> None:
        self.began = self.last = now
        self.amount = 0


class _Window:
    """What was taken in one window of one key. `slices` of a fixed window is the one that runs now."""

    __slots__ = ("ends", "epoch_s", "length_s", "slices", "sliding", "taken")

    def __init__(self, length_s: int, epoch_s: int, *, sliding: bool) -> None:
        self.length_s = length_s
        self.epoch_s = epoch_s
        self.sliding = sliding and length_s > 0
        self.taken = 0
        self.ends = 0.0  # fixed windows: when it is over
        self.slices: deque[_Slice] = deque()

    def roll(self, now: float) -> None:
        """Forget what has left the window."""
        if self.sliding:
            while self.slices and self.slices[0].last <= now - self.length_s:
                self.taken -= self.slices.popleft().amount
        elif self.length_s and now >= self.ends:
            self.taken = 0
            self.slices.clear()
            self.ends = self.epoch_s + ((now - self.epoch_s) // self.length_s + 1) * self.length_s

    def take(self, amount: int, now: float) -> _Slice:
        """Take, and say from where."""
        newest = self.slices[-1] if self.slices else None
        if newest is None or (self.sliding and now - newest.began >= self.length_s / _SLICES):
            newest = _Slice(now)
            self.slices.append(newest)
        newest.amount += amount
        newest.last = max(newest.last, now)
        self.taken += amount
        return newest

    def give_back(self, amount: int, taken_from: _Slice) -> None:
        """Nothing is given back to what has left the window already."""
        if taken_from in self.slices:
            taken_from.amount -= amount
            self.taken -= amount

    def wait(self, amount: int, limit: int, now: float) -> float:
        """Seconds until `amount` fits: when enough of the oldest has left the window."""
        if not self.sliding:
            return max(0.0, self.ends - now)
        excess = self.taken + amount - limit
        for part in self.slices:
            excess -= part.amount
            if excess <= 0:
                return max(0.0, part.last + self.length_s - now)
        return float(self.length_s)

    def is_over(self, now: float) -> bool:
        self.roll(now)
        return bool(self.length_s) and not self.taken


@dataclass(frozen=True, slots=True, eq=False)
class _Held(Reservation):
    """A reservation that knows where it was taken: nothing is kept here for who never comes back."""

    name: tuple[str, int, bool]
    epoch_s: int
    limit: int
    part: list[_Slice]  # empty when it is settled or released


class MemoryCounters:
    """The `Counters` port, in process. `clock` gives unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, int, bool], _Window] = {}
        self._look_at = _MANY
        self._next = 0

    async def reserve(
        self, key: str, amount: int, limit: int, window_s: int, *, sliding: bool, epoch_s: int = 0
    ) -> CounterState:
        now = self._clock()
        window = self._window(key, window_s, sliding, epoch_s, now)
        if window.taken + amount > limit:
            return CounterState(False, max(0, limit - window.taken), window.wait(amount, limit, now))
        part = window.take(amount, now)
        self._next += 1
        name = (key, window_s, sliding)
        reservation = _Held(str(self._next), key, amount, name, epoch_s, limit, [part])
        return CounterState(True, limit - window.taken, 0.0, reservation)

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        assert isinstance(reservation, _Held)
        part = reservation.part.pop()
        now = self._clock()
        window = self._window(*reservation.name, reservation.epoch_s, now)
        if amount > reservation.amount:
            window.take(amount - reservation.amount, now)
        else:
            window.give_back(reservation.amount - amount, part)
        return CounterState(True, max(0, reservation.limit - window.taken), 0.0)

    async def release(self, reservation: Reservation) -> None:
        assert isinstance(reservation, _Held)
        if reservation.part:
            window = self._window(*reservation.name, reservation.epoch_s, self._clock())
            window.give_back(reservation.amount, reservation.part.pop())

    async def peek(
        self, key: str, limit: int, window_s: int, *, sliding: bool, epoch_s: int = 0
    ) -> CounterState:
        now = self._clock()
        window = self._window(key, window_s, sliding, epoch_s, now)
        wait = 0.0 if window.taken < limit else window.wait(1, limit, now)
        return CounterState(window.taken < limit, max(0, limit - window.taken), wait)

    def _window(self, key: str, window_s: int, sliding: bool, epoch_s: int, now: float) -> _Window:
        name = (key, window_s, sliding)
        window = self._windows.get(name)
        if window is None:
            if len(self._windows) >= self._look_at:
                self._forget_old(now)
            window = self._windows[name] = _Window(window_s, epoch_s, sliding=sliding)
        window.roll(now)
        return window

    def _forget_old(self, now: float) -> None:
        self._windows = {n: w for n, w in self._windows.items() if not w.is_over(now)}
        self._look_at = max(_MANY, 2 * len(self._windows))
