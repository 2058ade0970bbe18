"""What a process looks at now and then, of all calls together: cheaper than a timer for each. It knows nothing of what it
looks at, and goes on whatever fails of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

log = logging.getLogger("aforo.app")

BEAT_S = 0.1
BEATS_A_SECOND = 10
# How often what is looked for seldom is looked for.
SELDOM_BEATS = 300

Look = Callable[[], object]


class Housekeeping:
    """`often` ten times a second, `each_second`, and `seldom` every half minute."""

    def __init__(self, often: Iterable[Look], each_second: Iterable[Look], seldom: Iterable[Look]) -> None:
        self._rounds = (
            (1, tuple(often)),
            (BEATS_A_SECOND, tuple(each_second)),
            (SELDOM_BEATS, tuple(seldom)),
        )
        self._beats = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(BEAT_S)
            self.beat()

    def beat(self) -> None:
        """Look at what is due."""
        self._beats += 1
        for every, looks in self._rounds:
            if self._beats % every:
                continue
            for look in looks:
                try:
                    look()
                except Exception:
                    # Without the rest of it the spool would run full and slow clients would stay.
                    log.exception("bug: the housekeeping failed, and goes on")
