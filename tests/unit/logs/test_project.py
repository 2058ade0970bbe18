"""Records become rows: each column has the value that its name says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aforo.logs.project import Context, correlation_id, gateway_row, llm_rows, read_call, trace_rows
from aforo.logs.rows import row_columns
from aforo.spool.records import (
    Attempt,
    BackendRoute,
    CallError,
    CallRecord,
    ContextRecord,
    Message,
    PassedOver,
    TraceRecord,
)
from aforo.tables.app_traces import APP_TRACES
from aforo.tables.gateway_logs import GATEWAY_LOGS
from aforo.tables.llm_logs import LLM_LOGS
from aforo.tables.schema import ColumnType, Table
from tests.support.calls import ANSWER, REQUEST, RESOURCE, START_NS, WORKSPACE, make_call

CONTEXT = Context.of(ContextRecord(1, RESOURCE, "local", {"GatewayLogs": [WORKSPACE]}))
PYTHON = {
    ColumnType.BOOL: bool,
    ColumnType.INT: int,
    ColumnType.LONG: int,
    ColumnType.REAL: float,
    ColumnType.STRING: str,
    ColumnType.DATETIME: int,
    ColumnType.DYNAMIC: str,
}


def named(table: Table, row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip((c.name for c in row_columns(table)), row, strict=True))


def gateway(call: CallRecord) -> dict[str, Any]:
    return named(GATEWAY_LOGS, gateway_row(call, CONTEXT, read_call(call), 1234))


def llm(call: CallRecord, context: Context = CONTEXT) -> list[dict[str, Any]]:
    read = read_call(call)
    assert read is not None
    return [named(LLM_LOGS, row) for row in llm_rows(call, context, read, 1234)]


def test_a_good_call() -> None:
    row = gateway(make_call(claims={"oid": "o"}, trace_flags=0b1001))
    answer, request = orjson.dumps(ANSWER).decode(), orjson.dumps(REQUEST).decode()
    assert row == {
        "TimeGenerated": START_NS // 1000,
        "Timestamp": START_NS // 1000,
        "CorrelationId": "00000000-0000-0000-0000-000000000001",
        "OperationName": "Microsoft.ApiManagement/GatewayLogs",
        "Category": "GatewayLogs",
        "Region": "local",
        "IsRequestSuccess": True,
        "TotalTime": 46,
        "ClientTime": 1,
        "BackendTime": 41,
        "CacheTime": None,
        "CallerIpAddress": "10.0.0.1",
        "Method": "POST",
        "Url": "http://gate/openai/deployments/d/chat/completions?api-version=2023-05-15",
        "ClientProtocol": "HTTP/1.1",
        "ClientTlsVersion": "1.3",
        "RequestSize": 70,
        "ResponseSize": 300,
        "ResponseCode": 200,
        "BackendMethod": "POST",
        "BackendUrl": "http://account/openai/deployments/d/chat/completions",
        "BackendProtocol": "HTTP/1.1",
        "BackendResponseCode": 200,
        "BackendId": "backend",
        "Cache": "none",
        "ApiId": "azure-openai",
        "ApiRevision": "3",
        "OperationId": "ChatCompletions_Create",
        "ProductId": "product",
        "UserId": "user",
        "ApimSubscriptionId": "subscription",
        "WorkspaceId": "",
        "RequestHeaders": '{"content-type":"application/json"}',
        "ResponseHeaders": '{"content-type":"application/json"}',
        "BackendRequestHeaders": None,
        "BackendResponseHeaders": None,
        "RequestBody": request,
        "ResponseBody": answer,
        "BackendRequestBody": request,
        "BackendResponseBody": answer,
        "LastErrorElapsed": None,
        "LastErrorMessage": "",
        "LastErrorReason": "",
        "LastErrorScope": "",
        "LastErrorSection": "",
        "LastErrorSource": "",
        "Errors": None,
        "TraceRecords": None,
        "IsTraceRequested": True,
        "IsTraceAllowed": False,
        "IsTraceExpired": False,
        "IsMasterTrace": True,
        "_ResourceId": RESOURCE.lower(),
        "_SubscriptionId": "sub",
        "_BilledSize": 1234.0,
        "_IsBillable": "true",
        "ClientIpAddress": "192.0.2.7",
        "Attempts": 1,
        "FirstByteTime": 41.25,
        "Aborted": "",
        "IsStream": False,
        "StreamComplete": None,
        "RequestBodyTruncated": False,
        "ResponseBodyTruncated": False,
        "BackendRequestBodyTruncated": False,
        "BackendResponseBodyTruncated": False,
        "BackendRequestSize": 70,
        "BackendResponseSize": 299,
        "LlmWire": "chat",
        "DeploymentName": "d",
        "ModelName": "gpt-35-turbo",
        "ApiVersion": "2023-05-15",
        "PromptTokens": 11,
        "CompletionTokens": 2,
        "TotalTokens": 13,
        "CachedTokens": None,
        "ReasoningTokens": None,
        "UsageSource": "provider",
        "FinishReason": "stop",
        "ContentFilterResults": None,
        "EndUser": "ada",
        "CallerClaims": '{"oid":"o"}',
        "BackendAttempts": None,
        "BackendRoute": None,
        "PromptAudioTokens": None,
        "CompletionAudioTokens": None,
        "PromptImageTokens": None,
        "CompletionImageTokens": None,
        "Usage": '{"prompt_tokens":11,"completion_tokens":2,"total_tokens":13}',
        "Cost": pytest.approx((11 * 0.5 + 2 * 1.5) / 1e6),
        "CostCurrency": "USD",
        "CostBasis": "gpt-3.5-turbo 2024-02-16",
        "PromptFiltered": None,
        "CompletionFiltered": None,
        "ContentFilterCategories": "",
        "CallerObjectId": "o",
        "CallerApplicationId": "",
        "CallerName": "",
        "CallerTenantId": "",
        "ClaimedCaller": "",
        "TraceId": "",
        "SpanId": "",
        "ParentSpanId": "",
        **{
            f"_{body}_{name}": value
            for body in ("ResponseBody", "BackendResponseBody")
            for name, value in (
                ("model", "gpt-35-turbo"),
                ("prompt_tokens", 11),
                ("completion_tokens", 2),
                ("total_tokens", 13),
                ("finish_reason", "stop"),
                ("odd", False),
            )
        },
    }


@pytest.mark.parametrize(
    "call",
    [
        make_call(),
        make_call(status=0, backend_status=0, aborted="client", request=Message(), response=Message()),
        make_call(llm_wire="", response=Message([], b"\xff\x00binary", 9)),
        make_call(
            errors=[CallError("forward-request", "Timeout", "m", elapsed_us=1500)],
            trace_records=[TraceRecord(1, "s", "error", "m", {"a": "1"})],
        ),
    ],
)
def test_every_value_has_its_column_s_type(call: CallRecord) -> None:
    rows = [(GATEWAY_LOGS, gateway_row(call, CONTEXT, read_call(call), 1))]
    if call.llm_wire:
        read = read_call(call)
        assert read is not None
        rows += [(LLM_LOGS, row) for row in llm_rows(call, CONTEXT, read, 1)]
    for table, row in rows:
        for column, value in zip(row_columns(table), row, strict=True):
            if value is None:
                # A string is never null; a promoted one stands beside its text.
                assert column.type is not ColumnType.STRING or column.hidden, column.name
            else:
                assert type(value) is PYTHON[column.type], column.name


def test_the_way_through_the_backends() -> None:
    route = BackendRoute(
        "pool",
        "moved",
        [Attempt("east", 0, "Timeout", 2_000_500), Attempt("west", 200, "", 1_250)],
        [
            PassedOver("north", "BreakerOpen", "throttled", 900),
            PassedOver("south", "ProbeFailed", "", 10_000),
        ],
    )
    row = gateway(make_call(route=route, attempts=2))
    assert orjson.loads(row["BackendAttempts"]) == [
        {"backend": "east", "reason": "Timeout", "time": 2000.5},
        {"backend": "west", "status": 200, "time": 1.25},
    ]
    assert orjson.loads(row["BackendRoute"]) == {
        "asked": "pool",
        "affinity": "moved",
        "passedOver": [
            {"backend": "north", "why": "BreakerOpen", "rule": "throttled", "left": 900},
            {"backend": "south", "why": "ProbeFailed", "left": 10_000},
        ],
    }


def test_a_failed_call() -> None:
    errors = [
        CallError(
            "authorization", "SubscriptionKeyInvalid", "Access denied.", "global", "inbound", "", "", 1_600
        ),
        CallError(
            "forward-request", "Timeout", "request timed out", "api", "backend", "choose[1]", "id", 9_000
        ),
    ]
    row = gateway(make_call(status=401, backend_status=0, backend_method="", errors=errors))
    assert row["IsRequestSuccess"] is False
    assert row["BackendResponseCode"] is None
    assert (row["LastErrorReason"], row["LastErrorElapsed"], row["LastErrorSection"]) == (
        "Timeout",
        9,
        "backend",
    )
    assert orjson.loads(row["Errors"])[0] == {
        "elapsed": 2,
        "source": "authorization",
        "reason": "SubscriptionKeyInvalid",
        "message": "Access denied.",
        "scope": "global",
        "section": "inbound",
    }


def test_what_a_call_recovered_from_is_no_last_error() -> None:
    """`retry` got an answer in the end: the failed attempt stands among the errors, and nowhere else."""
    attempt = CallError("forward-request", "Timeout", "m", elapsed_us=1500, recovered=True)
    row = gateway(make_call(errors=[attempt]))
    assert (row["LastErrorReason"], row["LastErrorElapsed"], row["LastErrorMessage"]) == ("", None, "")
    assert [e["reason"] for e in orjson.loads(row["Errors"])] == ["Timeout"]
    later = CallError("set-variable", "ExpressionValueEvaluationFailure", "m")
    row = gateway(make_call(errors=[later, attempt]))
    assert row["LastErrorReason"] == "ExpressionValueEvaluationFailure"


def stream_of(*texts: str, done: bool = True) -> bytes:
    chunks = [
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": t}, "finish_reason": None}]}
        for t in texts
    ]
    if done:
        chunks.append(
            {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        )
    return b"".join(b"data: " + orjson.dumps(c) + b"\n\n" for c in chunks) + (
        b"data: [DONE]\n\n" if done else b""
    )


def test_a_stream_is_stored_as_the_answer_that_it_amounts_to() -> None:
    row = gateway(make_call(response=Message([], stream_of("Hel", "lo"), 400, stream=True)))
    body = orjson.loads(row["ResponseBody"])
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert row["BackendResponseBody"] == row["ResponseBody"]
    assert row["_BackendResponseBody_model"] == "m"
    assert (row["IsStream"], row["StreamComplete"]) == (True, True)
    # 5 bytes of prompt, 5 of answer: no usage came, so it is estimated and says so.
    assert (row["PromptTokens"], row["CompletionTokens"], row["UsageSource"]) == (2, 2, "estimated")


def test_a_stream_that_broke_off() -> None:
    row = gateway(
        make_call(aborted="backend", response=Message([], stream_of("Hel", done=False), 9, stream=True))
    )
    assert orjson.loads(row["ResponseBody"])["choices"][0]["message"]["content"] == "Hel"
    assert (row["Aborted"], row["StreamComplete"], row["CompletionTokens"]) == ("backend", False, 1)


def test_an_answer_that_a_policy_changed() -> None:
    other = orjson.dumps({**ANSWER, "model": "changed"})
    call = make_call(
        response=Message([], other, len(other)),
        backend_response=Message([], orjson.dumps(ANSWER), 299),
        same_response=False,
    )
    row = gateway(call)
    assert (row["_ResponseBody_model"], row["_BackendResponseBody_model"]) == ("changed", "gpt-35-turbo")
    assert orjson.loads(row["BackendResponseBody"])["model"] == "gpt-35-turbo"
    call = make_call(
        response=Message([], other, len(other)),
        backend_response=Message([], stream_of("x"), 299),
        same_response=False,
    )
    assert orjson.loads(gateway(call)["BackendResponseBody"])["model"] == "m"


@pytest.mark.parametrize(
    ("body", "odd"),
    [
        ({"model": 7}, True),
        ({"usage": {"prompt_tokens": 1.5}}, True),
        ({"usage": {"prompt_tokens": True}}, True),
        ({"usage": {"total_tokens": 1 << 63}}, True),
        ({"usage": '{"prompt_tokens": 3}'}, True),
        ({"model": None, "usage": None, "choices": []}, False),
        ({"choices": [{"finish_reason": ["x"]}]}, True),
        ({"choices": {"0": 1}}, False),
    ],
)
def test_values_of_another_type_leave_the_question_to_the_text(body: dict[str, Any], odd: bool) -> None:
    row = gateway(make_call(response=Message([], orjson.dumps(body), 1)))
    assert row["_ResponseBody_odd"] is odd
    assert row["_ResponseBody_model"] is None


@pytest.mark.parametrize(
    ("body", "odd"),
    [
        (b'{"model": "cut', True),
        (b'["model"]', True),
        (b'{"\\u006dodel": 1, ', True),
        (b"plain text", False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("wire", ["chat", ""])
def test_bodies_that_were_not_read_are_asked_if_they_may_have_a_promoted_path(
    body: bytes, odd: bool, wire: str
) -> None:
    row = gateway(make_call(llm_wire=wire, response=Message([], body, 1)))
    assert row["_ResponseBody_odd"] is odd


def test_a_call_without_a_model_has_no_tokens() -> None:
    row = gateway(make_call(llm_wire="", deployment=""))
    assert (row["PromptTokens"], row["UsageSource"], row["ModelName"]) == (None, "", "")


def test_messages_of_a_call() -> None:
    header, content = llm(make_call())
    assert (header["SequenceNumber"], header["DeploymentName"], header["ModelName"]) == (
        0,
        "d",
        "gpt-35-turbo",
    )
    assert (header["PromptTokens"], header["CompletionTokens"], header["TotalTokens"]) == (11, 2, 13)
    assert header["RequestId"] == "chatcmpl-1"
    assert header["RequestMessages"] is header["ResponseMessages"] is None
    assert (header["RequestTruncated"], header["ResponseTruncated"]) == (False, False)
    assert (content["SequenceNumber"], content["DeploymentName"], content["TotalTokens"]) == (1, "", None)
    assert orjson.loads(content["RequestMessages"]) == REQUEST["messages"]
    assert orjson.loads(content["ResponseMessages"]) == [{"role": "assistant", "content": "Hi"}]
    assert header["CorrelationId"] == content["CorrelationId"] == correlation_id(f"{1:032x}")


def test_only_what_the_diagnostic_asks_for_is_logged() -> None:
    assert [r["RequestMessages"] for r in llm(make_call(log_flags=0b101))] == [None, None]
    assert [r["ResponseMessages"] for r in llm(make_call(log_flags=0b011))] == [None, None]


def test_the_model_stands_for_a_deployment_that_no_path_names() -> None:
    body = orjson.dumps({**REQUEST, "model": "gpt-4o"})
    (header, _) = llm(make_call(deployment="", request=Message([], body, 1)))
    assert header["DeploymentName"] == "gpt-4o"


def test_long_messages_come_in_chunks_up_to_the_cap() -> None:
    text = "0123456789" * 10_000
    body = orjson.dumps({"messages": [{"role": "user", "content": text}]})
    call = make_call(request=Message([], body, len(body)))
    rows = llm(call)
    assert [r["SequenceNumber"] for r in rows] == [0, 1, 2, 3, 4]
    assert "".join(m["content"] for r in rows[1:] for m in orjson.loads(r["RequestMessages"])) == text
    small = Context.of(ContextRecord(1, RESOURCE, "local", {}, llm_request_bytes=50_000))
    rows = llm(call, small)
    assert rows[0]["RequestTruncated"] is True
    kept = "".join(m["content"] for r in rows[1:] for m in orjson.loads(r["RequestMessages"]))
    assert text.startswith(kept)
    assert 49_000 < len(kept) <= 50_000


def test_bodies_that_were_kept_for_messages_alone_are_not_in_the_gateway_s_row() -> None:
    columns = ("RequestBody", "ResponseBody", "BackendRequestBody", "BackendResponseBody")
    for bit, column in enumerate(columns, 4):
        call = make_call(log_flags=15 | 1 << bit)
        row = gateway(call)
        assert [c for c in columns if not row[c]] == [column]
        assert row["TotalTokens"] == 13
        assert llm(call)[1]["ResponseMessages"] is not None
    row = gateway(make_call(log_flags=0xFF))
    assert "gpt-35-turbo" not in [row[n] for n in row if n.startswith("_")]
    assert (row["_ResponseBody_odd"], row["_BackendResponseBody_odd"]) == (False, False)


def test_what_trace_policies_said() -> None:
    call = make_call(
        trace_records=[
            TraceRecord(START_NS + 1_000_000, "my-api", "error", "it broke", {"team": "blue"}),
            TraceRecord(START_NS + 2_000_000, "my-api", "information", "it goes on"),
        ]
    )
    assert orjson.loads(gateway(call)["TraceRecords"]) == [
        {
            "source": "my-api",
            "severity": "error",
            "message": "it broke",
            "metadata": {"team": "blue"},
            "timestamp": "2026-11-18T11:06:40.1244567Z",
        },
        {
            "source": "my-api",
            "severity": "information",
            "message": "it goes on",
            "metadata": {},
            "timestamp": "2026-11-18T11:06:40.1254567Z",
        },
    ]
    first, second = trace_rows(call, CONTEXT)
    assert {c.name for c in APP_TRACES.columns} >= set(first)
    assert (first["Message"], first["SeverityLevel"], second["SeverityLevel"]) == ("it broke", 3, 1)
    assert first["OperationId"] == gateway(call)["CorrelationId"]
    assert first["Properties"] == {
        "Source": "my-api",
        "ApiId": "azure-openai",
        "ApiRevision": "3",
        "OperationName": "ChatCompletions_Create",
        "team": "blue",
    }
