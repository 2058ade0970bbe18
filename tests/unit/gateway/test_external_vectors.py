"""Answers by meaning on the server that gateways share, a real Valkey: nearest, partitions, ends, limits, what it shows."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import pytest

from aforo.gateway import external_vectors
from aforo.gateway.external_vectors import ExternalVectors
from tests.support.gateway import story
from tests.support.valkey_server import ValkeyServer, client
from tests.unit.gateway.test_external_cache import ran, shared, shared_flush


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as running:
        yield running


def turned(degrees: float) -> list[float]:
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), 0.0]


@story
async def test_the_nearest_within_the_distance_of_the_partition(server: ValkeyServer) -> None:
    await shared_flush(server)
    one, other = shared(server), shared(server)
    here, there = ExternalVectors(one), ExternalVectors(other)
    for degrees in (0, 20, 90):
        await ran(here.add("p", [x * 7 for x in turned(degrees)], b"at %d" % degrees, 60))
    await ran(one.ask("PING"))
    assert await ran(there.search("p", turned(18), 0.1)) == b"at 20"
    assert await ran(there.search("p", turned(0), 0.0)) == b"at 0"
    assert await ran(there.search("p", turned(50), 0.1)) is None
    assert await ran(there.search("p", turned(180), 2.0)) == b"at 90"
    assert await ran(there.search("q", turned(0), 1.0)) is None
    assert await ran(there.search("p", [1.0, 0.0], 1.0)) is None
    assert await ran(there.search("p", [0.0, 0.0, 0.0], 1.0)) is None
    for each in (one, other):
        await each.close()


@story
async def test_entries_end_and_partitions_are_bounded(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared_flush(server)
    monkeypatch.setattr(external_vectors, "MAX_ENTRIES", 20)
    cache = shared(server)
    vectors = ExternalVectors(cache)
    await ran(vectors.add("p", turned(0), b"short", 0.05))
    assert await ran(vectors.search("p", turned(0), 0.0)) == b"short"
    await asyncio.sleep(0.06)
    assert await ran(vectors.search("p", turned(0), 0.0)) is None
    for n in range(40):
        await ran(vectors.add("p", turned(n), b"%d" % n, 60 + n))
    assert await ran(vectors.search("p", turned(39), 0.0)) == b"39"
    assert await ran(vectors.search("p", turned(5), 0.0001)) is None
    raw = client(f"unix://{server.path}")
    assert len(await raw.query("KEYS", "*")) == 2 + 2 * 20
    for name in await raw.query("KEYS", "*"):
        assert await raw.query("PTTL", name) > 0
    await ran(vectors.add("p", turned(1), b"none", 0))
    await ran(cache.ask("PING"))
    assert len(await raw.query("KEYS", "*")) == 42
    await raw.close()
    await cache.close()


@story
async def test_the_server_sees_no_vector_and_no_value(server: ValkeyServer) -> None:
    await shared_flush(server)
    cache = shared(server)
    vectors = ExternalVectors(cache)
    await ran(vectors.add("CANARY-partition", turned(0), b"CANARY-value", 60))
    assert await ran(vectors.search("CANARY-partition", turned(0), 0.0)) == b"CANARY-value"
    raw = client(f"unix://{server.path}")
    names = await raw.query("KEYS", "*")
    assert b"CANARY" not in b"".join(names)
    for name in names:
        if b":v:" in name or b":e:" in name:
            kept = await raw.query("GET", name)
            assert b"CANARY" not in kept
            await raw.query("SET", name, b"forged")
    assert await ran(vectors.search("CANARY-partition", turned(0), 1.0)) is None
    await raw.close()
    await cache.close()
