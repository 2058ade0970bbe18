"""A backend's answer on its way: the connection from the request until the last byte. It knows no call and no policy.

Whoever wants the body as it comes is told by `pump`; whoever wants all of it awaits `collect`.
"""

from __future__ import annotations

import time
from typing import Protocol

from aforo.egress.http1 import ClientConnection, WireError
from aforo.errors import Refusal
from aforo.gateway import encoding
from aforo.gateway.signal import Signal
from aforo.policy.exchange import LastError, PolicyFailure, ResponseState

MAX_BUFFERED_ANSWER = 64 * 1024 * 1024
# What an answer may have before it takes of the room that all share.
FREE_BYTES = 256 * 1024


class Client(Protocol):
    """The part of the client's connection that a streaming upload is held back by."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def hold(self, size: int) -> bool:
        """Take so many bytes of the room for bodies, until the call ends."""


class Taker(Protocol):
    """Who hands the body on."""

    def pump(self) -> None:
        """More of the answer is here, or its end, or its failure."""


class Arrival(Signal):
    """An answer on its way: holds the connection from the request until the last byte.

    As a signal it is set when the head is there, or the failure.
    """

    __slots__ = (
        "_allowed",
        "_client",
        "_length_known",
        "buffered",
        "collected",
        "connection",
        "deadline",
        "idle_s",
        "patience_s",
        "relay",
        "response",
        "seen",
        "sent_at",
        "size",
        "upload",
        "uploaded",
    )

    seen: int  # `size` when it was last looked at (`is_over`)
    idle_s: float  # so long may the backend send nothing of a body that it has begun

    def __init__(
        self, connection: ClientConnection, client: Client, length_known: bool, patience_s: float
    ) -> None:
        self.is_set = False
        self._wake = None
        self.connection = connection
        self._client = client
        self._length_known = length_known
        self.relay: Taker | None = None  # who takes the body as it comes
        self.response: ResponseState | None = None  # as policies see it
        self.collected: Signal | None = None  # set when somebody waits for all of it
        self.buffered: list[bytes] = []
        self.size = 0
        self.sent_at = time.perf_counter()
        self.patience_s = patience_s
        self.deadline = self.sent_at + patience_s
        self.upload = False  # the request's body streams through
        self.uploaded = False  # all of it has been handed over

    # egress.http1.Holder

    def progress(self) -> None:
        connection = self.connection
        if not self.is_set:
            if connection.status or connection.failure is not None:
                self.set()
            return
        if self.relay is not None:
            self.relay.pump()
        elif self.collected is not None:
            self._collect()
        elif not connection.ended:
            # Nobody takes it yet (a policy is at work): the backend waits, not our memory.
            connection.pause()

    def can_write(self, ready: bool) -> None:
        if self.upload:
            if ready:
                self._client.resume_reading()
            else:
                self._client.pause_reading()

    # call.Sink: the rest of a request body that streams through

    def push(self, data: bytes, *, last: bool) -> None:
        self.uploaded = last
        # The time for the answer's head runs from the end of the request.
        self.deadline = time.perf_counter() + self.patience_s
        if self._length_known:
            if data:
                self.connection.write(data)
        else:
            frame = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            self.connection.write(frame + b"0\r\n\r\n" if last else frame)

    # the answer's body

    def take(self) -> list[bytes]:
        """Body bytes since the last call; `ended` and `failure` of the connection tell the rest."""
        chunks = self.connection.take()
        for chunk in chunks:
            self.size += len(chunk)
        if self.buffered:
            chunks = [*self.buffered, *chunks]
            self.buffered = []
        return chunks

    def finish(self) -> bytes:
        """All of an answer that has ended; its connection is given back."""
        chunks = self.connection.chunks
        if len(chunks) == 1 and not self.buffered:
            # Nearly every answer: whole, in one read.
            body = chunks[0]
            self.size += len(body)
            self.connection.chunks = []
        else:
            body = b"".join(self.take())
        if self.upload:
            self.release()
        else:
            self.connection.release()
        return body

    async def collect(self) -> bytes:
        """The whole answer, as received. PolicyFailure when it does not arrive whole."""
        self.collected = Signal()
        self._allowed = FREE_BYTES
        self.connection.resume()
        self._collect()
        await self.collected
        self.collected = None
        if self.connection.failure is not None:
            raise PolicyFailure(broken(self.connection.failure))
        if self.size > self._allowed:
            raise PolicyFailure(
                LastError("forward-request", "BackendConnectionFailure", "the answer is too large to buffer")
            )
        data = b"".join(self.buffered)
        self.buffered = [data]
        return data

    async def decoded(self) -> bytes:
        """The answer's body for a policy: whole, and without its content coding."""
        coding = self.connection.headers.get(b"content-encoding")
        data = await self.collect()
        try:
            return encoding.decode(data, coding)
        except Refusal as error:
            raise PolicyFailure(
                LastError("forward-request", "BackendConnectionFailure", str(error), section="backend")
            ) from error

    def _collect(self) -> None:
        for chunk in self.connection.take():
            self.buffered.append(chunk)
            self.size += len(chunk)
        connection = self.connection
        over = self.size > self._allowed and not self._grow()
        if connection.ended or connection.failure is not None or over:
            assert self.collected is not None
            self.collected.set()

    def _grow(self) -> bool:
        """Whether more of the answer may be held: within its own limit, and while there is room."""
        wanted = min(MAX_BUFFERED_ANSWER, max(2 * self._allowed, self.size))
        if self.size > wanted or not self._client.hold(wanted - self._allowed):
            return False
        self._allowed = wanted
        return True

    def resume(self) -> None:
        """The client's socket takes more."""
        if self.relay is not None:
            self.connection.resume()

    def expire(self) -> None:
        """The head did not come in time."""
        if not self.is_set:
            self.connection.failure = WireError("no answer in time", reused=False, answered=True)
            self.connection.failure.__cause__ = TimeoutError()
            self.set()

    def watch(self, watched: set[Arrival], idle_s: float) -> None:
        """From now on whoever sweeps `watched` asks now and then whether it is over."""
        self.seen = -1
        self.idle_s = idle_s
        watched.add(self)

    def is_over(self, now: float) -> bool:
        """To be asked now and then from the head on: whether the answer needs no more watching. Gives it up when the
        backend has sent nothing for too long."""
        connection = self.connection
        if connection.ended or connection.failure is not None or not connection.held_by(self):
            return True
        uploading = self.upload and not self.uploaded
        if connection.paused or uploading or self.size != self.seen:
            # Something came, or who is slow is the client (server.WRITE_TIMEOUT_S, BODY_TIMEOUT_S) or a policy.
            self.seen = self.size
            self.deadline = now + self.idle_s
        elif self.deadline < now:
            connection.fail_idle(self.idle_s)
            self.progress()
            return True
        return False

    def release(self) -> None:
        """The answer has been read to its end, or nobody wants the rest."""
        if self.upload and not self.uploaded:
            # The backend still waits for the rest of this request: it would take the next one for it.
            self.connection.close()
        else:
            self.connection.release()


def broken(failure: WireError) -> LastError:
    """Why a body did not arrive whole."""
    reason = "Timeout" if isinstance(failure.__cause__, TimeoutError) else "BackendConnectionFailure"
    return LastError("forward-request", reason, str(failure), section="backend")
