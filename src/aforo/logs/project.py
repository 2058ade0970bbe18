"""A call as the gateway saw it becomes rows of log tables. Nothing here reads a clock, a file or a setting.

What a record yields depends on the record and its context alone, so that a batch that is made again after a
crash is the same batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aforo.llm.catalog import WIRES
from aforo.llm.digest import Digest, digest
from aforo.llm.prices import PriceList
from aforo.logs.backend_route import attempts_of, route_of
from aforo.logs.chunks import chunks
from aforo.logs.promote import Promoted, Promoter
from aforo.logs.rows import Row, clamp_int, json_text, subscription_of
from aforo.logs.spending import price_list, spending_cells
from aforo.spool.records import (
    LOG_LLM_REQUESTS,
    LOG_LLM_RESPONSES,
    WITHHOLD_BACKEND_REQUEST,
    WITHHOLD_BACKEND_RESPONSE,
    WITHHOLD_REQUEST,
    WITHHOLD_RESPONSE,
    CallError,
    CallRecord,
    ContextRecord,
    Message,
    TraceRecord,
)
from aforo.stamps import iso_stamp
from aforo.tables.app_traces import LEVELS
from aforo.tables.gateway_logs import PROMOTIONS

_RESPONSE = Promoter(tuple(p for p in PROMOTIONS if p.column == "ResponseBody"))
_BACKEND = Promoter(tuple(p for p in PROMOTIONS if p.column == "BackendResponseBody"))
_WITHHOLD = WITHHOLD_REQUEST | WITHHOLD_BACKEND_REQUEST | WITHHOLD_RESPONSE | WITHHOLD_BACKEND_RESPONSE
_STREAM_STARTS = (b"data:", b"event:", b":", b"id:", b"retry:")


@dataclass(frozen=True, slots=True)
class Context:
    """A ContextRecord with what is derived from it once."""

    record: ContextRecord
    resource_id: str
    subscription_id: str
    gateway: tuple[str, ...]
    llm: tuple[str, ...]
    metrics: tuple[str, ...]
    prices: PriceList

    @classmethod
    def of(cls, record: ContextRecord) -> Context:
        return cls(
            record,
            record.resource_id.lower(),
            subscription_of(record.resource_id),
            tuple(record.workspaces.get("GatewayLogs", ())),
            tuple(record.workspaces.get("GatewayLlmLogs", ())),
            tuple(record.workspaces.get("AllMetrics", ())),
            price_list(record),
        )


# One side's response: its text as the column has it, and the promoted values.
Answer = tuple[str, Promoted]

_NO_ANSWER: Answer = ("", _RESPONSE.nothing)
_NO_COUNTS = (None, None, None, None, None, "")
_LLM_OPERATION = "Microsoft.ApiManagement/GatewayLlmLogs"
_NO_ERRORS: tuple[Any, ...] = (None, "", "", "", "", "", None)


def correlation_id(call_id: str) -> str:
    """A call's id as a GUID is written."""
    if len(call_id) != 32:
        return call_id
    return f"{call_id[:8]}-{call_id[8:12]}-{call_id[12:16]}-{call_id[16:20]}-{call_id[20:]}"


def read_call(call: CallRecord) -> Digest | None:
    """What a model said in this call; None where no model was asked."""
    wire = WIRES.get(call.llm_wire)
    if wire is None:
        return None
    answer = call.response
    return digest(
        wire,
        call.request.body,
        answer.body,
        stream=answer.stream,
        succeeded=200 <= call.status < 300,
    )


def gateway_row(call: CallRecord, context: Context, read: Digest | None, size_bytes: int) -> Row:
    """The row of ApiManagementGatewayLogs. `size_bytes`: what the record took in the spool."""
    request, response = call.request, call.response
    sent, got = call.backend_request, call.backend_response
    reached = call.backend_status != 0
    correlation = correlation_id(call.call_id)
    started_us = call.started_ns // 1_000
    request_text = _text(request.body)
    sent_text = request_text if call.same_request else _text(sent.body)
    answer = _answer(response, read, _RESPONSE)
    backend_answer = answer if call.same_response else _answer(got, _read_backend(call), _BACKEND)
    withheld = call.log_flags
    if withheld & _WITHHOLD:
        if withheld & WITHHOLD_REQUEST:
            request_text = ""
        if withheld & WITHHOLD_BACKEND_REQUEST:
            sent_text = ""
        if withheld & WITHHOLD_RESPONSE:
            answer = _NO_ANSWER
        if withheld & WITHHOLD_BACKEND_RESPONSE:
            backend_answer = _NO_ANSWER
    text, promoted = answer
    backend_text, backend_promoted = backend_answer
    flags = call.trace_flags
    stream = response.stream
    usage = read.usage if read is not None else None
    status = call.status
    route = call.route
    # Several tuples in a row: one with stars inside is built cell by cell.
    azure = (
        started_us,
        started_us,
        correlation,
        "Microsoft.ApiManagement/GatewayLogs",
        "GatewayLogs",
        context.record.region,
        200 <= status < 400,
        ((call.ended_ns - call.started_ns) // 1_000 + 500) // 1_000,
        (call.client_us + 500) // 1_000 if call.client_us else None,
        (call.backend_us + 500) // 1_000,
        (call.cache_us + 500) // 1_000 if call.cache_us else None,
        call.peer_ip,
        call.method,
        call.url,
        call.protocol,
        call.tls_version,
        clamp_int(request.size),
        clamp_int(response.size),
        status or None,
        call.backend_method,
        call.backend_url,
        call.backend_protocol,
        call.backend_status if reached else None,
        call.backend_id,
        call.cache,
        call.api_id,
        call.api_revision,
        call.operation_id,
        call.product_id,
        call.user_id,
        call.subscription_id,
        "",
        _headers(request) if request.headers else None,
        _headers(response) if response.headers else None,
        _headers(sent) if sent.headers else None,
        _headers(got) if got.headers else None,
        request_text,
        text,
        sent_text,
        backend_text,
    )
    traced = (
        json_text([_traced(r) for r in call.trace_records]) if call.trace_records else None,
        flags & 1 != 0,
        flags & 2 != 0,
        flags & 4 != 0,
        flags & 8 != 0,
        context.resource_id,
        context.subscription_id,
        float(size_bytes),
        "true",
        call.client_ip,
        call.attempts,
        call.first_byte_us / 1_000,
        call.aborted,
        stream,
        (not call.aborted and (read is None or read.complete)) if stream else None,
        request.cut,
        response.cut,
        request.cut if call.same_request else sent.cut,
        response.cut if call.same_response else got.cut,
        request.size if call.same_request else sent.size,
        got.size,
        call.llm_wire,
        call.deployment,
        read.model if read is not None else "",
        call.api_version,
    )
    counts = (
        _NO_COUNTS
        if usage is None
        else (usage.prompt, usage.completion, usage.total, usage.cached, usage.reasoning, usage.source)
    )
    rest = (
        read.finish_reason if read is not None else "",
        json_text(read.content_filter) if read is not None and read.content_filter else None,
        read.end_user if read is not None else "",
        json_text(call.claims) if call.claims else None,
        json_text(attempts_of(route)) if route is not None and route.attempts else None,
        json_text(route_of(route)) if route is not None else None,
    )
    return (
        azure
        + (_error_cells(call.errors) if call.errors else _NO_ERRORS)
        + traced
        + counts
        + rest
        + spending_cells(call, read, context.prices)
        + promoted
        + backend_promoted
    )


def _error_cells(errors: list[CallError]) -> tuple[Any, ...]:
    """The cells of `LastError*` and `Errors`."""
    cells = _NO_ERRORS[:-1]
    last = next((e for e in reversed(errors) if not e.recovered), None)
    if last is not None:
        elapsed = _milliseconds(last.elapsed_us)
        cells = (elapsed, last.message, last.reason, last.scope, last.section, last.source)
    return (*cells, json_text([_error(e) for e in errors]))


def trace_rows(call: CallRecord, context: Context) -> list[dict[str, Any]]:
    """The rows of AppTraces, by column name."""
    api = f"{call.api_id};rev={call.api_revision}"
    region = context.record.region
    service = context.resource_id.rpartition("/")[2]
    return [
        {
            "TimeGenerated": record.at_ns,
            "Message": record.message,
            "SeverityLevel": LEVELS.get(record.severity, 1),
            "Properties": {
                "Source": record.source,
                "ApiId": call.api_id,
                "ApiRevision": call.api_revision,
                "OperationName": call.operation_id,
                **record.metadata,
            },
            "OperationName": f"{api} - {call.operation_id}",
            "OperationId": correlation_id(call.call_id),
            "ParentId": correlation_id(call.call_id),
            "UserId": call.user_id,
            "UserAccountId": call.subscription_id,
            "AppRoleName": f"{service} {region}".strip(),
            "ClientIP": call.client_ip,
            "ItemCount": 1,
            "_ResourceId": context.resource_id,
        }
        for record in call.trace_records
    ]


def _traced(record: TraceRecord) -> dict[str, Any]:
    """An entry of TraceRecords."""
    return {
        "source": record.source,
        "severity": record.severity,
        "message": record.message,
        "metadata": record.metadata,
        "timestamp": iso_stamp(record.at_ns),
    }


def llm_rows(call: CallRecord, context: Context, read: Digest, size_bytes: int) -> list[Row]:
    """The rows of ApiManagementGatewayLlmLog: the header (SequenceNumber 0), then the messages.

    The n-th row of messages has the n-th chunk of the prompt and the n-th of the answer, as far as there are.
    """
    wire = WIRES[call.llm_wire]
    asked: list[str] = []
    said: list[str] = []
    asked_cut = said_cut = False
    if call.log_flags & LOG_LLM_REQUESTS:
        asked, asked_cut = chunks(wire.request_messages(read.request), context.record.llm_request_bytes)
        asked_cut = asked_cut or call.request.cut
    if call.log_flags & LOG_LLM_RESPONSES:
        said, said_cut = chunks(wire.response_messages(read.answer), context.record.llm_response_bytes)
        said_cut = said_cut or call.response.cut
    stream = call.response.stream
    started_us, correlation = call.started_ns // 1_000, correlation_id(call.call_id)
    region, request_id, version = context.record.region, read.request_id, call.api_version
    resource, subscription = context.resource_id, context.subscription_id
    whose = (call.api_id, call.product_id, call.subscription_id)
    usage = read.usage
    # The header is found by its DeploymentName; a wire without deployments names the model there.
    asked_model = read.request.get("model")
    deployment = call.deployment or (asked_model if isinstance(asked_model, str) else "")
    header = (
        started_us,
        correlation,
        _LLM_OPERATION,
        region,
        request_id,
        deployment,
        read.model,
        version,
        clamp_int(usage.prompt) if usage is not None else None,
        clamp_int(usage.completion) if usage is not None else None,
        clamp_int(usage.total) if usage is not None else None,
        stream,
        0,
        None,
        None,
        resource,
        subscription,
        float(size_bytes),
        "true",
        usage.source if usage is not None else "",
        asked_cut,
        said_cut,
    )
    rows: list[Row] = [header + whose]
    for number in range(max(len(asked), len(said))):
        prompt = asked[number] if number < len(asked) else None
        answer = said[number] if number < len(said) else None
        message = (
            started_us,
            correlation,
            _LLM_OPERATION,
            region,
            request_id,
            "",
            "",
            version,
            None,
            None,
            None,
            stream,
            number + 1,
            prompt,
            answer,
            resource,
            subscription,
            float(len(prompt or "") + len(answer or "")),
            "true",
            "",
            None,
            None,
        )
        rows.append(message + whose)
    return rows


def _read_backend(call: CallRecord) -> Digest | None:
    """The backend's own answer, where the client got another one."""
    wire = WIRES.get(call.llm_wire)
    body = call.backend_response.body
    if wire is None or not body:
        return None
    stream = call.backend_response.stream or body.startswith(_STREAM_STARTS)
    return digest(wire, b"", body, stream=stream, succeeded=False)


def _answer(message: Message, read: Digest | None, promoter: Promoter) -> Answer:
    body = message.body
    if not body:
        return "", promoter.nothing
    if read is not None:
        if read.answer_text is not None:
            return read.answer_text.decode(), promoter.of_object(read.answer)
        if read.answer:
            return _text(body), promoter.of_object(read.answer)
    return _text(body), promoter.of_text(body)


def _text(body: bytes) -> str:
    return str(body, "utf-8", "replace")


def _milliseconds(microseconds: int) -> int:
    return (microseconds + 500) // 1_000


def _headers(message: Message) -> str:
    """Headers as a JSON object; a header that comes several times has its values joined."""
    out: dict[str, str] = {}
    for raw_name, raw_value in message.headers:
        name, value = str(raw_name, "latin-1"), str(raw_value, "latin-1")
        out[name] = f"{out[name]}, {value}" if name in out else value
    return json_text(out)


def _error(error: CallError) -> dict[str, Any]:
    """One entry of `Errors`, in the form of Azure's records; what is empty is left out."""
    out: dict[str, Any] = {
        "elapsed": _milliseconds(error.elapsed_us),
        "source": error.source,
        "path": error.path,
        "reason": error.reason,
        "message": error.message,
        "scope": error.scope,
        "section": error.section,
        "policyId": error.policy_id,
    }
    return {k: v for k, v in out.items() if v != ""}
