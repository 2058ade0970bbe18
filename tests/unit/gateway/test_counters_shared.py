"""Counters on a real Valkey: the same answers as those in memory, exact for many at once, and what is when it is away."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aforo.errors import Unavailable
from aforo.gateway import valkey_counters
from aforo.gateway.counters import MemoryCounters
from aforo.gateway.signal import driven
from aforo.policy.services import Counter, CounterState, Form, Reservation
from tests.support.gateway import story, until
from tests.support.valkey_server import ValkeyServer, client

LIMIT = 20
# What is exact in both: a fiftieth of each is a whole number of the clock's steps, or never one.
LENGTHS = (25, 60, 100, 3600, 0)


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as running:
        yield running


class ValkeyCounters(valkey_counters.ValkeyCounters):
    """As tasks of a test use them; calls are stepped."""

    async def _ask(self, *what: Any) -> Any:
        said: list[Any] = []

        async def ask() -> None:
            said.append(await super(ValkeyCounters, self)._ask(*what))

        await driven(ask())
        return said[0]


class Clock:
    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "hold", "charge", "settle", "release", "peek"]),
        st.integers(0, 30),  # amount
        # Sixteenths of a second that pass before: mostly few, sometimes a window.
        st.one_of(st.integers(0, 40), st.integers(0, 120 * 16), st.integers(0, 4000 * 16)),
        st.integers(0, 10),  # which reservation
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=steps,
    form=st.sampled_from(["sliding", "fixed", "bucket"]),
    length=st.sampled_from(LENGTHS),
    epoch=st.integers(-50, 50),
    held=st.sampled_from([1.0, 30.0, 600.0]),
)
# A hold that is released at the very moment in which it ends takes nothing.
@example(
    steps=[("reserve", 20, 0, 0), ("hold", 0, 0, 0), ("release", 0, 16, 1), ("reserve", 9, 0, 0)],
    form="sliding",
    length=25,
    epoch=0,
    held=1.0,
)
def test_memory_and_valkey_agree(
    server: ValkeyServer,
    steps: list[tuple[str, int, int, int]],
    form: Form,
    length: int,
    epoch: int,
    held: float,
) -> None:
    if form == "bucket":
        length = length or 60

    async def compare() -> None:
        clock = Clock()
        memory = MemoryCounters(clock)
        valkey = client(f"unix://{server.path}")
        shared = ValkeyCounters(valkey, os.urandom(8).hex(), closed=True, clock=clock)
        kept: list[tuple[Reservation, Reservation]] = []
        counter = Counter("k", LIMIT, length, form, epoch)
        try:
            for what, amount, passed, which in steps:
                clock.now += passed / 16
                if what in ("reserve", "hold"):
                    for_s = held if what == "hold" else 0.0
                    a, b = [await c.reserve(counter, amount, for_s) for c in (memory, shared)]
                    same(a, b)
                    if a.reservation is not None and b.reservation is not None:
                        kept.append((a.reservation, b.reservation))
                elif what == "charge":
                    same(*[await c.charge(counter, amount) for c in (memory, shared)])
                elif what == "peek":
                    same(*[await c.peek(counter) for c in (memory, shared)])
                elif kept:
                    left, right = kept.pop(which % len(kept))
                    if what == "settle":
                        same(await memory.settle(left, amount), await shared.settle(right, amount))
                    else:
                        for _ in range(2):
                            await memory.release(left)
                            await shared.release(right)
            same(*[await c.peek(counter) for c in (memory, shared)])
        finally:
            await valkey.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(compare())


def same(one: CounterState, other: CounterState) -> None:
    assert (one.admitted, one.remaining) == (other.admitted, other.remaining)
    assert one.retry_after_s == pytest.approx(other.retry_after_s, abs=2e-5)
    assert (one.reservation is None) == (other.reservation is None)


FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(
    form=st.sampled_from(["sliding", "fixed"]),
    clients=st.integers(1, 40),
    processes=st.integers(1, 5),
    limit=st.integers(1, 150),
    amounts=st.lists(st.integers(1, 3), min_size=1, max_size=8),
)
@example(form="sliding", clients=40, processes=4, limit=137, amounts=[1] * 10)
@example(form="fixed", clients=40, processes=4, limit=137, amounts=[1] * 10)
def test_no_overshoot_for_many_clients_of_many_workers(
    server: ValkeyServer, form: Form, clients: int, processes: int, limit: int, amounts: list[int]
) -> None:
    """However many ask at once: what is let in never passes the limit, and nobody is refused who still fits."""

    async def play() -> None:
        name = os.urandom(8).hex()
        ports = [client(f"unix://{server.path}") for _ in range(processes)]
        workers = [ValkeyCounters(port, name) for port in ports]
        counter = Counter("calls", limit, 3600, form)

        async def caller(n: int) -> int:
            admitted = 0
            for amount in amounts:
                state = await workers[n % processes].reserve(counter, amount)
                admitted += amount * state.admitted
                assert state.remaining <= limit
            return admitted

        try:
            taken = sum(await asyncio.gather(*(caller(n) for n in range(clients))))
            assert taken <= limit
            assert (await workers[0].peek(counter)).remaining == limit - taken
            wanted = clients * sum(amounts)
            assert taken == wanted if wanted <= limit else taken > limit - max(amounts)
        finally:
            for port in ports:
                await port.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


@FEW
@given(seed=st.integers(0, 1 << 32), processes=st.integers(1, 4), form=st.sampled_from(["sliding", "fixed"]))
def test_no_overshoot_of_tokens_under_reservation(
    server: ValkeyServer, seed: int, processes: int, form: Form
) -> None:
    """Each caller reserves the most that it can spend, and spends less or releases: what is spent and what is reserved
    together never pass the limit."""
    limit, rng = 5_000, random.Random(seed)
    counter = Counter("k", limit, 3600, form)

    async def play() -> None:
        name = os.urandom(8).hex()
        ports = [client(f"unix://{server.path}") for _ in range(processes)]
        workers = [ValkeyCounters(port, name) for port in ports]
        spent = reserved = refused = 0

        async def caller(n: int) -> None:
            nonlocal spent, reserved, refused
            counters = workers[n % processes]
            for _ in range(15):
                most = rng.randint(50, 400)
                state = await counters.reserve(counter, most, held_s=600)
                if state.reservation is None:
                    refused += 1
                    continue
                reserved += most
                assert spent + reserved <= limit
                await asyncio.sleep(rng.random() / 500)
                reserved -= most
                if rng.random() < 0.2:
                    await counters.release(state.reservation)
                else:
                    truth = rng.randint(0, most)
                    spent += truth
                    await counters.settle(state.reservation, truth)

        try:
            await asyncio.gather(*(caller(n) for n in range(24)))
            left = (await workers[0].peek(counter)).remaining
            assert left == limit - spent
            assert refused, "so many callers want more than there is"
        finally:
            for port in ports:
                await port.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


@story
async def test_what_is_held_comes_back_when_a_worker_dies(server: ValkeyServer) -> None:
    died, lives = (ValkeyCounters(client(f"unix://{server.path}"), "dies") for _ in range(2))
    held = await died.reserve(Counter("k", LIMIT, 3600), LIMIT, held_s=0.2)
    assert held.admitted
    assert not (await lives.reserve(Counter("k", LIMIT, 3600), 1)).admitted
    await asyncio.sleep(0.25)
    assert (await lives.reserve(Counter("k", LIMIT, 3600), 1)).remaining == LIMIT - 1
    # It had only been slow: what it spent counts all the same.
    assert held.reservation is not None
    assert (await died.settle(held.reservation, 7)).remaining == LIMIT - 8


@story
async def test_keys_die_and_say_nothing(server: ValkeyServer) -> None:
    counters = ValkeyCounters(client(f"unix://{server.path}"), "dying")
    admin = client(f"unix://{server.path}")
    await admin.query("FLUSHALL")
    await counters.reserve(Counter("caller-4711", LIMIT, 60, "sliding"), 1)
    await counters.reserve(Counter("caller-4711", LIMIT, 60), 1)
    await counters.reserve(Counter("caller-4711", LIMIT, 60, "bucket"), LIMIT)
    await counters.reserve(Counter("caller-4711", LIMIT, 0), 1)
    keys = await admin.query("KEYS", "*")
    assert len(keys) == 4
    assert not any(b"4711" in key for key in keys)
    lives = sorted([await admin.query("PTTL", key) for key in keys])
    assert lives[0] == -1, "what counts for ever has no end"
    assert all(0 < left <= 61_000 for left in lives[1:])


@story
async def test_one_round_trip_each_and_in_pipelines(server: ValkeyServer) -> None:
    counters = ValkeyCounters(client(f"unix://{server.path}"), "trips")
    admin = client(f"unix://{server.path}")
    await counters.reserve(Counter("k", 1000, 60, "sliding"), 1)

    async def processed() -> int:
        info = (await admin.query("INFO", "commandstats")).decode()
        line = next(li for li in info.splitlines() if li.startswith("cmdstat_evalsha:"))
        return int(line.split("calls=")[1].split(",")[0])

    before = await processed() if "evalsha" in (await admin.query("INFO", "commandstats")).decode() else 0
    await asyncio.gather(*(counters.reserve(Counter("k", 1000, 60, "sliding"), 1) for _ in range(50)))
    assert await processed() - before == 50


@story
async def test_scripts_that_the_server_has_forgotten_are_sent_again(server: ValkeyServer) -> None:
    counters = ValkeyCounters(client(f"unix://{server.path}"), "forgotten")
    admin = client(f"unix://{server.path}")
    assert (await counters.reserve(Counter("k", LIMIT, 60, "sliding"), 1)).remaining == LIMIT - 1
    await admin.query("SCRIPT", "FLUSH")
    assert (await counters.reserve(Counter("k", LIMIT, 60, "sliding"), 1)).remaining == LIMIT - 2


@story
async def test_away_and_open(tmp_path: Path) -> None:
    """Nobody is refused for it who is not over his limit as far as this process saw; then all of it counts."""
    kept = ("--appendonly", "yes", "--appendfsync", "no")
    server = ValkeyServer(*kept)
    server.start()
    try:
        one, two = (ValkeyCounters(client(f"unix://{server.path}", timeout_s=0.3), "open") for _ in range(2))
        for _ in range(15):
            assert (await one.reserve(Counter("k", LIMIT, 3600), 1)).admitted
        held = await one.reserve(Counter("tokens", LIMIT, 3600), 10, held_s=60)
        server.stop()
        admitted = [(await one.reserve(Counter("k", LIMIT, 3600), 1)).admitted for _ in range(8)]
        assert admitted == [True] * 5 + [False] * 3, "what was seen before counts"
        assert held.reservation is not None
        await one.settle(held.reservation, 4)
        local = await one.reserve(Counter("tokens", LIMIT, 3600), 3, held_s=60)
        await one.charge(Counter("tokens", LIMIT, 3600), 2)
        server.start()
        await until(lambda: one._server.is_up)
        one.beat()
        assert not (await two.reserve(Counter("k", LIMIT, 3600), 1)).admitted, "what was local is shared now"
        assert local.reservation is not None
        assert (await one.settle(local.reservation, 1)).remaining == LIMIT - 4 - 2 - 1
    finally:
        server.__exit__()


@story
async def test_away_and_closed(tmp_path: Path) -> None:
    server = ValkeyServer()
    server.start()
    try:
        valkey = client(f"unix://{server.path}", timeout_s=0.3)
        counters = ValkeyCounters(valkey, "closed", closed=True)
        held = await counters.reserve(Counter("k", LIMIT, 3600), 5, held_s=60)
        server.stop()
        for ask in (
            counters.reserve(Counter("k", LIMIT, 3600), 1),
            counters.peek(Counter("k", LIMIT, 3600)),
        ):
            with pytest.raises(Unavailable) as caught:
                await ask
            assert (caught.value.code, caught.value.retry_after_s) == ("CountersUnavailable", 1.0)
        # The end of a call that had passed is no reason to fail it.
        assert held.reservation is not None
        await counters.settle(held.reservation, 2)
        await counters.charge(Counter("k", LIMIT, 3600), 3)
        server.start()
        await until(lambda: valkey.is_up)
        counters.beat()
        # Its data was gone, as it kept none; what was charged meanwhile is not.
        assert (await counters.peek(Counter("k", LIMIT, 3600))).remaining == LIMIT - 3
    finally:
        server.__exit__()


@story
async def test_a_call_that_is_given_up_while_it_waits_holds_nothing(server: ValkeyServer) -> None:
    counters = ValkeyCounters(client(f"unix://{server.path}"), "given up")
    assert (await counters.peek(Counter("k", LIMIT, 3600))).remaining == LIMIT
    asking = asyncio.create_task(counters.reserve(Counter("k", LIMIT, 3600), 9, held_s=600))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await counters.peek(Counter("k", LIMIT, 3600))).remaining == LIMIT


@story
async def test_ever_new_keys_while_it_is_away_stay_digests_and_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey_counters, "MOST_SEEN", 100)
    clock = Clock()
    counters = ValkeyCounters(client(f"unix://{tmp_path}/nobody"), "away", clock=clock)
    share = counters._share
    for number in range(5_000):
        clock.now += 0.1
        key = f"{number} {'of a caller ' * 1000}"
        assert (
            await counters.reserve(Counter(key, LIMIT, 10, "sliding" if bool(number % 2) else "fixed"), 1)
        ).admitted
    assert (await counters.peek(Counter(key, LIMIT, 10, "sliding"))).remaining == LIMIT - 1
    assert len(share.known) < 3_000, "as many as the counters hold, which look for old ones from 1,024 on"
    assert all(len(name.key) == 32 for name in share.known)
    assert {name.key for name in share.counters.windows} >= {next(reversed(share.known)).key}
