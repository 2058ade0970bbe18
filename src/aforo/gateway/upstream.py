"""The backend's side of a call: which URL, which connection, what is sent, and the answer's arrival.

It knows connections (egress) and the exchange; what the client gets of the answer is streaming.py's.
"""

from __future__ import annotations

import time

from aforo.egress.pool import Pool
from aforo.errors import Refusal, Timeout, Unavailable
from aforo.errors import Upstream as UpstreamRefusal
from aforo.gateway import encoding
from aforo.gateway.arrival import Arrival
from aforo.gateway.backends import Backend, Backends
from aforo.gateway.call import Call, LiveExchange
from aforo.messages import HOP_BY_HOP, Headers, encode_query, is_token, wire_target
from aforo.policy.exchange import Body, LastError, PolicyFailure, ResponseState
from aforo.policy.services import ForwardOptions
from aforo.snapshot.snapshot import BackendEntry

# Ours to write, whatever the client wrote.
_NOT_FORWARDED = HOP_BY_HOP | {b"host", b"content-length", b"expect"}
_NOT_FORWARDED_METERED = _NOT_FORWARDED | {b"accept-encoding"}


class Upstream:
    """Sends exchanges to their backends."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.waiting: set[Arrival] = set()
        self._backends: Backends | None = None

    async def forward(self, exchange: LiveExchange, options: ForwardOptions) -> None:
        """See policy/services.py."""
        call = exchange.call
        if call.arrival is not None:
            # Another attempt: nobody wants the rest of the last answer.
            call.arrival.release()
            call.arrival = None
            exchange.response = None
        backend = self._backend(exchange)
        entry = backend.entry
        request = exchange.request
        headers = request.headers
        path, query, shown = _target(exchange, backend)
        if entry is not None:
            headers = await _with_credentials(exchange, headers, entry)
        body = request.body.data
        if body is None and call.sink is not None:
            raise _failure(
                "BackendConnectionFailure",
                "the request's body has been streamed to a backend already; buffer-request-body keeps it for another try",
            )
        if body is None and (options.buffer_request_body or call.complete):
            body = await request.body.read()
        data = _head(call, exchange, headers, path, query, backend, body)
        exchange.backend_request = (
            request.method,
            f"{backend.prefix}{path}{'?' if shown else ''}{shown}",
            headers,
            request.body,
        )
        exchange.backend_used = entry.id if entry is not None else ""
        exchange.attempts += 1
        started = time.perf_counter()
        arrival = await self._send(call, backend, data, body, options, silent=request.method == "HEAD")
        connection = arrival.connection
        exchange.backend_us += int((time.perf_counter() - started) * 1e6)
        call.arrival = arrival
        exchange.response = arrival.response = ResponseState(
            connection.status,
            connection.reason.decode("latin-1"),
            _for_policies(connection.headers),
            Body(None, lambda: _decoded(arrival)),
        )
        if options.fail_on_error_status_code and connection.status >= 400:
            error = LastError(
                "forward-request",
                "BackendErrorStatusCode",
                f"the backend answered {connection.status}",
                http_status=connection.status,
            )
            raise PolicyFailure(error, exchange.response)

    async def _send(
        self,
        call: Call,
        backend: Backend,
        data: bytes,
        body: bytes | None,
        options: ForwardOptions,
        *,
        silent: bool,
    ) -> Arrival:
        # A body that streams through cannot be sent twice: no connection that may be stale.
        connection = self.pool.take(backend.origin) if body is not None else None
        while True:
            if connection is None:
                try:
                    connection = await self.pool.connect(backend.origin)
                except Timeout as error:
                    raise _failure("Timeout", str(error)) from error
                except Refusal as error:
                    raise _failure("BackendConnectionFailure", str(error)) from error
            arrival = Arrival(connection, call.client, length_known=call.length_known)
            arrival.patience_s = options.timeout_s
            arrival.deadline = arrival.sent_at + options.timeout_s
            connection.send(arrival, data, silent=silent)
            call.arrival = arrival
            if body is None:
                arrival.upload = True
                _attach(call, arrival)
            self.waiting.add(arrival)
            try:
                await arrival
            finally:
                self.waiting.discard(arrival)
            failure = connection.failure
            if failure is None:
                return arrival
            call.arrival = None
            connection.close()
            # The other side closed an idle connection just as it was taken: nothing of the call was seen.
            if failure.reused and not failure.answered and body is not None:
                connection = None
                continue
            if isinstance(failure.__cause__, TimeoutError):
                raise _failure(
                    "Timeout", f"the backend did not answer within {options.timeout_s:g} s"
                ) from failure
            raise _failure("BackendConnectionFailure", str(failure)) from failure

    def sweep(self) -> None:
        """End the waits that have lasted too long; call it often enough for the shortest time-out."""
        now = time.perf_counter()
        for arrival in list(self.waiting):
            if arrival.deadline < now:
                arrival.expire()

    def _backend(self, exchange: LiveExchange) -> Backend:
        backends = self._backends
        if backends is None or backends.version != exchange.runtime.bundle.version:
            backends = self._backends = Backends(exchange.runtime.bundle, dict(exchange.runtime.backends))
        try:
            if exchange.backend_id is not None:
                return backends.of_id(exchange.backend_id)
            base_url = exchange.backend_base_url or exchange.api_runtime.entry.subject.service_url
            if not base_url:
                raise _failure(
                    "BackendConnectionFailure", "the API has no service URL and no policy set a backend"
                )
            return backends.of_url(base_url)
        except Unavailable as error:
            raise PolicyFailure(
                LastError("forward-request", error.code, error.message, http_status=503)
            ) from error
        except UpstreamRefusal as error:
            raise _failure("BackendConnectionFailure", error.message) from error


def _target(exchange: LiveExchange, backend: Backend) -> tuple[str, str, str]:
    """Path, query, and the query as it may be shown: without the backend's credentials."""
    request = exchange.request
    entry = backend.entry
    path = backend.base_path + request.path
    query = request.query
    if backend.query:
        query = f"{backend.query}&{query}" if query else backend.query
    shown = query
    if entry is not None and entry.query:
        own = encode_query((name, value) for name, values in entry.query for value in values)
        masked = "&".join(f"{name}=*****" for name, values in entry.query for _ in values)
        query = f"{query}&{own}" if query else own
        shown = f"{shown}&{masked}" if shown else masked
    return path or "/", query, shown


async def _with_credentials(exchange: LiveExchange, headers: Headers, entry: BackendEntry) -> Headers:
    if not (entry.headers or entry.authorization or entry.managed_identity):
        return headers
    headers = headers.copy()
    for name, values in entry.headers:
        headers.set(name.lower().encode(), *(v.encode() for v in values))
    if entry.authorization is not None:
        headers.set(b"authorization", " ".join(entry.authorization).encode())
    if entry.managed_identity is not None:
        resource, client_id = entry.managed_identity
        tokens = exchange.services.tokens
        token = tokens.cached(resource, client_id) or await tokens.fetch(resource, client_id)
        headers.set(b"authorization", b"Bearer " + token.encode())
    return headers


def _head(
    call: Call,
    exchange: LiveExchange,
    headers: Headers,
    path: str,
    query: str,
    backend: Backend,
    body: bytes | None,
) -> bytes:
    """The request as it goes out: head, and the body when it is at hand."""
    request = exchange.request
    # Policies put decoded text into paths and methods: it must not become another line of the request.
    target = wire_target(f"{path}?{query}" if query else path)
    if request.method != call.method and not is_token(request.method):
        raise _failure("BackendConnectionFailure", f"{request.method!r} is not a method")
    metered = exchange.operation_runtime.wire
    host = headers.get(b"host")
    client_host = call.headers.get(b"host")
    # A policy may have set a host of its own; the client's is not the backend's.
    authority = backend.authority if host is None or host == client_host else host
    lines = [f"{request.method} {target} HTTP/1.1\r\nhost: ".encode("latin-1") + authority]
    block = headers.block(_NOT_FORWARDED_METERED if metered else _NOT_FORWARDED)
    if block:
        lines.append(block)
    if metered:
        lines.append(b"accept-encoding: identity")
    if body is not None:
        if body or request.method in ("POST", "PUT", "PATCH"):
            lines.append(b"content-length: %d" % len(body))
    elif call.length_known:
        lines.append(b"content-length: %d" % call.content_length)
    else:
        lines.append(b"transfer-encoding: chunked")
    lines.append(b"")
    lines.append(body or b"")
    return b"\r\n".join(lines)


def _attach(call: Call, arrival: Arrival) -> None:
    """From here on the rest of the request body goes straight to the backend."""
    call.sink = arrival
    for chunk in call.chunks:
        arrival.push(chunk, last=False)
    if call.complete:
        arrival.push(b"", last=True)
    elif call.expects_continue:
        call.expects_continue = False
        call.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    call.client.resume_reading()


def _for_policies(headers: Headers) -> Headers:
    """The answer's headers for policies to change: framing, decoding and the record go by those that came."""
    headers = headers.copy()
    if b"connection" in headers.fields:
        headers.drop_nominated()
    return headers


async def _decoded(arrival: Arrival) -> bytes:
    """The answer's body for a policy: whole, and without its content coding."""
    coding = arrival.connection.headers.get(b"content-encoding")
    data = await arrival.collect()
    try:
        return encoding.decode(data, coding)
    except Refusal as error:
        raise _failure("BackendConnectionFailure", str(error)) from error


def _failure(reason: str, message: str) -> PolicyFailure:
    return PolicyFailure(LastError("forward-request", reason, message, section="backend"))
