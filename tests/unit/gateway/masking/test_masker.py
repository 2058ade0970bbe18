"""Whole records: through a real gateway nothing that is to be masked reaches the spool, and the wire is untouched."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec

from aforo.gateway.masking.detectors import DETECTORS
from aforo.gateway.masking.marks import Marks
from aforo.gateway.masking.masker import Masker
from aforo.logs.project import Context, gateway_row, llm_rows, read_call, trace_rows
from aforo.snapshot.snapshot import LogPlan, MaskPlan, MaskRules, MessageLog
from aforo.spool.records import (
    LOG_LLM_REQUESTS,
    LOG_LLM_RESPONSES,
    CallError,
    CallRecord,
    ContextRecord,
    Message,
    TraceRecord,
)
from tests.support.gateway import gate, story
from tests.support.scripted_backend import CLOSE

MAIL = "canary@example.com"
DETECT = tuple((name, "Mask") for name in sorted(DETECTORS))
MARKS = Marks(b"k" * 32)
LISTED = MessageLog(("content-type", "x-who", "x-gone", "x-note"), None)
PLAN = MaskPlan(
    MaskRules((("x-gone", "Hide"), ("x-who", "Hash")), (("mail", "Mask"), ("gone", "Hide"), ("who", "Hash")),
              (("$.user", "Hash"), ("$.secret", "Mask")), DETECT),
    MaskRules((("x-gone", "Hide"), ("x-who", "Hash")), (), (("$.system_fingerprint", "Mask"),), DETECT),
    (8192, 8192, 8192, 8192),
    "x-who",
)  # fmt: skip
LOG = LogPlan(True, 100.0, True, True, LISTED, LISTED, LISTED, LISTED, True, True, masking=PLAN)


# What of a record is said by callers, models or policies; everything else is our own or the configuration's.
_FROM_OUTSIDE = frozenset(
    ("url", "backend_url", "request", "response", "backend_request", "backend_response", "errors", "trace_records",
     "deployment", "api_version", "claims", "noted")
)  # fmt: skip
_OUR_OWN = frozenset(
    ("call_id", "method", "protocol", "tls_version", "peer_ip", "client_ip", "api_id", "api_revision", "operation_id",
     "product_id", "subscription_id", "user_id", "backend_id", "backend_method", "backend_protocol", "cache", "aborted",
     "llm_wire", "route")
)  # fmt: skip


def test_every_text_of_a_record_is_masked_or_known_to_be_ours() -> None:
    plain = {f.name for f in msgspec.structs.fields(CallRecord) if f.type in (int, bool)}
    assert {f.name for f in msgspec.structs.fields(CallRecord)} - plain == _FROM_OUTSIDE | _OUR_OWN


def filled() -> CallRecord:
    """A record with a mail address wherever one can be."""
    body = json.dumps(
        {"messages": [{"role": "user", "content": MAIL}], "user": "Alice K", "secret": "swordfish"}
    ).encode()
    answer = json.dumps(
        {"id": "1", "choices": [{"message": {"content": f"ok {MAIL}"}}], "system_fingerprint": "fp"}
    ).encode()
    headers = [
        (b"x-note", MAIL.encode()),
        (b"x-who", b"Alice K"),
        (b"x-gone", b"gone-value"),
        (b"content-type", b"a"),
    ]
    values: dict[str, Any] = {}
    for each in msgspec.structs.fields(CallRecord):
        if each.type is int:
            values[each.name] = 1
        elif each.type is bool:
            values[each.name] = False
        elif each.type is str:
            values[each.name] = "x"
    values |= {
        "call_id": "0" * 32,
        "url": f"http://h/u/{MAIL}?mail=swordfish&gone=1&who=Alice+K&q=canary%40example.com",
        "backend_url": f"http://b/u/{MAIL}?mail=swordfish&n=1",
        "request": Message(headers, body, len(body)),
        "response": Message(headers, answer, len(answer)),
        "backend_request": Message(headers, body, len(body)),
        "backend_response": Message(headers, answer, len(answer)),
        "errors": [CallError("s", MAIL, f"bad value swordfish of {MAIL}")],
        "trace_records": [TraceRecord(1, MAIL, "verbose", f"{MAIL} swordfish", {MAIL: MAIL})],
        "deployment": MAIL,
        "api_version": MAIL,
        "claims": {"upn": MAIL},
        "noted": {"caller": "Alice K", "trace": "0123456789abcdef0123456789abcdef"},
        "llm_wire": "chat",
        "log_flags": 1 | LOG_LLM_REQUESTS | LOG_LLM_RESPONSES,
        "route": None,
        "aborted": "",
        "cache": "none",
        "status": 200,
    }
    return CallRecord(**values)


def test_no_part_of_a_record_keeps_what_is_masked() -> None:
    masked = Masker(PLAN, MARKS).mask(filled())
    stored = msgspec.msgpack.encode(masked)
    for text in (b"canary", b"swordfish", b"Alice", b"gone-value", b'"fp"'):
        assert text not in stored, text
    assert masked.url == f"http://h/u/*****?mail=*****&who={MARKS.hashed('alice k')}&q=*****"
    assert [n for n, _ in masked.request.headers] == [b"x-note", b"x-who", b"content-type"]
    assert json.loads(masked.request.body)["user"] == MARKS.hashed("Alice K") == masked.noted["caller"]  # type: ignore[index]
    assert masked.noted["trace"] == "0123456789abcdef0123456789abcdef"  # type: ignore[index]
    assert masked.request.size == filled().request.size


def test_rows_and_messages_are_made_of_what_was_masked() -> None:
    masked = Masker(PLAN, MARKS).mask(filled())
    context = Context.of(
        ContextRecord(1, "/subscriptions/s/r", "local", {"GatewayLogs": ["w"], "GatewayLlmLogs": ["w"]})
    )
    read = read_call(masked)
    assert read is not None
    rows = [
        gateway_row(masked, context, read, 1),
        *llm_rows(masked, context, read, 1),
        trace_rows(masked, context),
    ]
    assert "canary" not in repr(rows)
    assert "swordfish" not in repr(rows)


def test_bodies_are_cut_behind_the_masking() -> None:
    plan = msgspec.structs.replace(PLAN, body_bytes=(20, 8192, 8192, 8192))
    text = b"a mail: canary@example.com and more"
    record = msgspec.structs.replace(filled(), llm_wire="", request=Message([], text, len(text)))
    masked = Masker(plan, MARKS).mask(record)
    assert masked.request.body == b"a mail: ***** and mo"
    assert masked.request.cut


def streamed(*pieces: str) -> bytes:
    body = b"".join(
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": piece}}]}).encode() + b"\n\n"
        for piece in pieces
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return head + body + b"data: [DONE]\n\n"


@story
async def test_the_wire_is_untouched_and_the_spool_has_nothing() -> None:
    async with gate(log=LOG) as g:
        body = json.dumps(
            {"messages": [{"role": "user", "content": f"I am {MAIL}"}], "user": "Alice K"}
        ).encode()
        sent = streamed("to can", "ary@exa", "mple.com", " now")
        g.backend.plays(sent, CLOSE)
        head = (
            b"POST /echo/chat/completions?mail=canary%%40example.com HTTP/1.1\r\nHost: gate\r\nx-who: Alice K\r\n"
            b"content-length: %d\r\n\r\n" % len(body)
        )
        answer = await g.call(head + body)
        assert answer.status == 200
        assert b"ary@exa" in answer.body
        heard = g.backend.heard[-1]
        assert heard.body == body
        assert "canary%40example.com" in heard.line
        assert heard.values("x-who") == ["Alice K"]
        await g.settled()
        stored = msgspec.msgpack.encode(g.records)
        for text in (b"canary", b"to can", b"ary@exa", b"mple.com", b"Alice"):
            assert text not in stored, text
        read = read_call(g.records[0])
        assert read is not None
        assert read.answer["choices"][0]["message"]["content"] == "to ***** now"


@story
async def test_what_reaches_no_api_and_what_begins_in_audit_mode_is_masked_too() -> None:
    plan = msgspec.structs.replace(LOG, audit=True)
    async with gate(log=plan) as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await g.call(b"GET /nowhere/canary@example.com HTTP/1.1\r\nHost: gate\r\n\r\n")
        await g.call(b"GET /echo/canary@example.com HTTP/1.1\r\nHost: gate\r\n\r\n")
        await g.settled()
        assert len(g.records) == 2
        assert len(g.spool.begins) == 1
        assert "canary" not in repr((g.records, g.spool.begins))


@story
async def test_an_answer_in_a_coding_is_kept_masked_and_one_that_cannot_be_read_not_at_all() -> None:
    async with gate(log=LOG) as g:
        for coding, body in (
            (b"gzip", gzip.compress(MAIL.encode())),
            (b"unheard-of", gzip.compress(MAIL.encode())),
        ):
            head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n"
            g.backend.plays(head % (coding, len(body)) + body)
            answer = await g.call(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n")
            assert answer.body == body
        await g.settled()
        assert [r.response.body for r in g.records] == [b"*****", b""]
