"""The highest rate at which the 99th percentile of latency stays under each of some limits: which rate to try next.

It measures nothing. A rate holds a limit when every call was answered with success and p99 stayed under it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

LOWEST, HIGHEST = 50.0, 60_000.0


@dataclass(slots=True)
class Search:
    """Measures `starts`, goes on by `step` until the widest limit is broken, then halves what is between, limit by limit.

    `limits_ms` ascending. `precision`: a held rate and a broken one so near to each other (as a ratio) are enough.
    `tries`: rates that are measured at most.
    """

    limits_ms: Sequence[float]
    starts: Sequence[float] = (1000.0,)
    step: float = 2.0
    precision: float = 1.12
    tries: int = 16
    points: dict[float, float] = field(default_factory=dict)  # rate -> p99 in ms; infinite where calls failed

    def next(self) -> float | None:
        """The rate to measure now; None when every limit is known well enough."""
        for rate in self.starts:
            if rate not in self.points:
                return rate
        if len(self.points) >= self.tries:
            return None
        for limit in reversed(self.limits_ms):
            rate = self._between(limit)
            if rate is not None:
                return rate
        return None

    def again(self) -> Search:
        """A search of the same limits that begins where this one ended, in smaller steps."""
        held = {rate for limit in self.limits_ms if (rate := self.held(limit)) is not None}
        return Search(
            self.limits_ms, sorted(held) or self.starts, min(self.step, 1.25), self.precision, self.tries
        )

    def note(self, rate: float, p99_ms: float) -> None:
        """What was measured."""
        self.points[rate] = p99_ms

    def held(self, limit_ms: float) -> float | None:
        """The highest rate that held; None when none did."""
        return self._bounds(limit_ms)[0]

    def broken(self, limit_ms: float) -> float | None:
        """The lowest rate above it that did not hold; None when none was found."""
        return self._bounds(limit_ms)[1]

    def is_open(self, limit_ms: float) -> bool:
        """Whether the limit held at the highest rate that is tried at all."""
        good, _ = self._bounds(limit_ms)
        return good is not None and good >= HIGHEST

    def _bounds(self, limit_ms: float) -> tuple[float | None, float | None]:
        """(highest rate that held, lowest above it that did not). One hiccup below a rate that held breaks nothing."""
        good = max((rate for rate, p99 in self.points.items() if p99 < limit_ms), default=None)
        bad = min(
            (rate for rate, p99 in self.points.items() if p99 >= limit_ms and rate > (good or 0.0)),
            default=None,
        )
        return good, bad

    def _between(self, limit_ms: float) -> float | None:
        good, bad = self._bounds(limit_ms)
        if good is None:
            assert bad is not None
            return max(LOWEST, bad / self.step) if bad > LOWEST else None
        if bad is None:
            return min(HIGHEST, good * self.step) if good < HIGHEST else None
        return min(math.sqrt(good * bad), good * self.step) if bad / good > self.precision else None
