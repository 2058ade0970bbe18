"""One call in flight, as policies see and change it. It knows no socket and no compiler.

The gateway makes an Exchange, the compiled sections work on it, the gateway sends what became of it. Nothing
here is computed before somebody asks: a call that no policy looks at pays for none of it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

import msgspec

from aforo.messages import Headers, Url
from aforo.policy.services import (
    Authorizations,
    Cache,
    Certificate,
    Certificates,
    Counters,
    Events,
    ForwardOptions,
    Leases,
    Metrics,
    OutboundRequest,
    Proxy,
    SigningKeys,
    Tokens,
    Usage,
    VectorStore,
)
from aforo.policy.subject import Api, Deployment, Operation, Product, Subscription, User


class Body(msgspec.Struct, eq=False):
    """A message body: complete bytes, or bytes still on their way that `load` collects; without either it is `gone`.

    `data` is None while the body is not at hand. Policies that read a body declare it, and the section's
    element awaits `read()` before the (synchronous) expression runs; `text` and the rest are then plain.

    `view` makes of the data what expressions see where that is something else: of an event stream the answer that it
    amounts to. What is sent, stored or rewritten is the data.
    """

    data: bytes | None = b""
    load: Callable[[], Awaitable[bytes]] | None = None
    changed: bool = False
    view: Callable[[bytes], bytes] | None = None
    _shown: bytes | None = None

    async def read(self) -> bytes:
        """The whole decoded body; collected from the wire when it is not there yet."""
        if self.data is None:
            assert self.load is not None
            self.data = await self.load()
        return self.data

    @property
    def gone(self) -> bool:
        """Whether it went on as it came, and is nowhere any more."""
        return self.data is None and self.load is None

    def shown(self) -> bytes | None:
        """The data as expressions see it; None while it is not at hand."""
        if self.view is None or self.data is None:
            return self.data
        if self._shown is None:
            self._shown = self.view(self.data)
        return self._shown

    def replace(self, data: bytes) -> None:
        """A policy's own body from here on."""
        self.data = data
        self.changed = True
        self.view = self._shown = None


class RequestState(msgspec.Struct, eq=False):
    """The request: first what the client sent, then what the backend is going to get.

    `url` is the client's URL (never changed, made when first asked for); `path` and `query` are relative to
    the backend's base URL and are what `rewrite-uri` and `set-query-parameter` change.
    """

    method: str
    asked: Url | Callable[[], Url]
    headers: Headers
    body: Body
    ip: str
    path: str = ""
    query: str = ""
    matched: dict[str, str] = {}
    certificate: Any = None
    clients_method: str = ""  # where a policy has set another one

    @classmethod
    def of(cls, method: str, url: Url, headers: Headers, body: Body, ip: str) -> RequestState:
        """A request for all of a URL's path."""
        return cls(method, url, headers, body, ip, url.path, url.query)

    @property
    def original_method(self) -> str:
        return self.clients_method or self.method

    def use_method(self, name: str) -> None:
        """The backend gets this method."""
        self.clients_method = self.original_method
        self.method = name

    @property
    def url(self) -> Url:
        url = self.asked
        if not isinstance(url, Url):
            url = self.asked = url()
        return url


class ResponseState(msgspec.Struct, eq=False):
    """The response: a backend's, or one that a policy made. `body` may still be arriving."""

    status: int
    reason: str
    headers: Headers
    body: Body

    @classmethod
    def empty(cls) -> ResponseState:
        """200 without a body: what API Management answers where nothing was forwarded."""
        return cls(200, "OK", Headers(), Body(b""))


class LastError:
    """`context.LastError`; the texts are API Management's."""

    __slots__ = (
        "elapsed_us",
        "http_status",
        "message",
        "path",
        "policy_id",
        "reason",
        "recovered",
        "scope",
        "section",
        "source",
    )

    def __init__(
        self,
        source: str,
        reason: str,
        message: str,
        *,
        scope: str = "",
        section: str = "",
        path: str = "",
        policy_id: str = "",
        http_status: int = 500,
    ) -> None:
        self.source = source
        self.reason = reason
        self.message = message
        self.scope = scope
        self.section = section
        self.path = path
        self.policy_id = policy_id
        self.http_status = http_status
        self.elapsed_us = 0
        self.recovered = False  # an attempt failed so, and another one did not


class PolicyFailure(Exception):  # noqa: N818 - it is what `on-error` handles, not a bug of ours
    """Raised by an element or an expression: the pipeline jumps to `on-error` with this LastError.

    `response` is what the client gets unless `on-error` says otherwise; None means the built-in answer for
    `error.http_status`. `headers` are added to it (`Retry-After`).
    """

    def __init__(
        self,
        error: LastError,
        response: ResponseState | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.response = response
        self.headers = headers


class Returned(Exception):  # noqa: N818 - control flow of `return-response` and `mock-response`
    """The pipeline ends here with `exchange.response`."""


class FromCache(Returned):
    """A cache has answered (`exchange.response`): outbound goes on after the policy that stores, the rest of inbound
    and the backend are left out. `family` is one of `pipeline.Pipeline.resumed`."""

    def __init__(self, family: str) -> None:
        super().__init__()
        self.family = family


class Keeper(Protocol):
    """Who wants the whole body of a response that is still arriving, once it has gone to the client."""

    response: ResponseState

    def keep(self, data: bytes) -> None:
        """All of it has come; `data` is decoded. It never waits."""


class Caching(msgspec.Struct, eq=False):
    """What caches have had to do with a call; made by the first policy that asks one.

    `outcome` is hit, miss or none; `waited_us` the time that caches took. `pending` holds, by family, what a
    look-up did not find, for the policy that stores it. `keepers` are told by the gateway.
    """

    outcome: str = "none"
    waited_us: int = 0
    pending: dict[str, Any] = {}
    keepers: list[Keeper] = []


Meter = Callable[["Exchange", Usage | None], Awaitable[None]]


class Owed:
    """What policies that ran owe the call later: `policy/owing.py` says when."""

    __slots__ = ("checks", "counted", "ends", "heads")

    def __init__(self) -> None:
        # Put headers on the answer, once there is one.
        self.heads: list[Callable[[Exchange], None]] = []
        # Look at a backend's answer before outbound runs; they may refuse it.
        self.checks: list[Callable[[Exchange], Awaitable[None]]] = []
        # Run when the sections are over and the answer is final, before it is sent.
        self.ends: list[Callable[[Exchange], Awaitable[None]]] = []
        # Quotas that this call has counted for, and by how much.
        self.counted: dict[str, int] = {}


class Exchange:
    """One call."""

    __slots__ = (
        "api",
        "attempts",
        "backend_base_url",
        "backend_id",
        "backend_request",
        "backend_used",
        "caching",
        "call_id",
        "caller",
        "certificate",
        "errors",
        "last_error",
        "lent",
        "meters",
        "operation",
        "owed",
        "product",
        "proxy",
        "request",
        "response",
        "section",
        "services",
        "started",
        "started_ns",
        "subscription",
        "tainted",
        "trace",
        "trace_flags",
        "trace_records",
        "user",
        "variables",
    )

    def __init__(
        self,
        call_id: str,
        request: RequestState,
        services: Services,
        started: float = 0.0,
        started_ns: int = 0,
    ) -> None:
        self.call_id = call_id  # 32 hexadecimal digits
        self.started = started or time.perf_counter()
        self.started_ns = started_ns or time.time_ns()
        self.request = request
        self.response: ResponseState | None = None
        self.services = services
        self.api: Api | None = None
        self.operation: Operation | None = None
        self.product: Product | None = None
        self.subscription: Subscription | None = None
        self.user: User | None = None
        # Who called, by a token that a policy has validated: oid, appid, name, tid, sub, iss. None without one.
        self.caller: dict[str, str] | None = None
        self.variables: dict[str, Any] = {}
        # Names of variables that hold secrets (tokens, what was made of them); None while there are none.
        self.tainted: set[str] | None = None
        self.backend_base_url: str | None = None  # None: the API's own service URL
        self.backend_id: str | None = None  # of a backend or a pool
        # Towards the backend: our client certificate, and the proxy on the way.
        self.certificate: Certificate | None = None
        self.proxy: Proxy | None = None
        self.backend_used = ""  # the backend resource that the last attempt went to
        # What was really sent, for the record: (method, url, headers, body) of the last attempt.
        self.backend_request: tuple[str, str, Headers, Body] | None = None
        self.attempts = 0
        self.section = "inbound"
        self.last_error: LastError | None = None
        self.errors: list[LastError] = []
        self.trace: Any = None
        self.trace_flags = 0
        self.trace_records: list[Any] = []
        # Leases (limit-concurrency and the like) that end with the exchange, not with their element.
        self.lent: list[Callable[[], None]] = []
        # What wants to know the tokens of the call: awaited with them before outbound where the answer is complete,
        # and at the end of a stream; with None when there was no answer of a model's.
        self.meters: list[Meter] | None = None
        self.caching: Caching | None = None
        self.owed: Owed | None = None

    @property
    def shown_key(self) -> tuple[bytes, tuple[bytes, ...]] | None:
        """The subscription key that the call shows, and the digests of the subscription's keys (primary, secondary)
        as far as they are known here."""
        api = self.api
        if api is None:
            return None
        key = self.request.headers.get(api.key_header.lower().encode())
        if key is None:
            values = self.request.url.query_values().get(api.key_query)
            key = values[0].encode() if values else None
        return None if key is None else (key, ())

    @property
    def transferred(self) -> int:
        """Bytes of both bodies, as far as they have gone over the wire (quotas of bandwidth)."""
        answer = self.response
        return len(self.request.body.data or b"") + (
            len(answer.body.data or b"") if answer is not None else 0
        )

    @property
    def elapsed_us(self) -> int:
        return int((time.perf_counter() - self.started) * 1e6)


class Services(Protocol):
    """All ports together: one object per gateway process, handed to each exchange."""

    @property
    def deployment(self) -> Deployment: ...

    @property
    def counters(self) -> Counters: ...

    @property
    def cache(self) -> Cache: ...

    @property
    def external_cache(self) -> Cache | None:
        """A cache that all gateways share, where one is connected."""

    @property
    def vectors(self) -> VectorStore: ...

    @property
    def tokens(self) -> Tokens: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def events(self) -> Events: ...

    @property
    def signing_keys(self) -> SigningKeys: ...

    @property
    def certificates(self) -> Certificates: ...

    @property
    def authorizations(self) -> Authorizations: ...

    @property
    def under_way(self) -> dict[str, int]:
        """How many calls hold each key of `limit-concurrency` in this process."""

    @property
    def leases(self) -> Leases | None:
        """The places of `limit-concurrency` where several processes share them; None: `under_way` is all there is."""

    async def together(
        self, branches: Sequence[Callable[[], Coroutine[Any, Any, None]]], *, first: bool
    ) -> None:
        """Run them side by side until all have ended, or the first; a failure ends it, the rest is cancelled then."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside the call, which does not wait for it and outlives it or not; its failure is logged."""

    async def pause(self, seconds: float) -> None:
        """Wait that long (`retry`)."""

    async def forward(self, exchange: Exchange, options: ForwardOptions) -> None:
        """Send the request to its backend; on return `exchange.response` has head and an arriving body.

        Raises PolicyFailure (BackendConnectionFailure, Timeout, and with `fail_on_error_status_code` 4xx/5xx).
        """

    async def send(self, request: OutboundRequest) -> ResponseState:
        """A request of a policy's own; the answer is complete on return."""
