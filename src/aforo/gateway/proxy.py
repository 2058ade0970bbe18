"""The way of a call: route, key, inbound, backend, outbound, answer, record. It knows no socket.

`_serve` reads as that sentence. It is a coroutine that is stepped by hand (signal.py): a call that waits for nothing
but its backend costs no task and no future.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aforo.errors import Denied, Invalid, Limited, NotFound, Refusal, Timeout, Unavailable, Upstream
from aforo.gateway import answers, keys
from aforo.gateway.call import Call, LiveExchange
from aforo.gateway.record import BODY_CAP, Recorder, body_limit, new_id
from aforo.gateway.services import GatewayServices
from aforo.gateway.signal import Steps
from aforo.gateway.streaming import Relay
from aforo.gateway.usage import splice_usage
from aforo.messages import Headers, Url, split_authority
from aforo.policy.exchange import Body, LastError, PolicyFailure, RequestState, ResponseState, Returned
from aforo.policy.pipeline import Pipeline
from aforo.snapshot.routes import Match
from aforo.snapshot.runtime import ApiRuntime, OperationRuntime, Runtime

log = logging.getLogger("aforo.gateway")

PROBE_PATH = "/status-0123456789abcdef"

_STATUS: tuple[tuple[type[Refusal], int], ...] = (
    (NotFound, 404),
    (Invalid, 400),
    (Denied, 403),
    (Limited, 429),
    (Unavailable, 503),
    (Upstream, 502),
    (Timeout, 504),
)


class Proxy:
    """Serves calls by the runtime in force. `swap` puts another one in force; calls under way keep theirs."""

    def __init__(
        self,
        runtime: Runtime,
        services: GatewayServices,
        recorder: Recorder,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self._services = services
        self._clock = answers.Clock()
        self._ready = ready
        self.calls = 0
        self.in_flight = 0
        self.swap(runtime, recorder)

    def swap(self, runtime: Runtime, recorder: Recorder) -> None:
        """Another configuration is in force from the next call on."""
        self.runtime = runtime
        self.recorder = recorder
        self._services.deployment = runtime.bundle.deployment

    # server.Serve

    def begin(self, call: Call) -> None:
        self.calls += 1
        self.in_flight += 1
        call.steps = Steps(self._serve(call), self._ended, call)
        call.steps.run()

    def answer_lost(self, call_id: str) -> None:
        self.recorder.amend(call_id, "client")

    def trusts(self, peer_ip: str) -> bool:
        return self.recorder.proxies.trusts(peer_ip)

    def client_lost(self, call: Call) -> None:
        call.aborted = call.aborted or "client"
        if call.relay is not None:
            call.relay.client_lost()
        elif call.steps is not None:
            call.steps.cancel()

    def _ended(self, call: Call, error: BaseException | None) -> None:
        self.in_flight -= 1
        exchange = call.exchange
        if exchange is not None:
            for give_back in exchange.lent:
                give_back()
            # What a call holds points back at it; untied, it is freed at once and the collector has no work.
            call.exchange = None
        call.steps = None
        call.relay = None
        if call.arrival is not None:
            if error is not None:
                call.arrival.connection.close()
            call.arrival.response = None
            call.arrival = None
        if error is not None and not isinstance(error, asyncio.CancelledError):
            log.error("bug: a call ended with an exception", exc_info=error)
            call.client.abort()

    # the sentence

    async def _serve(self, call: Call) -> None:
        path, _, query = call.target.partition("?")
        runtime = self.runtime
        match = runtime.router.match(call.method, path)
        if match is None:
            await self._without_operation(call, path)
            return
        api = call.api = match.api
        call.max_body_bytes = api.entry.max_body_bytes
        admitted = keys.admit(runtime, api, call.headers, query)
        if isinstance(admitted, keys.Refused):
            self._refuse_key(call, api, admitted)
            return
        if max(call.content_length, call.received) > call.max_body_bytes:
            error = LastError(
                "configuration",
                "RequestBodyTooLarge",
                f"the request's body is larger than {call.max_body_bytes} bytes",
                http_status=413,
            )
            self._answer(call, answers.answer(413, answers.TOO_LARGE), api, error)
            return
        if not self.recorder.spool.has_room() and api.entry.log.on_full == "refuse":
            message = "The log of this gateway is full; calls are refused until it has been stored"
            self._answer(call, answers.answer(503, message, headers=((b"retry-after", b"5"),)), api)
            return
        exchange = self._exchange(call, match, path, query)
        call.exchange = exchange
        pipeline = runtime.pipeline(api, match.operation, admitted.product_id)
        if admitted.product_id:
            exchange.product = runtime.products[admitted.product_id][0].subject
        if admitted.holder is not None:
            exchange.subscription = admitted.holder.entry.subject
            exchange.user = admitted.holder.user
        hide_usage = False
        try:
            if call.complete:
                exchange.request.body.data = call.body()
            else:
                await self._take_body(call, exchange, pipeline)
            if match.operation.wire:
                hide_usage = splice_usage(exchange.request.body, match.operation.wire, query)
            if pipeline.inbound is not None:
                await pipeline.inbound(exchange)
            exchange.section = "backend"
            if pipeline.plain_forward is not None:
                await self._services.forward(exchange, pipeline.plain_forward)
            elif pipeline.backend is not None:
                await pipeline.backend(exchange)
            exchange.section = "outbound"
            if pipeline.outbound is not None:
                await pipeline.outbound(exchange)
        except Returned:
            pass
        except asyncio.CancelledError:
            self._gave_up(call, exchange, api)
            raise
        except Exception as error:  # noqa: BLE001 - an expression can raise anything; the client gets an answer
            await self._on_error(call, exchange, pipeline, error)
        await self._send(call, exchange, api, hide_usage)

    def _exchange(
        self, call: Call, match: Match[ApiRuntime, OperationRuntime], path: str, query: str
    ) -> LiveExchange:
        headers = call.headers.copy()
        if b"connection" in headers.fields:
            headers.drop_nominated()
        request = RequestState(
            call.method,
            lambda: _url(call, path, query),
            headers,
            Body(None, call.collect),
            call.client.peer_ip,
            match.path,
            query,
        )
        request.matched = match.parameters
        exchange = LiveExchange(
            call, new_id(), request, self._services, self.runtime, match.api, match.operation
        )
        exchange.api = match.api.entry.subject
        exchange.operation = match.operation.entry.subject
        return exchange

    async def _take_body(self, call: Call, exchange: LiveExchange, pipeline: Pipeline) -> None:
        """Wait for a body that is still arriving where somebody must see all of it; let it stream otherwise."""
        wire = exchange.operation_runtime.wire
        if (
            pipeline.effects.reads_request_body
            or wire
            or (call.length_known and call.content_length <= BODY_CAP)
        ):
            if call.expects_continue:
                call.expects_continue = False
                call.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            exchange.request.body.data = await call.collect()
            return
        plan = exchange.api_runtime.entry.log
        content_type = call.headers.get(b"content-type")
        call.keep_bytes = body_limit(plan, plan.frontend_request, content_type, llm=False)

    async def _on_error(
        self, call: Call, exchange: LiveExchange, pipeline: Pipeline, error: Exception
    ) -> None:
        """Jump to on-error: the built-in answer first, which the section may change."""
        failure = self._failure(error, exchange)
        last = failure.error
        last.elapsed_us = exchange.elapsed_us
        last.section = last.section or exchange.section
        exchange.last_error = last
        exchange.errors.append(last)
        exchange.response = failure.response or _built_in(last, exchange.call_id)
        for name, value in failure.headers:
            exchange.response.headers.set(name, value)
        if pipeline.on_error is None:
            return
        exchange.section = "on-error"
        try:
            await pipeline.on_error(exchange)
        except Returned:
            pass
        except asyncio.CancelledError:
            self._gave_up(call, exchange, exchange.api_runtime)
            raise
        except Exception as second:  # noqa: BLE001 - as above; there is no on-error of on-error
            again = self._failure(second, exchange)
            again.error.section = "on-error"
            exchange.errors.append(again.error)
            exchange.response = _built_in(again.error, exchange.call_id)

    def _failure(self, error: Exception, exchange: LiveExchange) -> PolicyFailure:
        if isinstance(error, PolicyFailure):
            return error
        if isinstance(error, Refusal):
            status = next((s for kind, s in _STATUS if isinstance(error, kind)), 500)
            headers: tuple[tuple[bytes, bytes], ...] = ()
            if error.retry_after_s is not None:
                headers = ((b"retry-after", b"%d" % max(1, round(error.retry_after_s))),)
            failure = PolicyFailure(
                LastError("gateway", error.code, error.message, http_status=status), None, headers
            )
            failure.response = answers.answer(status, error.message)
            return failure
        log.error("bug %s: a section raised", exchange.call_id, exc_info=error)
        return PolicyFailure(LastError("gateway", "InternalError", "Internal server error"))

    async def _send(self, call: Call, exchange: LiveExchange, api: ApiRuntime, hide_usage: bool) -> None:
        response = exchange.response
        if response is None:
            # No forward-request anywhere: API Management answers 200 without a body.
            response = exchange.response = ResponseState(200, "OK", Headers(), Body(b""))
        elif not 200 <= response.status <= 999:
            # An interim status would make the client wait for another answer.
            error = LastError("gateway", "InternalError", f"{response.status} is not the status of an answer")
            exchange.errors.append(error)
            response = exchange.response = _built_in(error, exchange.call_id)
        arrival = call.arrival
        from_backend = arrival is not None and arrival.response is response and not response.body.changed
        if response.body.changed:
            response.headers.remove(b"content-encoding")
        if not from_backend and arrival is not None:
            arrival.release()
        plan = api.entry.log
        limit = body_limit(
            plan,
            plan.frontend_response,
            response.headers.get(b"content-type"),
            llm=bool(exchange.operation_runtime.wire),
        )
        relay = call.relay = Relay(
            call,
            response,
            arrival if from_backend else None,
            limit,
            self.recorder,
            plan,
            self._clock,
            hide_usage,
        )
        if not call.complete:
            call.keep_alive = False
        relay.start()
        if not relay.is_set:
            await relay

    def _gave_up(self, call: Call, exchange: LiveExchange, api: ApiRuntime) -> None:
        """The client left before an answer began."""
        last = LastError(
            "client", "ClientConnectionFailure", "the client closed the connection", section=exchange.section
        )
        last.elapsed_us = exchange.elapsed_us
        exchange.errors.append(last)
        self.recorder.record(call, api.entry.log, exchange, None, api)
        if call.arrival is not None:
            call.arrival.connection.close()

    # answers without a pipeline

    def _answer(
        self, call: Call, response: ResponseState, api: ApiRuntime | None, error: LastError | None = None
    ) -> None:
        call.error = error
        call.api = api
        if not call.complete:
            call.keep_alive = False
        plan = api.entry.log if api is not None else self.runtime.bundle.log
        relay = call.relay = Relay(call, response, None, BODY_CAP, self.recorder, plan, self._clock)
        relay.start()

    def _refuse_key(self, call: Call, api: ApiRuntime, refused: keys.Refused) -> None:
        authority = (call.headers.get(b"host") or b"").decode("latin-1")
        subject = api.entry.subject
        header = answers.challenge(authority, subject.path, subject.key_header, scheme=call.client.scheme)
        error = LastError("authorization", refused.reason, refused.message, http_status=401)
        self._answer(call, answers.answer(401, refused.message, headers=(header,)), api, error)

    async def _without_operation(self, call: Call, path: str) -> None:
        """Health, preflight, or nothing that we know."""
        if path in ("/livez", "/readyz", PROBE_PATH):
            self._health(call, path)
            return
        if call.method == "OPTIONS":
            response = self._preflight(call, path)
            if response is not None:
                self._answer(call, response, self.runtime.router.api_of(path))
                return
        error = LastError(
            "configuration",
            "OperationNotFound",
            "Unable to match incoming request to an operation.",
            http_status=404,
        )
        self._answer(call, answers.answer(404, answers.NOT_FOUND), self.runtime.router.api_of(path), error)

    def _health(self, call: Call, path: str) -> None:
        good = path != "/readyz" or self._ready()
        body = Body(b"ok" if good else b"not ready")
        headers = Headers(((b"content-type", b"text/plain"),))
        status = 200 if good else 503
        response = ResponseState(status, answers.reason_of(status), headers, body)
        relay = call.relay = Relay(call, response, None, 0, None, self.runtime.bundle.log, self._clock)
        relay.start()

    def _preflight(self, call: Call, path: str) -> ResponseState | None:
        origin = call.headers.get(b"origin")
        method = call.headers.get(b"access-control-request-method")
        if origin is None or method is None:
            return None
        match = self.runtime.router.match(method.decode("latin-1"), path)
        if match is None:
            return None
        pipeline = self.runtime.pipeline(match.api, match.operation, match.api.open_product or "")
        for policy in pipeline.cors:
            headers = policy.preflight(origin, method, call.headers.joined(b"access-control-request-headers"))
            if headers is not None:
                return ResponseState(200, "OK", headers, Body(b""))
        return ResponseState(200, "OK", Headers(), Body(b"")) if pipeline.cors else None


def _url(call: Call, path: str, query: str) -> Url:
    """What the client asked for, as an absolute URL."""
    scheme = call.client.scheme
    default_port = 443 if scheme == "https" else 80
    authority = (call.headers.get(b"host") or b"").decode("latin-1")
    try:
        host, port = split_authority(authority, default_port)
    except ValueError:
        host, port = authority, default_port
    return Url(scheme, host, port, path, query)


def _built_in(error: LastError, call_id: str) -> ResponseState:
    """What a client gets when no policy says otherwise (facts 2.2)."""
    if error.http_status == 503:
        return answers.answer(503, answers.UNAVAILABLE)
    if error.http_status >= 500:
        return answers.answer(500, answers.INTERNAL, activity_id=answers.guid(call_id))
    return answers.answer(error.http_status, error.message)
