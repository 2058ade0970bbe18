"""Counters in this process's own memory, for one worker. Atomic because nothing here waits.

What is given back goes back to the window or slice that it was taken from; what is owed is taken now. With a journal
(counter_journal.py) long windows outlive the process. Many workers share counters through another adapter of the same
port (policy/services.py), valkey_counters.py.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from aforo.gateway.windows import Bucket, Hold, Name, Slice, Window, is_over, keep, left, name_of, over
from aforo.policy.services import Counter, CounterState, Reservation

# Keys may be anything that a caller sends: windows that are over are looked for when there are so many.
_MANY = 1024
# When not even that helps, counters that have counted least are forgotten: single calls under ever new keys.
MAX_WINDOWS = 1_000_000
# What is shorter is not worth a line on disk: after a restart it is over, or nearly.
JOURNALED_S = 60
# What the names of hidden keys begin with; names of policies do not.
_HIDDEN = "#"
_REMEMBERED = 4096
_REMEMBERED_LENGTH = 256


class Journal(Protocol):
    """Where what was counted outlives the process. None of it may raise. `everything`: short windows too."""

    everything: bool

    def took(
        self, name: Name, window: Window | Bucket, amount: int, at: float, hold: Hold | None
    ) -> None: ...

    def gave_back(self, name: Name, window: Window | Bucket, amount: int, part: Slice, hold: str) -> None: ...


class _Held(Reservation, frozen=True, eq=False):
    """A reservation that knows where it was taken."""

    name: Name
    hold: Hold


class MemoryCounters:
    """The `Counters` port, in process. `clock` gives unix seconds.

    Keys are what policies make of a call: addresses, names, credentials. With a `namespace` they are held, and written to
    a journal, as digests of one length.
    """

    def __init__(self, clock: Callable[[], float] = time.time, namespace: str = "") -> None:
        self._clock = clock
        self._hide = _hiding(namespace) if namespace else None
        self.windows: dict[Name, Window | Bucket] = {}
        self.journal: Journal | None = None
        self._look_at = _MANY
        self._next = 0

    def now(self) -> float:
        """The clock's time."""
        return self._clock()

    def known_as(self, key: str) -> str:
        """The key of a window that a journal names: those that were written in clear are hidden from now on."""
        return key if self._hide is None or key.startswith(_HIDDEN) else self._hide(key)

    async def reserve(self, counter: Counter, amount: int, held_s: float = 0.0) -> CounterState:
        now = self._clock()
        name = name_of(counter, self._hide(counter.key) if self._hide else counter.key)
        window = self._window(name, counter, now)
        free = left(counter.limit, window)
        if amount > free:
            return CounterState(False, max(0, free), window.wait(amount, counter.limit, now))
        part = window.take(amount, now)
        self._next += 1
        hold = Hold(str(self._next), amount, now + held_s if held_s else 0.0, part)
        if held_s:
            keep(hold, window)
        if self.journal is not None and (lasts(name) or self.journal.everything):
            self.journal.took(name, window, amount, now, hold if held_s else None)
        reservation = _Held(hold.id, counter, amount, name, hold)
        return CounterState(True, free - amount, 0.0, reservation)

    async def charge(self, counter: Counter, amount: int) -> CounterState:
        now = self._clock()
        name = name_of(counter, self._hide(counter.key) if self._hide else counter.key)
        window = self._window(name, counter, now)
        self._take(name, window, amount, now)
        return CounterState(True, max(0, left(counter.limit, window)), 0.0)

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        assert isinstance(reservation, _Held)
        now = self._clock()
        name, hold = reservation.name, reservation.hold
        window = self._window(name, reservation.counter, now)
        if not hold.ended:
            hold.ended = True
            part = hold.part
            if part is None or is_over(hold, now):
                # It was given back: what the call came to counts in full.
                if amount:
                    self._take(name, window, amount, now)
            else:
                self._end(name, window, hold, part, max(0, hold.amount - amount))
                if amount > hold.amount:
                    self._take(name, window, amount - hold.amount, now)
        return CounterState(True, max(0, left(reservation.counter.limit, window)), 0.0)

    async def release(self, reservation: Reservation) -> None:
        assert isinstance(reservation, _Held)
        hold = reservation.hold
        now = self._clock()
        window = self._window(reservation.name, reservation.counter, now)
        if not hold.ended:
            hold.ended = True
            part = hold.part
            if part is not None and not is_over(hold, now):
                self._end(reservation.name, window, hold, part, hold.amount)

    async def peek(self, counter: Counter) -> CounterState:
        now = self._clock()
        name = name_of(counter, self._hide(counter.key) if self._hide else counter.key)
        window = self._window(name, counter, now)
        free = left(counter.limit, window)
        wait = 0.0 if free > 0 else window.wait(1, counter.limit, now)
        return CounterState(free > 0, max(0, free), wait)

    def _take(self, name: Name, window: Window | Bucket, amount: int, now: float) -> None:
        window.take(amount, now)
        if self.journal is not None and (lasts(name) or self.journal.everything):
            self.journal.took(name, window, amount, now, None)

    def _end(self, name: Name, window: Window | Bucket, hold: Hold, part: Slice, amount: int) -> None:
        """A reservation is over, and `amount` of it goes back."""
        window.give_back(amount, part)
        if window.holds is not None:
            window.holds.pop(hold.id, None)
        if self.journal is not None and (lasts(name) or self.journal.everything):
            self.journal.gave_back(name, window, amount, part, hold.id)

    def _window(self, name: Name, counter: Counter, now: float) -> Window | Bucket:
        window = self.windows.get(name)
        if window is None:
            if len(self.windows) >= self._look_at:
                self._forget_old(now)
            _, length_s, form = name
            if form == "bucket":
                window = Bucket(length_s)
                window.rolled = now
            else:
                window = Window(length_s, counter.epoch_s, sliding=form == "sliding")
            self.windows[name] = window
        window.roll(now)
        if type(window) is Bucket:
            window.limit = counter.limit
        else:
            window.epoch_s = counter.epoch_s  # type: ignore[union-attr] # from the next window on
        if window.holds and now >= window.soonest:
            for hold in over(window, now):
                part, hold.part = hold.part, None
                assert part is not None
                self._end(name, window, hold, part, hold.amount)
        return window

    def _forget_old(self, now: float) -> None:
        windows = self.windows = {n: w for n, w in self.windows.items() if not w.is_over(now)}
        if len(windows) > MAX_WINDOWS * 3 // 4:
            spare = len(windows) - MAX_WINDOWS // 2
            least = sorted(w.taken for w in windows.values())[spare]
            # Of those that have counted the same, the oldest go.
            for name in [n for n, w in windows.items() if w.taken <= least][:spare]:
                del windows[name]
        self._look_at = min(MAX_WINDOWS, max(_MANY, 2 * len(windows)))


def _hiding(namespace: str) -> Callable[[str], str]:
    """What keys are held as: keyed digests, those of short keys remembered (a digest costs 1.5 us)."""
    secret = hashlib.blake2b(namespace.encode(), digest_size=32).digest()

    def digest(key: str) -> str:
        data = key.encode("utf-8", "surrogatepass")
        return _HIDDEN + hashlib.blake2b(data, digest_size=16, key=secret).hexdigest()

    remembered = lru_cache(_REMEMBERED)(digest)

    def hide(key: str) -> str:
        return remembered(key) if len(key) <= _REMEMBERED_LENGTH else digest(key)

    return hide


def lasts(name: Name) -> bool:
    """Whether a counter is to outlive its process."""
    return name.form != "bucket" and (name.length_s > JOURNALED_S or not name.length_s)
