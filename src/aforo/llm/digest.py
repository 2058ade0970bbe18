"""One exchange with a model, read once: answer, messages, usage, model. It keeps nothing and measures no time."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from aforo.llm.azure import content_filter_results
from aforo.llm.catalog import UNCOUNTABLE
from aforo.llm.openai import finish_reason
from aforo.llm.sse import parse_events
from aforo.llm.usage import Usage, estimated, raw_usage, read_usage
from aforo.llm.wire import Json, Wire, text_bytes


class Digest(msgspec.Struct, frozen=True, gc=False):
    """What an exchange said. `answer_text` is the assembled answer of a stream, None for other answers."""

    request: Json
    answer: Json
    answer_text: bytes | None
    complete: bool
    usage: Usage | None
    request_id: str
    model: str
    end_user: str
    finish_reason: str
    content_filter: Json | None
    raw_usage: Json | None = None  # as the provider wrote it
    service_tier: str = ""


def read_object(body: bytes) -> Json:
    """A body as a JSON object; {} where it is anything else (cut off, not JSON, an array)."""
    if body[:1] not in (b"{", b" ", b"\n", b"\r", b"\t"):
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def digest(wire: Wire, request_body: bytes, answer_body: bytes, *, stream: bool, succeeded: bool) -> Digest:
    """Read both sides. `stream`: the answer is an event stream; `succeeded`: its status was 2xx.

    Where a successful answer carries no usage it is estimated from the bytes of its text and marked so.
    """
    try:
        return _read(wire, request_body, answer_body, stream, succeeded)
    except RecursionError:  # nested deeper than anything that means something
        return Digest({}, {}, None, False, None, "", "", "", "", None)


def _read(wire: Wire, request_body: bytes, answer_body: bytes, stream: bool, succeeded: bool) -> Digest:
    request = read_object(request_body)
    text: bytes | None = None
    complete = True
    if stream:
        answer, complete = assemble(wire, answer_body)
        # Without a single chunk there is nothing to put together: the body stays as it was received.
        text = orjson.dumps(answer) if answer else None
    else:
        answer = read_object(answer_body)
    raw = raw_usage(answer)
    usage = read_usage(answer) if raw is not None else None
    if usage is None and succeeded and (answer or stream) and wire.name not in UNCOUNTABLE:
        said = sum(map(text_bytes, wire.response_messages(answer)))
        usage = estimated(sum(map(text_bytes, wire.request_messages(request))), said)
    return Digest(
        request,
        answer,
        text,
        complete,
        usage,
        _text(answer, "id"),
        _text(answer, "model"),
        _text(request, "user"),
        finish_reason(answer),
        content_filter_results(answer) if b"content_filter" in answer_body else None,
        raw,
        _text(answer, "service_tier"),
    )


def assemble(wire: Wire, body: bytes) -> tuple[Json, bool]:
    """The answer that an event stream amounts to, and whether it came to its end. ({}, False) for no chunk."""
    chunks: list[Json] = []
    ended = False
    error: Any = None
    for event in parse_events(body):
        if event.data == b"[DONE]":
            ended = True
            continue
        chunk = read_object(event.data)
        if chunk.get("error"):
            error = chunk["error"]
        elif chunk:
            chunks.append(chunk)
    if not chunks and error is None:
        return {}, ended
    answer, said_all = wire.assemble(chunks) if chunks else ({}, False)
    if error is not None:
        return {**answer, "error": error}, False
    return answer, ended or said_all


def _text(of: Json, name: str) -> str:
    value = of.get(name)
    return value if isinstance(value, str) else ""
