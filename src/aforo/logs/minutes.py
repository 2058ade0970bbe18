"""Metrics of the gateway, summed up per minute, resource and workspace for AzureMetrics. It writes no table.

The calls of a spool fall into runs, one per minute, in the order of their frames; a run is closed as a whole, so
that "up to which frame is counted" is one number (docs/decisions/0023-minutes-are-runs.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aforo.spool.records import CallRecord
from aforo.tables.azure_metrics import Measure, metric_row

_GRACE_S = 2.0
_LATE_MINUTES = 2
# A run of the future, behind which time went on earlier, was made by a clock that has been set back.
_AHEAD_S = 60.0


@dataclass(slots=True)
class Sums:
    """What one minute of a resource comes to."""

    duration: Measure = field(default_factory=Measure)  # milliseconds, of every call
    backend: Measure = field(default_factory=Measure)  # milliseconds, of calls that reached a backend
    classes: dict[str, int] = field(default_factory=dict)
    retries: Measure = field(default_factory=Measure)  # attempts beyond the first, of calls that had some
    passed_over: Measure = field(
        default_factory=Measure
    )  # backends that were taken out, of calls that met some

    def add(self, call: CallRecord) -> None:
        self.duration.add((call.ended_ns - call.started_ns) / 1e6)
        if call.backend_status or call.backend_us:
            self.backend.add(call.backend_us / 1e3)
        name = category(call.status)
        self.classes[name] = self.classes.get(name, 0) + 1
        if call.attempts > 1:
            self.retries.add(call.attempts - 1)
        if call.route is not None and call.route.passed_over:
            self.passed_over.add(len(call.route.passed_over))

    def merge(self, other: Sums) -> None:
        self.duration.merge(other.duration)
        self.backend.merge(other.backend)
        for name, count in other.classes.items():
            self.classes[name] = self.classes.get(name, 0) + count
        self.retries.merge(other.retries)
        self.passed_over.merge(other.passed_over)

    def metrics(self) -> list[tuple[str, str, Measure]]:
        """Name, unit and measure of each of Azure's metrics, and of ours in minutes that have something to count.
        Counters have the number of calls as their count."""
        calls = self.duration.count
        out = [
            ("Requests", "Count", Measure(calls, calls, 1.0, 1.0)),
            ("Duration", "MilliSeconds", self.duration),
            ("BackendDuration", "MilliSeconds", self.backend),
            ("TotalRequests", "Count", Measure(calls, calls, 1.0, 1.0)),
        ]
        for name in _CLASSES:
            of = self.classes.get(name, 0)
            out.append((name, "Count", Measure(of, calls, float(of > 0), float(of == calls))))
        for name, counted in (("BackendRetries", self.retries), ("BackendsPassedOver", self.passed_over)):
            if counted.count:
                least = counted.minimum if counted.count == calls else 0.0
                out.append((name, "Count", Measure(counted.total, calls, counted.maximum, least)))
        return [m for m in out if m[2].count]


_CLASSES = ("SuccessfulRequests", "UnauthorizedRequests", "FailedRequests", "OtherRequests")


@dataclass(slots=True)
class Run:
    """Consecutive frames of one spool that count in one minute; by (workspace, resource)."""

    minute: int  # unix minutes
    first: int
    last: int
    sums: dict[tuple[str, str], Sums] = field(default_factory=dict)


def category(status: int) -> str:
    """Azure's classes of the deprecated counters: 301 and less, 304 and 307 are successes."""
    if status in (401, 403, 429):
        return "UnauthorizedRequests"
    if status == 400 or status >= 500 or status == 0:
        return "FailedRequests"
    return "SuccessfulRequests" if status <= 301 or status in (304, 307) else "OtherRequests"


class Minutes:
    """The open runs of all spools."""

    def __init__(self) -> None:
        self._runs: dict[str, list[Run]] = defaultdict(list)

    def add(
        self, spool: str, sequence: int, call: CallRecord, resource: str, workspaces: Iterable[str]
    ) -> None:
        """Count one call for those workspaces. Calls of a spool come in the order of their frames."""
        runs = self._runs[spool]
        minute = call.ended_ns // 60_000_000_000
        if not runs or not runs[-1].minute - _LATE_MINUTES <= minute <= runs[-1].minute:
            runs.append(Run(minute, sequence, sequence))
        run = runs[-1]
        run.last = sequence
        for workspace in workspaces:
            sums = run.sums.get((workspace, resource))
            if sums is None:
                sums = run.sums[workspace, resource] = Sums()
            sums.add(call)

    def closed(self, now_s: float, *, everything: bool = False) -> dict[str, list[Run]]:
        """The runs of each spool that nothing can be added to any more, oldest first."""
        out: dict[str, list[Run]] = {}
        for spool, runs in self._runs.items():
            done: list[Run] = []
            for at, run in enumerate(runs):
                end_s = (run.minute + 1) * 60.0
                set_back = at + 1 < len(runs) and end_s > now_s + _AHEAD_S
                if not (everything or now_s >= end_s + _GRACE_S or set_back):
                    break
                done.append(run)
            if done:
                out[spool] = done
        return out

    def drop(self, closed: dict[str, list[Run]]) -> None:
        """Those runs are stored."""
        for spool, runs in closed.items():
            del self._runs[spool][: len(runs)]

    def counted(self, spool: str, position: int) -> int:
        """Up to which frame of a spool everything is counted and stored, when `position` is the last one taken."""
        runs = self._runs.get(spool)
        return runs[0].first - 1 if runs else position


def metric_rows(minute: int, resource_id: str, sums: Sums) -> list[dict[str, Any]]:
    """Rows of AzureMetrics by column name."""
    begins_ns = minute * 60_000_000_000
    return [metric_row(resource_id, name, unit, begins_ns, m) for name, unit, m in sums.metrics()]
