"""What long windows hold, on disk: a line for each taking, written at once and never synced, and made anew when it has grown.

`kill -9` loses nothing: what was written is the kernel's. A machine that falls loses what the kernel had not written
yet (some seconds), never the file. A disk that is full stops the journal, not the calls.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from aforo.gateway.counter_replay import Replay
from aforo.gateway.counters import MemoryCounters, lasts
from aforo.gateway.windows import Bucket, Hold, Name, Slice, Window

log = logging.getLogger("aforo.gateway")

_SMALLEST: Final = 1024 * 1024
_encode = msgspec.json.Encoder().encode


class CounterJournal:
    """The `Journal` of a process: reads what the one before it wrote, and goes on with it.

    Two processes that take each other's place while calls go on have a file each; `other` is followed while its process
    lives, and is taken in when it has ended.
    """

    def __init__(self, path: Path, other: Path | None = None) -> None:
        self._path = path
        self._other = other
        self._numbers: dict[Name, int] = {}
        self._file = -1
        self._size = 0
        self._limit = _SMALLEST
        self._broken = False
        self._lock = -1
        self._following: _Followed | None = None
        self.everything = False

    def restore(self, counters: MemoryCounters) -> None:
        """Put what was counted into fresh counters, and write down what they count from now on."""
        self._lock = _taken(self._path, ".lock")
        if self._path.exists():
            source = Replay(self._path)
            source.read(counters)
            source.close()
        counters.journal = self
        self.compact(counters)
        if self._other is not None and self._other.exists():
            self._following = _Followed(self._other)
            self._follow(counters)

    def took(self, name: Name, window: Window | Bucket, amount: int, at: float, hold: Hold | None) -> None:
        line: list[Any] = ["t", self._number(name, window), at, amount]
        if hold is not None:
            line += (hold.id, hold.until)
        self._write(_encode(line) + b"\n")

    def gave_back(self, name: Name, window: Window | Bucket, amount: int, part: Slice, hold: str) -> None:
        self._write(_encode(["g", self._number(name, window), amount, part.began, hold]) + b"\n")

    def beat(self, counters: MemoryCounters) -> None:
        """To be called about once a second: a file that has grown is made anew, one that could not be written too."""
        if self._following is not None:
            self._follow(counters)
        elif self._broken or (self._size > self._limit and not self.everything and not self._is_followed()):
            self.compact(counters)

    def hand_over(self, counters: MemoryCounters) -> None:
        """This process ends, and another one goes on: it gets short windows too, and what is counted from here on."""
        for name, window in counters.windows.items():
            if lasts(name):
                continue
            number = self._number(name, window)
            if isinstance(window, Bucket):
                if window.taken:
                    self._write(_encode(["b", number, window.taken, window.rolled, window.limit]) + b"\n")
                continue
            for part in window.slices:
                self._write(_encode(["s", number, part.began, part.last, part.amount]) + b"\n")
        self.everything = True

    def _follow(self, counters: MemoryCounters) -> None:
        """What the other process has written since; when it has ended, all of it is ours."""
        following = self._following
        assert following is not None
        ended = following.has_ended()
        following.replay.read(counters)
        if ended:
            self._following = None
            self.compact(counters)
            if not self._broken:
                following.path.unlink(missing_ok=True)
            following.close()

    def _is_followed(self) -> bool:
        """Whether another process reads along: what it has read may not be made anew."""
        descriptor = _taken(self._path, ".follow")
        if descriptor >= 0:
            os.close(descriptor)
        return descriptor < 0

    def compact(self, counters: MemoryCounters) -> None:
        """Write what counts now into a new file, which takes the place of the old one whole."""
        now = counters.now()
        lines: list[bytes] = []
        self._numbers = {}
        for name, window in counters.windows.items():
            if not isinstance(window, Window) or not lasts(name):
                continue
            window.roll(now)
            if not window.slices:
                continue
            number = self._numbers[name] = len(self._numbers)
            lines.append(_encode(["w", number, *name, window.epoch_s]))
            lines += [_encode(["s", number, s.began, s.last, s.amount]) for s in window.slices]
            for hold in (window.holds or {}).values():
                if hold.part is not None:
                    lines.append(_encode(["h", number, hold.id, hold.until, hold.amount, hold.part.began]))
        data = b"".join(line + b"\n" for line in lines)
        draft = self._path.with_name(f".{self._path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        try:
            file = os.open(draft, flags, 0o600)
            try:
                _write_all(file, data)
                draft.replace(self._path)
            except OSError:
                os.close(file)
                raise
        except OSError as error:
            if not self._broken:
                log.error(
                    "%s cannot be written: %s. Limits hold, but not over a restart",
                    self._path,
                    error.strerror,
                )
            self._broken = True
            return
        if self._broken:
            log.warning("%s can be written again", self._path)
        self._shut()
        self._file, self._size, self._broken = file, len(data), False
        self._limit = max(_SMALLEST, 4 * len(data))

    def close(self) -> None:
        self._shut()
        if self._following is not None:
            self._following.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _shut(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _number(self, name: Name, window: Window | Bucket) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._numbers)
            epoch_s = 0 if isinstance(window, Bucket) else window.epoch_s
            self._write(_encode(["w", number, *name, epoch_s]) + b"\n")
        return number

    def _write(self, line: bytes) -> None:
        if self._broken or self._file < 0:
            return
        try:
            _write_all(self._file, line)
            self._size += len(line)
        except OSError as error:
            # A half-written line would end what can be read: the file is made anew when the disk has room.
            log.error(
                "%s cannot be written: %s. Limits hold, but not over a restart", self._path, error.strerror
            )
            self._broken = True


class _Followed:
    """The file of another process, which may live."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = _taken(path, ".follow")
        self._lock = -1
        self.replay = Replay(path)

    def has_ended(self) -> bool:
        if self._lock < 0:
            self._lock = _taken(self.path, ".lock")
        return self._lock >= 0

    def close(self) -> None:
        self.replay.close()
        for descriptor in (self._mark, self._lock):
            if descriptor >= 0:
                os.close(descriptor)


def _taken(path: Path, suffix: str) -> int:
    """A descriptor that holds the lock beside a file, -1 where another process has it."""
    descriptor = os.open(path.with_name(path.name + suffix), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return -1
    return descriptor


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
