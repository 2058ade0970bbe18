"""What policies need from the outside, as ports. Nothing here has an adapter in it.

gateway/services.py provides them, rehearsing/scripted.py plays them. All of them in one object, with the ways to send,
are `exchange.Services`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec


@dataclass(frozen=True, slots=True)
class ForwardOptions:
    """The attributes of `forward-request`; `timeout_s` runs until the response head is there, `idle_s` from then on while
    nothing of the body comes. `retried`: it stands in a `retry`, so that an answer that breaks off before its first byte
    is worth another try."""

    timeout_s: float = 300.0
    buffer_request_body: bool = False
    fail_on_error_status_code: bool = False
    follow_redirects: bool = False
    retried: bool = False
    idle_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate. `pem` holds the chain, the end certificate first; `key_pem` is a secret."""

    id: str
    thumbprint: str
    pem: str
    key_pem: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy on the way to others. `authorization` is the value of `Proxy-Authorization`, a secret."""

    url: str
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """A request that a policy makes itself (`send-request` and the policies that ask a service).

    With `backend_id`, `url` is a path with its query, put behind that backend's base URL, and the backend's own
    credentials are added. `certificate` is shown to the other side as the client's.
    """

    method: str
    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    timeout_s: float
    backend_id: str = ""
    certificate: Certificate | None = None
    proxy: Proxy | None = None


# A window that slides, one from `epoch_s` on, or a bucket.
Form = Literal["sliding", "fixed", "bucket"]


class Counter(msgspec.Struct, frozen=True, gc=False):
    """At most `limit` under a key within a window of `window_s` seconds, 0: for ever. The same key counts apart in windows
    of another length or form. Keys are short: of what callers send, `counting.admission.counter_name` makes them.

    A `bucket` is no window: what was taken drains evenly, `limit` of it in `window_s` (which is not 0 then), and
    what was taken beyond the limit is debt that drains first.
    """

    key: str
    limit: int
    window_s: int
    form: Form = "fixed"
    epoch_s: int = 0


class Reservation(msgspec.Struct, frozen=True):
    """What was taken from a counter: hand it back to `settle` or `release`. `id` is given by who keeps the counter."""

    id: str
    counter: Counter
    amount: int


class CounterState(msgspec.Struct, frozen=True):
    """What a counter said: admitted or not, what is left, and seconds until a refused caller may come again."""

    admitted: bool
    remaining: int
    retry_after_s: float
    reservation: Reservation | None = None


class Counters(Protocol):
    """Atomic operations on counters."""

    async def reserve(self, counter: Counter, amount: int, held_s: float = 0.0) -> CounterState:
        """Take `amount` if the limit allows it. With `held_s` it is given back after so many seconds, unless it was
        settled or released before: whoever took it may have died."""

    async def charge(self, counter: Counter, amount: int) -> CounterState:
        """Take `amount` whatever the limit says; `remaining` is what is left then, and never below 0."""

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        """The true amount is known; debt is carried into what follows. What was given back meanwhile, as its time was
        over, is taken in full."""

    async def release(self, reservation: Reservation) -> None:
        """The call failed: give everything back. A second time does nothing."""

    async def peek(self, counter: Counter) -> CounterState:
        """The state, with nothing taken; admitted while anything is left."""


class Leases(Protocol):
    """Places under a key that several processes share (`limit-concurrency`)."""

    async def enter(self, key: str, most: int) -> Callable[[], None] | None:
        """A place, where fewer than `most` are taken; calling what comes gives it back. None where there is none."""


class Cache(Protocol):
    """Values by key with a time to live in seconds."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float) -> None: ...

    async def remove(self, key: str) -> None: ...


class VectorStore(Protocol):
    """Values by the direction of a vector, in partitions that never see each other (semantic caches).

    The distance of two vectors is one minus the cosine of the angle between them: 0 is the same direction.
    """

    async def add(self, partition: str, vector: Sequence[float], value: bytes, ttl_s: float) -> None:
        """Keep a value for `ttl_s` seconds. A vector without a direction is not kept."""

    async def search(self, partition: str, vector: Sequence[float], max_distance: float) -> bytes | None:
        """The value of the nearest vector of the partition within that distance."""


class Tokens(Protocol):
    """Access tokens of the gateway's own identity."""

    def cached(self, resource: str, client_id: str | None) -> str | None:
        """A token that is good for a while yet, without waiting; None when one must be fetched."""

    async def fetch(self, resource: str, client_id: str | None) -> str:
        """A fresh token; `Upstream` or `Unavailable` when the identity endpoint does not give one."""


class Usage(msgspec.Struct, frozen=True):
    """What a call cost, in tokens. `estimated` where the model did not say it."""

    prompt: int
    completion: int
    total: int
    model: str = ""
    estimated: bool = False


class Metrics(Protocol):
    """Custom metrics (`emit-metric` and the token metrics): rows of `AppMetrics`."""

    def emit(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        """Write one measurement down. It never waits and never fails a call."""


class Events(Protocol):
    """Loggers to which events go (`log-to-eventhub`)."""

    def send(
        self, logger_id: str, data: bytes, *, partition_id: str | None, partition_key: str | None
    ) -> None:
        """Hand an event over. It never waits and never fails a call; an unknown logger is told in the log."""


class SigningKeys(Protocol):
    """Keys of token issuers, by their OpenID configuration."""

    async def of(self, url: str) -> OpenIdKeys:
        """Issuer and keys, fetched once and renewed; `Upstream` when they are not to be had."""

    async def renewed(self, url: str) -> OpenIdKeys:
        """The same fetched anew, for a key id that is not known; at most once a minute."""

    def authority(self, tenant: str) -> str:
        """Where a tenant of Entra has its OpenID configurations (`https://login.microsoftonline.com`, without a slash at
        its end); this system's own issuer for its own tenant."""


@dataclass(frozen=True, slots=True)
class OpenIdKeys:
    """What an OpenID configuration says: `issuer`, and `keys` as JWKs (RFC 7517)."""

    issuer: str
    keys: Sequence[Mapping[str, Any]]


class Certificates(Protocol):
    """The certificates that the service holds."""

    def find(self, id_or_thumbprint: str) -> Certificate | None: ...

    def all(self) -> Sequence[Certificate]: ...


@dataclass(frozen=True, slots=True)
class Authorization:
    """What `get-authorization-context` gives: an access token of a credential provider's connection."""

    access_token: str
    claims: Mapping[str, Any]


class Authorizations(Protocol):
    """Connections of the credential manager."""

    async def get(self, provider_id: str, authorization_id: str, identity: str | None) -> Authorization:
        """Refuses with `NotFound`, `Denied` or `Upstream`; `identity` is a token of the caller's, if he gave one."""


CacheWhere = Literal["prefer-external", "external", "internal"]
