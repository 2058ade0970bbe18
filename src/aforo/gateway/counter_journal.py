"""What long windows hold, on disk: a line for each taking, written at once and never synced, and made anew when it has grown.

`kill -9` loses nothing: what was written is the kernel's. A machine that falls loses what the kernel had not written
yet (some seconds), never the file. A disk that is full stops the journal, not the calls.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from aforo.gateway.counters import MemoryCounters, lasts
from aforo.gateway.windows import Hold, Name, Slice, Window

log = logging.getLogger("aforo.gateway")

_SMALLEST: Final = 1024 * 1024
_encode = msgspec.json.Encoder().encode

# Lines: ["w", number, key, seconds, form, epoch] names a window; ["t", number, at, amount] takes, with [id, until] of a hold
# where it is one; ["g", number, amount, began, id] gives back to the slice that began then; ["s", number, began, last,
# amount] is a slice as it stands, and ["h", number, id, until, amount, began] a hold.


class CounterJournal:
    """The `Journal` of a process: reads what the one before it wrote, and goes on with it. One process per file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: dict[Name, int] = {}
        self._file = -1
        self._size = 0
        self._limit = _SMALLEST
        self._broken = False

    def restore(self, counters: MemoryCounters) -> None:
        """Put what was counted into fresh counters, and write down what they count from now on."""
        named: dict[int, Name] = {}
        holds: dict[tuple[int, str], Hold] = {}
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            data = b""
        lines = data.split(b"\n")
        # Without its end the last one was being written.
        for number, line in enumerate(lines[:-1]):
            try:
                self._replay(msgspec.json.decode(line), named, holds, counters)
            except (msgspec.MsgspecError, KeyError, IndexError, TypeError, ValueError):
                log.error("%s: line %d is damaged, and what follows it is not taken", self._path, number + 1)
                break
        counters.journal = self
        self.compact(counters)

    def took(self, name: Name, window: Window, amount: int, at: float, hold: Hold | None) -> None:
        line: list[Any] = ["t", self._number(name, window), at, amount]
        if hold is not None:
            line += (hold.id, hold.until)
        self._write(_encode(line) + b"\n")

    def gave_back(self, name: Name, window: Window, amount: int, part: Slice | None, hold: str) -> None:
        began = part.began if part is not None else 0.0
        self._write(_encode(["g", self._number(name, window), amount, began, hold]) + b"\n")

    def beat(self, counters: MemoryCounters) -> None:
        """To be called about once a second: a file that has grown is made anew, one that could not be written too."""
        if self._size > self._limit or self._broken:
            self.compact(counters)

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
                part = hold.part[0] if hold.part else None
                if part is not None:
                    lines.append(_encode(["h", number, hold.id, hold.until, hold.amount, part.began]))
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
        self.close()
        self._file, self._size, self._broken = file, len(data), False
        self._limit = max(_SMALLEST, 4 * len(data))

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _number(self, name: Name, window: Window) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._numbers)
            self._write(_encode(["w", number, *name, window.epoch_s]) + b"\n")
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

    @staticmethod
    def _replay(
        line: list[Any],
        named: dict[int, Name],
        holds: dict[tuple[int, str], Hold],
        counters: MemoryCounters,
    ) -> None:
        what, number = line[0], line[1]
        if what == "w":
            key, length_s, form, epoch_s = line[2:]
            name = named[number] = Name(key, length_s, form)
            counters.windows.setdefault(name, Window(length_s, epoch_s, sliding=form == "sliding"))
            return
        window = counters.windows[named[number]]
        if not isinstance(window, Window):
            raise TypeError(what)
        if what == "t":
            at, amount = line[2], line[3]
            window.roll(at)
            part = window.take(amount, at)
            if len(line) > 4:
                _hold(window, holds, number, Hold(line[4], amount, line[5], part))
        elif what == "g":
            amount, began, hold = line[2:]
            part_of = next((s for s in reversed(window.slices) if s.began == began), None)
            if part_of is not None:
                window.give_back(amount, part_of)
            ended = holds.pop((number, hold), None)
            if ended is not None and window.holds is not None:
                window.holds.pop(ended.id, None)
        elif what == "s":
            began, last, amount = line[2:]
            window.roll(last)
            part = Slice(began)
            part.last, part.amount = last, amount
            window.slices.append(part)
            window.taken += amount
        elif what == "h":
            hold_id, until, amount, began = line[2:]
            found = next((s for s in window.slices if s.began == began), None)
            if found is not None:
                _hold(window, holds, number, Hold(hold_id, amount, until, found))
        else:
            raise ValueError(what)


def _hold(window: Window, holds: dict[tuple[int, str], Hold], number: int, hold: Hold) -> None:
    """Whoever held it is gone: no hold of this process has such a name."""
    holds[number, hold.id] = hold
    if window.holds is None:
        window.holds = {}
    hold.id = f"before {hold.id}"
    window.holds[hold.id] = hold


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
