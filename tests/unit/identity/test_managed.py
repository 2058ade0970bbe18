"""The gateway's tokens: one fetch for many callers, renewed at half-life, kept sealed, honest when there is none."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from aforo.errors import Invalid, Refusal, Unavailable, Upstream
from aforo.identity.identity_sources import (
    AppServiceIdentity,
    HttpAnswer,
    ImdsIdentity,
    WorkloadIdentity,
    detect,
)
from aforo.identity.managed import ManagedTokens, NoIdentity, Token
from aforo.identity.seal import Sealer

RESOURCE = "https://cognitiveservices.azure.com"
LIFE = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class FakeSource:
    """Counts its tokens; waits when told to; fails when told to."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.count = 0
        self.gate: asyncio.Event | None = None
        self.error: Refusal | None = None

    async def token(self, resource: str, client_id: str | None) -> Token:
        self.count += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Token(f"token-{self.count}-{client_id}", self.clock.now, self.clock.now + LIFE)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_many_callers_one_fetch() -> None:
    async def story() -> None:
        source = FakeSource(Clock())
        source.gate = asyncio.Event()
        tokens = ManagedTokens(source, clock=source.clock)
        assert tokens.cached(RESOURCE, None) is None
        waiting = [asyncio.ensure_future(tokens.fetch(RESOURCE, None)) for _ in range(50)]
        await settle()
        waiting[0].cancel()  # the first client leaves; the others still get their token
        source.gate.set()
        assert set(await asyncio.gather(*waiting[1:])) == {"token-1-None"}
        assert tokens.cached(RESOURCE, None) == "token-1-None"
        assert await tokens.fetch(RESOURCE, "u") == "token-2-u"

    asyncio.run(story())


def test_renewed_behind_the_call_at_half_life() -> None:
    async def story() -> None:
        clock = Clock()
        source = FakeSource(clock)
        tokens = ManagedTokens(source, clock=clock)
        await tokens.fetch(RESOURCE, None)
        clock.now += LIFE / 2 - 1
        assert tokens.cached(RESOURCE, None) == "token-1-None"
        await settle()
        assert source.count == 1
        clock.now += 2
        assert tokens.cached(RESOURCE, None) == "token-1-None"
        await tokens.fetch(RESOURCE, None)
        for _ in range(100):
            await asyncio.sleep(0.001)
            if tokens.cached(RESOURCE, None) == "token-2-None":
                break
        assert tokens.cached(RESOURCE, None) == "token-2-None"
        assert source.count == 2

    asyncio.run(story())


def test_a_failed_renewal_keeps_the_old_token_and_is_not_repeated_at_once() -> None:
    async def story() -> None:
        clock = Clock()
        source = FakeSource(clock)
        tokens = ManagedTokens(source, clock=clock)
        await tokens.fetch(RESOURCE, None)
        source.error = Upstream("control is away")
        clock.now += LIFE / 2 + 1
        for _ in range(10):
            assert tokens.cached(RESOURCE, None) == "token-1-None"
            await settle()
        assert source.count == 2
        clock.now += 31
        tokens.cached(RESOURCE, None)
        await settle()
        assert source.count == 3
        clock.now += LIFE / 2 - 32 - 59  # less than a minute left: not handed out any more
        assert tokens.cached(RESOURCE, None) is None
        with pytest.raises(Upstream, match="away"):
            await tokens.fetch(RESOURCE, None)
        await tokens.close()

    asyncio.run(story())


def test_kept_sealed_for_a_restart_without_control(tmp_path: Path) -> None:
    async def story() -> None:
        clock = Clock()
        source, path, sealer = FakeSource(clock), tmp_path / "tokens", Sealer(b"k" * 32)
        await ManagedTokens(source, sealer=sealer, path=path, clock=clock).fetch(RESOURCE, "u")
        assert b"token-1" not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
        source.error = Upstream("control is away")
        again = ManagedTokens(source, sealer=sealer, path=path, clock=clock)
        assert again.cached(RESOURCE, "u") == "token-1-u"
        assert again.cached(RESOURCE, None) is None
        for broken in (ManagedTokens(source, sealer=Sealer(b"x" * 32), path=path, clock=clock),):
            assert broken.cached(RESOURCE, "u") is None
        clock.now += LIFE
        late = ManagedTokens(source, sealer=sealer, path=path, clock=clock)
        assert late.cached(RESOURCE, "u") is None

    asyncio.run(story())


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_former_source_gives_late_is_not_kept(tmp_path: Path, fails: bool) -> None:
    async def story() -> None:
        clock = Clock()
        former, present = FakeSource(clock), FakeSource(clock)
        former.count, former.gate, present.gate = 100, asyncio.Event(), asyncio.Event()
        tokens = ManagedTokens(former, sealer=Sealer(b"k" * 32), path=tmp_path / "former", clock=clock)
        asked_before = asyncio.ensure_future(tokens.fetch(RESOURCE, None))
        await settle()
        tokens.use(present, tmp_path / "present")
        asked_after = asyncio.ensure_future(tokens.fetch(RESOURCE, None))
        await settle()
        if fails:
            former.error = Upstream("the former source is away")
        former.gate.set()
        await asyncio.wait([asked_before])
        if fails:
            assert isinstance(asked_before.exception(), Upstream)
        else:
            assert asked_before.result() == "token-101-None"  # its configuration was the former one
        assert tokens.cached(RESOURCE, None) is None
        present.gate.set()
        assert await asked_after == "token-1-None"
        assert tokens.cached(RESOURCE, None) == "token-1-None"
        assert not (tmp_path / "former").exists()
        clock.now += LIFE / 2 + 1  # a failure of the former source does not hold the present one's renewal up
        assert tokens.cached(RESOURCE, None) == "token-1-None"
        await settle()
        assert present.count == 2

    asyncio.run(story())


def test_closing_ends_what_a_former_source_still_owes() -> None:
    async def story() -> None:
        former = FakeSource(Clock())
        former.gate = asyncio.Event()
        tokens = ManagedTokens(former, clock=former.clock)
        waiting = asyncio.ensure_future(tokens.fetch(RESOURCE, None))
        await settle()
        tokens.use(FakeSource(former.clock), None)
        await tokens.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(story())


def test_an_ended_token_is_no_answer() -> None:
    async def story() -> None:
        clock = Clock()

        class Late:
            async def token(self, resource: str, client_id: str | None) -> Token:
                return Token("t", clock.now - 100, clock.now + 5)

        with pytest.raises(Upstream, match="already ended"):
            await ManagedTokens(Late(), clock=clock).fetch(RESOURCE, None)

    asyncio.run(story())


class Web:
    def __init__(self, status: int, body: Any) -> None:
        self.answer = HttpAnswer(status, body if isinstance(body, bytes) else json.dumps(body).encode())
        self.asked: list[tuple[str, str, dict[bytes, bytes]]] = []
        self.bodies: list[bytes] = []

    async def ask(
        self, method: str, url: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes = b""
    ) -> HttpAnswer:
        self.asked.append((method, url, dict(headers)))
        self.bodies.append(body)
        return self.answer


def test_wires() -> None:
    web = Web(200, {"access_token": "t", "expires_on": "4102444800"})
    token = asyncio.run(AppServiceIdentity("http://127.0.0.1:1/msi/token", "h", web.ask).token(RESOURCE, "u"))
    assert (token.value, token.ends_at) == ("t", 4102444800.0)
    url = f"http://127.0.0.1:1/msi/token?api-version=2019-08-01&resource={RESOURCE}&client_id=u"
    assert web.asked == [("GET", url, {b"x-identity-header": b"h", b"metadata": b"true"})]
    web = Web(200, {"access_token": "t", "expires_in": 100})
    assert asyncio.run(ImdsIdentity(web.ask, "http://h/").token(RESOURCE, None)).value == "t"
    assert web.asked[0][1].startswith(
        "http://h/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, {"statusCode": 400, "message": "Identity not found"}, Invalid, "Identity not found"),
        (400, {"error": "invalid_request", "error_description": "no"}, Invalid, "no \\(400\\)"),
        (503, {}, Unavailable, "no reason given"),
        (200, b"<html>", Upstream, "no JSON object"),
        (200, [], Upstream, "no JSON object"),
        (200, {"access_token": "t"}, Upstream, "when its token"),
        (200, {"access_token": "t", "expires_on": "x"}, Upstream, "when its token"),
        (200, {"access_token": "", "expires_in": 5}, Upstream, "no token"),
    ],
)
def test_bad_answers_are_named(status: int, body: Any, kind: type[Refusal], text: str) -> None:
    with pytest.raises(kind, match=text):
        asyncio.run(AppServiceIdentity("http://x", "h", Web(status, body).ask).token(RESOURCE, None))


def test_a_workload_shows_its_own_token_to_entra(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("pod-token\n")
    environment = {
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
    }
    web = Web(200, {"token_type": "Bearer", "access_token": "t", "expires_in": 3599})
    token = asyncio.run(detect(environment, web.ask).token(RESOURCE, None))
    assert token.value == "t"
    assert token.ends_at - token.issued_at == pytest.approx(3599, abs=5)
    ((method, url, headers),) = web.asked
    assert (method, url) == ("POST", "https://login.microsoftonline.com/tenant/oauth2/v2.0/token")
    assert headers[b"content-type"] == b"application/x-www-form-urlencoded"
    form = dict(parse_qsl(web.bodies[0].decode()))
    assert form == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "scope": f"{RESOURCE}/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "pod-token",
    }
    # A renewed file, another cloud, an identity that the policy names, and Entra's refusal in its own words.
    file.write_text("next")
    environment["AZURE_AUTHORITY_HOST"] = "login.microsoftonline.us"
    web = Web(401, {"error": "invalid_client", "error_description": "AADSTS700213: No matching identity"})
    with pytest.raises(Invalid, match="AADSTS700213") as refused:
        asyncio.run(detect(environment, web.ask).token(RESOURCE, "other"))
    assert "next" not in str(refused.value)
    assert web.asked[0][1].startswith("https://login.microsoftonline.us/tenant/")
    assert b"client_assertion=next" in web.bodies[0]
    assert b"client_id=other" in web.bodies[0]
    file.unlink()
    with pytest.raises(Unavailable, match="cannot be read"):
        asyncio.run(detect(environment, web.ask).token(RESOURCE, None))


def test_the_environment_says_which() -> None:
    ask = Web(200, {}).ask
    workload = {"AZURE_FEDERATED_TOKEN_FILE": "f", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}
    assert isinstance(
        detect({**workload, "IDENTITY_ENDPOINT": "e", "IDENTITY_HEADER": "h"}, ask), WorkloadIdentity
    )
    assert isinstance(detect({"IDENTITY_ENDPOINT": "e", "IDENTITY_HEADER": "h"}, ask), AppServiceIdentity)
    assert isinstance(detect({"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://h"}, ask), ImdsIdentity)
    nothing = detect({"IDENTITY_ENDPOINT": "e"}, ask)
    assert isinstance(nothing, NoIdentity)
    with pytest.raises(Unavailable, match="no managed identity"):
        asyncio.run(nothing.token(RESOURCE, None))
