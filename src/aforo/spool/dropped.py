"""How many records a writer could not keep, in a file beside its segments: one block, reserved while there is room and
written in place, so that the count needs no disk when it is needed, and survives a kill. It decides nothing.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

log = logging.getLogger("aforo.spool")

NAME = "dropped.json"
_PAGE_BYTES = 4096
# A page holds so many APIs with any names; what comes of others is counted under "".
_MOST_APIS = 32
_LONGEST_ID = 80


class Count(msgspec.Struct, frozen=True):
    """Records that were lost. `apis` are those of an incident that nobody has been told of yet; `total` never sinks."""

    total: int = 0
    since_ns: int = 0
    until_ns: int = 0
    apis: dict[str, int] = {}


def read_dropped(folder: Path) -> Count:
    """The count of a spool folder, zero where there is none. It can be asked beside a running writer."""
    try:
        data = (folder / NAME).read_bytes().rstrip(b"\0 ")
        return msgspec.json.decode(data, type=Count) if data else Count()
    except FileNotFoundError:
        return Count()
    except (OSError, msgspec.MsgspecError) as error:
        log.error("spool %s: the count of lost records cannot be read: %s", folder, error)
        return Count()


class Dropped:
    """The count of one writer."""

    def __init__(self, folder: Path, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._count = read_dropped(folder)
        self._fd = -1
        try:
            fd = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._fd = fd
            self._write()
        except OSError as error:
            log.error("spool %s: lost records can be counted in memory alone: %s", folder, error)

    @property
    def count(self) -> Count:
        return self._count

    def add(self, api_id: str) -> None:
        """One record of that API ("" for none) is lost."""
        known = self._count
        name = api_id[:_LONGEST_ID]
        if name not in known.apis and len(known.apis) >= _MOST_APIS:
            name = ""
        now = self._clock_ns()
        apis = {**known.apis, name: known.apis.get(name, 0) + 1}
        self._count = Count(known.total + 1, known.since_ns or now, now, apis)
        self._try_write()

    def settle(self) -> None:
        """All that was counted so far has been told."""
        self._count = Count(self._count.total)
        self._try_write()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _try_write(self) -> None:
        try:
            self._write()
        except OSError as error:
            log.error("the count of lost records cannot be written: %s", error)

    def _write(self) -> None:
        """In place, in one write: the block is there, and a reader sees the old page or the new one."""
        if self._fd >= 0:
            os.pwrite(self._fd, msgspec.json.encode(self._count).ljust(_PAGE_BYTES), 0)
