"""Tokens of connections (`get-authorization-context`): fetched, kept while they are good, renewed ahead of their end.

The adapter of the `Authorizations` port. It knows connections as the snapshot has them and sends through what it is
given. A refresh token that a provider replaces is kept in memory alone: after a restart the stored one must still do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from aforo.errors import Denied, NotFound, Upstream
from aforo.messages import encode_query
from aforo.policy.exchange import Services
from aforo.policy.services import Authorization
from aforo.snapshot.snapshot import AuthorizationEntry

if TYPE_CHECKING:
    from aforo.policy.validating.token_check import TokenCheck

# What a caller's token has to be for, where access policies name callers.
AUDIENCE: Final = "https://azure-api.net/authorization-manager"
# A token that ends sooner is not handed out.
USABLE_S: Final = 60.0
# Where the provider does not say how long.
ASSUMED_S: Final = 300.0
# After a refusal, nothing is tried for so long: a flood of calls is no flood of attempts.
RETRY_S: Final = 5.0

# (url, form) -> (status, body)
Post = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]


@dataclass(slots=True)
class _Held:
    token: str = ""
    ends_at: float = 0.0
    refresh_token: str = ""
    failed_at: float = float("-inf")
    failure: str = ""
    flight: asyncio.Task[None] | None = None


class Connections:
    """One per gateway process, used from its event loop only. `use` puts other connections in force."""

    def __init__(self, post: Post, services: Services, clock: Callable[[], float] = time.time) -> None:
        self._post = post
        self._services = services
        self._clock = clock
        self._entries: dict[tuple[str, str], AuthorizationEntry] = {}
        self._held: dict[AuthorizationEntry, _Held] = {}
        self._tokens: TokenCheck | None = None

    def use(self, entries: Sequence[AuthorizationEntry]) -> None:
        """Tokens of connections that are as they were stay good."""
        self._entries = {(e.provider.lower(), e.id.lower()): e for e in entries}
        self._held = {e: self._held.get(e, _Held()) for e in entries}

    async def get(self, provider_id: str, authorization_id: str, identity: str | None) -> Authorization:
        entry = self._entries.get((provider_id.lower(), authorization_id.lower()))
        if entry is None:
            raise NotFound(f"There is no authorization '{authorization_id}' of provider '{provider_id}'.")
        held = self._held[entry]  # as of now: another configuration may come while the caller is looked at
        await self._admit(entry, identity)
        if held.ends_at - self._clock() <= USABLE_S:
            if held.flight is None and self._clock() - held.failed_at < RETRY_S:
                raise Upstream(held.failure)
            if held.flight is None:
                held.flight = asyncio.get_running_loop().create_task(self._renew(entry, held))
            # One caller that leaves must not take the token from the others.
            await asyncio.shield(held.flight)
            if held.ends_at - self._clock() <= USABLE_S:
                raise Upstream(held.failure or "The provider gave a token that has already ended.")
        return Authorization(held.token, {})

    async def close(self) -> None:
        """Let go of fetches under way."""
        flights = [h.flight for h in self._held.values() if h.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _admit(self, entry: AuthorizationEntry, identity: str | None) -> None:
        """An access policy has to name who asks: the service's own identity, or the one of the token."""
        if identity is None:
            if not entry.managed:
                raise Denied(
                    f"No access policy of '{entry.id}' names the managed identity of the service.",
                    code="AccessPolicyMissing",
                )
            return
        if await self._caller(entry, identity) not in entry.objects:
            raise Denied(f"No access policy of '{entry.id}' names the caller.", code="AccessPolicyMissing")

    async def _caller(self, entry: AuthorizationEntry, identity: str) -> tuple[str, str]:
        """(tenant, object id) of a good token; only tenants that an access policy names are asked for their keys."""
        from aforo.identity import jwt
        from aforo.policy.validating.token_check import Asked, TokenCheck

        if self._tokens is None:
            self._tokens = TokenCheck()
        claims = jwt.read(identity).claims
        tenant = str(claims.get("tid", "")).lower()
        if tenant not in {t for t, _ in entry.objects}:
            raise Denied(
                "The caller's token is of a tenant that no access policy names.", code="AccessPolicyMissing"
            )
        version = "" if claims.get("ver") == "1.0" else "/v2.0"
        authority = self._services.signing_keys.authority(tenant)
        url = f"{authority}/{tenant}{version}/.well-known/openid-configuration"
        asked = Asked(configs=(url,), audiences=(AUDIENCE,))
        good = await self._tokens.validated(self._services, self._clock(), identity, asked)
        return tenant, str(good.claims.get("oid", "")).lower()

    async def _renew(self, entry: AuthorizationEntry, held: _Held) -> None:
        try:
            await self._fetch(entry, held)
            held.failure = ""
        except Exception as error:  # noqa: BLE001 - told to everybody who waits; a bug's text is a text too
            held.failed_at = self._clock()
            held.failure = f"The provider '{entry.provider}' gave no token. {error}"
        finally:
            held.flight = None

    async def _fetch(self, entry: AuthorizationEntry, held: _Held) -> None:
        form = [("grant_type", entry.grant), ("client_id", entry.client_id)]
        if entry.client_secret:
            form.append(("client_secret", entry.client_secret))
        if entry.grant == "refresh_token":
            form.append(("refresh_token", held.refresh_token or entry.refresh_token))
        if entry.scope:
            form.append(("scope", entry.scope))
        status, body = await self._post(self._url(entry), encode_query(form).encode())
        try:
            answer = orjson.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Upstream(f"It answered {status} with something that is no JSON object.")
        token = answer.get("access_token")
        if status != 200 or not isinstance(token, str) or not token:
            # The error's code alone: a description may repeat what was sent.
            raise Upstream(f"It answered {status} ({str(answer.get('error', 'no reason given'))[:100]}).")
        held.token = token
        held.ends_at = self._clock() + _seconds(answer.get("expires_in"))
        renewed = answer.get("refresh_token")
        if isinstance(renewed, str) and renewed:
            held.refresh_token = renewed

    def _url(self, entry: AuthorizationEntry) -> str:
        if not entry.tenant:
            return entry.token_url
        authority = entry.login.rstrip("/") or self._services.signing_keys.authority(entry.tenant)
        return f"{authority}/{entry.tenant}/oauth2/v2.0/token"


def _seconds(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ASSUMED_S
