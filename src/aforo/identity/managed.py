"""The gateway's own identity: access tokens for its backends, fetched, kept and renewed ahead of time.

It knows the three wires on which such tokens are had (identity_sources.py) only as a port, and no policy. Tokens
are also kept sealed on disk, so that a gateway that starts while control is down goes on with the last ones.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from aforo.errors import Invalid, Refusal, Unavailable, Upstream
from aforo.identity.seal import Sealer
from aforo.private_files import read_private, write_private

log = logging.getLogger("aforo.identity")

# A token that ends sooner is not handed out: a call, and a backend's clock, may take their time.
_USABLE_S = 60
_RETRY_S = 30
_CONTEXT = b"managed-identity-tokens"


class Token(msgspec.Struct, frozen=True, array_like=True):
    """An access token; times are unix seconds."""

    value: str
    issued_at: float
    ends_at: float

    @property
    def half_life(self) -> float:
        return (self.issued_at + self.ends_at) / 2

    def __repr__(self) -> str:
        return f"Token(ends_at={self.ends_at})"


class TokenSource(Protocol):
    """Where tokens come from."""

    async def token(self, resource: str, client_id: str | None) -> Token:
        """A new token for that resource; `Upstream`, `Invalid` or `Unavailable` when there is none."""


class ManagedTokens:
    """The adapter of policy/services.Tokens. One per gateway process, used from its event loop only.

    A token is handed out while it is good for a minute yet. Past half of its life it is renewed behind the
    calls' back; only a call that finds none waits. Calls that need the same token wait for one fetch.
    """

    def __init__(
        self,
        source: TokenSource,
        *,
        sealer: Sealer | None = None,
        path: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._sealer = sealer
        self._path = path
        self._clock = clock
        self._tokens: dict[tuple[str, str], Token] = {}
        self._flights: dict[tuple[str, str], asyncio.Task[Token]] = {}  # that a caller may join
        self._under_way: set[asyncio.Task[Token]] = set()  # those, and what a former source still owes
        self._failed_at: dict[tuple[str, str], float] = {}
        self._load()

    def cached(self, resource: str, client_id: str | None) -> str | None:
        """A usable token without waiting (0.5 µs); None when `fetch` must be awaited."""
        key = (resource, client_id or "")
        token = self._tokens.get(key)
        if token is None:
            return None
        now = self._clock()
        if now >= token.half_life:
            if now > token.ends_at - _USABLE_S:
                return None
            self._renew_behind(key, now)
        return token.value

    async def fetch(self, resource: str, client_id: str | None) -> str:
        """A usable token, waiting for it. `Upstream`, `Invalid` or `Unavailable` when none is to be had."""
        at_hand = self.cached(resource, client_id)
        if at_hand is not None:
            return at_hand
        flight = self._flight((resource, client_id or ""))
        # One caller that leaves must not take the token from the others.
        return (await asyncio.shield(flight)).value

    async def close(self) -> None:
        """Let go of fetches under way."""
        flights = list(self._under_way)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _renew_behind(self, key: tuple[str, str], now: float) -> None:
        if key not in self._flights and now - self._failed_at.get(key, 0.0) >= _RETRY_S:
            self._flight(key)

    def _flight(self, key: tuple[str, str]) -> asyncio.Task[Token]:
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.get_running_loop().create_task(self._fetch(key))
            self._flights[key] = flight
            self._under_way.add(flight)
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    async def _fetch(self, key: tuple[str, str]) -> Token:
        resource, client_id = key
        source = self._source
        token = await source.token(resource, client_id or None)
        if token.ends_at - self._clock() <= _USABLE_S:
            raise Upstream(f"the identity endpoint gave a token for {resource} that has already ended")
        if source is not self._source:
            # Good for the call that asked, whose configuration was the former one; nobody after it may have it.
            return token
        self._tokens[key] = token
        # On the loop: a thread for this would stay, and a second thread costs every call of a gateway
        # (docs/decisions/0061).
        self._save()
        return token

    def use(self, source: TokenSource, path: Path | None) -> None:
        """Another source from here on, with the file of its own tokens: what the old one gave is not its."""
        self._source = source
        self._path = path
        self._tokens.clear()
        self._flights.clear()
        self._failed_at.clear()
        self._load()

    def _landed(self, key: tuple[str, str], flight: asyncio.Task[Token]) -> None:
        self._under_way.discard(flight)
        is_present = self._flights.get(key) is flight
        if is_present:
            del self._flights[key]
        if flight.cancelled():
            return
        error = flight.exception()  # taken here, so that a renewal nobody awaits does not warn
        if not is_present:
            return
        if error is None:
            self._failed_at.pop(key, None)
            return
        self._failed_at[key] = self._clock()
        level = logging.WARNING if isinstance(error, Refusal) else logging.ERROR
        log.log(level, "no token for %s: %s", key[0], error)

    def _load(self) -> None:
        if self._path is None or self._sealer is None:
            return
        try:
            data = self._sealer.open(read_private(self._path), _CONTEXT)
            entries = msgspec.json.decode(data, type=list[tuple[str, str, Token]])
        except FileNotFoundError:
            return
        except (Invalid, msgspec.MsgspecError) as error:
            log.warning("kept tokens are not usable and will be fetched anew: %s", error)
            return
        now = self._clock()
        self._tokens = {(r, c): token for r, c, token in entries if token.ends_at - _USABLE_S > now}

    def _save(self) -> None:
        if self._path is None or self._sealer is None:
            return
        entries = [(resource, client, token) for (resource, client), token in list(self._tokens.items())]
        try:
            write_private(self._path, self._sealer.seal(msgspec.json.encode(entries), _CONTEXT))
        except OSError as error:
            # The token in memory is good; only a restart without control would miss it.
            log.warning("tokens cannot be kept on disk: %s", error)


class NoIdentity:
    """The source of a gateway that has no identity: says so."""

    async def token(self, resource: str, client_id: str | None) -> Token:
        wanted = f"identity {client_id}" if client_id else "managed identity"
        raise Unavailable(
            f"this gateway has no {wanted} to ask for a token for {resource}; give it one in the "
            "service's `identity`, or run it where IDENTITY_ENDPOINT or AZURE_FEDERATED_TOKEN_FILE is set"
        )
