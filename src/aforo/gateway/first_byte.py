"""Whether an answer whose head is here has begun: where a policy may ask another backend, its first byte is waited for.

Until then the client has got nothing, and the next backend costs the call nothing.
"""

from __future__ import annotations

from aforo.egress.http1 import ClientConnection, WireError
from aforo.gateway.arrival import Arrival
from aforo.gateway.signal import Signal


class _First(Signal):
    """Set by the first bytes of a body, its end, or its failure."""

    __slots__ = ("_connection",)

    def __init__(self, connection: ClientConnection) -> None:
        super().__init__()
        self._connection = connection

    def pump(self) -> None:
        connection = self._connection
        if connection.chunks or connection.ended or connection.failure is not None:
            self.set()


async def begun(arrival: Arrival, watched: set[Arrival], idle_s: float) -> WireError | None:
    """Wait for the first byte of a good answer: what it failed of before that. An answer that tells of an error is told
    from its head. `watched` are the arrivals that are given up when nothing comes for `idle_s`."""
    connection = arrival.connection
    if connection.ended or connection.chunks or connection.status >= 400:
        return None
    first = arrival.relay = _First(connection)
    arrival.watch(watched, idle_s)
    try:
        await first
    finally:
        arrival.relay = None
    return connection.failure
