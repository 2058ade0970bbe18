"""Counters in this process's own memory, for one worker. Atomic because nothing here waits.

Sliding windows are kept in slices of a fiftieth; fixed windows start at an epoch; buckets drain evenly. What is given
back goes back to the window or slice that it was taken from; what is owed is taken now. Many workers share counters
through another adapter of the same port (policy/services.py).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Literal

from aforo.policy.services import CounterState, Reservation

_SLICES = 50
# Keys may be anything that a caller sends: windows that are over are looked for when there are so many.
_MANY = 1024
# When not even that helps, counters that have counted least are forgotten: single calls under ever new keys.
MAX_WINDOWS = 1_000_000

_Form = Literal["sliding", "fixed", "bucket"]


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
        self.slices: list[_Slice] = []  # a few dozen at most; an empty deque has 600 bytes

    def roll(self, now: float) -> None:
        """Forget what has left the window."""
        if self.sliding:
            while self.slices and self.slices[0].last <= now - self.length_s:
                self.taken -= self.slices.pop(0).amount
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


class _Bucket:
    """What was taken and has not drained yet: `limit` of it drains in `length_s`. More than `limit` is debt."""

    __slots__ = ("length_s", "limit", "rolled", "taken")

    def __init__(self, length_s: int) -> None:
        self.length_s = length_s
        self.limit = 0
        self.rolled = 0.0
        self.taken = 0.0

    def roll(self, now: float) -> None:
        self.taken = max(0.0, self.taken - self._drains(now - self.rolled))
        self.rolled = now

    def take(self, amount: int, now: float) -> _Slice:
        self.taken += amount
        return _Slice(now)

    def give_back(self, amount: int, taken_from: _Slice) -> None:
        """Nothing is given back of what may have drained since."""
        self.taken = max(0.0, self.taken - max(0.0, amount - self._drains(self.rolled - taken_from.began)))

    def wait(self, amount: int, limit: int, now: float) -> float:  # noqa: ARG002 - as a window has it
        excess = self.taken + min(amount, limit) - limit
        return max(0.0, excess * self.length_s / limit) if limit else float(self.length_s)

    def is_over(self, now: float) -> bool:
        self.roll(now)
        return not self.taken

    def _drains(self, seconds: float) -> float:
        return max(0.0, seconds) * self.limit / self.length_s


def _left(limit: int, window: _Window | _Bucket) -> int:
    # A bucket's float may be a hair above the number that it means.
    return limit - math.ceil(window.taken - 1e-6)


class _Held(Reservation, frozen=True, eq=False):
    """A reservation that knows where it was taken: nothing is kept here for who never comes back."""

    name: tuple[str, int, _Form]
    epoch_s: int
    limit: int
    part: list[_Slice]  # empty when it is settled or released


class MemoryCounters:
    """The `Counters` port, in process. `clock` gives unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, int, _Form], _Window | _Bucket] = {}
        self._look_at = _MANY
        self._next = 0

    async def reserve(
        self,
        key: str,
        amount: int,
        limit: int,
        window_s: int,
        *,
        sliding: bool,
        epoch_s: int = 0,
        bucket: bool = False,
    ) -> CounterState:
        now = self._clock()
        name = _name(key, window_s, sliding, bucket)
        window = self._window(name, epoch_s, limit, now)
        left = _left(limit, window)
        if amount > left:
            return CounterState(False, max(0, left), window.wait(amount, limit, now))
        part = window.take(amount, now)
        self._next += 1
        reservation = _Held(str(self._next), key, amount, name, epoch_s, limit, [part])
        return CounterState(True, left - amount, 0.0, reservation)

    async def charge(
        self,
        key: str,
        amount: int,
        limit: int,
        window_s: int,
        *,
        sliding: bool,
        epoch_s: int = 0,
        bucket: bool = False,
    ) -> CounterState:
        now = self._clock()
        window = self._window(_name(key, window_s, sliding, bucket), epoch_s, limit, now)
        window.take(amount, now)
        return CounterState(True, max(0, _left(limit, window)), 0.0)

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        assert isinstance(reservation, _Held)
        part = reservation.part.pop()
        now = self._clock()
        window = self._window(reservation.name, reservation.epoch_s, reservation.limit, now)
        if amount > reservation.amount:
            window.take(amount - reservation.amount, now)
        else:
            window.give_back(reservation.amount - amount, part)
        return CounterState(True, max(0, _left(reservation.limit, window)), 0.0)

    async def release(self, reservation: Reservation) -> None:
        assert isinstance(reservation, _Held)
        if reservation.part:
            window = self._window(reservation.name, reservation.epoch_s, reservation.limit, self._clock())
            window.give_back(reservation.amount, reservation.part.pop())

    async def peek(
        self,
        key: str,
        limit: int,
        window_s: int,
        *,
        sliding: bool,
        epoch_s: int = 0,
        bucket: bool = False,
    ) -> CounterState:
        now = self._clock()
        window = self._window(_name(key, window_s, sliding, bucket), epoch_s, limit, now)
        left = _left(limit, window)
        wait = 0.0 if left > 0 else window.wait(1, limit, now)
        return CounterState(left > 0, max(0, left), wait)

    def _window(
        self, name: tuple[str, int, _Form], epoch_s: int, limit: int, now: float
    ) -> _Window | _Bucket:
        window = self._windows.get(name)
        if window is None:
            if len(self._windows) >= self._look_at:
                self._forget_old(now)
            _, length_s, form = name
            if form == "bucket":
                window = _Bucket(length_s)
                window.rolled = now
            else:
                window = _Window(length_s, epoch_s, sliding=form == "sliding")
            self._windows[name] = window
        window.roll(now)
        if type(window) is _Bucket:
            window.limit = limit
        return window

    def _forget_old(self, now: float) -> None:
        windows = self._windows = {n: w for n, w in self._windows.items() if not w.is_over(now)}
        if len(windows) > MAX_WINDOWS * 3 // 4:
            spare = len(windows) - MAX_WINDOWS // 2
            least = sorted(w.taken for w in windows.values())[spare]
            # Of those that have counted the same, the oldest go.
            for name in [n for n, w in windows.items() if w.taken <= least][:spare]:
                del windows[name]
        self._look_at = min(MAX_WINDOWS, max(_MANY, 2 * len(windows)))


def _name(key: str, window_s: int, sliding: bool, bucket: bool) -> tuple[str, int, _Form]:
    return key, window_s, "bucket" if bucket else "sliding" if sliding else "fixed"
