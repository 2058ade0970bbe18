"""Places of `limit-concurrency` on a real Valkey: never more than allowed, and none lost with a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from aforo.errors import Unavailable
from aforo.gateway.signal import driven
from aforo.gateway.valkey_leases import ValkeyLeases
from tests.support.gateway import story, until
from tests.support.valkey_server import ValkeyServer, client

MOST = 3


async def enter(leases: ValkeyLeases) -> Callable[[], None] | None:
    found: list[Callable[[], None] | None] = []

    async def ask() -> None:
        found.append(await leases.enter("k", MOST))

    await driven(ask())
    return found[0]


@story
async def test_never_more_than_allowed_over_workers() -> None:
    with ValkeyServer() as server:
        workers = [ValkeyLeases(client(f"unix://{server.path}"), "n") for _ in range(3)]
        inside = most = entered = 0

        async def caller(n: int) -> None:
            nonlocal inside, most, entered
            for _ in range(10):
                leave = await enter(workers[n % 3])
                if leave is None:
                    await asyncio.sleep(0.001)
                    continue
                entered += 1
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1
                leave()
                leave()

        await asyncio.gather(*(caller(n) for n in range(12)))
        assert most == MOST
        assert entered > 20
        assert all([await enter(workers[0]) for _ in range(MOST)])


@story
async def test_places_of_the_dead_come_back_and_those_of_the_living_stay() -> None:
    with ValkeyServer() as server:
        died, lives = (ValkeyLeases(client(f"unix://{server.path}"), "n", lease_s=0.3) for _ in range(2))
        assert await enter(died)
        assert await enter(died)
        kept = await enter(lives)
        assert kept is not None
        assert await enter(lives) is None
        for _ in range(4):
            await asyncio.sleep(0.11)
            lives.beat()
        assert [await enter(lives) is not None for _ in range(3)] == [True, True, False]


@story
async def test_places_taken_while_the_server_was_away_count_when_it_is_back() -> None:
    server = ValkeyServer()
    server.start()
    try:
        valkey = client(f"unix://{server.path}", timeout_s=0.3)
        one = ValkeyLeases(valkey, "n", lease_s=0.3)
        assert await enter(one)
        server.stop()
        assert await enter(one)
        with pytest.raises(Unavailable):
            await enter(ValkeyLeases(client(f"unix://{server.path}"), "n", closed=True))
        server.start()
        await until(lambda: valkey.is_up)
        await asyncio.sleep(0.11)
        one.beat()
        other = ValkeyLeases(client(f"unix://{server.path}"), "n")
        assert [await enter(other) is not None for _ in range(2)] == [True, False]
    finally:
        server.__exit__()
