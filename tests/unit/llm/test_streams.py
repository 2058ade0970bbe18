"""Event streams and the answers that they amount to."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aforo.llm.catalog import WIRES
from aforo.llm.digest import assemble, digest
from aforo.llm.sse import Event, EventParser, parse_events


def stream(*chunks: Any, done: bool = True) -> bytes:
    parts = [b"data: " + orjson.dumps(c) + b"\n\n" for c in chunks]
    return b"".join(parts) + (b"data: [DONE]\n\n" if done else b"")


def delta(content: str | None = None, **rest: Any) -> dict[str, Any]:
    finish = rest.pop("finish_reason", None)
    piece = {**({} if content is None else {"content": content}), **rest}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "gpt-35-turbo",
        "choices": [{"index": 0, "delta": piece, "finish_reason": finish}],
        "usage": None,
    }


AZURE_FIRST = {
    "id": "",
    "object": "",
    "created": 0,
    "model": "",
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    ],
    "choices": [],
}


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [Event(b"a"), Event(b"b")]),
        (b"data:a\r\ndata:  b\r\n\r\n", [Event(b"a\n b")]),
        (b"event: e\rid: 4\rdata\r\r", [Event(b"", b"e", b"4")]),
        (b"\xef\xbb\xbfdata: x\n\n", [Event(b"x")]),
        (b": comment\n\nretry: 10\n\nevent: none\n\n", []),
        (b"id: 1\ndata: a\n\ndata: b\n\n", [Event(b"a", b"", b"1"), Event(b"b", b"", b"1")]),
        (b"data: cut off", []),
        (b"data: cut off\n", []),
    ],
)
def test_events(body: bytes, events: list[Event]) -> None:
    assert parse_events(body) == events


def test_a_lone_carriage_return_ends_an_event_at_once() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\r\r") == [Event(b"a")]
    assert parser.feed(b"\ndata: b\n\n") == [Event(b"b")]


def test_a_chat_stream_in_azure_s_form() -> None:
    body = stream(
        AZURE_FIRST,
        delta("", role="assistant"),
        delta("Hel"),
        delta("lo"),
        {**delta(finish_reason="stop"), "system_fingerprint": "fp"},
        {**delta(), "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}},
    )
    answer, complete = assemble(WIRES["chat"], body)
    assert complete
    assert answer == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "gpt-35-turbo",
        "prompt_filter_results": AZURE_FIRST["prompt_filter_results"],
        "system_fingerprint": "fp",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }


def test_tool_calls_come_in_pieces_and_several() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return delta(tool_calls=[{"index": index, "function": function}])

    body = stream(
        delta(role="assistant", content=None),
        delta(
            tool_calls=[
                {"index": 0, "id": "c0", "type": "function", "function": {"name": "f", "arguments": ""}}
            ]
        ),
        call(0, arguments='{"a"'),
        call(0, arguments=":1}"),
        delta(
            tool_calls=[
                {"index": 1, "id": "c1", "type": "function", "function": {"name": "g", "arguments": "{}"}}
            ]
        ),
        delta(finish_reason="tool_calls"),
    )
    answer, _ = assemble(WIRES["chat"], body)
    assert answer["choices"][0]["message"]["tool_calls"] == [
        {"id": "c0", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "c1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_choices_logprobs_and_filters_are_kept_apart() -> None:
    def piece(index: int, text: str, **rest: Any) -> dict[str, Any]:
        return {"model": "m", "choices": [{"index": index, "delta": {"content": text}, **rest}]}

    body = stream(
        piece(1, "b", logprobs={"content": [{"token": "b"}]}),
        piece(0, "a", content_filter_results={"hate": {"filtered": False}}),
        piece(1, "B", logprobs={"content": [{"token": "B"}]}, finish_reason="stop"),
        piece(
            0, "A", content_filter_results={"violence": {"filtered": True}}, finish_reason="content_filter"
        ),
    )
    first, second = assemble(WIRES["chat"], body)[0]["choices"]
    assert first["message"] == {"content": "aA"}
    assert first["content_filter_results"] == {"hate": {"filtered": False}, "violence": {"filtered": True}}
    assert second["message"] == {"content": "bB"}
    assert second["logprobs"] == {"content": [{"token": "b"}, {"token": "B"}]}


def test_a_stream_that_breaks_off_is_what_it_was_and_not_complete() -> None:
    answer, complete = assemble(WIRES["chat"], stream(delta("Hel"), delta("lo"), done=False) + b'data: {"cho')
    assert not complete
    assert answer["choices"][0]["message"]["content"] == "Hello"


def test_an_error_in_a_stream_is_in_the_answer() -> None:
    answer, complete = assemble(WIRES["chat"], stream(delta("Hel"), {"error": {"code": "429"}}))
    assert not complete
    assert answer["error"] == {"code": "429"}
    assert answer["choices"][0]["message"]["content"] == "Hel"


def test_completions() -> None:
    def piece(text: str, finish: str | None = None) -> dict[str, Any]:
        return {"id": "cmpl", "model": "m", "choices": [{"text": text, "index": 0, "finish_reason": finish}]}

    answer, complete = assemble(
        WIRES["completions"], stream(piece("ab"), piece("c"), piece("", "length"), done=False)
    )
    assert complete
    assert answer["object"] == "text_completion"
    assert answer["choices"] == [{"text": "abc", "index": 0, "finish_reason": "length"}]


def test_responses_whole_and_broken_off() -> None:
    created = {"type": "response.created", "response": {"id": "r", "model": "m", "output": []}}
    item = {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {"type": "message", "role": "assistant"},
    }
    text = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}
    whole = {"id": "r", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 2}}
    completed = {"type": "response.completed", "response": whole}
    wire = WIRES["responses"]
    assert assemble(wire, stream(created, item, text, completed, done=False)) == (whole, True)
    answer, complete = assemble(wire, stream(created, item, text, text, done=False))
    assert not complete
    assert wire.response_messages(answer) == [{"role": "assistant", "content": "HiHi"}]


def test_a_hundred_thousand_pieces_take_no_quadratic_time() -> None:
    pieces = [delta("x" * 80)] * 100_000
    answer, _ = WIRES["chat"].assemble(pieces)
    assert len(answer["choices"][0]["message"]["content"]) == 8_000_000


def test_hostile_chunks_do_no_harm() -> None:
    deep = b"data: " + b'{"choices":[{"delta":{"x":' + b"[" * 1000 + b"]" * 1000 + b"}}]}\n\n"
    read = digest(WIRES["chat"], b"{}", deep, stream=True, succeeded=True)
    assert read.answer_text is None
    many = stream(
        delta(tool_calls=[{"index": 10**9}]),
        delta(tool_calls=[{"index": -1}]),
        delta(tool_calls=[{"index": "x"}]),
    )
    assert len(assemble(WIRES["chat"], many)[0]["choices"][0]["message"]["tool_calls"]) <= 3
    for body in (b"data: 1\n\n", b"data: []\n\n", b"data: {\n\n", b"data: \xff\n\n", b"", b"\0"):
        assert assemble(WIRES["chat"], body)[0] == {}
    for odd in (
        {"choices": 1},
        {"choices": [1]},
        {"choices": [{"delta": 3}]},
        {"choices": [{"delta": {"content": 3}}]},
    ):
        assemble(WIRES["chat"], stream(odd))
        assemble(WIRES["completions"], stream(odd))
        assemble(WIRES["responses"], stream(odd))
