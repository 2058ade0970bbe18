"""An answer that is there whole, as the event stream that its client asked for. It waits for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from aforo.llm.wire import Json, objects

_DONE = b"data: [DONE]\n\n"
_FILTERS = ("prompt_filter_results", "prompt_annotations")


def replay(wire: str, answer: Json, *, include_usage: bool) -> bytes | None:
    """The events of an answer; None for a wire that has no streams."""
    if wire == "chat":
        return b"".join(map(_data, _chunks(answer, "chat.completion.chunk", _chat, include_usage))) + _DONE
    if wire == "completions":
        return b"".join(map(_data, _chunks(answer, "text_completion", _text, include_usage))) + _DONE
    if wire == "responses":
        events = enumerate(_events(answer))
        return b"".join(
            b"event: %b\n%b" % (e["type"].encode(), _data({**e, "sequence_number": at})) for at, e in events
        )
    return None


def _data(value: Json) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(value)


def _chunks(answer: Json, kind: str, pieces: Any, include_usage: bool) -> Iterator[Json]:
    frame = {k: v for k, v in answer.items() if k not in ("choices", "usage", *_FILTERS)}
    frame["object"] = kind
    filters = {k: answer[k] for k in _FILTERS if k in answer}
    if filters:
        yield {**frame, **filters, "choices": []}
    for choice in objects(answer.get("choices")):
        for piece in pieces(choice):
            yield {**frame, "choices": [piece]}
    if include_usage and isinstance(answer.get("usage"), dict):
        yield {**frame, "choices": [], "usage": answer["usage"]}


def _chat(choice: Json) -> Iterator[Json]:
    message = choice.get("message")
    delta = dict(message) if isinstance(message, dict) else {}
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        delta["tool_calls"] = [{"index": at, **call} for at, call in enumerate(objects(calls))]
    index = choice.get("index", 0)
    said = {k: v for k, v in choice.items() if k not in ("message", "finish_reason", "index")}
    yield {"index": index, "delta": delta, **said, "finish_reason": None}
    yield {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}


def _text(choice: Json) -> Iterator[Json]:
    yield {**choice, "finish_reason": None}
    yield {"text": "", "index": choice.get("index", 0), "finish_reason": choice.get("finish_reason")}


def _events(answer: Json) -> Iterator[Json]:
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for at, item in enumerate(objects(answer.get("output"))):
        yield from _item(at, item)
    whole = "response.incomplete" if answer.get("status") == "incomplete" else "response.completed"
    yield {"type": whole, "response": answer}


def _item(at: int, item: Json) -> Iterator[Json]:
    place: Json = {"output_index": at, "item_id": item.get("id", "")}
    empty = {**item, "status": "in_progress"}
    if "content" in item:
        empty["content"] = []
    arguments = item.get("arguments")
    if isinstance(arguments, str):
        empty["arguments"] = ""
    yield {"type": "response.output_item.added", "output_index": at, "item": empty}
    if isinstance(arguments, str):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": arguments}
        yield {"type": "response.function_call_arguments.done", **place, "arguments": arguments}
    for number, part in enumerate(objects(item.get("content"))):
        inside: Json = {**place, "content_index": number}
        name = "refusal" if part.get("type") == "refusal" else "text"
        kind = "refusal" if name == "refusal" else "output_text"
        said = part.get(name)
        text = said if isinstance(said, str) else ""
        yield {"type": "response.content_part.added", **inside, "part": {**part, name: ""}}
        if text:
            yield {"type": f"response.{kind}.delta", **inside, "delta": text}
        yield {"type": f"response.{kind}.done", **inside, name: text}
        yield {"type": "response.content_part.done", **inside, "part": part}
    yield {"type": "response.output_item.done", "output_index": at, "item": item}
