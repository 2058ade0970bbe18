"""What policies are owed by a call: told when its answer is complete, or when its stream has ended or broken off.

`policy/owing.py` says what is owed and when; this knows where the bytes of an answer are. No call comes here in which
no policy asked for anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from aforo.errors import Refusal
from aforo.gateway import encoding
from aforo.gateway.arrival import Arrival
from aforo.gateway.call import Call
from aforo.gateway.signal import Steps
from aforo.messages import is_event_stream
from aforo.policy import owing
from aforo.policy.services import Usage

log = logging.getLogger("aforo.gateway")

# Of a stream that is longer its end is kept: there the model tells what it has counted.
MAX_BYTES = 8 * 1024 * 1024


class Produced:
    """What has come of a stream, for its meters. The pieces are those that are sent, not copies."""

    __slots__ = ("_call", "_pieces", "_size", "_wire")

    def __init__(self, call: Call, wire: str) -> None:
        self._call = call
        self._wire = wire
        self._pieces: deque[bytes] = deque()
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        while self._size > MAX_BYTES and len(self._pieces) > 1:
            self._size -= len(self._pieces.popleft())

    def complete(self) -> None:
        """The stream has ended, or its client has left: the meters are told what it came to, before its last bytes
        leave. Whoever calls next finds it counted."""
        call = self._call
        call.produced = None
        try:
            usage = _usage(call, self._wire, b"".join(self._pieces))
        except Exception:
            # A bug of ours; the client's answer must not fall with it.
            log.exception("bug: what a stream has spent could not be read")
            usage = owing.usage_of_prompt(call)
        self._pieces.clear()
        Steps(owing.metered(call, usage), _told, call).run()


def _told(call: Call, error: BaseException | None) -> None:
    if error is not None:
        log.error("the meters of call %s were not told", call.call_id, exc_info=error)


async def close(call: Call, wire: str, gave_up: Callable[[Call], None]) -> None:
    """The sections are over and nothing has been sent: what is owed is done, but for the meters of a stream."""
    try:
        await owing.closed(call)
        if call.meters is None:
            return
        arrival = call.arrival
        if arrival is None or not streams_events(arrival):
            await owing.metered(call, None)
        elif arrival.response is not call.response:
            # A policy answers in its place; the model has read the prompt all the same.
            await owing.metered(call, owing.usage_of_prompt(call))
        elif arrival.connection.ended:
            # All of it is here: it was short, or a policy has read it (and may have changed it).
            arrival.buffered = arrival.take()
            await owing.metered(call, _usage(call, wire, b"".join(arrival.buffered)))
        else:
            call.produced = Produced(call, wire)
    except asyncio.CancelledError:
        gave_up(call)
        raise


def left(call: Call) -> None:
    """The client left before any of the answer: what the backend was asked for is charged, as far as it is known."""
    if call.meters is not None:
        usage = owing.usage_of_prompt(call) if call.attempts else None
        call.services.spawn(owing.metered(call, usage))


def streams_events(arrival: Arrival) -> bool:
    """Whether the backend answers event by event, whatever policies have made of its head."""
    connection = arrival.connection
    return 200 <= connection.status < 300 and is_event_stream(connection.headers)


def _usage(call: Call, wire: str, data: bytes) -> Usage | None:
    arrival = call.arrival
    coding = arrival.connection.headers.get(b"content-encoding") if arrival is not None else None
    try:
        plain = encoding.decode(data, coding) if coding is not None else data
    except Refusal:
        # Broken off within its coding: only the prompt is known.
        return owing.usage_of_prompt(call)
    return owing.usage_of(call, wire, plain, stream=True)
