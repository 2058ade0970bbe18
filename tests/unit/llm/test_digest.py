"""What is read from one exchange."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aforo.llm.azure import Filtered, filtered
from aforo.llm.catalog import WIRES
from aforo.llm.digest import Digest, digest
from aforo.llm.usage import ESTIMATED, PROVIDER, Usage, read_usage


def read(wire: str, request: Any, answer: Any, *, succeeded: bool = True) -> Digest:
    return digest(WIRES[wire], orjson.dumps(request), orjson.dumps(answer), stream=False, succeeded=succeeded)


def test_an_exchange_with_everything() -> None:
    answer = {
        "id": "chatcmpl-9",
        "model": "gpt-4o",
        "choices": [
            {
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hi"},
                "content_filter_results": {"hate": {"filtered": False}},
            }
        ],
        "prompt_filter_results": [
            {"prompt_index": 0, "content_filter_results": {"sexual": {"filtered": False}}}
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    }
    got = read("chat", {"messages": [{"role": "user", "content": "Hello"}], "user": "ada"}, answer)
    assert got.usage == Usage(10, 4, 14, PROVIDER, 8, 3)
    assert (got.request_id, got.model, got.end_user, got.finish_reason) == (
        "chatcmpl-9",
        "gpt-4o",
        "ada",
        "stop",
    )
    assert got.content_filter == {
        "prompt": [{"sexual": {"filtered": False}}],
        "completion": [{"hate": {"filtered": False}}],
    }
    assert got.answer_text is None


def test_a_refused_prompt_has_its_filter_results_and_no_tokens() -> None:
    error = {
        "error": {
            "code": "content_filter",
            "innererror": {"content_filter_result": {"jailbreak": {"filtered": True, "detected": True}}},
        }
    }
    got = read("chat", {"messages": []}, error, succeeded=False)
    assert got.content_filter == {"prompt": [{"jailbreak": {"filtered": True, "detected": True}}]}
    assert got.usage is None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 1, "total_tokens": 1}, Usage(1, 0, 1, PROVIDER)),
        ({"input_tokens": 2, "output_tokens": 3}, Usage(2, 3, 5, PROVIDER)),
        ({"prompt_tokens": "1"}, None),
        ({"prompt_tokens": True}, None),
        ({"prompt_tokens": -1}, None),
        ({"prompt_tokens": 10**30}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_usage(usage: Any, expected: Usage | None) -> None:
    assert read_usage({"usage": usage}) == expected


def test_estimates_count_text_and_not_images_roles_or_vectors() -> None:
    request = {
        "messages": [
            {"role": "system", "content": "12345678"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "ab"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}},
                ],
            },
        ]
    }
    answer = {"choices": [{"message": {"role": "assistant", "content": "é" * 4}}]}
    assert read("chat", request, answer).usage == Usage(3, 2, 5, ESTIMATED)


@pytest.mark.parametrize(
    ("prompt", "messages"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        (None, []),
    ],
)
def test_prompts_of_completions_and_embeddings_are_messages(prompt: Any, messages: list[Any]) -> None:
    expected = [{"role": "user", "content": m} for m in messages]
    assert WIRES["completions"].request_messages({"prompt": prompt}) == expected
    assert WIRES["embeddings"].request_messages({"input": prompt}) == expected


def test_messages_of_a_response() -> None:
    wire = WIRES["responses"]
    assert wire.request_messages({"instructions": "Be brief.", "input": "Hi"}) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    call = {"type": "function_call", "name": "f", "arguments": "{}"}
    message = {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"refusal": "b"}]}
    assert wire.response_messages({"output": [call, message]}) == [
        call,
        {"role": "assistant", "content": "ab"},
    ]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"choices": ', b"\xff\xfe", b'{"choices": 7, "usage": 3}']
)
@pytest.mark.parametrize("wire", list(WIRES))
def test_bodies_that_say_nothing(wire: str, body: bytes) -> None:
    got = digest(WIRES[wire], body, body, stream=False, succeeded=True)
    assert got.model == ""
    assert got.usage is None or got.usage.total == 0


def test_a_stream_s_verdicts_are_the_worst_of_its_chunks() -> None:
    chunks = [
        {
            "prompt_filter_results": [
                {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False}}}
            ]
        },
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": "a"},
                    "content_filter_results": {"hate": {"severity": "medium"}},
                }
            ]
        },
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": "b"},
                    "finish_reason": "content_filter",
                    "content_filter_results": {
                        "hate": {"severity": "safe", "filtered": False},
                        "violence": {"filtered": True, "severity": "high"},
                    },
                }
            ]
        },
        {"choices": [{"index": 0, "delta": {}, "content_filter_results": {"violence": {"filtered": False}}}]},
    ]
    body = b"".join(b"data: " + orjson.dumps(c) + b"\n\n" for c in chunks) + b"data: [DONE]\n\n"
    got = digest(WIRES["chat"], b"{}", body, stream=True, succeeded=True)
    assert got.content_filter == {
        "prompt": [{"hate": {"filtered": False}}],
        "completion": [
            {
                "hate": {"severity": "medium", "filtered": False},
                "violence": {"filtered": True, "severity": "high"},
            }
        ],
    }
    assert filtered(got.content_filter) == Filtered(False, True, ("hate", "violence"))


def test_the_responses_api_has_its_verdicts_in_one_list() -> None:
    answer = {
        "object": "response",
        "content_filters": [
            {
                "blocked": True,
                "source_type": "prompt",
                "content_filter_results": {"jailbreak": {"detected": True}},
            },
            {
                "blocked": False,
                "source_type": "completion",
                "content_filter_results": {"hate": {"filtered": False}},
            },
        ],
    }
    got = read("responses", {}, answer)
    assert filtered(got.content_filter) == Filtered(False, False, ("jailbreak",))
    assert filtered(None) == Filtered(None, None, ())


def test_usage_is_kept_as_the_provider_wrote_it() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 0, "ours": {"nobody": "knows"}}
    assert read("chat", {}, {"choices": [], "usage": usage, "service_tier": "flex"}).raw_usage == usage
    assert read("chat", {}, {"choices": [], "usage": usage, "service_tier": "flex"}).service_tier == "flex"
    assert read("chat", {}, {"choices": []}).raw_usage is None


def test_pictures_tell_their_tokens_or_nothing() -> None:
    usage = {
        "input_tokens": 5,
        "output_tokens": 7,
        "total_tokens": 12,
        "input_tokens_details": {"image_tokens": 2},
    }
    assert read("images", {"prompt": "a cat"}, {"data": [], "usage": usage}).usage == Usage(
        5, 7, 12, PROVIDER, prompt_image=2
    )
    assert read("images", {"prompt": "a cat"}, {"data": []}).usage is None


def test_a_stream_of_pictures_has_the_usage_in_its_last_event() -> None:
    events = [
        {"type": "image_generation.partial_image", "b64_json": "QQ=="},
        {
            "type": "image_generation.completed",
            "b64_json": "QQ==",
            "usage": {"input_tokens": 1, "output_tokens": 9},
        },
    ]
    body = b"".join(b"data: " + orjson.dumps(c) + b"\n\n" for c in events)
    got = digest(WIRES["images"], b"{}", body, stream=True, succeeded=True)
    assert got.complete
    assert got.usage == Usage(1, 9, 10, PROVIDER)


def test_transcriptions_tell_what_they_heard() -> None:
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"audio_tokens": 14},
        "output_tokens": 3,
    }
    got = digest(
        WIRES["transcriptions"],
        b"--form",
        orjson.dumps({"text": "hello", "usage": usage}),
        stream=False,
        succeeded=True,
    )
    assert got.usage == Usage(14, 3, 17, PROVIDER, prompt_audio=14)
    seconds = orjson.dumps({"text": "hello", "usage": {"type": "duration", "seconds": 3}})
    got = digest(WIRES["transcriptions"], b"", seconds, stream=False, succeeded=True)
    assert got.usage is None
    assert got.raw_usage == {"type": "duration", "seconds": 3}
