"""The way of a call: route, key, inbound, backend, outbound, answer, record. It knows no socket.

`_serve` reads as that sentence. It is a coroutine that is stepped by hand (signal.py): a call that waits for nothing
but its backend costs no task and no future.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aforo.gateway import keys, metering
from aforo.gateway.addresses import is_loopback
from aforo.gateway.beforehand import prepared
from aforo.gateway.call import WHOLE_BODY_BYTES, Call
from aforo.gateway.keeping import hand_over_kept
from aforo.gateway.known import OWN_PATHS, Admission, Known, Target
from aforo.gateway.large_records import LargeRecorder
from aforo.gateway.logged_messages import BODY_CAP, body_limit
from aforo.gateway.record import Recorder
from aforo.gateway.released import Release, prepare
from aforo.gateway.services import GatewayServices
from aforo.gateway.signal import Signal, Steps
from aforo.gateway.streaming import UsageFilter, hand_over, hides_usage
from aforo.gateway.traces import DEBUG_HEADER, Traces, tell
from aforo.gateway.turns import next_turn
from aforo.gateway.usage import splice_usage
from aforo.llm.catalog import TEXTS, UPLOADS, wire_of
from aforo.messages import Headers
from aforo.policy import answers, owing, sections
from aforo.policy.exchange import Body, LastError, PolicyFailure, ResponseState
from aforo.policy.pipeline import Pipeline
from aforo.policy.subject import Operation
from aforo.policy.tracing import trace
from aforo.snapshot.routes import Match
from aforo.snapshot.runtime import ApiRuntime, OperationRuntime, Runtime
from aforo.snapshot.snapshot import OperationEntry

log = logging.getLogger("aforo.gateway")

# What a call to an API leads to whose path none of its operations takes: `on-error` of the API may answer it.
_NO_OPERATION = OperationRuntime(OperationEntry(Operation("", "", "", "")), None, "")


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
        self._ready = ready
        self.calls = 0
        self.in_flight = 0
        self.traces: Traces | None = None  # set by who composes the process: without it no call is traced
        self._on_end = self._ended  # one bound method for all calls
        self.swap(runtime, recorder)

    def swap(self, runtime: Runtime, recorder: Recorder) -> None:
        """Another configuration is in force from the next call on."""
        self.runtime = runtime
        self.recorder = recorder
        recorder.large = LargeRecorder(recorder)
        self._known = Known(runtime, recorder, prepared)
        self._services.use(runtime)

    # server.Serve

    def begin(self, call: Call) -> None:
        self.calls += 1
        self.in_flight += 1
        steps = call.steps = Steps(self._serve(call), self._on_end, call)
        steps.run()

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
        if call.operation_runtime is not None:
            if call.trace is not None and self.traces is not None:
                self.traces.keep(call)
            if call.lent:
                for give_back in call.lent:
                    give_back()
            # What a call holds points back at it; untied, it is freed at once and the collector has no work.
            del call.request
            call.response = call.answer = call.backend_request = call.owed = call.meters = None
        call.steps = None
        call.relay = None
        arrival = call.arrival
        if arrival is not None:
            if error is not None:
                arrival.connection.close()
            arrival.response = None
            call.arrival = None
        if error is not None and not isinstance(error, asyncio.CancelledError):
            log.error("bug: a call ended with an exception", exc_info=error)
            if call.operation_runtime is not None:
                call.recorder.unfinished(call)
            call.client.abort()

    # the sentence

    async def _serve(self, call: Call) -> None:
        known = self._known
        target = known.targets.get((call.method, call.target)) or known.target(call.method, call.target)
        if target is None:
            await self._without_operation(call, call.target.partition("?")[0])
            return
        api = call.api_runtime = target.api
        operation = target.operation
        entry = api.entry
        log_plan = call.log = entry.log
        if api.refused_scheme and api.refused_scheme == self._scheme(call):
            message = f"This API is not served over {api.refused_scheme}: its protocols leave it out."
            self._not_found(call, message)
            return
        limit = call.max_body_bytes = entry.max_body_bytes
        key = call.headers.fields.get(api.key_header)
        admission = known.admissions.get((operation, key)) if type(key) is bytes else None
        if admission is None:
            judged = known.admit(target, call.headers)
            if isinstance(judged, keys.Refused):
                await self._refuse_key(call, target, judged)
                return
            admission = judged
        if limit and (call.content_length > limit or call.received > limit):
            error = LastError(
                "configuration",
                "RequestBodyTooLarge",
                f"the request's body is larger than {call.max_body_bytes} bytes",
                http_status=413,
            )
            self._answer(call, answers.answer(413, answers.TOO_LARGE), error)
            return
        if not self.recorder.spool.has_room() and log_plan.on_full == "refuse":
            message = "The log of this gateway is full; calls are refused until it has been stored"
            self._answer(call, answers.answer(503, message, headers=((b"retry-after", b"5"),)))
            return
        pipeline = admission.pipeline
        release: Release | None = None
        call.open(self._services, self.runtime, self.recorder, target, admission)
        try:
            try:
                if DEBUG_HEADER in call.headers.fields:
                    pipeline = await self._traced(call, api, operation, admission) or pipeline
                if not call.complete:
                    await self._take_body(call, operation, pipeline)
                wire = operation.wire
                if not wire and pipeline.effects.meters:
                    wire = wire_of(call.method, target.match.path)
                if wire:
                    if call.request.body.data is None and wire not in UPLOADS:
                        await _read_if_possible(call.request.body)
                    call.hide_usage = splice_usage(call.request.body, wire, target.query)
            except Exception as error:  # noqa: BLE001 - the client gets an answer
                await sections.failed(call, pipeline, self, error)
            else:
                release = await sections.run(call, pipeline, self)
        except asyncio.CancelledError:
            self._gave_up(call)
            raise
        if call.owed is not None or call.meters is not None:
            await metering.close(call, operation.wire, self._gave_up)
        relay: Signal | None = release.end() if release is not None else None
        if relay is None:
            relay = self._send(call, operation)
        if relay is not None and not relay.is_set:
            await relay

    async def _traced(
        self, call: Call, api: ApiRuntime, operation: OperationRuntime, admission: Admission
    ) -> Pipeline | None:
        """The sections that trace, where the call's token allows it; compiled when they are first wanted."""
        if self.traces is None or not self.traces.allow(call, api):
            return None
        runtime = call.runtime
        wanted = (api, operation, admission.product_id)
        try:
            if not runtime.has_traced(*wanted):
                # A large document takes a while: other calls go on meanwhile.
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, runtime.traced_pipeline, *wanted)
            pipeline, secrets = runtime.traced_pipeline(*wanted)
        except Exception:
            log.exception("bug: the policies of %s do not compile with tracing", api.entry.subject.id)
            return None
        trace.start(call, secrets)
        return prepared(pipeline, runtime, *admission.whose)

    async def _take_body(self, call: Call, operation: OperationRuntime, pipeline: Pipeline) -> None:
        """Wait for a body that is still arriving where somebody must see all of it; let it stream otherwise."""
        # What is small is here as soon as the client is told to go on.
        small = 0 <= call.content_length <= WHOLE_BODY_BYTES
        wire = operation.wire
        if pipeline.effects.reads_request_body or (wire and wire not in UPLOADS) or small:
            if call.expects_continue:
                call.expects_continue = False
                call.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            data = await call.collect()
            if not small:
                # To put it together took a while, and so does what follows.
                await next_turn()
            if b"content-encoding" not in call.headers.fields:
                call.request.body.data = data
            return
        content_type = call.headers.get(b"content-type")
        call.keep_bytes = body_limit(call.log, call.log.frontend_request, content_type, "")
        call.grown()

    # sections.Stage

    def prepare(self, call: Call, pipeline: Pipeline) -> Release | None:
        return prepare(call, pipeline, call.recorder)

    async def answered(self, call: Call) -> None:
        operation = call.operation_runtime
        await owing.answered(call, operation.wire if operation is not None else "")

    async def cached(self, call: Call) -> None:
        response = call.response
        if response is not None and call.hide_usage and hides_usage(response):
            seen = UsageFilter()
            response.body.data = seen.feed(response.body.data or b"") + seen.rest()

    def bug(self, call: Call, error: Exception) -> None:
        log.error("bug %s: a section raised", call.call_id, exc_info=error)

    def _send(self, call: Call, operation: OperationRuntime) -> Signal | None:
        response = call.response
        if response is None:
            response = call.response = ResponseState.empty()
        elif response.status not in answers.FINAL:
            error = answers.no_answer(response.status)
            call.errors.append(error)
            response = call.response = answers.built_in(error, call.call_id)
        if call.trace_flags:
            tell(call, response)
        changed = response.body.changed
        if changed:
            response.headers.remove(b"content-encoding")
        arrival = call.arrival
        if arrival is not None and (changed or arrival.response is not response):
            arrival.release()
            arrival = None
        wire = operation.wire
        if wire in TEXTS:
            call.kept_limit = BODY_CAP
        else:
            content_type = response.headers.fields.get(b"content-type")
            call.kept_limit = body_limit(call.log, call.log.frontend_response, content_type, wire)
        if not call.complete:
            call.keep_alive = False
        if call.caching is not None and call.caching.keepers:
            return hand_over_kept(call, response, arrival, call.recorder, call.caching.keepers)
        return hand_over(call, response, arrival, call.recorder)

    def _gave_up(self, call: Call) -> None:
        """The client left before an answer began, or while outbound was waiting for the end of a stream."""
        if call.relay is not None:
            call.relay.given_up()
            return
        last = call.error or LastError(
            "client", "ClientConnectionFailure", "the client closed the connection", section=call.section
        )
        last.elapsed_us = call.elapsed_us
        call.errors.append(last)
        call.recorder.record(call)
        metering.left(call)
        if call.arrival is not None:
            call.arrival.connection.close()

    # answers without a pipeline

    def _answer(self, call: Call, response: ResponseState, error: LastError | None = None) -> None:
        call.error = error
        if not call.complete:
            call.keep_alive = False
        hand_over(call, response, None, self.recorder)

    async def _refuse_key(self, call: Call, target: Target, refused: keys.Refused) -> None:
        """401; what `on-error` makes of it where there is one: no product's, for nobody has been let in."""
        authority = (call.headers.get(b"host") or b"").decode("latin-1")
        subject = target.api.entry.subject
        header = answers.challenge(authority, subject.path, subject.key_header, scheme=call.client.scheme)
        error = LastError("authorization", refused.reason, refused.message, http_status=401)
        response = answers.answer(401, refused.message, headers=(header,))
        await self._refused(call, target, error, response)

    async def _refused(self, call: Call, target: Target, error: LastError, response: ResponseState) -> None:
        """An answer before any section has run, and what `on-error` makes of it."""
        pipeline = self.runtime.pipeline(target.api, target.operation, "")
        if pipeline.on_error is None:
            self._answer(call, response, error)
            return
        stranger = Admission(self.runtime, target, keys.Admitted(None, ""))
        call.open(self._services, self.runtime, self.recorder, target, stranger)
        if target.operation is _NO_OPERATION:
            call.operation = None
        if not call.complete:
            if not pipeline.effects.reads_request_body:
                call.request.body = Body(b"")  # nobody waits for what a stranger sends
            elif call.expects_continue:
                call.expects_continue = False
                call.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            await sections.failed(call, pipeline, self, PolicyFailure(error, response))
        except asyncio.CancelledError:
            self._gave_up(call)
            raise
        relay = self._send(call, target.operation)
        if relay is not None and not relay.is_set:
            await relay

    async def _without_operation(self, call: Call, path: str) -> None:
        """Health, preflight, or nothing that we know."""
        api = call.api_runtime = self.runtime.router.api_of(path)
        call.log = api.entry.log if api is not None else self.runtime.bundle.log
        if path in OWN_PATHS:
            self._health(call, path)
            return
        if call.method == "OPTIONS":
            response = self._preflight(call, path)
            if response is not None:
                self._answer(call, response)
                return
        message = "Unable to match incoming request to an operation."
        if api is None:
            self._not_found(call, message)
            return
        error = LastError("configuration", "OperationNotFound", message, http_status=404)
        below = path.strip("/")[len(api.entry.subject.path.strip("/")) :]
        query = call.target.partition("?")[2]
        match = Match(api, _NO_OPERATION, f"/{below.strip('/')}", {})
        target = Target(match, path, query, call.target, self.recorder)
        await self._refused(call, target, error, answers.answer(404, answers.NOT_FOUND))

    def _not_found(self, call: Call, message: str) -> None:
        error = LastError("configuration", "OperationNotFound", message, http_status=404)
        self._answer(call, answers.answer(404, answers.NOT_FOUND), error)

    def _scheme(self, call: Call) -> str:
        """How the client came: by this connection, or by what a trusted proxy that ends TLS says of its own.

        "" for what never leaves this machine: nobody can listen there, so plain http is as good as https.
        """
        said = call.headers.get(b"x-forwarded-proto")
        if said is not None and self.trusts(call.client.peer_ip):
            return "https" if said.partition(b",")[0].strip().lower() == b"https" else "http"
        client = call.client
        if client.scheme == "http" and is_loopback(client.proxied_ip or client.peer_ip):
            return ""
        return client.scheme

    def _health(self, call: Call, path: str) -> None:
        good = path != "/readyz" or self._ready()
        body = Body(b"ok" if good else b"not ready")
        headers = Headers.of(((b"content-type", b"text/plain"),))
        status = 200 if good else 503
        response = ResponseState(status, answers.reason_of(status), headers, body)
        hand_over(call, response, None, None)

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


async def _read_if_possible(body: Body) -> None:
    """Undo a content coding for the meter. What cannot be read is the backend's to judge, unless a policy reads it."""
    with contextlib.suppress(PolicyFailure):
        await body.read()
