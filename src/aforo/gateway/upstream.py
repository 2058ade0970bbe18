"""The backend's side of a call: which URL, which connection, what is sent, and the answer's arrival.

It knows connections (egress) and the exchange; what the client gets of the answer is streaming.py's.
"""

from __future__ import annotations

import time

from aforo.egress.http1 import ClientConnection
from aforo.egress.pool import Pool, Way
from aforo.errors import Refusal, Timeout
from aforo.errors import Upstream as UpstreamRefusal
from aforo.gateway import redirects, route
from aforo.gateway.arrival import Arrival, broken
from aforo.gateway.backends import Backend, Backends
from aforo.gateway.breakers import Guards
from aforo.gateway.call import Call
from aforo.gateway.certificates import HeldCertificates
from aforo.gateway.credentials import add_headers, add_query, way_of
from aforo.gateway.first_byte import begun
from aforo.gateway.known import MAX_REMEMBERED, MAX_REMEMBERED_LENGTH
from aforo.gateway.record import not_begun
from aforo.messages import HOP_BY_HOP, Headers, is_token
from aforo.policy.exchange import Body, LastError, PolicyFailure, ResponseState
from aforo.policy.services import ForwardOptions
from aforo.snapshot.runtime import Runtime

# Ours to write, whatever the client wrote.
_NOT_FORWARDED = HOP_BY_HOP | {b"host", b"content-length", b"expect"}
_NOT_FORWARDED_METERED = _NOT_FORWARDED | {b"accept-encoding"}


# Expressions can make any number of certificates and proxies.
_MOST_WAYS = 256


class Upstream:
    """Sends exchanges to their backends."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.waiting: set[Arrival] = set()  # for a head
        self.arriving: set[Arrival] = set()  # whose head is here, and not yet all of the body
        self.guards = Guards()  # of this process: they outlive configurations
        self.affinity_key = (
            b""  # that all gateways of a system share; without, sessions end with the configuration
        )
        self._backends: Backends | None = None
        # Backends that calls reach with a client certificate of their own, or over a proxy.
        self._ways: dict[tuple[Backend, Way], Backend] = {}
        # What goes into a request line, and the URL for the record, by where a request goes.
        self._lines: dict[tuple[Backend, str, str], tuple[bytes, str]] = {}

    async def forward(self, call: Call, options: ForwardOptions) -> None:
        """See policy/services.py."""
        if call.attempts:
            route.again(call)
        backends = self._backends
        if backends is None or backends.version != call.runtime.bundle.version:
            backends = self.backends(call.runtime)
        base_url = call.backend_base_url if call.backend_id is None else None
        # Nearly always a policy has named a URL that was named before.
        backend = backends.by_url.get(base_url) if base_url else None
        if backend is None:
            backend = self._backend(call, backends)
        if call.certificate is not None or call.proxy is not None:
            backend = self._over(call, backend)
        entry = backend.entry
        guard = backend.guard
        request = call.request
        path, query, content = request.path, request.query, request.body
        if backend.models is not None:
            asked = await backend.models.asked(call)
            if isinstance(asked, ResponseState):
                call.backend_used = backend.entry.id if backend.entry is not None else ""
                call.response = asked
                _judge(asked, options)
                return
            path, query, content = asked
        body = content.data
        if body is None:
            body = await _at_hand(call, options)
        headers = request.headers
        if b"content-encoding" in call.headers.fields and body is not None:
            body, headers = _as_it_came(call, headers, body, changed=content.changed)
        if entry is not None:
            headers = await add_headers(headers, entry, call.services.tokens)
            call.backend_used = entry.id
        else:
            call.backend_used = ""
        method = request.method
        line, url = self._lines.get((backend, path, query)) or self._line(backend, path, query)
        data = _head(call, method, line, headers, backend, body)
        call.backend_request = (method, url, headers, content)
        if call.log.audit and not call.attempts:
            beginning = call.recorder.begin(call)
            if beginning is not None:
                await beginning
                if not beginning.taken:
                    raise not_begun()
        call.attempts += 1
        # A body that streams through cannot be sent twice: no connection that may be stale.
        connection = self.pool.take(backend.origin) if body is not None else None
        patience_s, hops, began = options.timeout_s, 0, 0.0
        try:
            while True:
                if connection is None:
                    began = began or time.perf_counter()
                    connection = await self._connect(backend)
                arrival = call.arrival = Arrival(
                    connection,
                    call.client,
                    call.content_length >= 0,
                    patience_s,
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
                if failure is None and options.retried and body is not None:
                    failure = await begun(arrival, self.arriving, options.idle_s)
                if failure is None:
                    if not options.follow_redirects or hops == redirects.MOST or body is None:
                        break
                    if connection.status not in redirects.STATUSES:
                        break
                    location = connection.headers.get(b"location")
                    step = redirects.following(
                        connection.status, location, url, backend, method, headers, body
                    )
                    if step is None:
                        break
                    arrival.release()
                    call.arrival = None
                    hops += 1
                    patience_s -= time.perf_counter() - arrival.sent_at
                    if step.backend.entry is None:
                        call.backend_used = ""
                    backend, method, headers, body, target, url = step
                    data = _head(call, method, backend.line(target), headers, backend, body)
                    call.backend_request = (method, url, headers, Body(body))
                    connection = self.pool.take(backend.origin)
                    continue
                call.arrival = None
                connection.close()
                began = began or arrival.sent_at
                # The other side closed an idle connection just as it was taken: nothing of the call was seen.
                if failure.reused and not failure.answered and body is not None:
                    connection = None
                    continue
                error = broken(failure)
                if error.reason == "Timeout" and not connection.status:
                    error.message = f"the backend did not answer within {options.timeout_s:g} s"
                raise PolicyFailure(error) from failure
        except PolicyFailure as missed:
            route.missed(call, guard, missed.error, began or time.perf_counter())
            raise
        if not connection.ended:
            arrival.watch(self.arriving, options.idle_s)
        status = connection.status
        call.response = arrival.response = ResponseState(
            status,
            connection.reason.decode("latin-1"),
            # Policies change a copy: framing, decoding and the record go by the headers that came.
            connection.headers.passed_on(),
            Body(None, arrival.decoded),
        )
        if status >= 400 or guard is not None or call.route is not None:
            route.answered(call, guard, call.response, arrival)
        if status >= 400:
            _judge(call.response, options)

    def _over(self, call: Call, backend: Backend) -> Backend:
        try:
            way = way_of(call.certificate, call.proxy)
        except Refusal as error:
            raise _failure("BackendConnectionFailure", error.message) from error
        if way is None:
            return backend
        known = self._ways.get((backend, way))
        if known is None:
            if len(self._ways) >= _MOST_WAYS:
                self._ways.clear()
            known = self._ways[backend, way] = backend.over(way)
        return known

    def _line(self, backend: Backend, path: str, query: str) -> tuple[bytes, str]:
        """What stands between method and host in a request, and the URL as the record shows it."""
        size = len(path) + len(query)
        key = backend, path, query
        path = backend.base_path + path or "/"
        if backend.query:
            query = f"{backend.query}&{query}" if query else backend.query
        shown = query
        if backend.entry is not None and backend.entry.query:
            query, shown = add_query(query, backend.entry)
        line = backend.line(f"{path}?{query}" if query else path)
        made = line, f"{backend.prefix}{path}?{shown}" if shown else backend.prefix + path
        if size <= MAX_REMEMBERED_LENGTH:
            if len(self._lines) >= MAX_REMEMBERED:
                self._lines.clear()
            self._lines[key] = made
        return made

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

    def sweep_arriving(self) -> None:
        """Give up the answers of which nothing more comes; once a second is enough, and there may be thousands."""
        now = time.perf_counter()
        for arrival in list(self.arriving):
            if arrival.is_over(now):
                self.arriving.discard(arrival)

    def backends(self, runtime: Runtime) -> Backends:
        """The backends of a configuration, made when they are first asked for."""
        backends = self._backends
        if backends is None or backends.version != runtime.bundle.version:
            backends = self._backends = Backends(
                runtime.bundle,
                dict(runtime.backends),
                self.guards,
                HeldCertificates(runtime.certificates),
                self.affinity_key,
            )
            self._lines.clear()
            self._ways.clear()
        return backends

    def _backend(self, call: Call, backends: Backends) -> Backend:
        try:
            if call.backend_id is not None:
                plain = backends.plain.get(call.backend_id)
                return plain if plain is not None else route.choose(call, backends, call.backend_id)
            base_url = call.backend_base_url or (call.api.service_url if call.api is not None else "")
            if not base_url:
                raise _failure(
                    "BackendConnectionFailure", "the API has no service URL and no policy set a backend"
                )
            return backends.of_url(base_url)
        except UpstreamRefusal as error:
            raise _failure("BackendConnectionFailure", error.message) from error


def _judge(response: ResponseState, options: ForwardOptions) -> None:
    """PolicyFailure where an answer that tells of an error is to count as one."""
    status = response.status
    if status >= 400 and options.fail_on_error_status_code:
        error = LastError(
            "forward-request",
            "BackendErrorStatusCode",
            f"the backend answered {status}",
            http_status=status,
        )
        raise PolicyFailure(error, response)


async def _at_hand(call: Call, options: ForwardOptions) -> bytes | None:
    """The body of a request that is still arriving where it must be sent whole; None when it may stream through."""
    if call.sink is not None:
        raise _failure(
            "BackendConnectionFailure",
            "the request's body has been streamed to a backend already; buffer-request-body keeps it for another try",
        )
    if options.buffer_request_body or options.follow_redirects or call.complete:
        # What is too large to be kept is sent once, as it comes, rather than not at all.
        return call.body() if await call.keep() else None
    return None


def _as_it_came(call: Call, headers: Headers, body: bytes, *, changed: bool) -> tuple[bytes, Headers]:
    """What is sent of a request whose body came with a content coding: its own bytes, or plain ones in their place."""
    if not changed:
        return call.body(), headers
    headers = headers.copy()
    headers.remove(b"content-encoding")
    return body, headers


def _head(
    call: Call, method: str, line: bytes, headers: Headers, backend: Backend, body: bytes | None
) -> bytes:
    """The request as it goes out: head, and the body when it is at hand."""
    if method != call.method and not is_token(method):
        # Policies put decoded text into methods: it must not become another line of the request.
        raise _failure("BackendConnectionFailure", f"{method!r} is not a method")
    authority = backend.authority
    host = headers.fields.get(b"host")
    if host != call.headers.fields.get(b"host"):
        # A policy has set a host of its own; the client's is not the backend's.
        authority = headers.get(b"host") or authority
    start = method.encode() + line + authority
    if call.operation_runtime is not None and call.operation_runtime.wire:
        lines = [start, headers.block(_NOT_FORWARDED_METERED), b"accept-encoding: identity"]
    else:
        lines = [start, headers.block(_NOT_FORWARDED)]
    if not lines[1]:
        del lines[1]
    if body is not None:
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(b"content-length: %d" % len(body))
    elif call.content_length >= 0:
        lines.append(b"content-length: %d" % call.content_length)
    else:
        lines.append(b"transfer-encoding: chunked")
    lines += (b"", body or b"")
    return b"\r\n".join(lines)


def _attach(call: Call, arrival: Arrival) -> None:
    """From here on the rest of the request body goes straight to the backend, and nobody can have it again."""
    call.sink = arrival
    call.request.body.load = None
    arrival.upload = True
    for chunk in call.chunks:
        arrival.push(chunk, last=False)
    call.trim()
    if call.complete:
        arrival.push(b"", last=True)
    elif call.expects_continue:
        call.expects_continue = False
        call.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    call.client.resume_reading()


def _failure(reason: str, message: str) -> PolicyFailure:
    return PolicyFailure(LastError("forward-request", reason, message, section="backend"))
