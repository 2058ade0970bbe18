"""Counters against a naive model that remembers every taking, with the clock as an argument."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.gateway import counters as counters_module
from aforo.gateway import windows
from aforo.gateway.counters import MemoryCounters
from aforo.policy.services import Counter, CounterState, Reservation
from tests.support.gateway import story

WINDOW_S = 100
LIMIT = 20


@dataclass
class Taking:
    at: float
    amount: int


class Naive:
    """Every taking with its time; the window is summed each time. `slack_s` is how long a taking may linger."""

    def __init__(self, sliding: bool) -> None:
        self.sliding = sliding
        self.takings: list[Taking] = []

    def used(self, now: float, slack_s: float = 0.0) -> int:
        if self.sliding:
            return sum(t.amount for t in self.takings if t.at > now - WINDOW_S - slack_s)
        return sum(t.amount for t in self.takings if t.at // WINDOW_S == now // WINDOW_S)


steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "release", "peek"]),
        st.integers(0, 30),  # amount
        st.integers(0, 60),  # seconds that pass before
        st.integers(0, 10),  # which reservation
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(steps=steps, sliding=st.booleans())
def test_like_the_naive_model(steps: list[tuple[str, int, int, int]], sliding: bool) -> None:
    asyncio.run(compare(steps, sliding))


async def compare(steps: list[tuple[str, int, int, int]], sliding: bool) -> None:
    now = 1_000_000.0
    counters = MemoryCounters(lambda: now)
    naive = Naive(sliding)
    held: list[tuple[Reservation, Taking]] = []
    # A slice may keep its first part for a fiftieth of the window longer than a sum over all takings would.
    slack_s = WINDOW_S / 50 if sliding else 0.0
    for what, amount, passed, which in steps:
        now += passed
        if what == "reserve":
            state = await counters.reserve(
                Counter("k", LIMIT, WINDOW_S, "sliding" if sliding else "fixed"), amount
            )
            fits = naive.used(now) + amount <= LIMIT
            surely = naive.used(now, slack_s) + amount <= LIMIT
            assert state.admitted == fits or (fits and not surely)
            assert state.admitted == (state.reservation is not None)
            if state.reservation is not None:
                taking = Taking(now, amount)
                naive.takings.append(taking)
                held.append((state.reservation, taking))
                assert naive.used(now) <= LIMIT
            else:
                assert 0 <= state.retry_after_s <= WINDOW_S
        elif what == "peek":
            state = await counters.peek(Counter("k", LIMIT, WINDOW_S, "sliding" if sliding else "fixed"))
            assert LIMIT - naive.used(now, slack_s) <= state.remaining <= max(0, LIMIT - naive.used(now))
        elif held:
            reservation, taking = held.pop(which % len(held))
            if what == "release":
                await counters.release(reservation)
                taking.amount = 0
            else:
                await counters.settle(reservation, amount)
                if amount > taking.amount:
                    naive.takings.append(Taking(now, amount - taking.amount))
                else:
                    taking.amount = amount


@pytest.mark.parametrize("sliding", [False, True])
def test_what_is_given_back_late_opens_nothing(sliding: bool) -> None:
    """A refund into a window that the reservation was not taken from would let more than the limit through."""

    async def tell() -> None:
        now = 1_000_000.0
        counters = MemoryCounters(lambda: now)
        first = await counters.reserve(
            Counter("k", LIMIT, WINDOW_S, "sliding" if sliding else "fixed"), LIMIT
        )
        second = await counters.reserve(
            Counter("l", LIMIT, WINDOW_S, "sliding" if sliding else "fixed"), LIMIT
        )
        now += WINDOW_S + 1
        assert first.reservation is not None
        assert second.reservation is not None
        await counters.settle(first.reservation, 0)
        await counters.release(second.reservation)
        for key in "kl":
            assert not (
                await counters.reserve(
                    Counter(key, LIMIT, WINDOW_S, "sliding" if sliding else "fixed"), LIMIT + 1
                )
            ).admitted
            assert (
                await counters.reserve(
                    Counter(key, LIMIT, WINDOW_S, "sliding" if sliding else "fixed"), LIMIT
                )
            ).admitted

    asyncio.run(tell())


def test_debt_is_carried() -> None:
    async def tell() -> None:
        now = 1_000_000.0
        counters = MemoryCounters(lambda: now)
        state = await counters.reserve(Counter("k", LIMIT, WINDOW_S, "sliding"), 1)
        assert state.reservation is not None
        now += WINDOW_S / 2
        assert (await counters.settle(state.reservation, 5 * LIMIT)).remaining == 0
        refused = await counters.peek(Counter("k", LIMIT, WINDOW_S, "sliding"))
        assert (refused.admitted, refused.retry_after_s) == (False, WINDOW_S)
        now += WINDOW_S
        assert (await counters.peek(Counter("k", LIMIT, WINDOW_S, "sliding"))).remaining == LIMIT

    asyncio.run(tell())


def test_many_at_once_never_overshoot() -> None:
    async def tell() -> None:
        counters = MemoryCounters(lambda: 1_000_000.0)
        states = await asyncio.gather(
            *(counters.reserve(Counter("k", 50, 60, "sliding"), 1) for _ in range(500))
        )
        assert sum(s.admitted for s in states) == 50

    asyncio.run(tell())


def test_a_window_for_ever() -> None:
    async def tell() -> None:
        now = 1_000_000.0
        counters = MemoryCounters(lambda: now)
        assert (await counters.reserve(Counter("k", LIMIT, 0), LIMIT)).admitted
        now += 10**9
        assert not (await counters.reserve(Counter("k", LIMIT, 0), 1)).admitted

    asyncio.run(tell())


def test_a_release_counts_once_and_a_fixed_window_starts_at_its_epoch() -> None:
    async def tell() -> None:
        now = 1_000_030.0
        counters = MemoryCounters(lambda: now)
        state = await counters.reserve(Counter("k", LIMIT, 60, epoch_s=1_000_000), LIMIT)
        refused = await counters.reserve(Counter("k", LIMIT, 60, epoch_s=1_000_000), 1)
        assert refused.retry_after_s == 30
        assert state.reservation is not None
        await counters.release(state.reservation)
        await counters.release(state.reservation)
        assert (await counters.peek(Counter("k", LIMIT, 60, epoch_s=1_000_000))).remaining == LIMIT

    asyncio.run(tell())


def test_keys_that_are_over_are_forgotten() -> None:
    async def tell() -> None:
        now = 1_000_000.0
        counters = MemoryCounters(lambda: now)
        kept = await counters.reserve(Counter("held", LIMIT, 10, "sliding"), 5)
        for n in range(20 * counters_module._MANY):
            now += 0.1
            await counters.reserve(
                Counter(f"caller {n}", LIMIT, 10, "sliding" if bool(n % 2) else "fixed"), 1
            )
        assert len(counters.windows) <= counters_module._MANY
        assert kept.reservation is not None
        assert (await counters.settle(kept.reservation, 7)).remaining == LIMIT - 2

    asyncio.run(tell())


def test_a_bucket_drains_evenly_and_carries_its_debt() -> None:
    """As Azure's token limit was seen to count: with 10 a minute, 48 too many are 288 seconds."""

    async def tell() -> None:
        now = 1_000_000.0
        counters = MemoryCounters(lambda: now)

        async def left() -> tuple[bool, int, float]:
            state = await counters.peek(Counter("k", 10, 60, "bucket"))
            return state.admitted, state.remaining, round(state.retry_after_s, 6)

        assert await left() == (True, 10, 0.0)
        assert (await counters.charge(Counter("k", 10, 60, "bucket"), 57)).remaining == 0
        assert await left() == (False, 0, 288.0)
        now += 280
        assert await left() == (False, 0, 8.0)
        now += 8
        assert await left() == (True, 1, 0.0)
        now += 600
        assert await left() == (True, 10, 0.0)

    asyncio.run(tell())


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["reserve", "settle", "release"]), st.integers(0, 30), st.integers(0, 60)),
        max_size=40,
    )
)
def test_a_bucket_admits_no_more_than_drains(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is given back: between any admission and the next, no more is held than the limit and its drain."""

    async def tell() -> None:
        now = start = 1_000_000.0
        counters = MemoryCounters(lambda: now)
        held: list[Reservation] = []
        spent = 0
        for what, amount, passed in steps:
            now += passed
            if what == "reserve":
                state = await counters.reserve(Counter("k", LIMIT, WINDOW_S, "bucket"), amount)
                if state.reservation is not None:
                    held.append(state.reservation)
                    spent += amount
                    assert spent <= LIMIT + (now - start) * LIMIT / WINDOW_S + 1e-6
            elif held:
                reservation = held.pop()
                if what == "release":
                    await counters.release(reservation)
                    spent -= reservation.amount
                else:
                    less = min(amount, reservation.amount)
                    await counters.settle(reservation, less)
                    spent -= reservation.amount - less

    asyncio.run(tell())


@story
async def test_ever_new_keys_do_not_push_out_who_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters_module, "MAX_WINDOWS", 4000)
    counters = MemoryCounters(lambda: 1000.0)
    for number in range(20):
        await counters.charge(Counter(f"regular {number}", 10, 0), 7)
    for number in range(20_000):
        await counters.reserve(Counter(f"new {number}", 10, 0), 1)
    assert len(counters.windows) <= 4000
    for number in range(20):
        assert (await counters.peek(Counter(f"regular {number}", 10, 0))).remaining == 3


@story
async def test_what_is_held_is_looked_through_only_when_something_of_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, looks = 1_000_000.0, 0
    counters = MemoryCounters(lambda: now)

    def counted(hold: windows.Hold, at: float) -> bool:
        nonlocal looks
        looks += 1
        return 0.0 < hold.until <= at

    monkeypatch.setattr(windows, "is_over", counted)

    async def reserve(amount: int, held_s: float) -> CounterState:
        return await counters.reserve(Counter("k", 100, 3600, "sliding"), amount, held_s=held_s)

    assert all([(await reserve(1, held_s)).admitted for held_s in (30.0, *[20.0] * 49, *[10.0] * 50)])
    assert not (await reserve(1, 1.0)).admitted
    assert looks == 0
    now += 10.0
    assert (await reserve(50, 90.0)).admitted  # so many were given back
    looks = 0
    assert not (await reserve(100, 1.0)).admitted
    assert looks == 0
