"""Breakers and pools against a plain reference that remembers everything: any history of calls leads to the same state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aforo.gateway.breakers import LONGEST_S, STEPS, Breaker, Guards
from aforo.gateway.pools import BackendPool, Member
from aforo.messages import Headers
from aforo.snapshot.snapshot import BackendEntry, BreakerRule, PoolMember, ProbePlan

STATUSES = (200, 404, 429, 500, 503, 0)
REASONS = ("Timeout", "BackendConnectionFailure")

conditions = st.one_of(
    st.tuples(st.integers(1, 4), st.none()), st.tuples(st.none(), st.sampled_from((1, 30, 34, 50, 100)))
)
rules = st.builds(
    lambda condition, interval, ranges, reasons, trip, accept, number: BreakerRule(
        f"r{number}", *condition, interval, ranges, reasons, trip, accept
    ),
    conditions,
    st.sampled_from((1.0, 10.0, 60.0)),
    st.sampled_from(((), ((429, 429),), ((500, 599),), ((429, 429), (503, 503)))),
    st.sampled_from(((), ("timeout",), ("Server errors",), ("Timeout", "BackendConnectionFailure"))),
    st.sampled_from((0.5, 5.0, 30.0)),
    st.booleans(),
    st.integers(0, 9),
)


@dataclass
class Reference:
    """A breaker that keeps every call since it was closed last, and looks through all of them each time."""

    rules: tuple[BreakerRule, ...]
    seen: list[tuple[float, int, str, bool]] = field(
        default_factory=list
    )  # when, status, reason, a call of its own
    open_until: float = float("-inf")
    tripped_at: float = float("-inf")

    def saw(
        self, began: float, now: float, status: int, reason: str, told: float | None, is_call: bool
    ) -> None:
        if began < self.tripped_at or now < self.open_until:
            return
        self.seen.append((now, status or 500, reason, is_call))
        ends = [
            now + (rule.trip_s if told is None or not rule.accept_retry_after else min(told, LONGEST_S))
            for rule in self.rules
            if self.fails(rule, status or 500, reason) and self.is_met(rule, now)
        ]
        if ends:
            self.open_until, self.tripped_at, self.seen = max(ends), now, []

    @staticmethod
    def fails(rule: BreakerRule, status: int, reason: str) -> bool:
        reasons = [r.lower() for r in rule.error_reasons]
        ranges = list(rule.status_ranges)
        if "server errors" in reasons or not (ranges or reasons):
            ranges.append((500, 599))
        return reason.lower() in reasons or any(low <= status <= high for low, high in ranges)

    def is_met(self, rule: BreakerRule, now: float) -> bool:
        if rule.count is not None:
            failures = [
                t for t, s, r, _ in self.seen if self.fails(rule, s, r) and now - t <= rule.interval_s
            ]
            return len(failures) >= rule.count
        assert rule.percentage is not None
        step = rule.interval_s / STEPS
        recent = [e for e in self.seen if int(e[0] / step) > int(now / step) - STEPS]
        calls = sum(is_call for *_, is_call in recent)
        failures = [e for e in recent if self.fails(rule, e[1], e[2])]
        enough = calls >= 2 and calls >= ceil(100 / rule.percentage)
        return enough and len(failures) / calls >= rule.percentage / 100


class PoolOfBreakers(RuleBasedStateMachine):
    """A pool of four, as calls go through it: each tries until it is content, and others end meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.under_way: list[tuple[float, str]] = []
        self.answered: list[tuple[float, str]] = []

    @initialize(
        shapes=st.lists(
            st.tuples(st.lists(rules, max_size=2), st.integers(0, 3), st.integers(0, 2)),
            min_size=1,
            max_size=4,
        )
    )
    def configured(self, shapes: list[tuple[list[BreakerRule], int, int]]) -> None:
        self.entries = {
            f"b{n}": BackendEntry(f"b{n}", "http://h", breakers=tuple(own))
            for n, (own, *_) in enumerate(shapes)
        }
        members = tuple(
            PoolMember(f"b{n}", weight, priority) for n, (_, weight, priority) in enumerate(shapes)
        )
        self.guards = Guards()
        self.guards.use(1, self.entries)
        self.pool = BackendPool(
            BackendEntry("pool", "", members=members, affinity_cookie="s"),
            self.entries,
            self.guards,
            b"k" * 32,
        )
        self.reference = {name: Reference(entry.breakers) for name, entry in self.entries.items()}

    def allowed(self) -> set[str]:
        return {name for name, model in self.reference.items() if self.now >= model.open_until}

    def fit(self, candidates: set[str]) -> set[str]:
        """Who may take a call of those: by weight 0, then by priority."""
        of = [m for m in self.pool.members if m.entry.id in candidates]
        of = [m for m in of if m.weight] or of
        return {m.entry.id for m in of if m.priority == min(o.priority for o in of)}

    @rule(seconds=st.sampled_from((0.0, 0.01, 0.3, 1.0, 5.0, 29.0, 61.0)))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule(data=st.data(), attempts=st.integers(1, 5))
    def a_call_tries_until_it_is_content(self, data: st.DataObject, attempts: int) -> None:
        tried: set[str] = set()
        for _ in range(attempts):
            member = self.pool.next(self.now, tried)
            allowed = self.allowed()
            assert (member is None) == (not allowed)
            if member is None:
                return
            name = member.entry.id
            assert name in self.fit(allowed - tried or allowed)
            tried.add(name)
            if self.ends(data, self.now, name) == 200:
                self.answered.append((self.now, name))
                return

    @rule()
    def calls_begin_that_take_long(self) -> None:
        """One at each backend that may be called."""
        self.under_way += [(self.now, name) for name in sorted(self.allowed())]

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), later=st.sampled_from((0.0, 0.3, 6.0, 31.0)))
    def one_of_those_ends(self, data: st.DataObject, later: float) -> None:
        self.now += later
        began, name = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        self.ends(data, began, name)

    @precondition(lambda self: self.answered)
    @rule(data=st.data(), reason=st.sampled_from(REASONS))
    def an_answer_breaks_off(self, data: st.DataObject, reason: str) -> None:
        began, name = self.answered.pop(data.draw(st.integers(0, len(self.answered) - 1)))
        guard = self.guards.of(self.entries[name])
        if guard is not None:
            guard.broke(began, self.now, reason)
        self.reference[name].saw(began, self.now, 500, reason, None, is_call=False)

    def ends(self, data: st.DataObject, began: float, name: str) -> int:
        status = data.draw(st.sampled_from(STATUSES))
        reason = data.draw(st.sampled_from(REASONS)) if not status else ""
        told = data.draw(st.sampled_from((None, 0.0, 2.0, 1e9))) if status >= 400 else None
        guard = self.guards.of(self.entries[name])
        if guard is not None:
            guard.saw(began, self.now, status, reason, told)
        self.reference[name].saw(began, self.now, status, reason, told, is_call=True)
        return status

    @rule(name=st.integers(0, 5), junk=st.booleans())
    def a_session_stays_where_it_can(self, name: int, junk: bool) -> None:
        members = self.pool.members
        own = members[name % len(members)]
        value = b"junk" if junk else own.cookie
        wanted = self.pool.of_session(Headers.of([(b"cookie", b"x=1; s=" + value)]))
        assert wanted is (None if junk else own)
        # A look, not a call: the turns must not move.
        turns = [m.current for m in members]
        chosen = self.pool.next(self.now, (), wanted)
        if wanted is not None and own.entry.id in self.allowed():
            assert chosen is own
        for member, turn in zip(members, turns, strict=True):
            member.current = turn

    @rule()
    def another_configuration_with_the_same_rules_comes_into_force(self) -> None:
        self.guards.use(2, self.entries)

    @invariant()
    def open_ones_are_those_of_the_reference(self) -> None:
        if not hasattr(self, "guards"):
            return
        held = {h.backend_id: h.left_s for h in self.guards.held(self.now)}
        assert held == {
            name: model.open_until - self.now
            for name, model in self.reference.items()
            if self.now < model.open_until
        }


PoolOfBreakers.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPoolOfBreakers = PoolOfBreakers.TestCase


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 2)), min_size=1, max_size=6),
    st.integers(1, 4),
)
@settings(max_examples=80, deadline=None)
def test_weights_are_exact_shares_of_each_round(shapes: list[tuple[int, int]], rounds: int) -> None:
    entries = {f"b{n}": BackendEntry(f"b{n}", "http://h") for n in range(len(shapes))}
    members = tuple(PoolMember(f"b{n}", weight, priority) for n, (weight, priority) in enumerate(shapes))
    pool = BackendPool(BackendEntry("pool", "", members=members), entries, Guards(), b"k")
    fit = [m for m in members if m.weight] or list(members)
    group = [m for m in fit if m.priority == min(f.priority for f in fit)]
    weights = {m.backend_id: max(m.weight, 1) for m in group}
    calls = sum(weights.values()) * rounds
    got: Counter[str] = Counter()
    for _ in range(calls):
        member = pool.next(0.0)
        assert isinstance(member, Member)
        got[member.entry.id] += 1
    assert got == {name: weight * rounds for name, weight in weights.items()}


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_probes_take_out_and_let_in_after_so_many_in_a_row(results: list[bool], bad: int, good: int) -> None:
    plan = ProbePlan("/", 10.0, 2.0, bad, good, ((200, 399),))
    entry = BackendEntry("b", "http://h", probe=plan)
    guard = Guards().of(entry)
    assert guard is not None
    healthy = True
    for at, result in enumerate(results):
        guard.heard(good=result)
        need = good if not healthy else bad
        run = results[: at + 1][-need:]
        # A run is counted from the last change on, and all of it speaks against what is thought.
        if len(run) == need and all(r is not healthy for r in run):
            healthy = not healthy
        assert guard.allows(0.0) is healthy


def test_a_percentage_keeps_no_more_than_its_steps() -> None:
    rule = BreakerRule("r", None, 50, 60.0, (), (), 1.0, accept_retry_after=False)
    breaker = Breaker((rule,))
    for number in range(50_000):
        now = number / 100
        breaker.saw(now, now, 200)
    (own,) = breaker._rules
    window: Any = own.window
    assert len(window._slots) <= STEPS
