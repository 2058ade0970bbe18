"""The backend's side of a call: which URL, which connection, what is sent, and the answer's arrival.

It knows connections (egress) and the exchange; what the client gets of the answer is streaming.py's.
"""

from __future__ import annotations

import time

from aforo.egress.http1 import ClientConnection
from aforo.egress.pool import Pool
from aforo.errors import Refusal, Timeout, Unavailable
from aforo.errors import Upstream as UpstreamRefusal
from aforo.gateway.arrival import Arrival
from aforo.gateway.backends import Backend, Backends
from aforo.gateway.call import Call
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

    async def forward(self, call: Call, options: ForwardOptions) -> None:
        """See policy/services.py."""
        if call.arrival is not None:
            # Another attempt: nobody wants the rest of the last answer.
            call.arrival.release()
            call.arrival = None
            call.response = None
        backend = self._backend(call)
        entry = backend.entry
        request = call.request
        body = request.body.data
        if body is None:
            body = await _at_hand(call, options)
        headers = request.headers
        if b"content-encoding" in call.headers.fields and body is not None:
            body, headers = _as_it_came(call, headers, body)
        path = backend.base_path + request.path or "/"
        query = shown = request.query
        if backend.query:
            query = shown = f"{backend.query}&{query}" if query else backend.query
        if entry is not None:
            headers = await _with_credentials(call, headers, entry)
            if entry.query:
                query, shown = _query_with_credentials(query, entry)
            call.backend_used = entry.id
        else:
            call.backend_used = ""
        method = request.method
        data = _head(call, f"{path}?{query}" if query else path, headers, backend, body)
        url = f"{backend.prefix}{path}?{shown}" if shown else backend.prefix + path
        call.backend_request = (method, url, headers, request.body)
        call.attempts += 1
        # A body that streams through cannot be sent twice: no connection that may be stale.
        connection = self.pool.take(backend.origin) if body is not None else None
        while True:
            if connection is None:
                connection = await self._connect(backend)
            arrival = call.arrival = Arrival(
                connection,
                call.client,
                call.content_length >= 0,
                options.timeout_s,
            )
            connection.send(arrival, data, method == "HEAD")
            if body is None:
                _attach(call, arrival)
            self.waiting.add(arrival)
            try:
                await arrival
            finally:
                self.waiting.discard(arrival)
            failure = connection.failure
            if failure is None:
                break
            call.arrival = None
            connection.close()
            # The other side closed an idle connection just as it was taken: nothing of the call was seen.
            if failure.reused and not failure.answered and body is not None:
                connection = None
                continue
            if isinstance(failure.__cause__, TimeoutError):
                message = f"the backend did not answer within {options.timeout_s:g} s"
                raise _failure("Timeout", message) from failure
            raise _failure("BackendConnectionFailure", str(failure)) from failure
        status = connection.status
        call.response = arrival.response = ResponseState(
            status,
            connection.reason.decode("latin-1"),
            # Policies change a copy: framing, decoding and the record go by the headers that came.
            connection.headers.passed_on(),
            Body(None, arrival.decoded),
        )
        if status >= 400 and options.fail_on_error_status_code:
            error = LastError(
                "forward-request",
                "BackendErrorStatusCode",
                f"the backend answered {status}",
                http_status=status,
            )
            raise PolicyFailure(error, call.response)

    async def _connect(self, backend: Backend) -> ClientConnection:
        try:
            return await self.pool.connect(backend.origin)
        except Timeout as error:
            raise _failure("Timeout", str(error)) from error
        except Refusal as error:
            raise _failure("BackendConnectionFailure", str(error)) from error

    def sweep(self) -> None:
        """End the waits that have lasted too long; call it often enough for the shortest time-out."""
        now = time.perf_counter()
        for arrival in list(self.waiting):
            if arrival.deadline < now:
                arrival.expire()

    def _backend(self, call: Call) -> Backend:
        backends = self._backends
        runtime = call.runtime
        if backends is None or backends.version != runtime.bundle.version:
            backends = self._backends = Backends(runtime.bundle, dict(runtime.backends))
        try:
            if call.backend_id is not None:
                return backends.of_id(call.backend_id)
            base_url = call.backend_base_url or (call.api.service_url if call.api is not None else "")
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


async def _at_hand(call: Call, options: ForwardOptions) -> bytes | None:
    """The body of a request that is still arriving where it must be sent whole; None when it may stream through."""
    if call.sink is not None:
        raise _failure(
            "BackendConnectionFailure",
            "the request's body has been streamed to a backend already; buffer-request-body keeps it for another try",
        )
    if options.buffer_request_body or call.complete:
        return await call.collect()
    return None


def _as_it_came(call: Call, headers: Headers, body: bytes) -> tuple[bytes, Headers]:
    """What is sent of a request whose body came with a content coding: its own bytes, or a policy's plain ones."""
    if not call.request.body.changed:
        return call.body(), headers
    headers = headers.copy()
    headers.remove(b"content-encoding")
    return body, headers


def _query_with_credentials(query: str, entry: BackendEntry) -> tuple[str, str]:
    """The query with the backend's own parameters, as it is sent and as it may be shown."""
    own = encode_query((name, value) for name, values in entry.query for value in values)
    masked = "&".join(f"{name}=*****" for name, values in entry.query for _ in values)
    return (f"{query}&{own}", f"{query}&{masked}") if query else (own, masked)


async def _with_credentials(call: Call, headers: Headers, entry: BackendEntry) -> Headers:
    if not (entry.headers or entry.authorization or entry.managed_identity):
        return headers
    headers = headers.copy()
    for name, values in entry.headers:
        headers.set(name.lower().encode(), *(v.encode() for v in values))
    if entry.authorization is not None:
        headers.set(b"authorization", " ".join(entry.authorization).encode())
    if entry.managed_identity is not None:
        resource, client_id = entry.managed_identity
        tokens = call.services.tokens
        token = tokens.cached(resource, client_id) or await tokens.fetch(resource, client_id)
        headers.set(b"authorization", b"Bearer " + token.encode())
    return headers


def _head(call: Call, target: str, headers: Headers, backend: Backend, body: bytes | None) -> bytes:
    """The request as it goes out: head, and the body when it is at hand."""
    method = call.request.method
    if method != call.method and not is_token(method):
        raise _failure("BackendConnectionFailure", f"{method!r} is not a method")
    metered = call.operation_runtime is not None and call.operation_runtime.wire
    host = headers.fields.get(b"host")
    authority = backend.authority
    if host != call.headers.fields.get(b"host"):
        # A policy has set a host of its own; the client's is not the backend's.
        authority = headers.get(b"host") or authority
    # Policies put decoded text into paths and methods: it must not become another line of the request.
    lines = [f"{method} {wire_target(target)} HTTP/1.1\r\nhost: ".encode() + authority]
    block = headers.block(_NOT_FORWARDED_METERED if metered else _NOT_FORWARDED)
    if block:
        lines.append(block)
    if metered:
        lines.append(b"accept-encoding: identity")
    if body is not None:
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(b"content-length: %d" % len(body))
    elif call.content_length >= 0:
        lines.append(b"content-length: %d" % call.content_length)
    else:
        lines.append(b"transfer-encoding: chunked")
    lines.append(b"")
    lines.append(body or b"")
    return b"\r\n".join(lines)


def _attach(call: Call, arrival: Arrival) -> None:
    """From here on the rest of the request body goes straight to the backend."""
    call.sink = arrival
    arrival.upload = True
    for chunk in call.chunks:
        arrival.push(chunk, last=False)
    if call.complete:
        arrival.push(b"", last=True)
    elif call.expects_continue:
        call.expects_continue = False
        call.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    call.client.resume_reading()


def _failure(reason: str, message: str) -> PolicyFailure:
    return PolicyFailure(LastError("forward-request", reason, message, section="backend"))
