"""What is written down about a call, and how: masked, capped, handed to the spool. It derives nothing.

Headers appear only where the diagnostic lists them, credentials never. What can be computed from the facts of a
call (usage, message chunks, metrics) is computed behind the spool.
"""

from __future__ import annotations

import logging
import os
import random
import re
import time
from collections.abc import Container, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_plus

from aforo.errors import Refusal
from aforo.gateway import route
from aforo.gateway.addresses import TrustedProxies
from aforo.gateway.arrival import Arrival
from aforo.gateway.call import Call
from aforo.gateway.logged_messages import (
    BODY_CAP,
    MASKED,
    body_limit,
    decoded,
    fields_of,
    plain,
    request_message,
)
from aforo.gateway.masking.marks import Marks
from aforo.gateway.refused_record import error_entry as _error
from aforo.gateway.refused_record import record_of_refused
from aforo.gateway.writing import Writing
from aforo.llm.catalog import TEXTS
from aforo.messages import Headers, is_event_stream
from aforo.policy.exchange import Body, LastError, PolicyFailure
from aforo.policy.masking import (
    CREDENTIAL_PARAMETERS,
    MASK,
    Secrets,
)
from aforo.policy.running import reads_sealed
from aforo.policy.sealed_address import PLACES, without_sealed
from aforo.policy.tracing import records as trace_records
from aforo.snapshot.runtime import ApiRuntime, LogNames, OperationRuntime
from aforo.snapshot.snapshot import LogPlan, MaskPlan
from aforo.spool.aside import Aside
from aforo.spool.records import (
    LOG_GATEWAY,
    LOG_METRICS,
    LOG_TRACES,
    AmendRecord,
    BeginRecord,
    CallError,
    CallRecord,
    Message,
    TraceRecord,
)

if TYPE_CHECKING:
    from aforo.gateway.masking.masker import Masker

log = logging.getLogger("aforo.gateway")

# The form of the keys that we make.
_KEY_FORM = re.compile(r"[0-9a-fA-F]{32}")
_REMEMBERED = 2048
_REMEMBERED_LENGTH = 1024

_NOTHING = Message()
_NO_ERRORS: list[CallError] = []
_NO_TRACES: list[TraceRecord] = []
_NO_HEADERS: list[tuple[bytes, bytes]] = []
_NO_CLAIMS: dict[str, str] = {}


class CallSpool(Protocol):
    """The part of the spool that calls are written through."""

    def append_call(self, record: CallRecord) -> int: ...

    def append_amend(self, record: AmendRecord) -> int: ...

    def append_begin(self, record: BeginRecord) -> int: ...

    def has_room(self) -> bool: ...


class LargeSpool(CallSpool, Protocol):
    """The part of it that records with large bodies are written through."""

    def append_parts(self, kind: int, parts: list[bytes]) -> int: ...

    def begin_aside(self, kind: int, parts: list[bytes]) -> Aside: ...

    def publish(self, aside: Aside) -> int: ...


class Lost(Protocol):
    """Who counts the records that the spool did not take."""

    def note(self, api_id: str) -> None: ...

    def note_open(self, call_id: str) -> None: ...


class Recorder:
    """Writes calls to the spool. `context` is the spool's index of what this configuration's calls share, `large` who writes
    the calls with large bodies (set by the proxy)."""

    __slots__ = (
        "_keys",
        "_lost",
        "_marks",
        "_maskers",
        "_proxied",
        "_random",
        "_secrets",
        "_urls",
        "context",
        "dropped",
        "large",
        "metrics",
        "proxies",
        "segments",
        "spool",
        "written",
    )

    def __init__(
        self,
        spool: LargeSpool,
        context: int,
        proxies: TrustedProxies,
        *,
        metrics: bool,
        keys: Container[bytes] = (),
        secrets: Sequence[str] = (),
        lost: Lost | None = None,
        marks: Marks | None = None,
    ) -> None:
        self._marks = marks or Marks(os.urandom(32))
        self._maskers: dict[MaskPlan, Masker] = {}
        self._lost = lost
        self._secrets = Secrets(secrets)  # of the configuration
        self._keys = keys  # digests of all subscription keys: none of them stands in a URL, whatever its name
        self._urls: dict[tuple[str, str], str] = {}  # backends' URLs as they may be written down
        self.spool: CallSpool = spool
        self.segments = spool
        self.context = context
        self.metrics = LOG_METRICS if metrics else 0
        self.written = 0
        self.dropped = 0
        self.proxies = proxies
        self._proxied = proxies.any
        self.large: Recorder = self
        self._random = random.Random()  # noqa: S311 - which calls a sample keeps is no secret

    def record(self, call: Call) -> bool:
        """See `call.Records`. A spool that cannot take it is counted, loudly."""
        plan = call.log
        flags = self.metrics
        if plan.gateway_log and (plan.sampling >= 100.0 or self._sampled(plan, call)):
            flags |= LOG_GATEWAY
        operation = call.operation_runtime
        api = call.api_runtime
        try:
            if operation is None or api is None:
                if not flags:
                    return True
                record = self._of_refused(call, flags)
            else:
                if operation.wire:
                    flags |= api.llm_flags
                said = _NO_TRACES
                if call.trace_records and plan.gateway_log:
                    # They go into a table of their own, whatever is sampled.
                    said = _said(call, plan)
                    flags |= LOG_TRACES if said else 0
                if not flags:
                    return True
                record = self._of_exchange(call, plan, api, operation, flags, said)
            if plan.masking is not None:
                record = self._masked(plan.masking, record)
            self.spool.append_call(record)
        except Refusal as refusal:
            log.error("the record of a call was dropped: %s", refusal)
            self._lose(call)
            return plan.on_full == "count"
        except Exception:
            # A bug of ours; the client's answer must not fall with the record.
            log.exception("bug: the record of a call could not be written")
            self._lose(call)
        else:
            self.written += 1
        return True

    def begin(self, call: Call) -> Writing | None:
        """See `call.Records`. What the gateway knows until then stands in the frame: the request, and where it goes."""
        api, operation = call.api_runtime, call.operation_runtime
        assert api is not None
        assert operation is not None
        flags = LOG_GATEWAY | (api.llm_flags if operation.wire else 0)
        try:
            record = self._of_exchange(call, call.log, api, operation, flags, _NO_TRACES)
            if call.log.masking is not None:
                record = self._masked(call.log.masking, record)
            self.spool.append_begin(BeginRecord(record))
        except Refusal as refusal:
            log.error("the begin of a call could not be written: %s", refusal)
            if call.log.on_full != "count":
                raise not_begun() from refusal
        return None

    def _masked(self, plan: MaskPlan, record: CallRecord) -> CallRecord:
        """What may be written down of a record by its API's data masking."""
        masker = self._maskers.get(plan)
        if masker is None:
            # Imported here: detectors are 1 MB, and most APIs mask nothing.
            from aforo.gateway.masking.masker import Masker

            masker = self._maskers[plan] = Masker(plan, self._marks)
        return masker.mask(record)

    def unfinished(self, call: Call) -> None:
        """See `call.Records`."""
        if call.log.audit and self._lost is not None:
            self._lost.note_open(call.call_id)

    def _lose(self, call: Call) -> None:
        self.dropped += 1
        if self._lost is not None:
            api = call.api_runtime
            self._lost.note(api.entry.subject.id if api is not None else "")
            if call.operation_runtime is not None:
                self.unfinished(call)

    def shown(self, target: str, key_name: str) -> str:
        """A URL as it may be written down: no key in it, neither under a key's name nor under another, nor a secret."""
        shown = self._secrets.mask(masked_target(target, key_name))
        return _KEY_FORM.sub(
            lambda found: MASK if sha256(found[0].encode()).digest() in self._keys else found[0], shown
        )

    def _remember(self, url: str, key_name: str) -> str:
        """A backend's URL as it may be written down: looked at once, for most are asked for again and again."""
        shown = self.shown(url, key_name)
        if len(url) <= _REMEMBERED_LENGTH:
            if len(self._urls) >= _REMEMBERED:
                self._urls.clear()
            self._urls[url, key_name] = shown
        return shown

    def amend(self, call_id: str, aborted: str) -> None:
        """What became of a call after its record."""
        try:
            self.spool.append_amend(AmendRecord(call_id, aborted, time.time_ns()))
        except Refusal as refusal:
            log.error("the end of call %s could not be recorded: %s", call_id, refusal)

    def _sampled(self, plan: LogPlan, call: Call) -> bool:
        failed = call.answer is None or call.answer.status >= 400
        return (plan.always_log_errors and failed) or self._random.random() * 100.0 < plan.sampling

    def _of_exchange(
        self,
        call: Call,
        plan: LogPlan,
        api: ApiRuntime,
        operation: OperationRuntime,
        flags: int,
        said: list[TraceRecord],
    ) -> CallRecord:
        client = call.client
        wire = operation.wire
        names = api.log_names
        known = call.known
        admission = call.admission
        fields = call.headers.fields
        host = fields.get(b"host")
        body = call.chunks[0] if len(call.chunks) == 1 else b""
        if (
            wire in TEXTS
            and not names.frontend_request
            and len(body) == call.received <= BODY_CAP
            and b"content-encoding" not in fields
        ):
            # Nearly every call of a model: to be kept as it came.
            asked = Message(_NO_HEADERS, body, len(body))
        else:
            asked = request_message(call, plan, names.frontend_request, api.key_header, wire)
        peer_ip = client_ip = ""
        if plan.log_client_ip:
            peer_ip = client_ip = client.peer_ip
            if self._proxied:
                client_ip = self.proxies.client_ip(peer_ip, client.proxied_ip, call.headers)
        now = time.perf_counter()
        answer = call.answer
        arrival = call.arrival
        caching = call.caching
        sent = _NOTHING
        if call.backend_request is None:
            method = url = ""
            sent_same = False
        else:
            method, url, headers, content = call.backend_request
            url = self._urls.get((url, api.key_query)) or self._remember(url, api.key_query)
            if call.tainted is not None and not call.tainted.isdisjoint(PLACES):
                url = without_sealed(call, url)
            sent_same = not content.changed
            if names.backend_request or not sent_same:
                sent = self._sent(call, plan, api, headers, content)
        if answer is None:
            status = 0
            answered = _NOTHING
            got_same = False
        else:
            status = answer.status
            headers = answer.headers
            changed = answer.body.changed
            kept, cut = call.kept, call.cut
            if b"content-encoding" in headers.fields and kept and not changed:
                kept, cut = decoded(call, headers)
            listed = _NO_HEADERS
            if names.frontend_response:
                listed = self._fit(call, headers, names.frontend_response, frozenset((api.key_header,)))
            answered = Message(listed, kept, call.sent, cut, is_event_stream(headers))
            got_same = arrival is not None and arrival.response is answer and not changed
        if arrival is None:
            backend_status = backend_us = 0
            backend_protocol = ""
            received = _NOTHING
        else:
            backend_status = arrival.connection.status
            backend_protocol = "HTTP/1.1" if backend_status else ""
            backend_us = int((now - arrival.sent_at) * 1e6)
            if got_same and not names.backend_response:
                received = Message(_NO_HEADERS, b"", arrival.size)
            else:
                received = self._received(arrival, plan, wire, names, same=got_same)
        return CallRecord(
            call.call_id,
            call.started_ns,
            # By a clock that nobody sets: a call does not end before it began.
            call.started_ns + int((now - call.started) * 1e9),
            self.context,
            call.method,
            f"{client.scheme}://{host.decode('latin-1') if type(host) is bytes else ''}{known.shown}",
            f"HTTP/{call.version}",
            client.tls_version,
            peer_ip,
            client_ip,
            status,
            known.api_id,
            known.api_revision,
            known.operation_id,
            admission.product_id,
            admission.subscription_id,
            admission.user_id,
            call.backend_used,
            method,
            url,
            backend_protocol,
            backend_status,
            0,
            backend_us,
            caching.waited_us if caching is not None else 0,
            caching.outcome if caching is not None else "none",
            asked,
            answered,
            sent,
            received,
            sent_same,
            got_same,
            call.first_byte_us,
            call.attempts,
            call.aborted,
            [_error(e) for e in call.errors] if call.errors else _NO_ERRORS,
            said,
            call.trace_flags,
            flags,
            wire,
            known.deployment,
            known.api_version,
            call.caller or _NO_CLAIMS,
            route.record(call) if call.route is not None else None,
            call.noted,
        )

    def _of_refused(self, call: Call, flags: int) -> CallRecord:
        client, api = call.client, call.api_runtime
        url = self.shown(call.target, api.key_query if api is not None else "")
        client_ip = self.proxies.client_ip(client.peer_ip, client.proxied_ip, call.headers)
        return record_of_refused(call, flags, self.context, url, client_ip)

    def _fit(
        self, call: Call, headers: Headers, names: frozenset[bytes], own: frozenset[bytes]
    ) -> list[tuple[bytes, bytes]]:
        """`fields_of`, of a message that policies may have put secrets into."""
        listed = fields_of(headers, names, own)
        return [
            (
                name,
                MASKED
                if reads_sealed(call, frozenset((f"header:{name.decode('latin-1')}",)))
                else self._secrets.mask(value.decode("latin-1")).encode("latin-1"),
            )
            for name, value in listed
        ]

    def _sent(self, call: Call, plan: LogPlan, api: ApiRuntime, headers: Headers, body: Body) -> Message:
        """The request to the backend; its body only where the client sent another one."""
        data = (body.data or b"") if body.changed else b""
        wire = call.operation_runtime.wire if call.operation_runtime is not None else ""
        limit = body_limit(plan, plan.backend_request, headers.get(b"content-type"), wire)
        names = api.log_names.backend_request
        listed = self._fit(call, headers, names, _credentials(call, api)) if names else _NO_HEADERS
        return Message(listed, data[:limit], len(data), 0 < limit < len(data))

    @staticmethod
    def _received(arrival: Arrival, plan: LogPlan, wire: str, names: LogNames, *, same: bool) -> Message:
        """The backend's answer; its body only where the client got another one."""
        connection = arrival.connection
        listed: list[tuple[bytes, bytes]] = []
        headers = connection.headers
        if names.backend_response:
            listed = fields_of(headers, names.backend_response)
        if same:
            return Message(listed, b"", arrival.size)
        limit = body_limit(plan, plan.backend_response, headers.get(b"content-type"), wire)
        body = b"".join(arrival.buffered) if limit else b""
        coding = headers.get(b"content-encoding")
        if coding is not None and body:
            body = plain(body, coding)
        return Message(listed, body[:limit], arrival.size, len(body) > limit)


def not_begun() -> PolicyFailure:
    """A call whose begin is not in the spool, and must be."""
    message = "that this call begins could not be written down, which this API wants first"
    return PolicyFailure(LastError("forward-request", "RecordNotKept", message, http_status=503))


def _credentials(call: Call, api: ApiRuntime) -> frozenset[bytes]:
    """Names of the fields that carry this API's keys and the backend's credentials."""
    backend = call.runtime.backends.get(call.backend_used) if call.backend_used else None
    names = (name.lower().encode("latin-1", "replace") for name, _ in backend.headers) if backend else ()
    return frozenset((api.key_header, *names))


def _said(call: Call, plan: LogPlan) -> list[TraceRecord]:
    """What `trace` policies said, as far as the diagnostic wants it; masked."""
    return [TraceRecord(*each) for each in trace_records.shown(call, plan.verbosity, (call.headers,))]


def masked_target(target: str, key_name: str) -> str:
    """A URL or request target without the subscription key that its query may hold under `key_name`."""
    # What is remembered has a bound in bytes too.
    return (_masked if len(target) <= _REMEMBERED_LENGTH else _masked.__wrapped__)(target, key_name)


@lru_cache(maxsize=_REMEMBERED)
def _masked(target: str, key_name: str) -> str:
    path, sep, query = target.partition("?")
    if not sep:
        return target
    own = key_name.lower()
    parts = []
    # Some write `;` between parameters; we do not read it so, but it must not carry a key into a log.
    for part in re.split("([&;])", query):
        name, has_value, _ = part.partition("=")
        plain = unquote_plus(name).lower()
        secret = plain in CREDENTIAL_PARAMETERS or plain == own
        parts.append(f"{name}={MASK}" if has_value and secret else part)
    return f"{path}?{''.join(parts)}"
