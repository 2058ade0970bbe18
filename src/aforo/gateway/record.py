"""What is written down about a call, and how: masked, capped, handed to the spool. It derives nothing.

Headers appear only where the diagnostic lists them, credentials never. What can be computed from the facts of a
call (usage, message chunks, metrics) is computed behind the spool.
"""

from __future__ import annotations

import random
import time
from typing import Protocol

from aforo.errors import Refusal
from aforo.gateway import encoding
from aforo.gateway.call import Call, LiveExchange
from aforo.gateway.streaming import Relay
from aforo.messages import Headers
from aforo.policy.exchange import LastError
from aforo.snapshot.runtime import ApiRuntime
from aforo.snapshot.snapshot import LogPlan, MessageLog
from aforo.spool.records import CallError, CallRecord, Message

MASK = b"*****"
# Values that would let their reader in, whatever a diagnostic lists.
_SECRET_HEADERS = frozenset(
    (
        b"authorization",
        b"proxy-authorization",
        b"api-key",
        b"x-api-key",
        b"ocp-apim-subscription-key",
        b"cookie",
        b"set-cookie",
        b"apim-debug-authorization",
    )
)
_SECRET_PARAMETERS = frozenset(("subscription-key", "api-key", "code", "sig", "key", "access_token"))
_QUERY_HINTS = ("key=", "KEY=", "Key=", "code=", "sig=", "token=", "%")
# A body of which more is kept than this is marked as cut; the sizes are true all the same.
BODY_CAP = 8 * 1024 * 1024
# Bodies of which only the size is kept: nobody reads them in a table.
_OPAQUE = (b"multipart/", b"audio/", b"image/", b"video/", b"application/octet-stream", b"application/zip")

LOG_GATEWAY = 1
LOG_LLM_REQUESTS = 2
LOG_LLM_RESPONSES = 4
LOG_METRICS = 8

_NOTHING = Message()


class CallSpool(Protocol):
    """The part of the spool that calls are written through."""

    def append_call(self, record: CallRecord) -> int: ...

    def has_room(self) -> bool: ...


def body_limit(plan: LogPlan, log: MessageLog, content_type: bytes | None, *, llm: bool) -> int:
    """How many bytes of a message's body are kept."""
    if content_type is not None and content_type.startswith(_OPAQUE):
        return 0
    if llm:
        return BODY_CAP
    if not plan.gateway_log:
        return 0
    return BODY_CAP if log.body_bytes is None else log.body_bytes


class Recorder:
    """Writes calls to the spool. `context` is the spool's index of what this configuration's calls share."""

    __slots__ = ("_random", "context", "dropped", "metrics", "spool", "written")

    def __init__(self, spool: CallSpool, context: int, *, metrics: bool) -> None:
        self.spool = spool
        self.context = context
        self.metrics = metrics
        self.written = 0
        self.dropped = 0
        self._random = random.Random()  # noqa: S311 - which calls a sample keeps is no secret

    def record(
        self,
        call: Call,
        plan: LogPlan,
        exchange: LiveExchange | None,
        relay: Relay | None,
        api: ApiRuntime | None,
        client_ip: str,
        error: LastError | None = None,
    ) -> None:
        """Write the record of a call. A full spool is counted here; whether calls are refused is the proxy's."""
        status = relay.response.status if relay is not None else 0
        flags = self._flags(plan, exchange, status)
        if not flags:
            return
        record = self._make(call, plan, exchange, relay, api, client_ip, error, status, flags)
        try:
            self.spool.append_call(record)
        except Refusal:
            self.dropped += 1
            if plan.on_full == "refuse":
                raise
        else:
            self.written += 1

    def _flags(self, plan: LogPlan, exchange: LiveExchange | None, status: int) -> int:
        flags = LOG_METRICS if self.metrics else 0
        kept = (
            plan.sampling >= 100.0
            or (plan.always_log_errors and status >= 400)
            or self._random.random() * 100.0 < plan.sampling
        )
        if kept and plan.gateway_log:
            flags |= LOG_GATEWAY
        if exchange is not None and exchange.operation_runtime.wire:
            if plan.llm_requests:
                flags |= LOG_LLM_REQUESTS
            if plan.llm_responses:
                flags |= LOG_LLM_RESPONSES
        return flags

    def _make(
        self,
        call: Call,
        plan: LogPlan,
        exchange: LiveExchange | None,
        relay: Relay | None,
        api: ApiRuntime | None,
        client_ip: str,
        error: LastError | None,
        status: int,
        flags: int,
    ) -> CallRecord:
        host = call.headers.get(b"host") or b""
        url = f"{call.client.scheme}://{host.decode('latin-1')}{masked_target(call.target, api)}"
        ended_ns = time.time_ns()
        request = response = backend_request = backend_response = _NOTHING
        same_request = same_response = False
        backend_method = backend_url = ""
        backend_status = 0
        api_id = api_revision = operation_id = product_id = subscription_id = user_id = backend_id = wire = ""
        deployment = api_version = ""
        if api is not None:
            api_id = api.entry.subject.id
            api_revision = api.entry.subject.revision
        call_id = exchange.call_id if exchange is not None else ""
        if exchange is not None and api is not None:
            names = api.log_names
            operation_id = exchange.operation_runtime.entry.subject.id
            wire = exchange.operation_runtime.wire
            product_id = exchange.product.id if exchange.product is not None else ""
            subscription_id = exchange.subscription.id if exchange.subscription is not None else ""
            user_id = exchange.user.id if exchange.user is not None else ""
            deployment = exchange.request.matched.get("deployment-id", "")
            if wire:
                api_version = _query_value(exchange.request.url.query, "api-version")
            request = self._request_message(call, plan, names.frontend_request, bool(flags & 6))
            sent = exchange.backend_request
            if sent is not None:
                backend_method, backend_url = sent[0], masked_url(sent[1], api)
                backend_id = exchange.backend_id or ""
                same_request = not sent[3].changed
                body = b"" if same_request else (sent[3].data or b"")
                backend_request = Message(_listed(sent[2], names.backend_request), body, len(body))
            arrival = call.arrival
            if relay is not None:
                body, cut = _kept(relay)
                response = Message(
                    _listed(relay.response.headers, names.frontend_response),
                    body,
                    relay.sent,
                    cut,
                    relay.is_event_stream,
                )
            if arrival is not None:
                backend_status = arrival.connection.status
                unchanged = (
                    relay is not None
                    and arrival.response is relay.response
                    and not relay.response.body.changed
                )
                same_response = unchanged
                backend_body = b""
                if not unchanged and arrival.response is not None:
                    backend_body = b"".join(arrival.buffered)
                backend_response = Message(
                    _listed(Headers(arrival.connection.headers), names.backend_response),
                    backend_body[:BODY_CAP],
                    arrival.size,
                    len(backend_body) > BODY_CAP,
                )
        elif relay is not None:
            response = Message([], b"", relay.sent)
        errors = exchange.errors if exchange is not None else ([error] if error is not None else [])
        return CallRecord(
            call_id or new_id(),
            call.started_ns,
            ended_ns,
            self.context,
            call.method,
            url,
            f"HTTP/{call.version}",
            call.client.tls_version,
            call.client.peer_ip,
            client_ip,
            status,
            api_id,
            api_revision,
            operation_id,
            product_id,
            subscription_id,
            user_id,
            backend_id,
            backend_method,
            backend_url,
            "HTTP/1.1" if backend_status else "",
            backend_status,
            0,
            _backend_us(call, exchange),
            0,
            "none",
            request,
            response,
            backend_request,
            backend_response,
            same_request,
            same_response,
            relay.first_byte_us if relay is not None else 0,
            exchange.attempts if exchange is not None else 0,
            call.aborted,
            [_error(e) for e in errors] if errors else [],
            exchange.trace_records if exchange is not None else [],
            exchange.trace_flags if exchange is not None else 0,
            flags,
            wire,
            deployment,
            api_version,
            {},
        )

    @staticmethod
    def _request_message(call: Call, plan: LogPlan, names: frozenset[bytes], llm: bool) -> Message:
        limit = body_limit(plan, plan.frontend_request, call.headers.get(b"content-type"), llm=llm)
        body = b""
        if limit and call.chunks:
            body = call.chunks[0] if len(call.chunks) == 1 else b"".join(call.chunks)
        coding = call.headers.get(b"content-encoding")
        if coding is not None and body:
            body = _plain(body, coding)
        cut = len(body) > limit or bool(limit and not coding and len(body) < call.received)
        return Message(_listed(call.headers, names), body[:limit] if cut else body, call.received, cut)


def _backend_us(call: Call, exchange: LiveExchange | None) -> int:
    arrival = call.arrival
    if arrival is None:
        return exchange.backend_us if exchange is not None else 0
    return int((time.perf_counter() - arrival.sent_at) * 1e6)


def _kept(relay: Relay) -> tuple[bytes, bool]:
    """The kept part of an answer, decoded, and whether it is less than all of it."""
    kept = relay.kept
    body = kept[0] if len(kept) == 1 else b"".join(kept)
    cut = relay.kept_size > len(body)
    coding = relay.response.headers.get(b"content-encoding")
    if coding is not None and body and not relay.response.body.changed:
        body = _plain(body, coding)
    return body, cut


def _plain(body: bytes, coding: bytes) -> bytes:
    try:
        return encoding.decode(body, coding, BODY_CAP)
    except Refusal:
        # It is kept as it came: a body that cannot be read is still what was sent.
        return body


def _listed(headers: Headers, names: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    if not names:
        return []
    return [(n, MASK if n in _SECRET_HEADERS else v) for n, v in headers if n in names]


def _error(error: LastError) -> CallError:
    return CallError(
        error.source,
        error.reason,
        error.message,
        error.scope,
        error.section,
        error.path,
        error.policy_id,
        error.elapsed_us,
    )


def masked_target(target: str, api: ApiRuntime | None) -> str:
    """A request target without the subscription key that its query may hold."""
    path, sep, query = target.partition("?")
    if not sep or (
        not any(hint in query for hint in _QUERY_HINTS) and (api is None or api.key_query not in query)
    ):
        return target
    return f"{path}?{_masked_query(query, api)}"


def masked_url(url: str, api: ApiRuntime | None) -> str:
    """The same for a whole URL."""
    return masked_target(url, api)


def _masked_query(query: str, api: ApiRuntime | None) -> str:
    pairs = []
    for pair in query.split("&"):
        name, sep, _ = pair.partition("=")
        secret = name.lower() in _SECRET_PARAMETERS or (
            api is not None and name.lower() == api.key_query.lower()
        )
        pairs.append(f"{name}=*****" if sep and secret else pair)
    return "&".join(pairs)


def _query_value(query: str, name: str) -> str:
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key == name:
            return value
    return ""


_prefix = f"{random.SystemRandom().getrandbits(64):016x}"
_counter = random.SystemRandom().getrandbits(32)


def new_id() -> str:
    """A correlation id: 32 hexadecimal digits, unique over processes and restarts, not secret."""
    global _counter
    _counter += 1
    return f"{_prefix}{_counter & 0xFFFFFFFFFFFFFFFF:016x}"
