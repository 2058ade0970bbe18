"""What policies need from the outside, as ports; gateway/services.py provides them, FakeServices plays them.

All of them in one object, with the ways to send, are `exchange.Services`. Nothing here has an adapter in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ForwardOptions:
    """The attributes of `forward-request`; `timeout_s` runs until the response head is there."""

    timeout_s: float = 300.0
    buffer_request_body: bool = False
    fail_on_error_status_code: bool = False


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """A request that a policy makes itself (`send-request`)."""

    method: str
    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was taken from a counter: hand it back to `settle` or `release`. `id` is the counter's own."""

    id: str
    key: str
    amount: int


@dataclass(frozen=True, slots=True)
class CounterState:
    """What a counter said: admitted or not, what is left, and seconds until a refused caller may come again."""

    admitted: bool
    remaining: int
    retry_after_s: float
    reservation: Reservation | None = None


class Counters(Protocol):
    """Atomic counters over windows. `window_s` 0 means for ever; `sliding` or fixed from `epoch_s`."""

    async def reserve(
        self, key: str, amount: int, limit: int, window_s: int, *, sliding: bool, epoch_s: int = 0
    ) -> CounterState:
        """Take `amount` if `limit` allows it within the window."""

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        """The true amount is known; debt is carried into what follows."""

    async def release(self, reservation: Reservation) -> None:
        """The call failed: give everything back."""

    async def peek(
        self, key: str, limit: int, window_s: int, *, sliding: bool, epoch_s: int = 0
    ) -> CounterState:
        """The state, with nothing taken."""


class Cache(Protocol):
    """Values by key with a time to live in seconds."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float) -> None: ...

    async def remove(self, key: str) -> None: ...


class Tokens(Protocol):
    """Access tokens of the gateway's own identity."""

    def cached(self, resource: str, client_id: str | None) -> str | None:
        """A token that is good for a while yet, without waiting; None when one must be fetched."""

    async def fetch(self, resource: str, client_id: str | None) -> str:
        """A fresh token; `Upstream` or `Unavailable` when the identity endpoint does not give one."""
