"""What a call spent in tokens, for who must know it at once: limits and metrics. It keeps nothing and knows no policy.

The log side reads every body whole (digest.py); here the last event of a stream that names its usage is enough, and
a wire need not be known: policies also stand before operations whose path says nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from aforo.llm.catalog import WIRES
from aforo.llm.digest import assemble, read_object
from aforo.llm.usage import ESTIMATED, Usage, estimate_tokens, read_usage
from aforo.llm.wire import Json, objects, text_bytes

# API Management's upper bound for one image of a prompt.
IMAGE_TOKENS = 1200
# Where prompts stand, in the requests of all wires.
_PROMPTS = ("messages", "prompt", "input", "instructions", "system")
# What models read of tools is about as long as their JSON.
_TOOLS = ("tools", "functions")
_IMAGES = ("image_url", "input_image", "image")
_LOOKS_BACK = 4


_MOST_ITEMS = 256


class Spent(NamedTuple):
    """The usage of an answer; the model, the tier of service and the id that it says it has."""

    usage: Usage
    model: str
    tier: str = ""
    id: str = ""
    items: tuple[str, ...] = ()  # of the Responses API: the ids of what it put out


def prompt_tokens(request: Json) -> int:
    """About how many tokens a request's prompt is: by the bytes of its text and tools, and a bound for each image. What
    comes as tokens already is counted."""
    size = images = tokens = 0
    try:
        for name in _PROMPTS:
            prompt = request.get(name)
            if prompt:
                size += text_bytes(prompt)
                images += _images(prompt)
                if name in ("prompt", "input"):
                    tokens += _numbers(prompt)
        for name in _TOOLS:
            if tools := request.get(name):
                size += len(orjson.dumps(tools))
    except (RecursionError, orjson.JSONEncodeError):  # nested deeper than anything that means something
        return 0
    return estimate_tokens(size) + images * IMAGE_TOKENS + tokens


def _numbers(prompt: Any) -> int:
    """Tokens of a prompt that is a list of them, or a list of such lists."""
    if not isinstance(prompt, list) or not isinstance(prompt[0], int | list):
        return 0
    return sum(_numbers(each) if isinstance(each, list) and each else type(each) is int for each in prompt)


def asks_for_stream(request: bytes) -> bool:
    """Whether the answer is to come as a stream; without parsing where the word does not occur."""
    if b'"stream"' not in request and b"\\u00" not in request:
        return False
    return read_object(request).get("stream") is True


def spent(wire: str, request: bytes, answer: bytes, *, stream: bool) -> Spent | None:
    """What a successful answer spent; `stream`: it is an event stream, whole or broken off.

    Estimated where the model says nothing. None: this is no answer of a model's.
    """
    try:
        return _of_stream(wire, request, answer) if stream else _of_whole(wire, request, answer)
    except RecursionError:
        return None


def _of_whole(wire: str, request: bytes, answer: bytes) -> Spent | None:
    said = read_object(answer)
    usage = read_usage(said)
    if usage is None:
        # Other services end their paths as models' do.
        if not _is_models(said) and not (wire == "embeddings" and isinstance(said.get("data"), list)):
            return None
        usage = _estimate(request, _said(said))
    return _spent(usage, said)


def _of_stream(wire: str, request: bytes, answer: bytes) -> Spent | None:
    end = len(answer)
    for _ in range(_LOOKS_BACK):
        # Inside of a text the quotes would be escaped.
        end = answer.rfind(b'"usage"', 0, end)
        if end < 0:
            break
        start = max(answer.rfind(b"\n", 0, end), answer.rfind(b"\r", 0, end)) + 1
        stop = answer.find(b"\n", end)
        chunk = _event(answer[start : stop if stop >= 0 else len(answer)])
        whole = chunk.get("response")  # the Responses API's last event carries all of the answer
        said = whole if isinstance(whole, dict) else chunk
        usage = read_usage(said)
        if usage is not None:
            return _spent(usage, said)
        end = start
    known = WIRES.get(wire) or WIRES[_guess(read_object(request))]
    said, _ = assemble(known, answer)
    if not wire and not (said.get("choices") or said.get("output")):
        return None
    return _spent(_estimate(request, _said(said)), said)


def _event(line: bytes) -> Json:
    return read_object(line[5:].strip()) if line.startswith(b"data:") else {}


def _guess(request: Json) -> str:
    if "messages" in request:
        return "chat"
    return "responses" if "input" in request else "completions"


def _is_models(answer: Json) -> bool:
    """Whether it has the form of a model's answer, of any wire."""
    return isinstance(answer.get("choices"), list) or (
        isinstance(answer.get("output"), list) and answer.get("object") == "response"
    )


def _estimate(request: bytes, said_bytes: int) -> Usage:
    prompt, completion = prompt_tokens(read_object(request)), estimate_tokens(said_bytes)
    return Usage(prompt, completion, prompt + completion, ESTIMATED)


def _said(answer: Json) -> int:
    """Bytes of the text that a model said."""
    return sum(text_bytes(c.get("message", c.get("text"))) for c in objects(answer.get("choices"))) + sum(
        text_bytes(item) for item in objects(answer.get("output"))
    )


def _images(prompt: Any) -> int:
    found = 0
    if isinstance(prompt, list):
        for part in prompt:
            if isinstance(part, dict):
                content = part.get("content")
                if content is None or type(content) is list:
                    found += 1 if part.get("type") in _IMAGES else _images(content)
            elif isinstance(part, list):
                found += _images(part)
    return found


def _spent(usage: Usage, said: Json) -> Spent:
    output = said.get("output")
    items = tuple(i for o in objects(output)[:_MOST_ITEMS] if (i := _text(o, "id"))) if output else ()
    return Spent(usage, _text(said, "model"), _text(said, "service_tier"), _text(said, "id"), items)


def _text(answer: Json, name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""
