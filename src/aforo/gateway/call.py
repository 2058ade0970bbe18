"""One call on one client connection: what arrived, who serves it, how far it got. It decides nothing.

The exchange (policy/exchange.py) is what policies see of a call; this is the rest of it.
"""

from __future__ import annotations

import time
from typing import Protocol

from aforo.gateway.arrival import Arrival
from aforo.gateway.signal import Signal, Steps
from aforo.messages import Headers
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, RequestState, Services
from aforo.snapshot.runtime import ApiRuntime, OperationRuntime, Runtime

# A request body up to this size is waited for before the call begins; a larger one streams through.
WHOLE_BODY_BYTES = 256 * 1024
# What is held in memory where a policy or the meter must see all of a body.
MAX_COLLECTED_BYTES = 64 * 1024 * 1024


class Client(Protocol):
    """The client's connection, as a call uses it."""

    peer_ip: str
    proxied_ip: str
    tls_version: str
    scheme: str

    def write(self, data: bytes) -> None: ...

    def writable(self) -> bool:
        """False while the socket's buffer is above its mark."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def done(self, call: Call, *, keep_alive: bool) -> None:
        """The call's answer has been handed over whole."""

    def abort(self) -> None:
        """Cut the connection: the answer cannot be completed."""


class Sink(Protocol):
    """Where the rest of a streaming request body goes."""

    def push(self, data: bytes, *, last: bool) -> None: ...


class Answering(Protocol):
    """Who hands the answer to the client."""

    def client_lost(self) -> None:
        """Nobody reads any more."""


class Call:
    """A request with what its connection told about it. Sizes are bytes on the wire, bodies only."""

    __slots__ = (
        "aborted",
        "api",
        "arrival",
        "chunks",
        "client",
        "client_gone",
        "complete",
        "content_length",
        "error",
        "exchange",
        "expects_continue",
        "head_only",
        "headers",
        "http_1_0",
        "keep_alive",
        "keep_bytes",
        "length_known",
        "max_body_bytes",
        "method",
        "received",
        "relay",
        "sink",
        "started",
        "started_ns",
        "steps",
        "target",
        "version",
        "whole",
    )

    def __init__(self, client: Client, method: str, target: str, version: str, headers: Headers) -> None:
        self.started = time.perf_counter()
        self.started_ns = time.time_ns()
        self.client = client
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.http_1_0 = version == "1.0"
        self.head_only = method == "HEAD"
        self.keep_alive = True
        self.expects_continue = False
        self.length_known = False
        self.content_length = 0
        self.max_body_bytes = 0  # 0: not yet known
        self.keep_bytes = 0  # how much of a body that streams through is kept for the record
        self.chunks: list[bytes] = []
        self.received = 0
        self.complete = False
        self.whole: Signal | None = None  # set when the request body is complete; made for who waits
        self.sink: Sink | None = None
        self.steps: Steps[Call] | None = None
        self.api: ApiRuntime | None = None
        self.exchange: LiveExchange | None = None
        self.arrival: Arrival | None = None
        self.relay: Answering | None = None
        self.error: LastError | None = None  # of a call that never became an exchange
        self.client_gone = False
        self.aborted = ""

    def receive(self, data: bytes) -> None:
        """More of the request body."""
        self.received += len(data)
        if self.max_body_bytes and self.received > self.max_body_bytes:
            self.aborted = self.aborted or "gateway"
            self.client.abort()
            return
        if self.sink is not None:
            if self.received <= self.keep_bytes:
                self.chunks.append(data)
            self.sink.push(data, last=False)
            return
        self.chunks.append(data)
        if self.received > WHOLE_BODY_BYTES and self.whole is None:
            # Nobody takes it yet: the client waits, not our memory.
            self.client.pause_reading()

    def received_all(self) -> None:
        self.complete = True
        if self.sink is not None:
            self.sink.push(b"", last=True)
        if self.whole is not None:
            self.whole.set()

    async def collect(self) -> bytes:
        """The whole request body, for who must see all of it."""
        if not self.complete:
            if self.content_length > MAX_COLLECTED_BYTES:
                raise PolicyFailure(
                    LastError(
                        "gateway",
                        "RequestBodyTooLarge",
                        f"a body that must be read whole may have {MAX_COLLECTED_BYTES} bytes",
                        http_status=413,
                    )
                )
            self.max_body_bytes = min(self.max_body_bytes or MAX_COLLECTED_BYTES, MAX_COLLECTED_BYTES)
            self.whole = Signal()
            self.client.resume_reading()
            await self.whole
        return self.body()

    def body(self) -> bytes:
        """The request body, which is complete."""
        if len(self.chunks) != 1:
            self.chunks = [b"".join(self.chunks)]
        return self.chunks[0]


class LiveExchange(Exchange):
    """The exchange of a call in this gateway."""

    __slots__ = ("api_runtime", "call", "operation_runtime", "runtime")

    def __init__(
        self,
        call: Call,
        call_id: str,
        request: RequestState,
        services: Services,
        runtime: Runtime,
        api: ApiRuntime,
        operation: OperationRuntime,
    ) -> None:
        super().__init__(call_id, request, services, call.started, call.started_ns)
        self.call = call
        self.runtime = runtime
        self.api_runtime = api
        self.operation_runtime = operation
