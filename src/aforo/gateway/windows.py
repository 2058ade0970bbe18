"""What one counter holds: a window (sliding in slices of a fiftieth, or fixed from an epoch) or a bucket that drains.

Times are unix seconds, given by the caller. It knows no key and no port; `valkey_scripts.py` says the same in Lua.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import msgspec

from aforo.policy.services import Counter, Form

SLICES: Final = 50


class Name(NamedTuple):
    """Which counter: the same key counts apart in windows of another length or form."""

    key: str
    length_s: int
    form: Form


class Slice:
    """What was taken within a fiftieth of a window; it leaves the window as late as its last part."""

    __slots__ = ("amount", "began", "last")

    def __init__(self, now: float) -> None:
        self.began = self.last = now
        self.amount = 0


class Hold(msgspec.Struct, eq=False):
    """What somebody has taken for a while: given back at `until` (0.0: never) unless he says before what it came to.

    `part` is where it was taken, None when the time was over; `ended`: it is settled or released.
    """

    id: str
    amount: int
    until: float
    part: Slice | None
    ended: bool = False


class Window:
    """What was taken in one window of one key. `slices` of a fixed window is the one that runs now."""

    __slots__ = ("ends", "epoch_s", "holds", "length_s", "slices", "sliding", "soonest", "taken")

    def __init__(self, length_s: int, epoch_s: int, *, sliding: bool) -> None:
        self.length_s = length_s
        self.epoch_s = epoch_s
        self.sliding = sliding and length_s > 0
        self.taken = 0
        self.ends = 0.0  # fixed windows: when it is over
        self.slices: list[Slice] = []  # a few dozen at most; an empty deque has 600 bytes
        self.holds: dict[str, Hold] | None = None
        self.soonest = math.inf  # no hold ends before

    def roll(self, now: float) -> None:
        """Forget what has left the window."""
        if self.sliding:
            while self.slices and self.slices[0].last <= now - self.length_s:
                self.taken -= self.slices.pop(0).amount
        elif self.length_s and now >= self.ends:
            self.taken = 0
            self.slices.clear()
            self.ends = self.epoch_s + ((now - self.epoch_s) // self.length_s + 1) * self.length_s

    def take(self, amount: int, now: float) -> Slice:
        """Take, and say from where."""
        newest = self.slices[-1] if self.slices else None
        if newest is None or (self.sliding and now - newest.began >= self.length_s / SLICES):
            newest = Slice(now)
            self.slices.append(newest)
        newest.amount += amount
        newest.last = max(newest.last, now)
        self.taken += amount
        return newest

    def give_back(self, amount: int, taken_from: Slice) -> None:
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


class Bucket:
    """What was taken and has not drained yet: `limit` of it drains in `length_s`. More than `limit` is debt."""

    __slots__ = ("holds", "length_s", "limit", "rolled", "soonest", "taken")

    def __init__(self, length_s: int) -> None:
        self.length_s = length_s
        self.limit = 0
        self.rolled = 0.0
        self.taken = 0.0
        self.holds: dict[str, Hold] | None = None
        self.soonest = math.inf  # no hold ends before

    def roll(self, now: float) -> None:
        gone_s = now - self.rolled
        if gone_s > 0.0 and self.taken:
            taken = self.taken - gone_s * self.limit / self.length_s
            self.taken = taken if taken > 0.0 else 0.0
        self.rolled = now

    def take(self, amount: int, now: float) -> Slice:
        self.taken += amount
        return Slice(now)

    def give_back(self, amount: int, taken_from: Slice) -> None:
        """Nothing is given back of what may have drained since."""
        lasted_s = self.rolled - taken_from.began
        back = amount - (lasted_s * self.limit / self.length_s if lasted_s > 0.0 else 0.0)
        if back > 0.0:
            self.taken = max(0.0, self.taken - back)

    def wait(self, amount: int, limit: int, now: float) -> float:  # noqa: ARG002 - as a window has it
        excess = self.taken + min(amount, limit) - limit
        return max(0.0, excess * self.length_s / limit) if limit else float(self.length_s)

    def is_over(self, now: float) -> bool:
        self.roll(now)
        return not self.taken


def keep(hold: Hold, window: Window | Bucket) -> None:
    """Something of the window is held from here on."""
    if window.holds is None:
        window.holds = {}
    window.holds[hold.id] = hold
    if hold.until < window.soonest:
        window.soonest = hold.until


def over(window: Window | Bucket, now: float) -> list[Hold]:
    """The holds whose time has come. They are looked for when the first of them ends: a counter may have thousands."""
    if not window.holds or now < window.soonest:
        return []
    ended = [hold for hold in window.holds.values() if is_over(hold, now)]
    window.soonest = min((h.until for h in window.holds.values() if not is_over(h, now)), default=math.inf)
    return ended


def is_over(hold: Hold, now: float) -> bool:
    return 0.0 < hold.until <= now


def left(limit: int, window: Window | Bucket) -> int:
    """What is left of the limit; below 0 is debt."""
    # A bucket's float may be a hair above the number that it means.
    return limit - math.ceil(window.taken - 1e-6)


def name_of(counter: Counter, key: str) -> Name:
    """Under which a counter is kept whose key is held as that one."""
    # As `Name(...)`, in a third of its time.
    return _new(Name, (key, counter.window_s, counter.form))


_new: Final = tuple.__new__
