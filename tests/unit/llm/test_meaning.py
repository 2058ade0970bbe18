"""What of a request is compared by meaning, and what must be the same."""

from __future__ import annotations

from typing import Any

import pytest

from aforo.llm.meaning import Asked, asked

CHAT = "/deployments/d/chat/completions"


def of(request: dict[str, Any], path: str = CHAT, *, ignore_system: bool = False) -> Asked:
    found = asked(path, request, ignore_system=ignore_system)
    assert found is not None
    return found


def said(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": t} for t in texts]}


def test_messages_become_one_text() -> None:
    request = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]}
    assert (of(request).text, of(request).messages) == ("system: Be brief.\nuser: Hello", 2)
    bare = of(request, ignore_system=True)
    assert (bare.text, bare.messages) == ("user: Hello", 1)


def test_the_form_of_the_answer_on_the_wire_does_not_tell_requests_apart() -> None:
    plain = of(said("a"))
    for other in (
        {"stream": True, "stream_options": {"include_usage": True}},
        {"user": "u"},
        {"metadata": {"a": "b"}},
    ):
        assert of({**said("a"), **other}).exact == plain.exact


@pytest.mark.parametrize(
    "other",
    [
        {"max_tokens": 5},
        {"model": "m"},
        {"temperature": 0},
        {"tools": [{"type": "function"}]},
        {"response_format": {"type": "json_object"}},
        {"n": 2},
    ],
)
def test_what_shapes_an_answer_must_be_the_same(other: dict[str, Any]) -> None:
    assert of({**said("a"), **other}).exact != of(said("a")).exact


def test_images_must_be_the_same() -> None:
    def picture(url: str) -> dict[str, Any]:
        parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
        return {"messages": [{"role": "user", "content": parts}]}

    one, two = of(picture("data:a")), of(picture("data:b"))
    assert one.text == two.text == "user: What is it?"
    assert one.exact != two.exact


def test_answers_of_tools_must_be_the_same() -> None:
    def asking(call: str) -> dict[str, Any]:
        tool = {"role": "tool", "tool_call_id": call, "content": "42"}
        return {"messages": [*said("a")["messages"], tool]}

    assert of(asking("c1")).exact != of(asking("c2")).exact


@pytest.mark.parametrize(
    ("path", "request_", "wire"),
    [
        ("/deployments/d/completions", {"prompt": "a"}, "completions"),
        ("/v1/responses", {"input": "a", "instructions": "b"}, "responses"),
        ("/anything", said("a"), "chat"),
    ],
)
def test_the_wire_is_told_by_the_path_or_by_the_body(path: str, request_: dict[str, Any], wire: str) -> None:
    assert of(request_, path).wire == wire


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/deployments/d/embeddings", {"input": "a"}),
        (CHAT, {}),
        (CHAT, {"messages": "a"}),
        (CHAT, {"messages": [1, None, {"role": "user"}]}),
        ("/files", {"purpose": "a"}),
    ],
)
def test_what_asks_for_no_words_is_nothing(path: str, request_: dict[str, Any]) -> None:
    assert asked(path, request_, ignore_system=False) is None
