"""A call as OpenTelemetry has it: spans in OTLP's JSON form, by the semantic conventions for HTTP and for generative AI
(gen_ai.*, version 1.41, still in development there). No prompt and no answer is in them.

Source: opentelemetry.io/docs/specs/semconv; OTLP 1.x, "JSON Protobuf Encoding".
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import SplitResult, urlsplit

from aforo.llm.digest import Digest
from aforo.llm.prices import PriceList
from aforo.logs.spending import cost_of
from aforo.spool.records import NOTED_PARENT_SPAN, NOTED_SPAN, NOTED_TRACE, NOTED_TRACE_FLAGS, CallRecord

_SERVER, _CLIENT = 2, 3
_ERROR = 2
_OPERATIONS = {
    "chat": "chat",
    "responses": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
    "images": "image_generation",
    "transcriptions": "transcription",
}
_PORTS = {"https": 443, "http": 80}
_API_TYPES = {"chat": "chat_completions", "responses": "responses"}

Json = dict[str, Any]


def sampled(call: CallRecord) -> bool:
    """Whether the trace that the call belongs to is wanted: who began it has said so."""
    flags = (call.noted or {}).get(NOTED_TRACE_FLAGS, "01")
    return bool(int(flags, 16) & 1)


def spans_of(call: CallRecord, read: Digest | None, prices: PriceList) -> list[Json]:
    """The span of the call, and below it that of the model, where one was asked."""
    noted = call.noted or {}
    trace = noted.get(NOTED_TRACE, call.call_id)
    own = noted.get(NOTED_SPAN, call.call_id[16:])
    out = [_of_call(call, trace, own, noted.get(NOTED_PARENT_SPAN, ""))]
    if read is not None and call.attempts:
        out.append(_of_model(call, read, prices, trace, own))
    return out


def _of_call(call: CallRecord, trace: str, own: str, parent: str) -> Json:
    url = _parts(call.url)
    failed = call.status >= 500 or not call.status
    error = next((e.reason for e in reversed(call.errors) if not e.recovered), "")
    span = _span(call, trace, own, f"{call.method} {call.operation_id or call.api_id}".strip(), _SERVER)
    span["attributes"] = attributes(
        {
            "http.request.method": call.method,
            "http.response.status_code": call.status or None,
            "url.path": url.path,
            "url.scheme": url.scheme,
            "server.address": url.hostname,
            "client.address": call.client_ip,
            "network.protocol.version": call.protocol.partition("/")[2],
            "error.type": (error or str(call.status)) if failed or call.aborted else None,
            "enduser.id": call.claims.get("oid") or call.claims.get("sub"),
            "aforo.correlation_id": call.call_id,
            "aforo.api": call.api_id,
            "aforo.operation": call.operation_id,
            "aforo.product": call.product_id,
            "aforo.subscription": call.subscription_id,
            "aforo.backend": call.backend_id,
            "aforo.attempts": call.attempts or None,
            "aforo.cache": call.cache if call.cache != "none" else None,
            "aforo.aborted": call.aborted,
        }
    )
    if parent:
        span["parentSpanId"] = parent
    if failed or call.aborted:
        span["status"] = {"code": _ERROR, "message": error or call.aborted}
    if call.route is not None and call.route.attempts:
        span["events"] = _attempts(call)
    return span


def _attempts(call: CallRecord) -> list[Json]:
    """Each try of a backend, at its end; the last one ended with the call at the latest."""
    route = call.route
    assert route is not None
    total = sum(a.took_us for a in route.attempts) * 1_000
    at = max(call.started_ns, call.ended_ns - total)
    out = []
    for each in route.attempts:
        at += each.took_us * 1_000
        told = {
            "aforo.backend": each.backend,
            "http.response.status_code": each.status or None,
            "error.type": each.reason or (str(each.status) if each.status >= 400 else None),
        }
        out.append(
            {
                "name": "backend attempt",
                "timeUnixNano": str(min(at, call.ended_ns)),
                "attributes": attributes(told),
            }
        )
    return out


def model_facts(call: CallRecord, read: Digest) -> Json:
    """What spans and metrics of a model's call have in common."""
    url = _parts(call.backend_url or call.url)
    asked = read.request.get("model")
    azure = bool(call.deployment or "api-version" in url.query)
    return {
        "gen_ai.operation.name": _OPERATIONS.get(call.llm_wire, call.llm_wire),
        "gen_ai.provider.name": "azure.ai.openai" if azure else "openai",
        "gen_ai.request.model": call.deployment or (asked if isinstance(asked, str) else None),
        "gen_ai.response.model": read.model,
        "server.address": url.hostname,
        "server.port": url.port or _PORTS.get(url.scheme),
        "error.type": str(call.status) if call.status >= 400 else call.aborted,
    }


def _of_model(call: CallRecord, read: Digest, prices: PriceList, trace: str, parent: str) -> Json:
    common = model_facts(call, read)
    name = f"{common['gen_ai.operation.name']} {common['gen_ai.request.model'] or read.model}".strip()
    own = sha256(f"model {call.call_id}".encode()).hexdigest()[:16]
    span = _span(call, trace, own, name, _CLIENT)
    span["parentSpanId"] = parent
    usage, request = read.usage, read.request
    cost = cost_of(call, read, prices)
    span["attributes"] = attributes(
        {
            **common,
            "gen_ai.response.id": read.request_id,
            "gen_ai.response.finish_reasons": [read.finish_reason] if read.finish_reason else None,
            "gen_ai.usage.input_tokens": usage.prompt if usage is not None else None,
            "gen_ai.usage.output_tokens": usage.completion if usage is not None else None,
            "gen_ai.usage.cache_read.input_tokens": usage.cached if usage is not None else None,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning if usage is not None else None,
            "gen_ai.request.max_tokens": _number(
                request.get(
                    "max_completion_tokens", request.get("max_output_tokens", request.get("max_tokens"))
                )
            ),
            "gen_ai.request.temperature": _number(request.get("temperature")),
            "gen_ai.request.top_p": _number(request.get("top_p")),
            "openai.api.type": _API_TYPES.get(call.llm_wire),
            "openai.response.service_tier": read.service_tier,
            "aforo.usage.source": usage.source if usage is not None else None,
            "aforo.cost": cost.amount if cost is not None else None,
            "aforo.cost.currency": cost.currency if cost is not None else None,
        }
    )
    if call.status >= 400 or call.aborted:
        span["status"] = {"code": _ERROR}
    return span


def _span(call: CallRecord, trace: str, own: str, name: str, kind: int) -> Json:
    return {
        "traceId": trace,
        "spanId": own,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(call.started_ns),
        "endTimeUnixNano": str(max(call.started_ns, call.ended_ns)),
    }


def attributes(values: Json) -> list[Json]:
    """What is empty is left out."""
    return [{"key": n, "value": value_of(v)} for n, v in values.items() if v not in (None, "")]


def value_of(value: Any) -> Json:
    """OTLP's AnyValue; whole numbers of 64 bits are texts in JSON."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_of(v) for v in value]}}
    return {"stringValue": str(value)}


def _parts(url: str) -> SplitResult:
    """What clients send may be no URL."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if not isinstance(value, int) or abs(value) < 1 << 62 else None
