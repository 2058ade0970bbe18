"""Keys of token issuers, fetched when first needed and kept: the adapter of the `SigningKeys` port. It checks no token.

An issuer that is away does no harm to who has its keys already. Calls that need the same document wait for one fetch; a
fetch is a task of the event loop, there is no thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from aforo.errors import Refusal, Upstream
from aforo.policy.services import OpenIdKeys

log = logging.getLogger("aforo.gateway")

ENTRA: Final = "https://login.microsoftonline.com"
FRESH_S: Final = 3600.0
# Older keys are waited for; until then they are renewed behind the calls' back.
OLD_S: Final = 2 * 3600.0
# An unknown key id may mean new keys; a flood of made-up ones must not become a flood of fetches.
RENEW_S: Final = 60.0
# So soon after a failure nothing is tried again.
RETRY_S: Final = 5.0
# URLs may come out of expressions, and so out of a caller's hands.
MOST: Final = 256


@dataclass(slots=True)
class _Entry:
    found: OpenIdKeys | None = None
    fetched_at: float = 0.0
    tried_at: float = float("-inf")
    failure: str = ""
    flight: asyncio.Task[None] | None = None


class FetchedSigningKeys:
    """`fetch(url)` gives the body of a 200 answer and raises a refusal otherwise. `tenants` maps those of this system's
    own issuer to where it is; all others are at `entra`."""

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[bytes]],
        *,
        tenants: Mapping[str, str] | None = None,
        entra: str = ENTRA,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self.tenants = tenants or {}
        self._entra = entra.rstrip("/")
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def authority(self, tenant: str) -> str:
        return self.tenants.get(tenant.lower(), self._entra)

    async def of(self, url: str) -> OpenIdKeys:
        entry = self._entry(url)
        age = self._clock() - entry.fetched_at
        if entry.found is None or age > OLD_S:
            if self._may_try(entry, RETRY_S if entry.found is None else RENEW_S):
                await self._land(url, entry)
        elif age > FRESH_S and self._may_try(entry, RENEW_S):
            self._start(url, entry)
        return self._result(url, entry)

    async def renewed(self, url: str) -> OpenIdKeys:
        entry = self._entry(url)
        if self._may_try(entry, RENEW_S):
            await self._land(url, entry)
        return self._result(url, entry)

    async def close(self) -> None:
        """Let go of fetches under way."""
        flights = [e.flight for e in self._entries.values() if e.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _entry(self, url: str) -> _Entry:
        entry = self._entries.get(url)
        if entry is None:
            entry = self._entries[url] = _Entry()
            if len(self._entries) > MOST:
                self._entries.popitem(last=False)
        self._entries.move_to_end(url)
        return entry

    def _may_try(self, entry: _Entry, after_s: float) -> bool:
        return entry.flight is not None or self._clock() - entry.tried_at >= after_s

    async def _land(self, url: str, entry: _Entry) -> None:
        # One caller that leaves must not take the keys from the others.
        await asyncio.shield(self._start(url, entry))

    def _start(self, url: str, entry: _Entry) -> asyncio.Task[None]:
        if entry.flight is None:
            entry.tried_at = self._clock()
            entry.flight = asyncio.get_running_loop().create_task(self._renew(url, entry))
        return entry.flight

    @staticmethod
    def _result(url: str, entry: _Entry) -> OpenIdKeys:
        if entry.found is None:
            raise Upstream(entry.failure or f"the OpenID configuration at {_shown(url)} could not be read")
        return entry.found

    async def _renew(self, url: str, entry: _Entry) -> None:
        try:
            entry.found = await self._read(url)
            entry.fetched_at = self._clock()
            entry.failure = ""
        except (Refusal, ValueError) as error:
            entry.failure = f"the OpenID configuration at {_shown(url)} cannot be read: {error}"
            log.warning(
                "%s%s", entry.failure, "" if entry.found is None else "; the keys at hand stay in force"
            )
        except Exception:
            entry.failure = f"the OpenID configuration at {_shown(url)} cannot be read"
            log.exception("bug: keys could not be fetched from %s", _shown(url))
        finally:
            entry.flight = None

    async def _read(self, url: str) -> OpenIdKeys:
        configuration = _object(await self._fetch(url), "the OpenID configuration")
        issuer, place = configuration.get("issuer"), configuration.get("jwks_uri")
        if not isinstance(issuer, str) or not issuer or not isinstance(place, str):
            raise ValueError("it names no issuer, or no jwks_uri")
        if url.startswith("https:") and not place.startswith("https:"):
            raise ValueError("its jwks_uri is not https")
        keys = _object(await self._fetch(place), "the key set").get("keys")
        if not isinstance(keys, list):
            raise ValueError("its key set has no list of keys")
        return OpenIdKeys(issuer, [key for key in keys if isinstance(key, dict)])


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except ValueError as error:
        raise ValueError(f"{what} is no JSON") from error
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no JSON object")
    return value


def _shown(url: str) -> str:
    return url.partition("?")[0][:256]
