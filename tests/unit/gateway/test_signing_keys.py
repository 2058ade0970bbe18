"""Keys of issuers: when they are fetched, when they are kept, and who waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from aforo.errors import Unavailable, Upstream
from aforo.gateway.signing_keys import FRESH_S, MOST, OLD_S, RENEW_S, RETRY_S, FetchedSigningKeys
from tests.support.gateway import story

URL = "https://issuer.example/.well-known/openid-configuration"
JWKS = "https://issuer.example/keys"


class Issuer:
    """An issuer with a clock: `away` refuses, `gate` holds its answers back."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[str] = []
        self.away = False
        self.gate: asyncio.Event | None = None
        self.keys = ["one"]
        self.configuration = {"issuer": "https://issuer.example/", "jwks_uri": JWKS}

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise Unavailable("nobody is there")
        if url == JWKS:
            return json.dumps({"keys": [{"kty": "RSA", "kid": k} for k in self.keys] + ["no key"]}).encode()
        return json.dumps(self.configuration).encode()

    def port(self) -> FetchedSigningKeys:
        return FetchedSigningKeys(self.fetch, clock=lambda: self.now)

    @property
    def fetches(self) -> int:
        return self.asked.count(JWKS)


async def kids(ask: Callable[[str], Awaitable[object]]) -> list[str]:
    found = await ask(URL)
    return [str(key["kid"]) for key in found.keys]  # type: ignore[attr-defined]


@story
async def test_keys_are_fetched_once_and_kept_for_an_hour() -> None:
    issuer = Issuer()
    port = issuer.port()
    first = await port.of(URL)
    assert first.issuer == "https://issuer.example/"
    assert [key["kid"] for key in first.keys] == ["one"]
    issuer.now += FRESH_S - 1
    assert await port.of(URL) is first
    assert issuer.fetches == 1


@story
async def test_past_an_hour_keys_are_renewed_behind_the_calls() -> None:
    issuer = Issuer()
    port = issuer.port()
    first = await port.of(URL)
    issuer.now += FRESH_S + 1
    issuer.gate = asyncio.Event()
    issuer.keys = ["two"]
    assert await port.of(URL) is first
    issuer.gate.set()
    await asyncio.sleep(0.01)
    assert await kids(port.of) == ["two"]
    assert issuer.fetches == 2


@story
async def test_keys_that_are_too_old_are_waited_for() -> None:
    issuer = Issuer()
    port = issuer.port()
    await port.of(URL)
    issuer.now += OLD_S + 1
    issuer.keys = ["two"]
    assert await kids(port.of) == ["two"]


@story
async def test_with_the_issuer_away_the_keys_at_hand_stay_in_force() -> None:
    issuer = Issuer()
    port = issuer.port()
    first = await port.of(URL)
    issuer.now += 10 * OLD_S
    issuer.away = True
    assert await port.of(URL) is first
    asked = len(issuer.asked)
    assert await port.of(URL) is first
    assert len(issuer.asked) == asked, "it is not tried again at once"
    issuer.now += RENEW_S
    assert await port.of(URL) is first
    assert len(issuer.asked) == asked + 1


@story
async def test_without_keys_the_failure_is_told_and_tried_again_soon() -> None:
    issuer = Issuer()
    port = issuer.port()
    issuer.away = True
    for _ in range(3):
        with pytest.raises(Upstream, match="nobody is there"):
            await port.of(URL)
    assert len(issuer.asked) == 1
    issuer.now += RETRY_S
    issuer.away = False
    assert await kids(port.of) == ["one"]


@story
async def test_an_unknown_key_renews_once_a_minute() -> None:
    issuer = Issuer()
    port = issuer.port()
    await port.of(URL)
    issuer.keys = ["two"]
    assert await kids(port.renewed) == ["one"], "they were fetched a moment ago"
    issuer.now += RENEW_S
    assert await kids(port.renewed) == ["two"]
    for _ in range(20):
        await port.renewed(URL)
    assert issuer.fetches == 2


@story
async def test_calls_that_need_the_same_keys_wait_for_one_fetch_and_survive_each_other() -> None:
    issuer = Issuer()
    port = issuer.port()
    issuer.gate = asyncio.Event()
    calls = [asyncio.create_task(port.of(URL)) for _ in range(5)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    issuer.gate.set()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert all(d is done[1] for d in done[1:])
    assert issuer.fetches == 1


@story
async def test_what_is_no_configuration_is_refused() -> None:
    for configuration in (
        {"issuer": "x"},
        {"jwks_uri": JWKS},
        {"issuer": "x", "jwks_uri": "http://issuer.example/keys"},
    ):
        issuer = Issuer()
        issuer.configuration = configuration
        with pytest.raises(Upstream, match="cannot be read"):
            await issuer.port().of(URL)


@story
async def test_urls_without_end_do_not_become_memory_without_end() -> None:
    issuer = Issuer()
    port = issuer.port()
    for number in range(MOST + 50):
        await port.of(f"{URL}?{number}")
    assert len(port._entries) == MOST


def test_the_own_tenant_is_at_the_own_issuer() -> None:
    port = FetchedSigningKeys(
        Issuer().fetch, tenants={"abc": "http://127.0.0.1:8081"}, entra="https://login.example/"
    )
    assert port.authority("ABC") == "http://127.0.0.1:8081"
    assert port.authority("common") == "https://login.example"
