"""One HTTP/1.1 connection to another server, on httptools. It knows no pool, no policy and no call.

Whoever holds the connection is told once per read that there is progress and looks at the fields: most
answers arrive whole in one read, and one notice for it is what keeps a call cheap.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

from aforo.messages import Fields, Headers, repeat

MAX_HEAD_BYTES = 256 * 1024
MAX_HEAD_FIELDS = 500


_NO_HEADERS = Headers()


class Holder(Protocol):
    """Who is using a connection."""

    def progress(self) -> None:
        """Something arrived: `status`, `headers`, `chunks`, `ended` or `failure` changed."""

    def can_write(self, ready: bool) -> None:
        """The socket takes more (True) or asks to wait (False)."""


class WireError(Exception):
    """The connection broke. `reused` and `answered` tell whether another try is safe."""

    def __init__(self, message: str, *, reused: bool, answered: bool) -> None:
        super().__init__(message)
        self.reused = reused
        self.answered = answered


class ClientConnection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    __slots__ = (
        "_close_delimited",
        "_complete",
        "_fields",
        "_head_bytes",
        "_holder",
        "_parser",
        "_repeated",
        "_silent",
        "chunks",
        "ended",
        "failure",
        "headers",
        "idle_since",
        "keep_alive",
        "on_idle",
        "origin",
        "paused",
        "reason",
        "requests",
        "status",
        "transport",
    )

    def __init__(self, origin: object, on_idle: Idle) -> None:
        self.origin = origin
        self.on_idle = on_idle
        self.transport: asyncio.Transport | None = None
        self.requests = 0
        self.idle_since = 0.0
        self._holder: Holder | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._fields: Fields | None = None  # of the head that is arriving, None while there is none
        self._repeated = 0
        self._head_bytes = 0
        self._silent = False
        self._complete = False
        self._close_delimited = False
        self.status = 0
        self.reason = b""
        self.headers = _NO_HEADERS
        self.chunks: list[bytes] = []
        self.ended = False
        self.failure: WireError | None = None
        self.keep_alive = True
        self.paused = False  # nobody takes the body: that nothing comes is not the other side's doing

    # what the holder does

    def send(self, holder: Holder, data: bytes, silent: bool) -> None:
        """Start a request. `data` is the head with as much of the body as is at hand; `silent` says that
        the answer has no body whatever its head says (HEAD)."""
        assert self.transport is not None
        self._holder = holder
        self._silent = silent
        self.requests += 1
        # What else tells of an answer is set with its head; a connection that failed is not used again.
        self.status = 0
        self.reason = b""
        self.headers = _NO_HEADERS
        self._fields = {}
        self.chunks = []
        self.ended = False
        self._complete = False
        self._head_bytes = 0
        self.transport.write(data)

    def write(self, data: bytes) -> None:
        """More of a request body."""
        if self.transport is not None:
            self.transport.write(data)

    def take(self) -> list[bytes]:
        """The body bytes that arrived since the last call."""
        chunks = self.chunks
        self.chunks = []
        return chunks

    def held_by(self, holder: Holder) -> bool:
        """Whether its answer is still that holder's."""
        return self._holder is holder

    def pause(self) -> None:
        self.paused = True
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        self.paused = False
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def release(self) -> None:
        """The holder is done. A connection in the middle of an answer cannot be used again."""
        self._holder = None
        if self.ended and self.keep_alive and self.failure is None and self.transport is not None:
            self.on_idle(self)
        else:
            self.close()

    def close(self) -> None:
        self._holder = None
        if self.transport is not None:
            self.transport.abort()
            self.transport = None

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in all but their bases.
        self.transport = transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        holder = self._holder
        if holder is None or self.ended:
            # Bytes that nobody asked for: whoever sent them and we no longer agree on where messages end.
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.ended:
                self._head_bytes += len(data)
                self._fail(f"the backend's answer is not HTTP: {error}")
            self.keep_alive = False
        else:
            if not self.status:
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD_BYTES:
                    self._fail("the head of the backend's answer is too large")
        holder.progress()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.keep_alive = False
        holder = self._holder
        if holder is None or self.ended:
            return
        if self._complete and self._close_delimited and exc is None:
            self.ended = True
        else:
            self._fail(f"the backend closed the connection{f' ({exc})' if exc else ''}")
        holder.progress()

    def pause_writing(self) -> None:
        if self._holder is not None:
            self._holder.can_write(False)

    def resume_writing(self) -> None:
        if self._holder is not None:
            self._holder.can_write(True)

    def fail_idle(self, after_s: float) -> None:
        """The holder has waited long enough for the rest of the answer."""
        self._fail(f"the backend sent nothing more of its answer for {after_s:g} s")
        assert self.failure is not None
        self.failure.__cause__ = TimeoutError()

    def _fail(self, message: str) -> None:
        self.failure = WireError(
            message, reused=self.requests > 1, answered=self._head_bytes > 0 or self.status > 0
        )
        self.keep_alive = False

    # httptools

    def on_status(self, status: bytes) -> None:
        # llhttp may give the reason phrase in pieces.
        if not self.status:
            self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        fields = self._fields
        if fields is None:
            # Trailers are not header fields (RFC 9110 6.5.1), and could go on without end.
            return
        name = name.lower()
        if name not in fields:
            fields[name] = value
        else:
            self._repeated += 1
            repeat(fields, name, value)

    def on_headers_complete(self) -> None:
        if self.status:
            # A second answer in the same read: nobody asked for it, and nothing of it may mix with the first.
            raise httptools.HttpParserError("bytes after the answer")
        status = self._parser.get_status_code()
        fields = self._fields or {}
        self._fields = None
        if len(fields) + self._repeated > MAX_HEAD_FIELDS:
            raise httptools.HttpParserError("the answer has too many header fields")
        self._repeated = 0
        if status < 200:
            if status == 101:
                raise httptools.HttpParserError("the backend switched protocols without being asked")
            self.reason = b""
            self._fields = {}
            return
        coding = fields.get(b"transfer-encoding")
        if coding is not None and (isinstance(coding, list) or coding.lower() != b"chunked"):
            raise httptools.HttpParserError("the answer has a transfer coding other than `chunked`")
        self.headers = Headers(fields)
        self.status = status
        self._complete = True
        self.keep_alive = self._parser.should_keep_alive()
        if self._silent:
            # llhttp does not know that this answers a HEAD: it would wait for a body. The parser is spent.
            self.ended = True
            self._parser = httptools.HttpResponseParser(self)
            return
        if not self.keep_alive:
            self._close_delimited = b"content-length" not in fields and coding is None

    def on_body(self, body: bytes) -> None:
        if self.ended:
            # The body of an answer that has none (HEAD).
            self.keep_alive = False
            return
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        if self.status:
            self.ended = True


class Idle(Protocol):
    """What a connection tells when it is free again."""

    def __call__(self, connection: ClientConnection, /) -> None: ...
