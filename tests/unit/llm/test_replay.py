"""A whole answer as a stream says what the answer said: put together again, it is the same."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aforo.llm.catalog import WIRES
from aforo.llm.digest import assemble
from aforo.llm.replay import replay
from aforo.llm.sse import parse_events

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
FILTER = {"hate": {"filtered": False}}
CHAT = {
    "id": "1",
    "object": "chat.completion",
    "created": 7,
    "model": "m",
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": FILTER}],
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi\nthere"}, "finish_reason": "stop", "content_filter_results": FILTER},
        {"index": 1, "message": {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]}, "finish_reason": "tool_calls"},
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}  # fmt: skip
COMPLETION = {
    "id": "1",
    "object": "text_completion",
    "created": 7,
    "model": "m",
    "choices": [{"text": "so", "index": 0, "finish_reason": "length", "logprobs": None}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
RESPONSE = {
    "id": "r",
    "object": "response",
    "status": "completed",
    "model": "m",
    "output": [
        {"id": "m1", "type": "message", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "Hello", "annotations": []}, {"type": "refusal", "refusal": "No"}]},
        {"id": "f1", "type": "function_call", "name": "f", "arguments": "{}", "call_id": "c", "status": "completed"},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
}  # fmt: skip


@pytest.mark.parametrize(
    ("wire", "answer"), [("chat", CHAT), ("completions", COMPLETION), ("responses", RESPONSE)]
)
def test_put_together_again_it_is_the_answer(wire: str, answer: dict[str, Any]) -> None:
    stream = replay(wire, answer, include_usage=True)
    assert stream is not None
    assert assemble(WIRES[wire], stream) == (answer, True)


@pytest.mark.parametrize(("wire", "answer"), [("chat", CHAT), ("completions", COMPLETION)])
def test_usage_is_told_to_who_asked_for_it(wire: str, answer: dict[str, Any]) -> None:
    stream = replay(wire, answer, include_usage=False)
    assert stream is not None
    assert b"usage" not in stream
    assert stream.endswith(b"data: [DONE]\n\n")


def test_the_events_of_a_response_are_numbered_and_tell_its_text() -> None:
    stream = replay("responses", RESPONSE, include_usage=False)
    assert stream is not None
    events = [orjson.loads(e.data) for e in parse_events(stream)]
    assert [e["sequence_number"] for e in events] == list(range(len(events)))
    assert [e.event.decode() for e in parse_events(stream)] == [e["type"] for e in events]
    said = [e["delta"] for e in events if e["type"].endswith(".delta")]
    assert said == ["Hello", "No", "{}"]
    assert events[0]["response"]["output"] == []
    assert events[-1] == {
        "type": "response.completed",
        "response": RESPONSE,
        "sequence_number": len(events) - 1,
    }


@pytest.mark.parametrize(
    "answer", [{}, {"choices": 1}, {"choices": [1, {}]}, {"choices": [{"message": "x"}]}]
)
def test_what_is_no_answer_becomes_no_exception(answer: dict[str, Any]) -> None:
    assert replay("chat", answer, include_usage=True) is not None
    assert replay("responses", answer, include_usage=True) is not None
    assert replay("embeddings", answer, include_usage=True) is None
