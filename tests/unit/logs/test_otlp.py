"""Spans and metrics by OpenTelemetry's conventions, and their way to a collector."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest

from aforo.logs.genai_metrics import GenAiMetrics
from aforo.logs.otlp import OtlpExporter, OtlpSettings, settings_of
from aforo.logs.project import Context, read_call
from aforo.logs.spans import sampled, spans_of
from aforo.spool.records import Attempt, BackendRoute, CallError, CallRecord, ContextRecord
from tests.support.calls import RESOURCE, START_NS, make_call

CONTEXT = Context.of(ContextRecord(1, RESOURCE, "local", {}))


def plain(value: dict[str, Any]) -> Any:
    ((kind, inside),) = value.items()
    if kind == "arrayValue":
        return [plain(v) for v in inside["values"]]
    return int(inside) if kind == "intValue" else inside


def facts(span: dict[str, Any]) -> dict[str, Any]:
    return {a["key"]: plain(a["value"]) for a in span["attributes"]}


def spans(call: CallRecord) -> list[dict[str, Any]]:
    return spans_of(call, read_call(call), CONTEXT.prices)


def test_a_call_of_a_model_is_two_spans() -> None:
    call = make_call(deployment="d", claims={"oid": "o"})
    own, model = spans(call)
    assert (own["traceId"], own["spanId"]) == (call.call_id, call.call_id[16:])
    assert (own["kind"], own["name"], "parentSpanId" in own) == (2, "POST ChatCompletions_Create", False)
    assert own["startTimeUnixNano"] == str(START_NS)
    assert facts(own)["http.response.status_code"] == 200
    assert facts(own)["enduser.id"] == "o"
    assert (model["traceId"], model["parentSpanId"], model["kind"]) == (own["traceId"], own["spanId"], 3)
    assert len(model["spanId"]) == 16
    assert model["spanId"] != own["spanId"]
    assert model["name"] == "chat d"
    got = facts(model)
    assert got.pop("aforo.cost") == pytest.approx((11 * 0.5 + 2 * 1.5) / 1e6)
    assert got == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "d",
        "gen_ai.response.model": "gpt-35-turbo",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 2,
        "server.address": "account",
        "server.port": 80,
        "openai.api.type": "chat_completions",
        "aforo.usage.source": "provider",
        "aforo.cost.currency": "USD",
    }
    # Nothing that people wrote or models answered.
    assert "Hello" not in str((own, model))
    assert "Hi" not in str((own, model))


def test_a_call_in_a_client_s_trace() -> None:
    noted = {"trace": "a" * 32, "span": "b" * 16, "parent": "c" * 16, "flags": "01"}
    own, model = spans(make_call(noted=noted))
    assert (own["traceId"], own["spanId"], own["parentSpanId"]) == ("a" * 32, "b" * 16, "c" * 16)
    assert (model["traceId"], model["parentSpanId"]) == ("a" * 32, "b" * 16)
    assert sampled(make_call(noted=noted))
    assert not sampled(make_call(noted={**noted, "flags": "02"}))
    assert sampled(make_call())


def test_what_went_wrong() -> None:
    route = BackendRoute("pool", "", [Attempt("east", 429, "", 9), Attempt("west", 0, "Timeout", 9)], [])
    call = make_call(
        status=500,
        errors=[CallError("s", "Timeout", "m")],
        route=route,
        llm_wire="",
        url="http://[broken",
        attempts=2,
    )
    (span,) = spans(call)
    assert span["status"] == {"code": 2, "message": "Timeout"}
    assert facts(span)["error.type"] == "Timeout"
    assert [facts(e) for e in span["events"]] == [
        {"aforo.backend": "east", "http.response.status_code": 429, "error.type": "429"},
        {"aforo.backend": "west", "error.type": "Timeout"},
    ]
    assert all(START_NS <= int(e["timeUnixNano"]) <= call.ended_ns for e in span["events"])


def test_metrics_count_up() -> None:
    metrics = GenAiMetrics(5)
    for number in (1, 2):
        call = make_call(number=number)
        read = read_call(call)
        assert read is not None
        metrics.saw(call, read, CONTEXT.prices)
    said = {m["name"]: m for m in metrics.said(9)}
    points = said["gen_ai.client.token.usage"]["histogram"]["dataPoints"]
    by_type = {facts(p)["gen_ai.token.type"]: p for p in points}
    assert (by_type["input"]["count"], by_type["input"]["sum"]) == ("2", 22)
    assert by_type["input"]["bucketCounts"][2] == "2"  # up to 16
    assert len(by_type["input"]["bucketCounts"]) == len(by_type["input"]["explicitBounds"]) + 1
    assert (by_type["input"]["startTimeUnixNano"], by_type["input"]["timeUnixNano"]) == ("5", "9")
    (duration,) = said["gen_ai.client.operation.duration"]["histogram"]["dataPoints"]
    assert duration["sum"] == pytest.approx(2 * 0.0456)
    assert said["aforo.cost"]["sum"]["isMonotonic"]
    assert GenAiMetrics(5).said(9) == []


class Collector:
    """Takes what is posted; answers with `statuses` first, then 200."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.statuses: list[int] = []
        self.port = 0


@contextmanager
def collector() -> Iterator[Collector]:
    made = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
            made.heard.append((self.path, dict(self.headers), body))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_waits_is_sent_before_the_end() -> None:
    with collector() as heard:
        settings = settings_of(
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{heard.port}/",
                "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=a%20b",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=lab",
                "OTEL_SERVICE_NAME": "gate",
            }
        )
        assert settings is not None
        exporter = OtlpExporter(settings)
        call = make_call()
        exporter.saw(call, CONTEXT, read_call(call))
        exporter.saw(make_call(number=2, noted={"flags": "00"}), CONTEXT, None)
        exporter.start()
        exporter.close()
    (traces, head, spans_body), (metrics, _, metrics_body) = heard.heard
    assert (traces, metrics) == ("/v1/traces", "/v1/metrics")
    assert {k.lower(): v for k, v in head.items()}["x-key"] == "a b"
    (resource,) = spans_body["resourceSpans"]
    assert facts(resource["resource"]) == {"deployment.environment": "lab", "service.name": "gate"}
    assert len(resource["scopeSpans"][0]["spans"]) == 2
    names = [m["name"] for m in metrics_body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]]
    assert names[:2] == ["gen_ai.client.token.usage", "gen_ai.client.operation.duration"]
    assert (exporter.sent, exporter.dropped) == (2, 0)


def test_what_the_collector_refuses_is_dropped_and_counted() -> None:
    with collector() as heard:
        heard.statuses = [400]
        exporter = OtlpExporter(OtlpSettings(f"http://127.0.0.1:{heard.port}/v1/traces", "", (), ()))
        exporter.saw(make_call(), CONTEXT, None)
        exporter.start()
        exporter.close()
    assert (exporter.sent, exporter.dropped, len(heard.heard)) == (0, 1, 1)


def test_a_stop_asks_a_collector_that_takes_nothing_once() -> None:
    with collector() as heard:
        heard.statuses = [503] * 5
        exporter = OtlpExporter(OtlpSettings(f"http://127.0.0.1:{heard.port}/v1/traces", "", (), ()))
        for n in range(700):
            exporter.saw(make_call(number=n), CONTEXT, None)
        exporter._stop.set()
        exporter.start()
        exporter.close()
    assert len(heard.heard) == 1
    assert (exporter.sent, exporter.dropped) == (0, 700)


def test_a_mistake_of_ours_does_not_end_the_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [ValueError("a bug")]

    async def fails_once(self: OtlpExporter, pool: object, *, last: bool) -> None:
        if failures:
            raise failures.pop()
        await sends(self, pool, last=last)  # type: ignore[arg-type]

    sends = OtlpExporter._send_spans
    monkeypatch.setattr(OtlpExporter, "_send_spans", fails_once)
    monkeypatch.setattr("aforo.logs.otlp._LINGER_S", 0.01)
    with collector() as heard:
        exporter = OtlpExporter(OtlpSettings(f"http://127.0.0.1:{heard.port}/v1/traces", "", (), ()))
        exporter.saw(make_call(), CONTEXT, None)
        exporter.start()
        while failures or not exporter.sent:
            time.sleep(0.005)
        exporter.close()
    assert exporter.sent == 1


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "nowhere"},
    ],
)
def test_nowhere_to_send_to(environ: dict[str, str]) -> None:
    assert settings_of(environ) is None


def test_signals_of_their_own() -> None:
    got = settings_of(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/here",
            "OTEL_METRICS_EXPORTER": "none",
        }
    )
    assert got is not None
    assert (got.traces_url, got.metrics_url) == ("https://t/here", "")
