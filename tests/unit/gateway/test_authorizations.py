"""Connections of credential providers: which form goes where, how long tokens are kept, and who may have them."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from aforo.errors import Denied, NotFound, Upstream
from aforo.gateway.authorizations import AUDIENCE, RETRY_S, USABLE_S, Connections
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.services import OpenIdKeys
from aforo.snapshot.snapshot import AuthorizationEntry
from tests.support.gateway import story
from tests.support.tokens import NOW, claims, public, rsa_key, token

TENANT = "11111111-2222-3333-4444-555555555555"
ENTRY = AuthorizationEntry(
    "Provider",
    "Mine",
    "client_credentials",
    "https://auth.example/token",
    "",
    "",
    "me",
    "hush",
    "",
    "read write",
    True,
)


class Provider:
    """A credential provider with a clock; `answer` is what it says next."""

    def __init__(self, *entries: AuthorizationEntry) -> None:
        self.now = float(NOW)
        self.posts: list[tuple[str, dict[str, str]]] = []
        self.status, self.answer = 200, {"access_token": "token-1", "expires_in": 3600}
        self.gate: asyncio.Event | None = None
        self.services = ScriptedServices()
        self.port = Connections(self.post, self.services, lambda: self.now)
        self.port.use(entries or (ENTRY,))

    async def post(self, url: str, form: bytes) -> tuple[int, bytes]:
        self.posts.append((url, {k: v[0] for k, v in parse_qs(form.decode()).items()}))
        if self.gate is not None:
            await self.gate.wait()
        return self.status, json.dumps(self.answer).encode()

    async def get(self, identity: str | None = None) -> str:
        return (await self.port.get("provider", "MINE", identity)).access_token


def changed(**fields: Any) -> AuthorizationEntry:
    import msgspec

    return msgspec.structs.replace(ENTRY, **fields)


@story
async def test_client_credentials_are_asked_for_once_and_kept() -> None:
    provider = Provider()
    assert await provider.get() == "token-1"
    assert await provider.get() == "token-1"
    form = {
        "grant_type": "client_credentials",
        "client_id": "me",
        "client_secret": "hush",
        "scope": "read write",
    }
    assert provider.posts == [("https://auth.example/token", form)]
    provider.now += 3600 - USABLE_S
    provider.answer = {"access_token": "token-2", "expires_in": "3600"}
    assert await provider.get() == "token-2"


@story
async def test_a_refresh_token_is_used_and_its_successor_after_it() -> None:
    provider = Provider(changed(grant="refresh_token", refresh_token="first"))
    provider.answer = {"access_token": "a", "expires_in": 0, "refresh_token": "second"}
    for _ in range(2):
        with pytest.raises(Upstream, match="already ended"):
            await provider.get()
    assert [form["refresh_token"] for _, form in provider.posts] == ["first", "second"]


@story
async def test_a_tenant_of_entra_is_asked_at_its_authority() -> None:
    provider = Provider(changed(token_url="", tenant="contoso.com"))
    await provider.get()
    elsewhere = Provider(
        changed(token_url="", tenant="contoso.us", login="https://login.microsoftonline.us/")
    )
    await elsewhere.get()
    own = Provider(changed(token_url="", tenant="mine"))
    own.services.signing_keys.tenants["mine"] = "http://127.0.0.1:8081"
    await own.get()
    assert [p.posts[0][0] for p in (provider, elsewhere, own)] == [
        "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token",
        "https://login.microsoftonline.us/contoso.us/oauth2/v2.0/token",
        "http://127.0.0.1:8081/mine/oauth2/v2.0/token",
    ]


@story
async def test_a_refusal_is_told_without_what_was_sent_and_not_asked_for_again_at_once() -> None:
    provider = Provider()
    provider.status = 401
    provider.answer = {"error": "invalid_client", "error_description": "the secret hush is wrong"}
    for _ in range(5):
        with pytest.raises(Upstream) as refused:
            await provider.get()
        assert "401 (invalid_client)" in refused.value.message
        assert "hush" not in refused.value.message
    assert len(provider.posts) == 1
    provider.now += RETRY_S
    provider.status, provider.answer = 200, {"access_token": "late", "expires_in": 600}
    assert await provider.get() == "late"


@story
async def test_calls_wait_for_one_fetch_and_survive_each_other() -> None:
    provider = Provider()
    provider.gate = asyncio.Event()
    calls = [asyncio.create_task(provider.get()) for _ in range(4)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    provider.gate.set()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert done[1:] == ["token-1"] * 3
    assert len(provider.posts) == 1


@story
async def test_a_new_configuration_keeps_tokens_of_what_stayed_the_same() -> None:
    provider = Provider()
    await provider.get()
    provider.port.use((ENTRY,))
    await provider.get()
    assert len(provider.posts) == 1
    provider.port.use((changed(client_secret="other"),))
    await provider.get()
    assert len(provider.posts) == 2
    provider.port.use(())
    with pytest.raises(NotFound):
        await provider.get()


@story
async def test_without_an_access_policy_nobody_gets_a_token() -> None:
    provider = Provider(changed(managed=False))
    with pytest.raises(Denied, match="managed identity"):
        await provider.get()
    assert provider.posts == []


@story
async def test_a_caller_whom_an_access_policy_names_gets_it_and_others_do_not() -> None:
    provider = Provider(changed(managed=False, objects=((TENANT, "caller-1"),)))
    url = f"https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"
    issuer = f"https://login.microsoftonline.com/{TENANT}/v2.0"
    provider.services.signing_keys.known[url] = OpenIdKeys(issuer, [public(rsa_key())])

    def said(**more: Any) -> dict[str, Any]:
        return claims(
            **{"iss": issuer, "tid": TENANT, "oid": "CALLER-1", "aud": AUDIENCE, "ver": "2.0", **more}
        )

    assert await provider.get(token(rsa_key(), "RS256", said())) == "token-1"
    for wrong in (
        token(rsa_key(), "RS256", said(oid="caller-2")), token(rsa_key(), "RS256", said(aud="else")),
        token(rsa_key("two"), "RS256", said()), token(rsa_key(), "RS256", said(exp=NOW - 1)),
        token(rsa_key(), "RS256", said(tid="other")), "nonsense", "",
    ):  # fmt: skip
        with pytest.raises(Denied):
            await provider.get(wrong)


@story
async def test_a_configuration_that_comes_while_a_caller_is_looked_at_fails_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = Provider(changed(objects=((TENANT, "ada"),)))
    looking, go = asyncio.Event(), asyncio.Event()

    async def looked_at(*_: Any) -> tuple[str, str]:
        looking.set()
        await go.wait()
        return TENANT, "ada"

    monkeypatch.setattr(provider.port, "_caller", looked_at)
    asking = asyncio.create_task(provider.get("a token"))
    await looking.wait()
    provider.port.use(())
    go.set()
    assert await asking == "token-1"
