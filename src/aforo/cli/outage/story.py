"""An outage as it is played: load, a region dies, then a worker, the region comes back, and the rows are counted.

It knows when what happens, and nothing of how it is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from aforo.cli.exits import Failure
from aforo.cli.outage.load import Load, Seen
from aforo.cli.outage.record import Found, compared, rows_now
from aforo.cli.outage.stage import Stage

VICTIM = "east"
WORKERS = 2
CLIENTS = 12
# When things happen at the earliest, how long the load goes on behind them, and how long breakers are open: parts of the
# whole time.
REGION_DIES, WORKER_DIES, REGION_RETURNS, AFTERWARDS, TRIP = 0.2, 0.4, 0.6, 0.1, 0.15
ROWS_S = 60.0
_RECOVERY_S = 30.0
_POLL_S = 0.02


@dataclass(slots=True)
class Now:
    """How it stands. `calls_s` and `regions` are of the time since the last one, all others since the beginning."""

    at_s: float
    calls_s: float = 0.0
    regions: Counter[str] = field(default_factory=Counter)
    breakers: dict[str, int] = field(default_factory=dict)  # region: workers that have taken it out
    workers: dict[str, int] = field(default_factory=dict)  # name: process
    down: frozenset[str] = frozenset()  # regions that have none
    done: int = 0
    cut: int = 0
    failed: int = 0
    rows: int = 0
    more_attempts: int = 0  # rows with more than one attempt


@dataclass(slots=True)
class Told:
    """All of it. `events`: seconds since the beginning, and what happened then."""

    seconds: float
    seen: Seen
    found: Found = field(default_factory=Found)
    events: list[tuple[float, str]] = field(default_factory=list)
    rows_after_s: float = 0.0  # from the last call to its row

    @property
    def well(self) -> bool:
        """Nobody's call failed, and none lost its row or got two."""
        return not (self.seen.failed or self.found.lost or self.found.doubled)

    def as_json(self) -> dict[str, Any]:
        seen, found = self.seen, self.found
        return {
            "seconds": round(self.seconds, 1),
            "calls": seen.done,
            "failed": seen.failed,
            "askedAgain": seen.again,
            "cut": len(seen.cut),
            "streamsBroken": len(seen.broken),
            "refused": dict(Counter(str(s) for s in seen.answered.values() if s != 200)),
            "slowestSeconds": round(seen.slowest_s, 2),
            "answered": len(seen.answered),
            "rows": found.rows,
            "rowsLost": len(found.lost),
            "rowsDoubled": len(found.doubled),
            "rowsOfCutCalls": found.cut_with_row,
            "rowsAfterSeconds": round(self.rows_after_s, 1),
            "rowsByAttempts": {str(n): count for n, count in sorted(found.attempts.items())},
            "rowsByRegion": dict(sorted(found.regions.items())),
            "events": [{"at": round(at, 1), "what": what} for at, what in self.events],
        }


class Screen(Protocol):
    """Who shows it."""

    every_s: float

    def now(self, now: Now) -> None: ...
    def event(self, at_s: float, what: str) -> None: ...


class Outage:
    """Plays on a stage that is up; `play` once."""

    def __init__(self, stage: Stage, seconds: float, screen: Screen) -> None:
        self._stage = stage
        self._seconds = seconds
        self._screen = screen
        address = urlsplit(stage.system["gateway"])
        assert address.hostname
        assert address.port
        key = stage.system.secret("subscription_key_file")
        self._load = Load(address.hostname, address.port, key, CLIENTS)
        self._told = Told(seconds, self._load.seen)
        self._began = time.monotonic()

    async def play(self) -> Told:
        """All of it, until the rows are there, or do not come."""
        # The first question makes the process that answers the others.
        await asyncio.to_thread(rows_now, self._stage.system)
        self._began = time.monotonic()
        self._load.start()
        showing = asyncio.ensure_future(self._show())
        try:
            await self._faults()
            await self._at(1.0)
            await self._load.stop()
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
        self._told.seconds = time.monotonic() - self._began
        self._event("load ends")
        await self._count()
        return self._told

    async def _faults(self) -> None:
        stage = self._stage
        await self._at(REGION_DIES)
        self._event(f"region {VICTIM} is killed (process {stage.kill_region(VICTIM)})")
        await self._at(WORKER_DIES)
        name, old = stage.kill_worker()
        self._event(f"{name} is killed (process {old})")
        await self._until(f"another {name}", lambda: stage.workers.get(name, old) != old)
        self._event(f"{name} is back (process {stage.workers[name]})")
        await self._at(REGION_RETURNS)
        stage.start_region(VICTIM)
        await asyncio.to_thread(stage.wait_for_region, VICTIM)
        self._event(f"region {VICTIM} is started again")
        before = self._load.seen.regions[VICTIM]
        await self._until(f"calls to {VICTIM}", lambda: self._load.seen.regions[VICTIM] > before)
        self._event(f"region {VICTIM} gets calls again")
        await asyncio.sleep(AFTERWARDS * self._seconds)

    async def _count(self) -> None:
        ended = time.monotonic()
        while True:
            self._told.found = await asyncio.to_thread(compared, self._stage.system, self._told.seen)
            self._told.rows_after_s = time.monotonic() - ended
            if not self._told.found.lost or self._told.rows_after_s > ROWS_S:
                return
            await asyncio.sleep(0.1)

    async def _at(self, part: float) -> None:
        await asyncio.sleep(max(0.0, self._began + part * self._seconds - time.monotonic()))

    async def _until(self, what: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + _RECOVERY_S
        while not ready():
            if time.monotonic() > until:
                raise Failure(f"Not within {_RECOVERY_S:.0f} s: {what}.")
            await asyncio.sleep(_POLL_S)

    def _event(self, what: str) -> None:
        at_s = time.monotonic() - self._began
        self._told.events.append((at_s, what))
        self._screen.event(at_s, what)

    async def _show(self) -> None:
        seen, before, since = self._load.seen, Now(0.0), Counter[str]()
        while True:
            await asyncio.sleep(self._screen.every_s)
            rows, more = await asyncio.to_thread(rows_now, self._stage.system)
            at_s = time.monotonic() - self._began
            now = Now(
                at_s,
                calls_s=(seen.done - before.done) / (at_s - before.at_s),
                regions=seen.regions - since,
                breakers=self._stage.open_breakers,
                workers=self._stage.workers,
                down=self._stage.regions_down,
                done=seen.done,
                cut=len(seen.cut) + len(seen.broken),
                failed=seen.failed,
                rows=rows,
                more_attempts=more,
            )
            before, since = now, Counter(seen.regions)
            self._screen.now(now)
