"""A log that nobody can fill: the same line again and again is written a few times a second, the rest is counted.

It knows no plane. What a line says of one call may be said a thousand times a second when a backend is down.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

LINES_A_SECOND: Final = 20
_MOST_KINDS: Final = 1000


class Flood(logging.Filter):
    """Lines count as the same by logger, level and template, whatever stands in them. Filters for a handler."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, int, str], list[int]] = {}  # [second, written, left out]

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.name, record.levelno, str(record.msg)
        second = int(self._clock())
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            self._kinds[kind] = [second, 1, 0]
            return True
        if known[0] != second:
            left_out = known[2]
            known[:] = second, 1, 0
            if left_out:
                record.msg = f"{record.getMessage()} (and {left_out} more like this)"
                record.args = None
            return True
        if known[1] < LINES_A_SECOND:
            known[1] += 1
            return True
        known[2] += 1
        return False
