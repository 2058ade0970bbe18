"""A real, small implementation of the ports that policies need: in memory, with a script for backends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aforo.errors import Unavailable
from aforo.messages import Headers
from aforo.policy.exchange import Body, Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.services import CounterState, ForwardOptions, OutboundRequest, Reservation
from aforo.policy.subject import Deployment


@dataclass(slots=True)
class FakeTokens:
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
class FakeCounters:
    """Counters that never forget: windows do not end while a test runs."""

    taken: dict[str, int] = field(default_factory=dict)

    async def reserve(
        self, key: str, amount: int, limit: int, window_s: int, *, sliding: bool, epoch_s: int = 0
    ) -> CounterState:
        used = self.taken.get(key, 0)
        if used + amount > limit:
            return CounterState(False, max(0, limit - used), float(window_s))
        self.taken[key] = used + amount
        return CounterState(True, limit - used - amount, 0.0, Reservation(key, key, amount))

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        self.taken[reservation.key] += amount - reservation.amount
        return CounterState(True, 0, 0.0)

    async def release(self, reservation: Reservation) -> None:
        self.taken[reservation.key] -= reservation.amount

    async def peek(
        self, key: str, limit: int, window_s: int, *, sliding: bool, epoch_s: int = 0
    ) -> CounterState:
        used = self.taken.get(key, 0)
        return CounterState(used < limit, max(0, limit - used), 0.0)


@dataclass(slots=True)
class FakeCache:
    """A cache in which nothing grows old."""

    values: dict[str, bytes] = field(default_factory=dict)

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        self.values[key] = value

    async def remove(self, key: str) -> None:
        self.values.pop(key, None)


Backend = Callable[[Exchange], ResponseState]


def answer_200(_exchange: Exchange) -> ResponseState:
    headers = Headers([(b"content-type", b"application/json")])
    return ResponseState(200, "OK", headers, Body(b'{"ok":true}'))


@dataclass(slots=True)
class FakeServices:
    """`Services` of a test. `backend` answers; what was forwarded is kept in `forwarded`."""

    deployment: Deployment = field(default_factory=lambda: Deployment("apim", "apim-lab", "West Europe"))
    counters: FakeCounters = field(default_factory=FakeCounters)
    cache: FakeCache = field(default_factory=FakeCache)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    backend: Backend = answer_200
    forwarded: list[tuple[str, str, list[tuple[bytes, bytes]], bytes | None]] = field(default_factory=list)
    sent: list[OutboundRequest] = field(default_factory=list)

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
        return ResponseState(200, "OK", Headers(), Body(b""))
