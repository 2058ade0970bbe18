"""The ports that policies need, played in memory by a script: what `aforo policy try` and the tests run policies on.

Nothing waits: time is a number that `pause` moves on. What policies sent, counted and emitted is kept to be looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aforo.errors import NotFound, Unavailable, Upstream
from aforo.messages import Headers
from aforo.policy.exchange import Body, Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.services import (
    Authorization,
    Certificate,
    Counter,
    CounterState,
    ForwardOptions,
    Leases,
    OpenIdKeys,
    OutboundRequest,
    Reservation,
)
from aforo.policy.subject import Deployment

Backend = Callable[[Exchange], ResponseState]
Answer = Callable[[OutboundRequest], ResponseState]


@dataclass(slots=True)
class ScriptedTokens:
    """Tokens by (resource, client id). `cached` gives what was put; `fetch` what the endpoint has, or refuses."""

    known: dict[tuple[str, str | None], str] = field(default_factory=dict)
    endpoint: dict[tuple[str, str | None], str] = field(default_factory=dict)

    def put(self, resource: str, token: str, client_id: str | None = None) -> None:
        self.known[resource, client_id] = token

    def cached(self, resource: str, client_id: str | None) -> str | None:
        return self.known.get((resource, client_id))

    async def fetch(self, resource: str, client_id: str | None) -> str:
        token = self.endpoint.get((resource, client_id))
        if token is None:
            raise Unavailable("The identity endpoint gave no token.")
        self.known[resource, client_id] = token
        return token


@dataclass(slots=True)
class ScriptedCounters:
    """Counters that never forget: windows do not end and buckets do not drain while a script runs."""

    taken: dict[str, int] = field(default_factory=dict)

    async def reserve(self, counter: Counter, amount: int, held_s: float = 0.0) -> CounterState:
        del held_s
        excess = self.taken.get(counter.key, 0) + amount - counter.limit
        if excess > 0:
            return CounterState(False, self._left(counter), _wait(counter, excess))
        self._take(counter, amount)
        return CounterState(True, -excess, 0.0, Reservation(counter.key, counter, amount))

    async def charge(self, counter: Counter, amount: int) -> CounterState:
        self._take(counter, amount)
        return CounterState(True, self._left(counter), 0.0)

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        return await self.charge(reservation.counter, amount - reservation.amount)

    async def release(self, reservation: Reservation) -> None:
        self._take(reservation.counter, -reservation.amount)

    async def peek(self, counter: Counter) -> CounterState:
        excess = self.taken.get(counter.key, 0) - counter.limit
        wait = 0.0 if excess < 0 else _wait(counter, excess + 1)
        return CounterState(excess < 0, self._left(counter), wait)

    def _take(self, counter: Counter, amount: int) -> None:
        self.taken[counter.key] = self.taken.get(counter.key, 0) + amount

    def _left(self, counter: Counter) -> int:
        return max(0, counter.limit - self.taken.get(counter.key, 0))


def _wait(counter: Counter, excess: int) -> float:
    if counter.form == "bucket":
        return excess * counter.window_s / max(counter.limit, 1)
    return float(counter.window_s)


@dataclass(slots=True)
class ScriptedCache:
    """A cache in which nothing grows old."""

    values: dict[str, bytes] = field(default_factory=dict)

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        del ttl_s
        self.values[key] = value

    async def remove(self, key: str) -> None:
        self.values.pop(key, None)


@dataclass(slots=True)
class ScriptedVectors:
    """A vector store that compares with all it has, and in which nothing grows old."""

    entries: list[tuple[str, tuple[float, ...], bytes]] = field(default_factory=list)

    async def add(self, partition: str, vector: Sequence[float], value: bytes, ttl_s: float) -> None:
        del ttl_s
        self.entries.append((partition, tuple(vector), value))

    async def search(self, partition: str, vector: Sequence[float], max_distance: float) -> bytes | None:
        near = [
            (_distance(vector, known), value)
            for name, known, value in self.entries
            if name == partition and len(known) == len(vector)
        ]
        best = min(near, key=lambda each: each[0], default=None)
        return best[1] if best is not None and best[0] <= max_distance else None


def _distance(left: Sequence[float], right: Sequence[float]) -> float:
    size = math.hypot(*left) * math.hypot(*right)
    return 1 - sum(a * b for a, b in zip(left, right, strict=True)) / size if size else 2.0


@dataclass(slots=True)
class ScriptedMetrics:
    """Keeps what was emitted: (namespace, name, value, dimensions)."""

    emitted: list[tuple[str, str, float, dict[str, str]]] = field(default_factory=list)

    def emit(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        self.emitted.append((namespace, name, value, dict(dimensions)))


@dataclass(slots=True)
class ScriptedEvents:
    """Keeps what was sent: (logger, partition id or key, data)."""

    sent: list[tuple[str, str, bytes]] = field(default_factory=list)

    def send(
        self, logger_id: str, data: bytes, *, partition_id: str | None, partition_key: str | None
    ) -> None:
        self.sent.append((logger_id, partition_id or partition_key or "", data))


@dataclass(slots=True)
class ScriptedKeys:
    """OpenID configurations by URL; `tenants` maps those of an issuer of our own to where it is."""

    known: dict[str, OpenIdKeys] = field(default_factory=dict)
    tenants: dict[str, str] = field(default_factory=dict)

    async def of(self, url: str) -> OpenIdKeys:
        found = self.known.get(url)
        if found is None:
            raise Upstream(f"the OpenID configuration at {url} cannot be read")
        return found

    async def renewed(self, url: str) -> OpenIdKeys:
        return await self.of(url)

    def authority(self, tenant: str) -> str:
        return self.tenants.get(tenant, "https://login.microsoftonline.com")


@dataclass(slots=True)
class ScriptedCertificates:
    """Certificates by id; a thumbprint finds them too."""

    known: dict[str, Certificate] = field(default_factory=dict)

    def find(self, id_or_thumbprint: str) -> Certificate | None:
        wanted = id_or_thumbprint.lower()
        return next((c for c in self.known.values() if wanted in (c.id.lower(), c.thumbprint.lower())), None)

    def all(self) -> list[Certificate]:
        return list(self.known.values())


@dataclass(slots=True)
class ScriptedAuthorizations:
    """Connections by (provider, authorization)."""

    known: dict[tuple[str, str], Authorization] = field(default_factory=dict)

    async def get(self, provider_id: str, authorization_id: str, identity: str | None) -> Authorization:
        del identity
        found = self.known.get((provider_id, authorization_id))
        if found is None:
            raise NotFound(f"there is no authorization '{authorization_id}' of provider '{provider_id}'")
        return found


def answer_200(_: object) -> ResponseState:
    headers = Headers.of([(b"content-type", b"application/json")])
    return ResponseState(200, "OK", headers, Body(b'{"ok":true}'))


def empty_200(_: object) -> ResponseState:
    return ResponseState.empty()


@dataclass(slots=True)
class ScriptedServices:
    """The `Services` port. `backend` answers forwarded calls, `answer` the requests of policies; both may raise
    PolicyFailure or a Refusal. What went out is kept in `forwarded` and `sent`."""

    deployment: Deployment = field(default_factory=lambda: Deployment("apim", "apim-lab", "West Europe"))
    counters: ScriptedCounters = field(default_factory=ScriptedCounters)
    cache: ScriptedCache = field(default_factory=ScriptedCache)
    external_cache: ScriptedCache | None = None
    vectors: ScriptedVectors = field(default_factory=ScriptedVectors)
    tokens: ScriptedTokens = field(default_factory=ScriptedTokens)
    metrics: ScriptedMetrics = field(default_factory=ScriptedMetrics)
    events: ScriptedEvents = field(default_factory=ScriptedEvents)
    signing_keys: ScriptedKeys = field(default_factory=ScriptedKeys)
    certificates: ScriptedCertificates = field(default_factory=ScriptedCertificates)
    authorizations: ScriptedAuthorizations = field(default_factory=ScriptedAuthorizations)
    backend: Backend = answer_200
    answer: Answer = empty_200
    forwarded: list[tuple[str, str, list[tuple[bytes, bytes]], bytes | None]] = field(default_factory=list)
    sent: list[OutboundRequest] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    spawned: list[Coroutine[Any, Any, None]] = field(default_factory=list)
    under_way: dict[str, int] = field(default_factory=dict)
    leases: Leases | None = None

    async def together(
        self, branches: Sequence[Callable[[], Coroutine[Any, Any, None]]], *, first: bool
    ) -> None:
        """One after the other: the first one in the text is the first to end."""
        for branch in branches:
            await branch()
            if first:
                return

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Kept until the call has ended; `trial.run` runs them then."""
        self.spawned.append(work)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def forward(self, exchange: Exchange, options: ForwardOptions) -> None:
        request = exchange.request
        base = exchange.backend_base_url or (
            f"backend:{exchange.backend_id}" if exchange.backend_id else "https://api"
        )
        query = f"?{request.query}" if request.query else ""
        self.forwarded.append(
            (request.method, base + request.path + query, list(request.headers), request.body.data)
        )
        exchange.attempts += 1
        exchange.response = self.backend(exchange)
        if options.fail_on_error_status_code and exchange.response.status >= 400:
            error = LastError(
                "forward-request", "BackendErrorStatusCode", "The backend answered with an error."
            )
            raise PolicyFailure(error, exchange.response)

    async def send(self, request: OutboundRequest) -> ResponseState:
        self.sent.append(request)
        return self.answer(request)
