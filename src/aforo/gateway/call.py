"""One call on one client connection: what arrived, who serves it, how far it got. It decides nothing.

An exchange (policy/exchange.py) is what policies see of a call; this is the rest of it.
"""

from __future__ import annotations

import itertools
import random
import time
from hashlib import sha256
from typing import Protocol

from aforo.errors import Invalid
from aforo.gateway import encoding
from aforo.gateway.arrival import Arrival
from aforo.gateway.keys import presented
from aforo.gateway.known import Admission, Target
from aforo.gateway.signal import Signal, Steps
from aforo.gateway.tried import Route
from aforo.gateway.writing import Writing
from aforo.messages import Headers, Url, split_authority
from aforo.policy.exchange import (
    Body,
    Exchange,
    LastError,
    PolicyFailure,
    RequestState,
    ResponseState,
    Services,
)
from aforo.snapshot.runtime import ApiRuntime, OperationRuntime, Runtime
from aforo.snapshot.snapshot import LogPlan

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
    certificate: str | None  # that was shown in the handshake: PEM, with its chain

    def write(self, data: bytes) -> None: ...

    def writable(self) -> bool:
        """False while the socket's buffer is above its mark."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def hold(self, size: int) -> bool:
        """Take so many bytes of the room for bodies, until the call ends. False: there is none."""

    def done(self, call: Call) -> None:
        """The call's answer has been handed over whole."""

    def abort(self) -> None:
        """Cut the connection: the answer cannot be completed."""


class Sink(Protocol):
    """Where the rest of a streaming request body goes."""

    def push(self, data: bytes, *, last: bool) -> None: ...


class Collecting(Protocol):
    """Who keeps what comes of a stream."""

    def add(self, piece: bytes) -> None: ...

    def complete(self) -> None: ...


class Answering(Protocol):
    """Who hands the answer to the client."""

    def client_lost(self) -> None:
        """Nobody reads any more."""

    def given_up(self) -> None:
        """The call was cancelled while its answer was under way."""


class Records(Protocol):
    """Where the record of a call is written."""

    @property
    def large(self) -> Records:
        """The same for calls with large bodies."""

    def record(self, call: Call) -> bool:
        """Write it. False: it takes a while, and `call.writing` tells its end; or it is lost, and this API wants no call
        without its record to end well."""

    def begin(self, call: Call) -> Writing | None:
        """Audit mode: the call is about to be forwarded. PolicyFailure where that cannot be written and must be. It takes a
        while where something is returned."""

    def unfinished(self, call: Call) -> None:
        """A call has ended by a mistake of ours, without its record."""


class Serve(Protocol):
    """What a server hands its calls to: the proxy."""

    def begin(self, call: Call) -> None: ...

    def client_lost(self, call: Call) -> None: ...

    def answer_lost(self, call_id: str) -> None:
        """The client left with a part of its answer still unsent."""

    def trusts(self, peer_ip: str) -> bool:
        """Whether a peer's PROXY preamble is believed."""


class Call(Exchange):
    """A request with what its connection told about it; once it has an operation (`open`), policies' exchange too.

    Sizes are bytes on the wire, bodies only.
    """

    __slots__ = (
        "aborted",
        "admission",
        "answer",
        "api_runtime",
        "arrival",
        "chunks",
        "client",
        "complete",
        "content_length",
        "cut",
        "debug_header",
        "error",
        "expects_continue",
        "first_byte_us",
        "headers",
        "hide_usage",
        "keep_alive",
        "keep_bytes",
        "kept",
        "kept_limit",
        "known",
        "log",
        "max_body_bytes",
        "method",
        "most_bytes",
        "noted",
        "operation_runtime",
        "produced",
        "received",
        "recorder",
        "relay",
        "route",
        "runtime",
        "sent",
        "sink",
        "steps",
        "target",
        "unkept_bytes",
        "version",
        "whole",
        "writing",
    )

    runtime: Runtime  # from `open` on
    recorder: Records  # of the configuration that serves it, whatever comes into force meanwhile
    known: Target
    admission: Admission
    log: LogPlan  # from the first look at it on
    most_bytes: int  # of a body that is collected
    unkept_bytes: int  # of one that is kept for another try alone: how large it may be without (0: no limit)
    writing: Writing  # of its record, where that takes a while
    debug_header: tuple[bytes, bytes]  # where `trace_flags` say that a trace was asked for

    def __init__(
        self,
        client: Client,
        method: str,
        target: str,
        version: str,
        headers: Headers,
        content_length: int,
        keep_alive: bool,
        expects_continue: bool,
    ) -> None:
        # The rest of an exchange is made in `open`: a call that no operation takes does not need it.
        self.started = time.perf_counter()
        self.started_ns = time.time_ns()
        self.client = client
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers  # as they came
        self.content_length = content_length  # -1: not stated
        self.keep_alive = keep_alive  # whether the connection serves another call after this one
        self.expects_continue = expects_continue
        self.max_body_bytes = 0  # 0: no limit, or not yet known
        self.keep_bytes = 0  # how much of a body that streams through is kept for the record
        self.chunks: list[bytes] = []
        self.received = 0
        self.complete = False
        self.whole: Signal | None = None  # set when the request body is complete; made for who waits
        self.sink: Sink | None = None
        self.steps: Steps[Call] | None = None
        self.api_runtime: ApiRuntime | None = None
        self.operation_runtime: OperationRuntime | None = None
        self.arrival: Arrival | None = None
        self.relay: Answering | None = None
        self.route: Route | None = None  # of its attempts, where there is something to tell
        self.produced: Collecting | None = None  # what has come of a stream that is metered
        self.noted: dict[str, str] | None = None  # for the record, by `spool.records.NOTED_*`
        self.error: LastError | None = None  # of a call that never got an operation
        self.hide_usage = False  # the client did not ask for the usage that its stream tells
        self.aborted = ""  # who ended it before its time: client, backend, gateway
        # What the client gets; of its body, how much left and what is kept for the record.
        self.answer: ResponseState | None = None
        self.sent = 0
        self.kept = b""
        self.kept_limit = 0
        self.cut = False  # there was more than what is kept
        self.first_byte_us = 0

    def open(
        self, services: Services, runtime: Runtime, recorder: Records, known: Target, admission: Admission
    ) -> None:
        """From here on policies work on it."""
        match = known.match
        operation = self.operation_runtime = known.operation
        self.runtime = runtime
        self.recorder = recorder
        self.known = known
        self.admission = admission
        if b"content-encoding" in self.headers.fields:
            # Policies and the meter see the text; the backend gets the bytes that came (upstream.py).
            body = Body(None, self.decoded)
        else:
            body = Body(self.body()) if self.complete else Body(None, self.collect)
        request = RequestState(
            self.method,
            self.client_url,
            self.headers.passed_on(),
            body,
            self.client.peer_ip,
            match.path,
            known.query,
            match.parameters,
        )
        if self.client.certificate is not None:
            request.certificate = self.client.certificate
        Exchange.__init__(self, new_id(), request, services, self.started, self.started_ns)
        self.api = known.api.entry.subject
        self.operation = operation.entry.subject
        self.product = admission.product
        self.subscription = admission.subscription
        self.user = admission.user

    def grown(self) -> None:
        """Its bodies are large: its record must not hold up other calls."""
        self.recorder = self.recorder.large

    @property
    def shown_key(self) -> tuple[bytes, tuple[bytes, ...]] | None:
        """As it came: policies may have taken it out of what goes on."""
        key = presented(self.known.api, self.headers, self.known.query)
        holder = self.runtime.keys.get(sha256(key).digest()) if key else None
        return None if holder is None else (key, holder.entry.key_hashes)

    @property
    def transferred(self) -> int:
        return self.received + self.sent

    def client_url(self) -> Url:
        """What the client asked for, as an absolute URL."""
        scheme = self.client.scheme
        default_port = 443 if scheme == "https" else 80
        authority = (self.headers.get(b"host") or b"").decode("latin-1")
        try:
            host, port = split_authority(authority, default_port)
        except ValueError:
            host, port = authority, default_port
        return Url(scheme, host, port, self.known.path, self.known.query)

    def receive(self, data: bytes) -> None:
        """More of the request body."""
        received = self.received = self.received + len(data)
        if self.max_body_bytes and received > self.max_body_bytes and not self._grow():
            if not self._outgrow(data):
                self.aborted = self.aborted or "gateway"
                self.client.abort()
            return
        if self.sink is not None:
            if received <= self.keep_bytes:
                self.chunks.append(data)
            self.sink.push(data, last=False)
            return
        self.chunks.append(data)
        if received > WHOLE_BODY_BYTES and self.whole is None:
            # Nobody takes it yet: the client waits, not our memory.
            self.client.pause_reading()

    def _grow(self) -> bool:
        """Whether a body of unknown length may go on: within its own limit, and while there is room."""
        had, most = self.max_body_bytes, getattr(self, "most_bytes", 0)
        wanted = min(most, max(2 * had, self.received))
        if self.received > wanted or not self.client.hold(wanted - had):
            return False
        self.max_body_bytes = wanted
        return True

    def _outgrow(self, data: bytes) -> bool:
        """Whether a body that has become too large to be kept may go on as it comes: see `keep`."""
        limit, waiting = getattr(self, "unkept_bytes", -1), self.whole
        if limit < 0 or waiting is None or (limit and self.received > limit):
            return False
        self.max_body_bytes, self.most_bytes, self.whole = limit, 0, None
        self.chunks.append(data)
        self.client.pause_reading()
        waiting.set()
        return True

    def received_all(self) -> None:
        """Tell who takes the body, or waits for it, that all of it is here."""
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
            most = self.most_bytes = min(self.max_body_bytes or MAX_COLLECTED_BYTES, MAX_COLLECTED_BYTES)
            if self.content_length > WHOLE_BODY_BYTES and not self.client.hold(self.content_length):
                message = "other calls hold all the room for bodies"
                raise PolicyFailure(LastError("gateway", "BodiesHeld", message, http_status=503))
            await self._take(most)
        return self.body()

    async def keep(self) -> bool:
        """Wait for the whole request body, so that it can be sent again. False where it is too large for that, or there is
        no room now: then it has to go on as it comes, and can be sent once."""
        if not self.complete:
            size, limit = self.content_length, self.max_body_bytes
            if size > MAX_COLLECTED_BYTES or (size > WHOLE_BODY_BYTES and not self.client.hold(size)):
                return False
            most = self.most_bytes = min(limit or MAX_COLLECTED_BYTES, MAX_COLLECTED_BYTES)
            self.unkept_bytes = limit
            await self._take(most)
        return self.complete

    async def _take(self, most: int) -> None:
        """Read on until the body is complete, or has outgrown what it may take."""
        # One of unknown length takes room as it grows.
        self.max_body_bytes = most if self.content_length >= 0 else min(most, WHOLE_BODY_BYTES)
        whole = self.whole = Signal()
        self.client.resume_reading()
        await whole

    def trim(self) -> None:
        """Of a body that has been passed on only what the record keeps of it stays here."""
        size = 0
        for at, chunk in enumerate(self.chunks):
            if size >= self.keep_bytes:
                del self.chunks[at:]
                return
            size += len(chunk)

    async def decoded(self) -> bytes:
        """The whole request body without its content coding. PolicyFailure with 415, 413 or 400 when it cannot be."""
        data = await self.collect()
        try:
            return encoding.decode(data, self.headers.joined(b"content-encoding"))
        except Invalid as error:
            raise _unreadable(error) from error

    def body(self) -> bytes:
        """The request body, which is complete."""
        chunks = self.chunks
        if len(chunks) != 1:
            chunks = self.chunks = [b"".join(chunks)]
        return chunks[0]


def _unreadable(error: Invalid) -> PolicyFailure:
    status, reason = _UNREADABLE.get(error.code, (400, "RequestBodyUnreadable"))
    headers = ((b"accept-encoding", encoding.KNOWN),) if status == 415 else ()  # RFC 9110 15.5.16
    message = f"The request's body cannot be read: {error.message}"
    return PolicyFailure(LastError("gateway", reason, message, http_status=status), None, headers)


_UNREADABLE = {
    encoding.UNKNOWN: (415, "UnsupportedContentEncoding"),
    encoding.TOO_LARGE: (413, "RequestBodyTooLarge"),
}
_prefix = f"{random.SystemRandom().getrandbits(64):016x}"
# From the upper half on: 16 digits without padding.
_counter = itertools.count(1 << 63 | random.SystemRandom().getrandbits(62))


def new_id() -> str:
    """A correlation id: 32 hexadecimal digits, unique over processes and restarts, not secret."""
    return f"{_prefix}{next(_counter):x}"
