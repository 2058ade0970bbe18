"""Addresses, the cache, the gateway's own answers: small parts with sharp edges."""

from __future__ import annotations

import asyncio

import pytest

from aforo.gateway.addresses import TrustedProxies
from aforo.gateway.cache import MemoryCache
from aforo.messages import Headers
from aforo.policy import answers
from tests.support.gateway import gate, story

TRUSTED = TrustedProxies(("10.0.0.0/8", "2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", ["1.1.1.1"], "192.0.2.1"),  # nobody vouches for this peer
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 1.1.1.1"], "1.1.1.1"),  # what stands before is the client's own word
        ("10.0.0.1", ["6.6.6.6", "1.1.1.1, 10.0.0.9"], "1.1.1.1"),
        ("10.0.0.1", ["10.0.0.7, 10.0.0.9"], "10.0.0.7"),
        ("10.0.0.1", ["1.1.1.1:4711"], "1.1.1.1"),
        ("10.0.0.1", ["[2001:db9::1]:4711"], "2001:db9::1"),
        ("10.0.0.1", ["2001:db9::1"], "2001:db9::1"),
        ("10.0.0.1", ["1.1.1.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1, "], "10.0.0.1"),
        ("10.0.0.1", ["<script>"], "10.0.0.1"),
        ("2001:db8::5", ["1.1.1.1"], "1.1.1.1"),
        ("::ffff:10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("", ["1.1.1.1"], ""),
    ],
)
def test_whose_address_counts(peer: str, forwarded: list[str], client: str) -> None:
    headers = Headers.of([(b"x-forwarded-for", value.encode()) for value in forwarded])
    assert TRUSTED.client_ip(peer, "", headers) == client


def test_a_preamble_counts_like_a_peer() -> None:
    none = Headers()
    assert TRUSTED.client_ip("10.0.0.1", "1.1.1.1", none) == "1.1.1.1"
    assert TRUSTED.client_ip("192.0.2.1", "1.1.1.1", none) == "192.0.2.1"
    forwarded = Headers.of([(b"x-forwarded-for", b"2.2.2.2")])
    assert TRUSTED.client_ip("10.0.0.1", "1.1.1.1", forwarded) == "1.1.1.1"
    assert TRUSTED.client_ip("10.0.0.1", "10.0.0.2", forwarded) == "2.2.2.2"
    assert TrustedProxies(()).client_ip("10.0.0.1", "1.1.1.1", forwarded) == "10.0.0.1"


@story
async def test_both_addresses_are_recorded() -> None:
    for trusted, client in ((("127.0.0.0/8",), "203.0.113.9"), ((), "127.0.0.1")):
        async with gate(trusted=trusted) as g:
            await g.call(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
            (record,) = g.records
            assert (record.peer_ip, record.client_ip) == ("127.0.0.1", client)


PREAMBLES = {
    "version 1": b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 8080\r\n",
    "version 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes((203, 0, 113, 9, 127, 0, 0, 1, 0, 1, 0, 2)),
}


@pytest.mark.parametrize("preamble", PREAMBLES.values(), ids=PREAMBLES.keys())
@pytest.mark.parametrize("bytewise", [False, True])
@story
async def test_the_preamble_of_a_trusted_balancer(preamble: bytes, bytewise: bool) -> None:
    async with gate(trusted=("127.0.0.1",)) as g:
        client = await g.connect()
        data = preamble + b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"
        for at in range(0, len(data), 1 if bytewise else len(data)):
            await client.send(data[at : at + (1 if bytewise else len(data))])
            await asyncio.sleep(0)
        assert (await client.answer()).status == 200
        assert (g.records[0].peer_ip, g.records[0].client_ip) == ("127.0.0.1", "203.0.113.9")


@pytest.mark.parametrize("preamble", PREAMBLES.values(), ids=PREAMBLES.keys())
@story
async def test_the_preamble_of_anybody_else_is_a_bad_request(preamble: bytes) -> None:
    async with gate() as g:
        got = await g.transcript(preamble + b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 400 ")
        assert g.backend.heard == []


def test_the_cache_forgets_by_time_and_by_size() -> None:
    async def tell() -> None:
        now = 0.0
        cache = MemoryCache(2000, lambda: now)
        await cache.put("a", b"1", 10)
        await cache.put("b", b"2", 100)
        await cache.put("never", b"3", 0)
        assert [await cache.get(k) for k in ("a", "b", "never", "nothing")] == [b"1", b"2", None, None]
        now = 10.0
        assert [await cache.get(k) for k in ("a", "b")] == [None, b"2"]
        await cache.remove("b")
        await cache.remove("b")
        await cache.put("x", b"x" * 1000, 10)
        await cache.put("huge", b"x" * 2001, 10)
        assert await cache.get("x") is not None
        await cache.put("y", b"y" * 1000, 10)
        assert [await cache.get(k) for k in ("x", "y", "huge")] == [None, b"y" * 1000, None]
        for n in range(1000):
            await cache.put(f"{n}", b"", 10)
        assert len(cache._entries) <= 2000 // 256
        for key in list(cache._entries):
            await cache.put(key, b"again", 10)
            await cache.remove(key)
        assert cache._bytes == 0

    asyncio.run(tell())


def test_what_was_used_last_stays() -> None:
    async def tell() -> None:
        cache = MemoryCache(3 * 300, lambda: 0.0)
        for key in "abc":
            await cache.put(key, b"", 1)
        assert await cache.get("a") == b""
        await cache.put("d", b"", 1)
        assert [await cache.get(k) for k in "abcd"] == [b"", None, b"", b""]

    asyncio.run(tell())


def test_answers_byte_for_byte() -> None:
    assert (
        answers.body_of(404, "Resource not found")
        == b'{ "statusCode": 404, "message": "Resource not found" }'
    )
    assert (
        answers.body_of(500, 'a "b"\r\n', "id")
        == b'{ "statusCode": 500, "message": "a \\"b\\"\\r\\n", "activityId": "id" }'
    )
    assert answers.guid("0123456789abcdef0123456789abcdef") == "01234567-89ab-cdef-0123-456789abcdef"
    assert answers.reason_of(429) == "Too Many Requests"
    assert answers.reason_of(799) == ""
