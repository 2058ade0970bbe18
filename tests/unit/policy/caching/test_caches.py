"""Caches that do not work, keys that are none, and what tells answers apart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aforo.csharp.runtime.exceptions import ArgumentNullException
from aforo.errors import Unavailable
from aforo.messages import Headers, parse_url
from aforo.policy.caching.answers import Lookup, answer_key, read_entry
from aforo.policy.caching.semantic import read_vector
from aforo.policy.caching.values import get, put, remove
from aforo.policy.exchange import Body, Exchange, PolicyFailure, RequestState, ResponseState
from aforo.policy.rehearsing.scripted import ScriptedCache, ScriptedServices
from aforo.policy.subject import Group, Subscription, User
from tests.support.policy_case import API, OPERATION, PRODUCT


class Broken(ScriptedCache):
    async def get(self, key: str) -> bytes | None:
        raise Unavailable("the cache is gone")

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        raise Unavailable("the cache is gone")

    async def remove(self, key: str) -> None:
        raise Unavailable("the cache is gone")


def exchange(target: str = "/openai/a", *headers: tuple[bytes, bytes], cache: Any = None) -> Exchange:
    url = parse_url(f"http://gate{target}")
    services = ScriptedServices(cache=cache or ScriptedCache())
    made = Exchange(
        "0" * 32, RequestState.of("GET", url, Headers.of(headers), Body(b""), "10.0.0.1"), services
    )
    made.api, made.operation, made.product = API, OPERATION, PRODUCT
    return made


def test_a_cache_that_does_not_work_changes_nothing() -> None:
    call = exchange(cache=Broken())
    assert asyncio.run(get(call, "a", "internal", "v")) is False
    asyncio.run(put(call, "a", "x", 60, "internal", False))
    asyncio.run(remove(call, "a", "prefer-external", strict=False))
    assert call.variables == {}


def test_a_removal_may_be_told_to_fail() -> None:
    with pytest.raises(PolicyFailure) as failed:
        asyncio.run(remove(exchange(cache=Broken()), "a", "internal", strict=True))
    assert failed.value.error.reason == "CacheRemovalError"


def test_an_external_cache_is_preferred_where_there_is_one() -> None:
    call = exchange()
    assert isinstance(call.services, ScriptedServices)
    shared = call.services.external_cache = ScriptedCache()
    asyncio.run(put(call, "a", "x", 60, "prefer-external", False))
    assert list(shared.values) == ["value:a"]
    assert asyncio.run(get(call, "a", "external", "v"))
    assert not asyncio.run(get(call, "a", "internal", "v"))


def test_no_time_to_live_forgets() -> None:
    call = exchange()
    asyncio.run(put(call, "a", "x", 60, "internal", False))
    asyncio.run(put(call, "a", "y", 0, "internal", False))
    assert not asyncio.run(get(call, "a", "internal", "v"))


def test_keys_are_there_and_short() -> None:
    call = exchange()
    with pytest.raises(ArgumentNullException):
        asyncio.run(get(call, None, "internal", "v"))
    asyncio.run(put(call, "k" * 100_000, 1, 60, "internal", False))
    assert isinstance(call.services, ScriptedServices)
    assert max(map(len, call.services.cache.values)) < 100
    assert asyncio.run(get(call, "k" * 100_000, "internal", "v"))


def test_a_response_is_waited_for() -> None:
    async def load() -> bytes:
        return b"whole"

    call = exchange()
    response = ResponseState(200, "OK", Headers(), Body(None, load))
    asyncio.run(put(call, "a", response, 60, "internal", False))
    asyncio.run(get(call, "a", "internal", "v"))
    assert call.variables["v"].body.data == b"whole"


PLAIN = Lookup((b"accept",), ("page",), "internal")


def key(call: Exchange, *, by_developer: bool = False, by_groups: bool = False) -> str:
    return answer_key(call, PLAIN, by_developer=by_developer, by_groups=by_groups)


def test_what_is_listed_tells_answers_apart() -> None:
    plain = key(exchange("/openai/a?page=1&x=1", (b"accept", b"a")))
    assert key(exchange("/openai/a?x=2&page=1", (b"accept", b"a"), (b"b", b"c"))) == plain
    different = [
        exchange("/openai/b?page=1", (b"accept", b"a")),
        exchange("/openai/a?page=2", (b"accept", b"a")),
        exchange("/openai/a?page=1&page=1", (b"accept", b"a")),
        exchange("/openai/a?Page=1", (b"accept", b"a")),
        exchange("/openai/a?page=1&api-version=2", (b"accept", b"a")),  # of the operation's template
        exchange("/openai/a?page=1", (b"accept", b"b")),
        exchange("/openai/a?page=1"),
    ]
    assert len({plain, *map(key, different)}) == 8


def test_backends_and_products_tell_answers_apart() -> None:
    by_id, by_url, without = exchange(), exchange(), exchange()
    by_id.backend_id = "b"
    by_url.backend_base_url = "https://other"
    without.product = None
    assert len({key(c) for c in (exchange(), by_id, by_url, without)}) == 4


def test_developers_and_groups_tell_answers_apart_when_asked() -> None:
    def of(user: str, *groups: str, subscription: str = "s") -> Exchange:
        call = exchange()
        call.subscription = Subscription(subscription, "", 0, None, None)
        if user:
            listed = tuple(Group(g, g) for g in groups)
            call.user = User(user, "", "", "", "", 0, listed, ())
        return call

    calls = [of("u", "a", "b"), of("v", "b", "a"), of("v", "a"), of(""), of("", subscription="t")]
    assert len({key(c) for c in calls}) == 1
    assert len({key(c, by_developer=True) for c in calls}) == 4
    assert len({key(c, by_groups=True) for c in calls}) == 3


@pytest.mark.parametrize(
    "data", [None, b"", b"\x97", b"nonsense", b"\x97\x02\x00\x00\xcc\xc8\xa0\x90\xc4\x00"]
)
def test_what_is_no_answer_of_ours_is_a_miss(data: bytes | None) -> None:
    assert read_entry(data) is None


@pytest.mark.parametrize(
    ("data", "vector"),
    [
        (b'{"data":[{"embedding":[1,0.5]}]}', [1.0, 0.5]),
        (b'{"data":[{"embedding":"AACAPwAAAD8="}]}', [1.0, 0.5]),
        (b'{"data":[{"embedding":"AACA"}]}', None),
        (b'{"data":[{"embedding":"?"}]}', None),
        (b'{"data":[{"embedding":""}]}', None),
        (b'{"data":[{"embedding":[]}]}', None),
        (b'{"data":[{"embedding":[true]}]}', None),
        (b'{"data":[{"embedding":["1"]}]}', None),
        (b'{"data":[]}', None),
        (b'{"data":{}}', None),
        (b"[1]", None),
        (b"", None),
    ],
)
def test_vectors_are_numbers(data: bytes, vector: list[float] | None) -> None:
    assert read_vector(data) == vector
