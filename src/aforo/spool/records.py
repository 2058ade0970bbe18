"""What is written into the spool: the plain facts of a call, or finished rows. It knows no table file and no socket.

The gateway writes down what it saw and nothing more; whatever can be derived (message chunks, usage, promoted
values, metrics) is derived behind the spool, so that the call pays only for one small encode and one write.
"""

from __future__ import annotations

from typing import Any

import msgspec

# Frame kinds: one byte in the frame's head.
KIND_CALL = 1  # a CallRecord
KIND_ROWS = 2  # a RowsRecord
KIND_BEGIN = 3  # a BeginRecord: audit mode, before the call is forwarded
KIND_AMEND = 4  # an AmendRecord: what became of a call after its record was written
KIND_CONTEXT = 5  # a ContextRecord; each segment starts with those in force, so that it can be read alone


# `CallRecord.log_flags`: where a call is to be written, and which of its bodies are here for the llm log alone and
# must not stand in the gateway log.
LOG_GATEWAY = 1
LOG_LLM_REQUESTS = 2
LOG_LLM_RESPONSES = 4
LOG_METRICS = 8
WITHHOLD_REQUEST = 16
WITHHOLD_RESPONSE = 32
WITHHOLD_BACKEND_REQUEST = 64
WITHHOLD_BACKEND_RESPONSE = 128
LOG_TRACES = 256

# Names in `CallRecord.noted`.
NOTED_CLAIMED_CALLER = "caller"  # what the client says of itself in a header
NOTED_TRACE = "trace"  # W3C: 32 hexadecimal digits
NOTED_SPAN = "span"  # of this call: 16
NOTED_PARENT_SPAN = "parent"  # the client's
NOTED_TRACE_FLAGS = "flags"  # 2 hexadecimal digits


class Message(msgspec.Struct, array_like=True, frozen=True, gc=False, omit_defaults=True):
    """One side of an exchange as it is to be kept: masked headers and the decoded body.

    `body` is what the diagnostic allows; `size` is what went over the wire. `cut` says that the body was
    longer than the cap, `stream` that it is an event stream as received.
    """

    headers: list[tuple[bytes, bytes]] = []
    body: bytes = b""
    size: int = 0
    cut: bool = False
    stream: bool = False


class CallError(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One entry of `Errors`; the last one that the call did not recover from is `LastError*`."""

    source: str
    reason: str
    message: str
    scope: str = ""
    section: str = ""
    path: str = ""
    policy_id: str = ""
    elapsed_us: int = 0
    recovered: bool = False


class TraceRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a `trace` policy said, masked. `severity` is verbose, information or error."""

    at_ns: int
    source: str
    severity: str
    message: str
    metadata: dict[str, str] = {}


class Attempt(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One try of a backend: the status that it answered, 0 with the reason where it did not."""

    backend: str  # "" for a base URL
    status: int
    reason: str
    took_us: int


class PassedOver(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A backend that was not called: why (`BreakerOpen`, `ProbeFailed`), the breaker's rule, and for how long still."""

    backend: str
    why: str
    rule: str
    left_ms: int


class BackendRoute(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The way of a call through the backends, where it was no straight one.

    `asked` is the backend or pool that policies named, `affinity` what became of the session: new, kept, moved, or ""
    without one.
    """

    asked: str
    affinity: str
    attempts: list[Attempt]
    passed_over: list[PassedOver]


class CallRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One call as the gateway saw it. Times are unix nanoseconds and microseconds of duration.

    A body that equals another of the same call is stored once: `same_request` says that the request sent to
    the backend had the client's body, `same_response` that the client got the backend's.
    """

    call_id: str  # 32 hexadecimal digits; the correlation id
    started_ns: int
    ended_ns: int
    context: int  # `ContextRecord.index` of the same spool
    method: str
    url: str
    protocol: str
    tls_version: str
    peer_ip: str
    client_ip: str
    status: int
    api_id: str
    api_revision: str
    operation_id: str
    product_id: str
    subscription_id: str
    user_id: str
    backend_id: str
    backend_method: str
    backend_url: str
    backend_protocol: str
    backend_status: int
    client_us: int
    backend_us: int
    cache_us: int
    cache: str  # hit, miss, none
    request: Message
    response: Message
    backend_request: Message
    backend_response: Message
    same_request: bool
    same_response: bool
    first_byte_us: int
    attempts: int
    aborted: str  # "", "client", "backend", "gateway"
    errors: list[CallError]
    trace_records: list[TraceRecord]
    trace_flags: int  # bit 0 requested, 1 allowed, 2 expired, 3 master
    log_flags: int  # LOG_* and WITHHOLD_*
    llm_wire: str  # "", "chat", "completions", "embeddings", "responses", ...: how to read the bodies
    deployment: str
    api_version: str
    claims: dict[str, str]  # who called, by validated token
    route: BackendRoute | None = None
    noted: dict[str, str] | None = None  # by NOTED_*; None where there is nothing


class ContextRecord(msgspec.Struct, frozen=True):
    """What the calls of one snapshot have in common: written when a snapshot comes into force.

    `index` is given by the spool's writer, counts up and is never used twice in one spool.
    `workspaces` maps a category (`GatewayLogs`, `GatewayLlmLogs`, `AllMetrics`) to workspace ids.
    """

    index: int
    resource_id: str
    region: str
    workspaces: dict[str, list[str]]
    llm_request_bytes: int = 262_144
    llm_response_bytes: int = 262_144
    prices: list[dict[str, Any]] = []  # of the configuration, by the names of `llm.prices.Price`
    deployments: dict[str, str] = {}  # (backend/)deployment, lower case: its model with version


class RowsRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Rows that are already in their table's form: `rows` are column name to JSON-like value.

    datetime values are unix nanoseconds as int; dynamic values are what `orjson` can write. `columns` are those of
    a table that a workspace declares itself (name, Kusto's type); empty for a built-in one.
    """

    workspaces: list[str]
    table: str
    rows: list[dict[str, Any]]
    columns: list[tuple[str, str]] = []


class BeginRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Audit mode: a call is about to be forwarded. Without its CallRecord it becomes an `Aborted` row."""

    call: CallRecord


class AmendRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What happened to a call after its record: the client went away before the hand-over was complete."""

    call_id: str
    aborted: str
    at_ns: int
