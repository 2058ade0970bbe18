"""Calls of a model behind policies that meter it: documents, requests, answers and streams, for tests of a gateway."""

from __future__ import annotations

import json

from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.scopes import Scope
from aforo.source import Source
from tests.support.gateway import Answered

LIMIT = (
    '<llm-token-limit counter-key="k" tokens-per-minute="{0}" estimate-prompt-tokens="{1}"'
    ' remaining-tokens-header-name="x-left" tokens-consumed-header-name="x-consumed"'
    ' tokens-consumed-variable-name="consumed"/>'
)
PROMPT = "x" * 40  # ten tokens
USAGE = {"prompt_tokens": 20, "completion_tokens": 30, "total_tokens": 50}
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
TEXT = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"abcdefgh"}}]}\n\n'
TOLD = b'data: {"model":"m","choices":[],"usage":' + json.dumps(USAGE).encode() + b"}\n\n"
DONE = b"data: [DONE]\n\n"


def policy(inbound: str, outbound: str = "", on_error: str = "") -> Pipeline:
    text = (
        f"<policies><inbound>{inbound}</inbound><backend><forward-request/></backend>"
        f"<outbound>{outbound}</outbound><on-error>{on_error}</on-error></policies>"
    )
    document = compile_document(Source("policy.xml", text), Scope.GLOBAL, CompileContext()).document
    assert document is not None
    return document.bind(EMPTY)


def post(*, stream: bool = False, path: str = "/echo/chat/completions", prompt: str = PROMPT) -> bytes:
    asked = {"messages": [{"role": "user", "content": prompt}]} | ({"stream": True} if stream else {})
    body = json.dumps(asked).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: gate\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


def plain(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = b"".join(h + b"\r\n" for h in (b"content-type: application/json", *headers))
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, lines, len(body), body)


def said(usage: object = USAGE) -> bytes:
    return json.dumps({"model": "m", "choices": [{"message": {"content": "abcd"}}], "usage": usage}).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def told(answer: Answered) -> tuple[int, list[str], list[str]]:
    return answer.status, answer.values("x-left"), answer.values("x-consumed")
