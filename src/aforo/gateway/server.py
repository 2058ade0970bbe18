"""The client's side of the wire: HTTP/1.1 requests off sockets, strictly framed. It knows no route and no policy.

What two parsers could read differently is refused with 400 and the connection closed (RFC 9112 11.2): httptools
refuses most of it, framing.py the rest.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from typing import Any, cast

import httptools

from aforo.gateway import client_certificate, draining, proxy_protocol
from aforo.gateway.call import WHOLE_BODY_BYTES, Call, Serve
from aforo.gateway.crowd import Crowd
from aforo.gateway.framing import Misframed, origin_form, stated_length, upgrade_refused
from aforo.gateway.turns import LARGE_READ_BYTES, rest
from aforo.messages import Fields, Headers, repeat
from aforo.policy.exchange import LastError

MAX_TARGET_BYTES = 16 * 1024
MAX_HEAD_BYTES = 64 * 1024
MAX_HEAD_FIELDS = 200
# Requests that wait for their turn on one connection; what follows waits unread.
MAX_PIPELINED = 16
# A read that may hold many requests is looked at in pieces of this size.
READ_BYTES = 16 * 1024
# What may come besides a body's own bytes: a chunk of one byte takes six.
MAX_FRAMING_BYTES = 256 * 1024
MAX_FRAMING_RATIO = 8
HEAD_TIMEOUT_S = 15.0
IDLE_TIMEOUT_S = 75.0
BODY_TIMEOUT_S = 60.0
# A client that takes nothing of its answer for so long is gone, whatever its connection says.
WRITE_TIMEOUT_S = 120.0
# After an answer that came before the end of its request: a close at once would destroy the answer on its way.
LINGER_S = 5.0


class ServerConnection(asyncio.Protocol):
    """A client's connection; serves its requests one after another, in order."""

    __slots__ = (
        "_body_bytes",
        "_completed",
        "_discarding",
        "_fields",
        "_head_bytes",
        "_held",
        "_host",
        "_parser",
        "_paused",
        "_preamble",
        "_queue",
        "_reading",
        "_repeated",
        "_server",
        "_stuck",
        "_target",
        "_unsent",
        "_waiting",
        "_writable",
        "certificate",
        "current",
        "deadline",
        "peer_ip",
        "proxied_ip",
        "scheme",
        "tls_version",
        "transport",
    )

    def __init__(self, server: Server) -> None:
        self._server = server
        self.transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._target = b""
        self._fields: Fields | None = {}  # of the head that is arriving, None while a body is
        self._repeated = 0
        self._host: bytes | list[bytes] | None = None  # of the last request: known to be one
        self._head_bytes = 0  # of reads that ended within a head
        self._body_bytes = 0  # of reads that ended within a body, framing and all
        self._reading: Call | None = None  # whose body is arriving
        self._completed = False  # a request ended in this read
        self._queue: deque[Call] = deque()  # complete or arriving, in order, behind `current`
        self._waiting: Call | None = None  # to be begun after this read
        self.current: Call | None = None
        self._paused = False
        self._writable = True
        self._held = b""  # came in one read with more requests than may wait
        self._discarding = False  # the last answer is out, what still comes is dropped
        self._stuck = (0, 0.0)  # bytes that wait for the socket, and until when they may
        self.peer_ip = ""
        self._unsent = ""  # id of the call whose answer still waits for a slow client
        self.proxied_ip = ""  # whose connection a trusted balancer says this is
        self._preamble: bytes | None = None  # what has come of it, None when none is expected
        self.scheme = "http"
        self.tls_version = ""
        self.certificate: str | None = None
        self.deadline = time.monotonic() + HEAD_TIMEOUT_S

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.peer_ip = str(peer[0]) if isinstance(peer, tuple) else ""
        tls = transport.get_extra_info("ssl_object")
        if isinstance(tls, ssl.SSLObject | ssl.SSLSocket):
            self.scheme = "https"
            self.tls_version = (tls.version() or "").removeprefix("TLSv")
            self.certificate = client_certificate.shown(tls)
        if self._server.serve.trusts(self.peer_ip):
            self._preamble = b""
        self._server.met(self)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        if self._preamble is not None:
            data = self._after_preamble(data)
            if not data:
                return
        if self._held or (len(data) > READ_BYTES and self._reading is None):
            self._held += data
            self._feed_held()
        else:
            self._feed(data)

    def _feed_held(self) -> None:
        """Go on with a read that may hold many requests, as far as they may wait."""
        while self._held and len(self._queue) < MAX_PIPELINED and self._parser and not self._discarding:
            size = READ_BYTES if self._reading is None else len(self._held)
            data, self._held = self._held[:size], self._held[size:]
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        self._completed = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # An offer that we do not take (RFC 9110 7.8): what follows is HTTP/1.1 as before, for a fresh parser.
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if rest:
                self._feed(rest)
                return
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Misframed) else Misframed(400, "Bad request"))
            return
        except httptools.HttpParserError as error:
            self._refuse(Misframed(400, f"Bad request: {error}"))
            return
        waiting = self._waiting
        if self._reading is not None:
            self.deadline = time.monotonic() + BODY_TIMEOUT_S
            self._within_body(self._reading, len(data))
        elif not self._completed:
            self._within_head(len(data))
        if waiting is not None:
            self._waiting = None
            self._server.serve.begin(waiting)

    def _within_head(self, size: int) -> None:
        """A read ended within a head: one that never ends must not become memory, or a wait, that never ends."""
        if not self._head_bytes and self.current is None:
            self.deadline = time.monotonic() + HEAD_TIMEOUT_S
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(Misframed(431, "The request's header fields are too large"))

    def _within_body(self, call: Call, size: int) -> None:
        """A read ended within a body: chunk extensions and trailers must not outgrow what they are for."""
        self._body_bytes += size
        if self._body_bytes > MAX_FRAMING_BYTES + MAX_FRAMING_RATIO * call.received:
            self._refuse(Misframed(400, "Bad request: chunk sizes, extensions and trailers outgrow the body"))
        elif size >= LARGE_READ_BYTES and not self._paused and self.transport is not None:
            rest(self.transport, lambda: not self._paused)

    def _after_preamble(self, data: bytes) -> bytes:
        """What follows the PROXY preamble; nothing while it is not complete."""
        assert self._preamble is not None
        self._preamble += data
        try:
            found = proxy_protocol.read(self._preamble)
        except ValueError as error:
            self._refuse(Misframed(400, f"Bad request: {error}"))
            return b""
        if found is None:
            return b""
        rest, self._preamble = self._preamble[found.size :], None
        self.proxied_ip = found.address
        return rest

    def eof_received(self) -> bool:
        # A client that has left and one that has only said its last look the same; the first is common, and its
        # model call costs money (docs/decisions/0068-half-closed-clients.md).
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        self._server.connections.discard(self)
        # The parser holds this connection, and what it has read of a message that never ended.
        self.transport = self._parser = self._reading = self._waiting = None
        calls = [c for c in (self.current, *self._queue) if c is not None]
        self._queue.clear()
        self.current = None
        for call in calls:
            self._server.serve.client_lost(call)
        if self._unsent:
            self._server.serve.answer_lost(self._unsent)
        self._server.lost()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._unsent = ""
        self._stuck = (0, 0.0)
        call = self.current
        if call is not None and call.arrival is not None:
            call.arrival.resume()

    # what calls do with it (call.Client)

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def writable(self) -> bool:
        return self._writable

    def pause_reading(self) -> None:
        if self.transport is not None and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.transport is not None and self._paused:
            self._paused = False
            self.transport.resume_reading()

    def hold(self, size: int) -> bool:
        call = self.current
        if call is None or not self._server.room.lend(size, call.lent):
            return False
        call.grown()
        return True

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def done(self, call: Call) -> None:
        if self.current is not call:
            return
        self.current = None
        if not self._writable and call.operation_runtime is not None:
            # Handed over, but more of it lies in our buffer than in the kernel's.
            self._unsent = call.call_id
        if not call.complete:
            # An answer before the end of the request: what follows cannot be told apart from a new request.
            self._linger()
            return
        linger_s = self._server.linger_s
        if not call.keep_alive or (self._server.draining and not linger_s):
            if self.transport is not None:
                self.transport.close()
            return
        self.deadline = time.monotonic() + (linger_s or IDLE_TIMEOUT_S)
        if self._queue:
            self.current = following = self._queue.popleft()
            if (
                following.complete
                or not 0 <= following.content_length <= WHOLE_BODY_BYTES
                or following.expects_continue
            ):
                # Not from here: an endless line of answers must not become an endless stack.
                asyncio.get_running_loop().call_soon(self._begin_following, following)
        if self._paused and not self._queue:
            if self._held:
                asyncio.get_running_loop().call_soon(self._feed_held)
            else:
                self.resume_reading()

    def _linger(self) -> None:
        """Say that nothing follows, and drop what the client still sends until it has seen that."""
        transport = self.transport
        if transport is None:
            return
        self._discarding = True
        self.deadline = time.monotonic() + LINGER_S
        if not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        self.resume_reading()

    def _begin_following(self, call: Call) -> None:
        if self.current is call and call.steps is None:
            self._server.serve.begin(call)

    def turn_away(self) -> None:
        """There is no room for this client."""
        self.write(Misframed(503, "Too many connections").answer())
        if self.transport is not None:
            self.transport.close()

    @property
    def arriving(self) -> Call | None:
        """The call whose body we wait for; none while it waits for us."""
        call = self.current
        return None if call is None or call.complete or self._paused else call

    def check_progress(self, now: float) -> None:
        """Cut a client that has taken nothing of its answer for too long."""
        transport = self.transport
        if self._writable or transport is None:
            return
        waiting = transport.get_write_buffer_size()
        if waiting != self._stuck[0]:
            self._stuck = (waiting, now + WRITE_TIMEOUT_S)
        elif self._stuck[1] < now:
            transport.abort()

    def _refuse(self, refusal: Misframed) -> None:
        transport = self.transport
        if transport is None:
            return
        call = self.current
        if call is not None and call is self._reading and call.relay is None and call.answer is None:
            # Its own body is what is wrong, and no byte of an answer has left: it ends here, and is told why.
            call.error = LastError(
                "client", "ClientConnectionFailure", refusal.message, http_status=refusal.status
            )
            self._server.serve.client_lost(call)
            self.current = self._reading = None
        if self.current is None:
            transport.write(refusal.answer())
            self._server.refused += 1
            self._linger()
        else:
            # An answer is under way; it must not be mixed with another.
            transport.abort()

    # httptools

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > MAX_TARGET_BYTES:
            raise Misframed(414, "The request's URL is too long")

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
        parser = self._parser
        version = parser.get_http_version()
        method = parser.get_method().decode()
        fields = self._fields or {}
        target = self._target
        if len(fields) + self._repeated > MAX_HEAD_FIELDS:
            raise Misframed(431, "The request has too many header fields")
        self._fields = None
        self._target = b""
        self._repeated = self._head_bytes = self._body_bytes = 0
        host = fields.get(b"host")
        stated = fields.get(b"content-length")
        if (
            host is not None
            and host == self._host
            and type(stated) is bytes
            and version == "1.1"
            and b"transfer-encoding" not in fields
        ):
            # Nearly every request: to the host that this connection has named before, with its length.
            length = int(stated)
        else:
            length = stated_length(fields, version)
            self._host = host
        if b"upgrade" in fields or method == "CONNECT":
            upgrade_refused(fields, length, upgrades=parser.should_upgrade())
        if target[:1] != b"/":
            target = origin_form(target, host)
        continues = b"expect" in fields and version == "1.1"
        call = self._reading = Call(
            self,
            method,
            target.decode("latin-1"),
            version,
            Headers(fields),
            length,
            parser.should_keep_alive() and not self._server.draining,
            continues,
        )
        if self.current is None:
            self.current = call
            if continues or length < 0 or length > WHOLE_BODY_BYTES:
                self._waiting = call
        else:
            self._queue.append(call)

    def on_body(self, body: bytes) -> None:
        call = self._reading
        if call is not None:
            call.receive(body)

    def on_message_complete(self) -> None:
        call = self._reading
        self._reading = None
        self._fields = {}
        self._completed = True
        if call is None:
            return
        call.complete = True
        if call.sink is not None or call.whole is not None:
            call.received_all()
        if call is self.current:
            if call.steps is None:
                self._waiting = call
        else:
            # The next request is here before this one is answered: it waits, and so does the socket.
            self.pause_reading()


class Server(Crowd["ServerConnection"]):
    """The listeners of one gateway process and their connections."""

    def __init__(self, serve: Serve) -> None:
        super().__init__()
        self.serve = serve
        self.draining = False
        self.linger_s = 0.0
        self.refused = 0
        self.listeners: list[asyncio.Server] = []
        self.empty = asyncio.Event()

    async def listen(self, sock: object, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        """Serve on a listening socket that somebody else opened."""
        listener: asyncio.Server = await asyncio.get_running_loop().create_server(  # type: ignore[call-overload]
            lambda: ServerConnection(self),
            sock=sock,
            ssl=tls,
            ssl_handshake_timeout=HEAD_TIMEOUT_S if tls else None,
            backlog=2048,
        )
        self.listeners.append(listener)
        return listener

    def replaced(self, listener: asyncio.Server) -> None:
        """Another listener has taken its place, with other CAs: what was let in by a certificate ends with its call."""
        self.listeners.remove(listener)
        listener.close()
        for connection in list(self.connections):
            if connection.certificate is not None and connection.transport is not None:
                if connection.current is None:
                    connection.transport.close()
                else:
                    connection.current.keep_alive = False

    def sweep(self) -> None:
        """Close connections that are too slow or idle; call it about once a second."""
        now = time.monotonic()
        self.cut_dripping()
        for connection in list(self.connections):
            if connection.deadline < now and connection.transport is not None:
                call = connection.current
                if call is None:
                    connection.transport.close()
                elif not call.complete and not connection._paused:
                    connection.transport.abort()
            connection.check_progress(now)

    def lost(self) -> None:
        if self.draining and not self.connections:
            self.empty.set()

    def dismiss(self, listener: asyncio.Server) -> None:
        """Accept nothing more by this listener; who has come stays."""
        self.listeners.remove(listener)
        listener.close()

    async def drain(self, timeout_s: float) -> int:
        """Stop accepting, let calls end, close what is idle; how many connections had to be cut (draining.py)."""
        draining.begin(self, 0.0)
        return await draining.end(self, timeout_s)
