"""The cache that gateways share, on a real Valkey: two gateways, one truth; nothing readable on the server; away, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from aforo.errors import Unavailable
from aforo.gateway.external_cache import ExternalCache, ExternalCaches, Secrecy
from aforo.gateway.services import GatewayServices
from aforo.gateway.signal import driven
from aforo.model.valkey_address import ValkeyAddress
from aforo.snapshot.snapshot import CacheEntry
from tests.support.gateway import Gate, gate, story, until
from tests.support.valkey_server import ValkeyServer, client
from tests.unit.gateway.test_server_caches import answers, get, pipeline, plain, seen

MASTER = b"m" * 32
VALUES = (
    "<cache-lookup-value key='CANARY-key' variable-name='v' caching-type='{0}'/>"
    "<choose><when condition='@(!context.Variables.ContainsKey(&quot;v&quot;))'>"
    "<cache-store-value key='CANARY-key' value='CANARY-value' duration='60' caching-type='{0}'/></when></choose>"
    '<return-response><set-body>@(context.Variables.GetValueOrDefault("v", "none"))</set-body></return-response>'
)


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as running:
        yield running


async def ran(work: Coroutine[Any, Any, Any]) -> Any:
    """What a call would get: it may wait for signals."""
    out: list[Any] = []

    async def run() -> None:
        out.append(await work)

    await driven(run())
    return out[0]


def shared(server: ValkeyServer, master: bytes = MASTER) -> ExternalCache:
    return ExternalCache(client(f"unix://{server.path}"), Secrecy(master))


def connect(g: Gate, server: ValkeyServer) -> GatewayServices:
    """This gateway has the server for its external cache."""
    services = g.proxy._services
    services.shared = ExternalCaches(lambda _, __: shared(server))
    services.shared.use(CacheEntry("default", "somewhere"))
    return services


@story
async def test_values_live_as_long_as_they_may_and_go_when_told(server: ValkeyServer) -> None:
    cache, other = shared(server), shared(server)
    value = bytes(range(256)) * 16_384  # as large as any
    await ran(cache.put("k", value, 60))
    assert await ran(cache.get("k")) == value
    assert await ran(other.get("k")) == value
    await ran(cache.remove("k"))
    assert await ran(other.get("k")) is None
    await ran(cache.put("k", b"short", 0.05))
    assert await ran(cache.get("k")) == b"short"
    await asyncio.sleep(0.06)
    assert await ran(cache.get("k")) is None
    await ran(cache.put("k", b"a", 60))
    await ran(cache.put("k", b"b", 0))
    assert await ran(cache.get("k")) is None
    for each in (cache, other):
        await each.close()


@story
async def test_the_server_learns_nothing_and_says_nothing_of_its_own(server: ValkeyServer) -> None:
    cache, stranger = shared(server), shared(server, b"n" * 32)
    raw = client(f"unix://{server.path}")
    await raw.query("FLUSHALL")
    await ran(cache.put("CANARY-key", b"CANARY-value", 60))
    assert await ran(cache.get("CANARY-key")) == b"CANARY-value"
    (name,) = await raw.query("KEYS", "*")
    kept = await raw.query("GET", name)
    assert b"CANARY" not in name + kept
    assert 59_000 < await raw.query("PTTL", name) <= 60_000
    # Another installation has names of its own, and reads nothing of ours under ours.
    assert await ran(stranger.get("CANARY-key")) is None
    await raw.query("SET", name, b"forged")
    assert await ran(cache.get("CANARY-key")) is None
    # A value is good for its own key alone.
    await raw.query("SET", name, kept)
    await ran(cache.put("other", b"x", 60))
    assert (
        await ran(cache.get("other")) == b"x"
    )  # nobody waits for what is put: it is there behind the next answer
    (other,) = set(await raw.query("KEYS", "*")) - {name}
    await raw.query("SET", other, kept)
    assert await ran(cache.get("other")) is None
    await raw.query("DEL", name)
    await raw.query("LPUSH", name, "x")
    with pytest.raises(Exception, match="WRONGTYPE"):
        await ran(cache.get("CANARY-key"))
    for each in (cache, stranger, raw):
        await each.close()


@story
async def test_answers_are_kept_outside(server: ValkeyServer) -> None:
    await shared_flush(server)
    async with gate(answers()) as one:
        one.backend.plays(plain(b"from one", b"x-n: 1"))
        connect(one, server)
        first = await one.call(get())
        again = await one.call(get())
        assert (first.body, again.body) == (b"from one", b"from one")
        await one.settled()
        assert seen(one) == [("miss", 200), ("hit", 0)]
        assert len(one.backend.heard) == 1
        assert one.records[1].cache_us > 0


async def shared_flush(server: ValkeyServer) -> None:
    raw = client(f"unix://{server.path}")
    await raw.query("FLUSHALL")
    await raw.close()


@story
async def test_gateways_share_values(server: ValkeyServer) -> None:
    await shared_flush(server)
    where = pipeline(VALUES.format("external"), "")
    async with gate(where) as one, gate(where) as other:
        for g in (one, other):
            connect(g, server)
        assert (await one.call(get())).body == b"none"
        assert (await one.call(get())).body == b"CANARY-value"
        assert (await other.call(get())).body == b"CANARY-value"


@story
async def test_preferred_means_the_external_one_where_there_is_one(server: ValkeyServer) -> None:
    await shared_flush(server)
    where = pipeline(VALUES.format("prefer-external"), "")
    async with gate(where) as one, gate(where) as other:
        connect(one, server)
        bodies = [(await g.call(get())).body for g in (one, other, other, one)]
        assert bodies == [b"none", b"none", b"CANARY-value", b"CANARY-value"]
    async with gate(pipeline(VALUES.format("internal"), "")) as g:
        connect(g, server)
        assert (await g.call(get())).body == b"none"
        assert g.proxy._services.shared.cache is not None
        assert not g.proxy._services.shared.cache._server.is_up  # and was never asked


@story
async def test_a_cache_that_goes_fails_no_call_and_comes_back() -> None:
    strict = "<cache-remove-value key='k' caching-type='external' fail-on-cache-removal-error='true'/>"
    with ValkeyServer() as server:
        async with gate(pipeline(VALUES.format("prefer-external"), "")) as g, gate(pipeline(strict, "")) as s:
            for each in (g, s):
                connect(each, server)
            assert [(await g.call(get())).body for _ in range(2)] == [b"none", b"CANARY-value"]
            assert (await s.call(get())).status == 200
            server.stop()
            answered = [await g.call(get()) for _ in range(20)]
            assert {(a.status, a.body) for a in answered} == {(200, b"none")}
            assert (await s.call(get())).status == 500
            server.start()
            cache = g.proxy._services.shared.cache
            assert cache is not None
            await until(lambda: cache._server.is_up)
            assert [(await g.call(get())).body for _ in range(2)] == [b"none", b"CANARY-value"]


@story
async def test_another_configuration_keeps_its_connection(server: ValkeyServer) -> None:
    made: list[str] = []

    def make(name: str, address: ValkeyAddress) -> ExternalCache:
        made.append(f"{name} {address.where}")
        return shared(server)

    caches = ExternalCaches(make)
    entry = CacheEntry("default", "a:1,password=CANARY")
    caches.use(entry)
    first = caches.cache
    assert first is not None
    await ran(first.put("k", b"v", 60))
    caches.use(CacheEntry("default", "a:1,password=CANARY"))
    assert caches.cache is first
    caches.use(CacheEntry("default", "b:2"))
    assert caches.cache is not first
    await until(lambda: not caches._leaving)
    with pytest.raises(Unavailable):
        await ran(first.get("k"))
    caches.use(CacheEntry("default", "b c"))
    assert caches.cache is None
    await caches.close()
    assert made == ["default a:1", "default b:2"]
