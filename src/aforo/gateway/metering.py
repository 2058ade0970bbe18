"""What policies are owed by a call: told when its answer is complete, or when its stream has ended or broken off.

`policy/owing.py` says what is owed and when; this knows where the bytes of an answer are. No call comes here in which
no policy asked for anything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from aforo.errors import Refusal
from aforo.gateway import encoding
from aforo.gateway.arrival import Arrival
from aforo.gateway.call import Call
from aforo.policy import owing
from aforo.policy.services import Usage

# Of a stream that is longer its end is kept: there the model tells what it has counted.
MAX_BYTES = 8 * 1024 * 1024


class Produced:
    """What has come of a stream, for its meters. The pieces are those that are sent, not copies."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        while self._size > MAX_BYTES and len(self._pieces) > 1:
            self._size -= len(self._pieces.popleft())

    def take(self) -> bytes:
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return whole


async def close(call: Call, wire: str, gave_up: Callable[[Call], None]) -> None:
    """The sections are over and nothing has been sent: what is owed is done, but for the meters of a stream."""
    try:
        await owing.closed(call)
        if call.meters is None:
            return
        arrival = call.arrival
        if arrival is None or not _streams(arrival):
            await owing.metered(call, None)
        elif arrival.response is not call.response:
            # A policy answers in its place; the model has read the prompt all the same.
            await owing.metered(call, owing.usage_of_prompt(call))
        elif arrival.connection.ended:
            # All of it is here: it was short, or a policy has read it (and may have changed it).
            arrival.buffered = arrival.take()
            await owing.metered(call, _usage(call, wire, b"".join(arrival.buffered)))
        else:
            call.produced = Produced()
    except asyncio.CancelledError:
        gave_up(call)
        raise


async def settle(call: Call, wire: str) -> None:
    """The stream has ended, or its client has left: the meters are told what it came to."""
    produced = call.produced
    if produced is not None:
        call.produced = None
        await owing.metered(call, _usage(call, wire, produced.take()))


def left(call: Call) -> None:
    """The client left before any of the answer: what the backend was asked for is charged, as far as it is known."""
    if call.meters is not None:
        usage = owing.usage_of_prompt(call) if call.attempts else None
        call.services.spawn(owing.metered(call, usage))


def _streams(arrival: Arrival) -> bool:
    """Whether the backend answers event by event, whatever policies have made of its head."""
    connection = arrival.connection
    content_type = connection.headers.get(b"content-type") or b""
    return 200 <= connection.status < 300 and content_type.lower().startswith(b"text/event-stream")


def _usage(call: Call, wire: str, data: bytes) -> Usage | None:
    arrival = call.arrival
    coding = arrival.connection.headers.get(b"content-encoding") if arrival is not None else None
    try:
        plain = encoding.decode(data, coding) if coding is not None else data
    except Refusal:
        # Broken off within its coding: only the prompt is known.
        return owing.usage_of_prompt(call)
    return owing.usage_of(call, wire, plain, stream=True)
