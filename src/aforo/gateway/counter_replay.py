"""Reads the journal of counters, line by line, into counters that may be counting already. It writes nothing.

Lines: ["w", number, key, seconds, form, epoch] names a window; ["t", number, at, amount] takes, with id and end of a hold
where it is one; ["g", number, amount, began, id] gives back to the slice that began then; ["s", number, began, last, amount] is
a slice as it stands, ["h", number, id, end, amount, began] a hold, ["b", number, taken, rolled, limit] a bucket.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import msgspec

from aforo.gateway.counters import MemoryCounters
from aforo.gateway.windows import Bucket, Hold, Name, Slice, Window, keep

log = logging.getLogger("aforo.gateway")

_AT_ONCE = 1 << 20


class Replay:
    """One file, which may still grow: `read` takes what has come since the last time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._rest = b""
        self._line = 0
        self._damaged = False
        self._named: dict[int, Name] = {}
        self._holds: dict[tuple[int, str], Hold] = {}
        # No hold of this process, nor of another one that is read, has such a name.
        self._mark = os.urandom(4).hex() + "-"

    def read(self, counters: MemoryCounters) -> None:
        while not self._damaged and (data := os.read(self._file, _AT_ONCE)):
            # Without its end the last one is being written, or never was.
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._line += 1
                try:
                    self._take(msgspec.json.decode(line), counters)
                except (msgspec.MsgspecError, KeyError, IndexError, TypeError, ValueError):
                    log.error("%s: line %d is damaged; what follows is not taken", self._path, self._line)
                    self._damaged = True
                    break

    def close(self) -> None:
        os.close(self._file)

    def _take(self, line: list[Any], counters: MemoryCounters) -> None:
        what, number = line[0], line[1]
        if what == "w":
            key, length_s, form, epoch_s = line[2:]
            name = self._named[number] = Name(counters.known_as(key), length_s, form)
            if name not in counters.windows:
                new = Bucket(length_s) if form == "bucket" else None
                counters.windows[name] = new or Window(length_s, epoch_s, sliding=form == "sliding")
            return
        window = counters.windows[self._named[number]]
        if isinstance(window, Bucket):
            _into_bucket(line, window)
        elif what == "t":
            at, amount = line[2], line[3]
            window.roll(at)
            part = window.take(amount, at)
            if len(line) > 4:
                self._hold(window, number, Hold(line[4], amount, line[5], part))
        elif what == "g":
            amount, began, hold = line[2:]
            _give_back(window, amount, began)
            ended = self._holds.pop((number, hold), None)
            if ended is not None and window.holds is not None:
                window.holds.pop(ended.id, None)
        elif what == "s":
            began, last, amount = line[2:]
            window.roll(last)
            part = Slice(began)
            part.last, part.amount = last, amount
            window.slices.append(part)
            window.slices.sort(key=_by_last)
            window.taken += amount
        elif what == "h":
            hold_id, until, amount, began = line[2:]
            found = next((s for s in window.slices if s.began == began), None)
            if found is not None:
                self._hold(window, number, Hold(hold_id, amount, until, found))
        else:
            raise ValueError(what)

    def _hold(self, window: Window, number: int, hold: Hold) -> None:
        self._holds[number, hold.id] = hold
        hold.id = self._mark + hold.id
        keep(hold, window)


def _by_last(part: Slice) -> float:
    return part.last


def _give_back(window: Window, amount: int, began: float) -> None:
    part = next((s for s in reversed(window.slices) if s.began == began), None)
    if part is not None:
        window.give_back(amount, part)


def _into_bucket(line: list[Any], bucket: Bucket) -> None:
    what = line[0]
    if what == "b":
        taken, rolled, limit = line[2:]
        if rolled > bucket.rolled:
            bucket.roll(rolled)
        bucket.limit = bucket.limit or limit
        bucket.taken += taken
    elif what == "t":
        at, amount = line[2], line[3]
        if at > bucket.rolled:
            bucket.roll(at)
        bucket.take(amount, at)
    elif what == "g":
        bucket.give_back(line[2], Slice(line[3]))
    else:
        raise ValueError(what)
