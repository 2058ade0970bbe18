"""Limits under many calls at once and at their edges: on counters of this process, with the clock as an argument."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.gateway.counters import MemoryCounters
from aforo.messages import Headers, parse_url
from aforo.policy import owing
from aforo.policy.counting.admission import (
    KILOBYTE,
    Quota,
    Told,
    admit_quotas,
    admit_rate,
    admit_rates,
    counter_name,
    span,
)
from aforo.policy.counting.token_admission import TokenNames, admit_tokens, window_of
from aforo.policy.elements import quota, rate_limit
from aforo.policy.exchange import Body, Exchange, PolicyFailure, RequestState, ResponseState
from aforo.policy.rehearsing.scripted import ScriptedCounters, ScriptedServices
from aforo.policy.services import Counter, CounterState, Reservation, Usage

NOBODY = Told()
PROMPT = b'{"messages":[{"role":"user","content":"' + b"x" * 40 + b'"}]}'


@dataclass
class World:
    """Calls on counters whose operations may each be overtaken by others, as those of a shared store are."""

    now: float = 1_782_907_200.0
    shuffled: random.Random | None = None

    def __post_init__(self) -> None:
        self.counters = Overtaken(MemoryCounters(lambda: self.now), self.shuffled)

    def call(self, body: bytes = b"") -> Exchange:
        services = ScriptedServices(counters=self.counters)  # type: ignore[arg-type]
        request = RequestState.of("POST", parse_url("http://gate/x"), Headers(), Body(body), "10.0.0.1")
        return Exchange("0" * 32, request, services, started_ns=int(self.now) * 10**9)


class Overtaken:
    """The Counters port, with a pause before and after each operation."""

    def __init__(self, inner: MemoryCounters | ScriptedCounters, shuffled: random.Random | None) -> None:
        self._inner = inner
        self._shuffled = shuffled

    def __getattr__(self, name: str) -> object:
        operation = getattr(self._inner, name)

        async def run(*args: object, **options: object) -> object:
            await self._pause()
            made = await operation(*args, **options)
            await self._pause()
            return made

        return run

    async def _pause(self) -> None:
        for _ in range(self._shuffled.randrange(4) if self._shuffled is not None else 0):
            await asyncio.sleep(0)


async def admitted(*work: object) -> int:
    """How many of them were not refused."""
    done = await asyncio.gather(*work, return_exceptions=True)  # type: ignore[call-overload]
    wrong = [d for d in done if isinstance(d, BaseException) and not isinstance(d, PolicyFailure)]
    assert not wrong, wrong
    return sum(d is None for d in done)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(1, 120), st.integers(1, 4), st.integers(0, 2**32))
def test_calls_at_once_never_overshoot_a_rate(calls: int, callers: int, count: int, seed: int) -> None:
    async def tell() -> None:
        world = World(shuffled=random.Random(seed))
        rate = Counter("k", calls, 60, "sliding")
        work = [admit_rate(world.call(), "rate-limit-by-key", rate, count, NOBODY) for _ in range(callers)]
        assert await admitted(*work) == min(callers, calls // count)

    asyncio.run(tell())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.lists(st.integers(0, 3), min_size=1, max_size=80),
    st.integers(0, 2**32),
)
def test_a_call_that_one_of_several_limits_refuses_is_counted_by_none(
    whole: int, part: int, parts: list[int], seed: int
) -> None:
    async def tell() -> None:
        world = World(shuffled=random.Random(seed))

        async def call(which: int) -> None:
            rates = [Counter("all", whole, 60, "sliding"), Counter(f"part {which}", part, 60, "sliding")]
            await admit_rates(world.call(), "rate-limit", rates, NOBODY)

        count = await admitted(*(call(p) for p in parts))
        assert count <= min(whole, sum(min(part, parts.count(p)) for p in set(parts)))
        # Afterwards there is as much room as the admitted ones left.
        left = await world.counters.peek(Counter("all", whole, 60, "sliding"))  # type: ignore[operator]
        assert left.remaining == whole - count

    asyncio.run(tell())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 60), st.integers(0, 2**32))
def test_calls_at_once_never_overshoot_a_quota(calls: int, callers: int, seed: int) -> None:
    async def tell() -> None:
        world = World(shuffled=random.Random(seed))
        limit = Quota("k", calls, None, 3600, 0)

        async def call() -> None:
            exchange = world.call()
            await admit_quotas(exchange, "quota-by-key", [limit], 1)
            # At another scope, for the same key: the call is counted once and held up by nothing of its own.
            await admit_quotas(exchange, "quota-by-key", [limit], 1)

        assert await admitted(*(call() for _ in range(callers))) == min(calls, callers)
        state = await world.counters.peek(Counter("k:calls", calls, 3600))  # type: ignore[operator]
        assert state.remaining == max(0, calls - callers)

    asyncio.run(tell())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 2**32))
def test_prompts_at_once_never_overshoot_a_minute(limit: int, callers: int, seed: int) -> None:
    """With estimates, prompts are reserved: 10 tokens each here."""

    async def tell() -> None:
        world = World(shuffled=random.Random(seed))
        names = TokenNames(NOBODY)
        work = [
            admit_tokens(world.call(PROMPT), "llm-token-limit", "k", limit, 1000, "daily", True, names)
            for _ in range(callers)
        ]
        assert await admitted(*work) == min(callers, limit // 10)

    asyncio.run(tell())


def test_a_rate_slides() -> None:
    async def tell() -> None:
        world = World()
        rate = Counter("k", 2, 60, "sliding")

        async def call() -> int:
            """Seconds to wait, 0 when it was admitted."""
            try:
                await admit_rate(world.call(), "rate-limit-by-key", rate, 1, NOBODY)
            except PolicyFailure as failure:
                return int(failure.response.headers.get(b"retry-after") or b"0") if failure.response else -1
            return 0

        assert await call() == 0
        world.now += 30
        assert await call() == 0
        world.now += 10
        assert await call() == 20
        world.now += 20.001
        assert await call() == 0
        assert await call() == 30

    asyncio.run(tell())


def test_a_quota_begins_with_its_epoch_and_a_bandwidth_is_weighed_at_the_end() -> None:
    async def tell() -> None:
        world = World()
        limit = Quota("k", 1, None, 3600, int(world.now) - 600)
        await admit_quotas(world.call(), "quota", [limit], 1)
        with pytest.raises(PolicyFailure, match=r"replenished in 00:50:00\."):
            await admit_quotas(world.call(), "quota", [limit], 1)
        world.now += 3000
        await admit_quotas(world.call(), "quota", [limit], 1)
        heavy = Quota("h", None, 1, 3600, 0)
        first = world.call(b"x" * KILOBYTE)
        await admit_quotas(first, "quota", [heavy], 1)
        for give_back in first.lent:
            give_back()
        assert isinstance(first.services, ScriptedServices)
        for work in first.services.spawned:
            await work
        with pytest.raises(PolicyFailure, match="Out of bandwidth quota"):
            await admit_quotas(world.call(), "quota", [heavy], 1)

    asyncio.run(tell())


def test_calls_without_a_subscription_are_not_limited_by_it() -> None:
    async def tell() -> None:
        for _ in range(3):
            exchange = World().call()
            await rate_limit.admit(exchange, "api", 0, 60, (), Told(remaining_variable="left"))
            await quota.admit(exchange, "product", 0, 0, 60, ())
            assert exchange.variables == {}
            assert exchange.lent == []

    asyncio.run(tell())


def test_debt_of_tokens_is_paid_off_evenly() -> None:
    """Ten a minute and a call of 58: the next one waits for 294 seconds, and the counter stays positive until then."""

    async def tell() -> None:
        world = World()
        names = TokenNames(Told(retry_variable="wait"), b"x-left", "left")

        async def ask() -> Exchange:
            exchange = world.call(PROMPT)
            exchange.response = ResponseState(200, "OK", Headers(), Body(b""))
            await admit_tokens(exchange, "llm-token-limit", "k", 10, None, None, False, names)
            return exchange

        exchange = await ask()
        await owing.metered(exchange, Usage(20, 38, 58))
        assert exchange.variables == {"left": 0}
        assert exchange.meters is None
        with pytest.raises(PolicyFailure, match="Try again in 294 seconds") as caught:
            await ask()
        assert caught.value.response is not None
        assert caught.value.response.status == 429
        world.now += 293
        with pytest.raises(PolicyFailure, match="Try again in 1 seconds"):
            await ask()
        world.now += 1
        assert (await ask()).variables == {"left": 1}

    asyncio.run(tell())


def test_what_a_call_did_not_spend_is_given_back() -> None:
    async def tell() -> None:
        world = World()
        names = TokenNames(NOBODY, remaining_variable="minute", quota_variable="day")
        exchange = world.call(PROMPT)
        await admit_tokens(exchange, "llm-token-limit", "k", 100, 1000, "Hourly", True, names)
        assert exchange.variables == {"minute": 90, "day": 990}
        await owing.metered(exchange, None)
        assert exchange.variables == {"minute": 100, "day": 1000}
        exchange = world.call(PROMPT)
        await admit_tokens(exchange, "llm-token-limit", "k", 100, 1000, "Hourly", True, names)
        await owing.metered(exchange, Usage(4, 0, 4))
        assert exchange.variables == {"minute": 96, "day": 996}

    asyncio.run(tell())


@pytest.mark.parametrize(
    ("unit", "start", "length"),
    [
        ("hourly", 1_709_218_800, 3600),
        ("daily", 1_709_164_800, 86_400),
        ("weekly", 1_708_905_600, 7 * 86_400),
        ("monthly", 1_706_745_600, 29 * 86_400),
        ("yearly", 1_704_067_200, 366 * 86_400),
    ],
)
def test_periods_begin_with_their_unit(unit: str, start: int, length: int) -> None:
    assert window_of(unit, 1_709_220_000) == (start, length)  # Thursday 2024-02-29T15:20:00Z


def test_spans() -> None:
    assert [span(s) for s in (1, 25_280, 86_399, 86_400, 188_543)] == [
        "00:00:01",
        "07:01:20",
        "23:59:59",
        "1.00:00:00",
        "2.04:22:23",
    ]


def test_keys_of_any_size_are_counters_of_one_size() -> None:
    assert counter_name("p", None) == counter_name("p", "") == "p:"
    assert counter_name("p", "a") != counter_name("q", "a")
    long = {counter_name("p", "k" * n) for n in range(1000, 1010)}
    assert len(long) == 10
    assert max(map(len, long)) < 100


def test_the_port_is_what_policies_hand_back() -> None:
    """A reservation is opaque to policies: what `reserve` gave goes to `settle` or `release`, nothing else."""

    async def tell() -> None:
        counters = ScriptedCounters()
        state: CounterState = await counters.reserve(Counter("k", 5, 60, "sliding"), 3)
        assert isinstance(state.reservation, Reservation)
        await counters.release(state.reservation)
        assert counters.taken == {"k": 0}

    asyncio.run(tell())
