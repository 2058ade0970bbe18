"""What calls spent: told by the model in each wire's words, or estimated; whole, streamed, broken off, hostile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.llm.spent import IMAGE_TOKENS, asks_for_stream, prompt_tokens, spent

REQUEST = json.dumps({"messages": [{"role": "user", "content": "x" * 40}]}).encode()


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": {"content": text}}], **more}


CHAT = event(chunk("abcd")) + event(chunk("efgh", usage=None))
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"model": "m", "choices": [], "usage": USAGE}, (5, 7, 12)),
        ({"object": "list", "data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}}, (5, 0, 5)),
        ({"object": "response", "output": [], "usage": {"input_tokens": 3, "output_tokens": 4}}, (3, 4, 7)),
        ({"choices": [{"message": {"content": "x" * 12}}]}, (10, 3, 13)),
        ({"choices": [{"text": "x" * 12}], "usage": None}, (10, 3, 13)),
        ({"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": "9"}}, (10, 0, 10)),
        (
            {"object": "response", "output": [{"type": "message", "content": [{"text": "x" * 8}]}]},
            (10, 2, 12),
        ),
    ],
)
def test_whole_answers(answer: dict[str, Any], found: tuple[int, int, int]) -> None:
    said = spent("", REQUEST, json.dumps(answer).encode(), stream=False)
    assert said is not None
    assert (said.usage.prompt, said.usage.completion, said.usage.total) == found
    assert said.usage.source == ("provider" if answer.get("usage", {}) and found[0] < 9 else "estimated")


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"no json", b'{"ok":true}', b'{"data":[]}'])
def test_what_is_no_models_answer(body: bytes) -> None:
    assert spent("", REQUEST, body, stream=False) is None


def test_an_operation_that_is_a_models_is_metered_whatever_it_says() -> None:
    said = spent("embeddings", b'{"input":["abcd","efgh"]}', b'{"data":[]}', stream=False)
    assert said is not None
    assert (said.usage.prompt, said.usage.total) == (2, 2)


@pytest.mark.parametrize(
    ("body", "found", "source"),
    [
        (
            CHAT + event({"model": "m", "choices": [], "usage": USAGE}) + b"data: [DONE]\n\n",
            (5, 7, 12),
            "provider",
        ),
        (CHAT + event(chunk("", usage=USAGE)).replace(b"\n", b"\r\n"), (5, 7, 12), "provider"),
        (CHAT + event({"model": "m", "choices": [], "usage": USAGE}).rstrip(), (5, 7, 12), "provider"),
        (CHAT + b"data: [DONE]\n\n", (10, 2, 12), "estimated"),
        (CHAT[:-9], (10, 1, 11), "estimated"),  # the client left in the middle of an event
        (event(chunk('he said "usage": {"prompt_tokens":1}')), (10, 9, 19), "estimated"),
        (
            b"event: response.completed\n"
            + event(
                {
                    "type": "response.completed",
                    "response": {"model": "m", "usage": {"input_tokens": 3, "output_tokens": 4}},
                }
            ),
            (3, 4, 7),
            "provider",
        ),
    ],
)
def test_streams(body: bytes, found: tuple[int, int, int], source: str) -> None:
    said = spent("", REQUEST, body, stream=True)
    assert said is not None
    assert (said.usage.prompt, said.usage.completion, said.usage.total) == found
    assert (said.usage.source, said.model) == (source, "m")


def test_a_stream_of_something_else() -> None:
    assert spent("", b"", event({"price": 3}) * 5, stream=True) is None
    assert spent("chat", REQUEST, b"", stream=True) is not None  # a model's, and the client left at once


def test_prompts() -> None:
    assert prompt_tokens({"messages": [{"role": "user", "content": "x" * 41}]}) == 11
    assert prompt_tokens({"prompt": ["abcd", "efgh"]}) == 2
    assert prompt_tokens({"instructions": "abcd", "input": [{"role": "user", "content": "efgh"}]}) == 2
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9999}}
    assert prompt_tokens({"messages": [{"content": [{"type": "text", "text": "abcd"}, image, image]}]}) == (
        1 + 2 * IMAGE_TOKENS
    )
    assert prompt_tokens({}) == 0
    # As LangChain sends what is to be embedded.
    assert prompt_tokens({"input": [[1, 2, 3], [], [4]]}) == 4
    assert prompt_tokens({"prompt": [5, 6]}) == 2
    assert prompt_tokens({"input": [], "prompt": [True]}) == 0
    tool = {"type": "function", "function": {"name": "f", "description": "x" * 400}}
    assert 100 < prompt_tokens({"messages": [], "tools": [tool]}) < 130


def test_asking_for_a_stream() -> None:
    assert asks_for_stream(b'{"stream" : true}')
    assert asks_for_stream(rb'{"str\u0065am": true}')
    assert not asks_for_stream(b'{"stream":false}')
    assert not asks_for_stream(b'{"messages":[{"content":"\\"stream\\": true"}]}')
    assert not asks_for_stream(b'{"stream":1')


@given(st.binary(max_size=200), st.binary(max_size=200), st.booleans())
def test_nothing_that_arrives_raises(request: bytes, answer: bytes, stream: bool) -> None:
    for body in (answer, b'{"usage":' + answer, b'data: {"usage"' + answer + b"\n\n"):
        spent("", request, body, stream=stream)
    prompt_tokens({"messages": [[{"content": [answer.decode("latin-1")]}]]})


def test_nesting_without_end() -> None:
    nested: Any = "x"
    for _ in range(100_000):
        nested = [nested]
    assert prompt_tokens({"messages": nested}) == 0
    while nested != "x":
        nested = nested[0]
