"""When a backend is taken out and let in again: circuit breakers and probed health, as state machines.

They know no clock, no socket and no call: who asks says what time it is (seconds that only grow).
docs/decisions/0133-backends-taken-out.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from math import ceil
from typing import NamedTuple, Protocol

from aforo.snapshot.snapshot import BackendEntry, BreakerRule, ProbePlan

# A percentage is taken over an interval that moves on in so many steps: its memory does not grow with the traffic.
STEPS = 60
# The status that counts for a call that no backend has answered: what its client would get.
NO_ANSWER = 500
# What failed is looked up by these where a rule names neither statuses nor reasons.
SERVER_ERRORS = ((500, 599),)
_SERVER_ERRORS_NAME = "server errors"
# Longer than that no backend's own word keeps it out.
LONGEST_S = 86_400.0


class _Window(Protocol):
    def succeeded(self, now: float) -> None: ...

    def failed(self, now: float, *, is_call: bool) -> bool:
        """Whether that was the failure that trips the breaker. One that is no call of its own befell a call that has
        been counted as good."""

    def clear(self) -> None: ...


class _Count:
    """So many failures within the interval."""

    __slots__ = ("_failures", "_interval_s", "_most")

    def __init__(self, most: int, interval_s: float) -> None:
        self._most = most
        self._interval_s = interval_s
        self._failures: deque[float] = deque(maxlen=most)

    def succeeded(self, now: float) -> None:
        """It changes nothing."""

    def failed(self, now: float, *, is_call: bool) -> bool:  # noqa: ARG002 - the port's name
        failures = self._failures
        failures.append(now)
        return len(failures) == self._most and now - failures[0] <= self._interval_s

    def clear(self) -> None:
        self._failures.clear()


class _Share:
    """So many of a hundred calls within the interval, of at least as many calls as make one of them that share."""

    __slots__ = ("_least", "_percentage", "_slots", "_step_s")

    def __init__(self, percentage: int, interval_s: float) -> None:
        self._percentage = percentage
        self._least = max(2, ceil(100 / percentage))  # one call alone is no evidence
        self._step_s = interval_s / STEPS
        self._slots: deque[list[int]] = deque()  # [step, calls, failures], oldest first

    def succeeded(self, now: float) -> None:
        self._slot(now)[1] += 1

    def failed(self, now: float, *, is_call: bool) -> bool:
        slot = self._slot(now)
        slot[1] += is_call
        slot[2] += 1
        calls = sum(each[1] for each in self._slots)
        failures = sum(each[2] for each in self._slots)
        return calls >= self._least and failures * 100 >= self._percentage * calls

    def clear(self) -> None:
        self._slots.clear()

    def _slot(self, now: float) -> list[int]:
        step = int(now / self._step_s)
        slots = self._slots
        if slots and slots[-1][0] >= step:
            return slots[-1]
        while slots and slots[0][0] <= step - STEPS:
            slots.popleft()
        slots.append([step, 0, 0])
        return slots[-1]


class _Rule:
    """A rule with what it has seen."""

    __slots__ = ("ranges", "reasons", "rule", "window")

    def __init__(self, rule: BreakerRule) -> None:
        self.rule = rule
        self.reasons = frozenset(reason.lower() for reason in rule.error_reasons)
        named = _SERVER_ERRORS_NAME in self.reasons or not (rule.status_ranges or self.reasons)
        self.ranges = (*rule.status_ranges, *(SERVER_ERRORS if named else ()))
        self.window: _Window = (
            _Share(rule.percentage, rule.interval_s)
            if rule.percentage is not None
            else _Count(rule.count or 1, rule.interval_s)
        )

    def means(self, status: int, reason: str) -> bool:
        """Whether that is a failure."""
        return (bool(reason) and reason.lower() in self.reasons) or any(
            low <= status <= high for low, high in self.ranges
        )


class Breaker:
    """The circuit breaker of one backend: closed, or open until a moment. There is no half-open: when the time is over
    it has forgotten everything, and all calls go there again (as on Azure)."""

    __slots__ = ("_rules", "open_until", "tripped", "tripped_at", "trips")

    def __init__(self, rules: Iterable[BreakerRule]) -> None:
        self._rules = tuple(_Rule(rule) for rule in rules)
        self.open_until = float("-inf")
        self.tripped: BreakerRule | None = None  # the rule that opened it last
        self.tripped_at = float("-inf")
        self.trips = 0

    def allows(self, now: float) -> bool:
        return now >= self.open_until

    def saw(
        self, began: float, now: float, status: int, reason: str = "", retry_after_s: float | None = None
    ) -> bool:
        """How a call ended that began then, and whether it opens the breaker. `status` 0 stands for no answer, whose
        `reason` says why. What began before the breaker opened says nothing about the time behind it."""
        if began < self.tripped_at or now < self.open_until:
            return False
        return self._judge(now, status or NO_ANSWER, reason, retry_after_s, is_call=True)

    def broke(self, began: float, now: float, reason: str) -> bool:
        """The same of a call that was seen to be answered: its answer did not arrive whole."""
        if began < self.tripped_at or now < self.open_until:
            return False
        return self._judge(now, NO_ANSWER, reason, None, is_call=False)

    def _judge(
        self, now: float, status: int, reason: str, retry_after_s: float | None, *, is_call: bool
    ) -> bool:
        until = now
        tripped: BreakerRule | None = None
        for each in self._rules:
            if not each.means(status, reason):
                if is_call:
                    each.window.succeeded(now)
            elif each.window.failed(now, is_call=is_call):
                rule = each.rule
                told = retry_after_s if rule.accept_retry_after else None
                ends = now + (rule.trip_s if told is None else min(told, LONGEST_S))
                if tripped is None or ends > until:
                    until, tripped = ends, rule
        if tripped is None:
            return False
        for each in self._rules:
            each.window.clear()
        self.open_until, self.tripped, self.tripped_at = until, tripped, now
        self.trips += 1
        return True


class Probed:
    """What probes say of one backend. It begins as healthy: a start waits for no probe."""

    __slots__ = ("_in_a_row", "healthy", "plan")

    def __init__(self, plan: ProbePlan) -> None:
        self.plan = plan
        self.healthy = True
        self._in_a_row = 0  # results that speak against `healthy`

    def saw(self, *, good: bool) -> bool:
        """The result of a probe, and whether it changes the matter."""
        if good == self.healthy:
            self._in_a_row = 0
            return False
        self._in_a_row += 1
        enough = self.plan.healthy_threshold if good else self.plan.unhealthy_threshold
        if self._in_a_row < enough:
            return False
        self.healthy = good
        self._in_a_row = 0
        return True


class Held(NamedTuple):
    """Why a backend is not called, and for how long (seconds; 0 where nobody knows)."""

    backend_id: str
    why: str  # BreakerOpen, ProbeFailed
    rule: str
    left_s: float
    status: int  # that a client gets where there is no other backend


class Guard:
    """What stands before one backend: its breaker, its probes, or both. Times are seconds of one clock."""

    __slots__ = ("_guards", "backend_id", "breaker", "entry", "probed")

    def __init__(self, entry: BackendEntry, guards: Guards) -> None:
        self._guards = guards
        self.entry = entry
        self.backend_id = entry.id
        self.breaker = Breaker(entry.breakers) if entry.breakers else None
        self.probed = Probed(entry.probe) if entry.probe is not None else None

    def allows(self, now: float) -> bool:
        breaker = self.breaker
        if breaker is not None and now < breaker.open_until:
            return False
        return self.probed is None or self.probed.healthy

    def held(self, now: float) -> Held | None:
        """None: it may be called."""
        breaker = self.breaker
        if breaker is not None and now < breaker.open_until:
            rule = breaker.tripped
            assert rule is not None
            left_s = breaker.open_until - now
            return Held(self.backend_id, "BreakerOpen", rule.name, left_s, rule.failure_status)
        if self.probed is not None and not self.probed.healthy:
            return Held(self.backend_id, "ProbeFailed", "", self.probed.plan.interval_s, 503)
        return None

    def saw(
        self, began: float, now: float, status: int, reason: str = "", retry_after_s: float | None = None
    ) -> bool:
        """See Breaker.saw."""
        breaker = self.breaker
        if breaker is None or not breaker.saw(began, now, status, reason, retry_after_s):
            return False
        self._guards.changes += 1
        return True

    def broke(self, began: float, now: float, reason: str) -> bool:
        """See Breaker.broke."""
        breaker = self.breaker
        if breaker is None or not breaker.broke(began, now, reason):
            return False
        self._guards.changes += 1
        return True

    def heard(self, *, good: bool) -> bool:
        """See Probed.saw."""
        if self.probed is None or not self.probed.saw(good=good):
            return False
        self._guards.changes += 1
        return True


_Key = tuple[str, tuple[BreakerRule, ...], ProbePlan | None]


class Guards:
    """The guards of one gateway process. They outlive configurations, and a backend's is made anew with its rules.

    `changes` counts what opened and what probes have changed: who shows it looks again when that has grown.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, Guard] = {}
        self._version = -1
        self.changes = 0

    def use(self, version: int, entries: Mapping[str, BackendEntry]) -> None:
        """A configuration is in force: what only older ones have is forgotten. Of calls that go on under an older one
        nothing is."""
        if version < self._version:
            return
        self._version = version
        wanted = {_key(entry) for entry in entries.values() if is_guarded(entry)}
        kept = {key: guard for key, guard in self._known.items() if key in wanted}
        self.changes += len(kept) != len(self._known)
        self._known = kept
        for entry in entries.values():
            guard = self.of(entry)
            if guard is not None:
                guard.entry = entry  # its address and credentials may be others

    def of(self, entry: BackendEntry) -> Guard | None:
        """None for a backend without rules and probes: it may always be called."""
        if not is_guarded(entry):
            return None
        key = _key(entry)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Guard(entry, self)
        return known

    def all(self) -> Iterable[Guard]:
        return self._known.values()

    def held(self, now: float) -> list[Held]:
        """The backends that are taken out now."""
        found = (guard.held(now) for guard in self._known.values())
        return [each for each in found if each is not None]


def is_guarded(entry: BackendEntry) -> bool:
    return bool(entry.breakers) or entry.probe is not None


def _key(entry: BackendEntry) -> _Key:
    return entry.id, entry.breakers, entry.probe
