"""The text of prompts and answers, whichever wire they are of: for who must look at the words. It judges none."""

from __future__ import annotations

from typing import Any

from aforo.llm.wire import Json, objects

_PROMPTS = ("instructions", "system", "messages", "prompt", "input")
# Where text stands in messages of all wires.
_TEXTS = ("content", "text", "refusal", "arguments", "output")
_DELTAS = ("content", "refusal", "reasoning_content", "arguments")


def prompt_text(request: Json) -> str:
    """All text of a prompt, its parts on lines of their own; "" where there is none."""
    out: list[str] = []
    for name in _PROMPTS:
        _collect(request.get(name), out)
    return "\n".join(out)


def answer_text(answer: Json) -> str:
    """All text that a model said in a whole answer."""
    out: list[str] = []
    for choice in objects(answer.get("choices")):
        _collect(choice.get("message", choice.get("text")), out)
        _collect_calls(choice.get("message"), out)
    for item in objects(answer.get("output")):
        _collect({k: v for k, v in item.items() if k in ("content", "arguments")}, out)
    return "\n".join(out)


def delta_text(chunk: Json) -> str:
    """The text that one event of a stream adds."""
    delta = chunk.get("delta")  # the Responses API
    if isinstance(delta, str):
        return delta
    out: list[str] = []
    for choice in objects(chunk.get("choices")):
        if isinstance(choice.get("text"), str):
            out.append(choice["text"])
        said = choice.get("delta")
        if isinstance(said, dict):
            out += [said[name] for name in _DELTAS if isinstance(said.get(name), str)]
            _collect_calls(said, out)
    return "".join(out)


def _collect_calls(message: Any, out: list[str]) -> None:
    """What a model writes into the arguments of tools is said as well."""
    if isinstance(message, dict):
        for call in objects(message.get("tool_calls")):
            function = call.get("function")
            if isinstance(function, dict) and isinstance(function.get("arguments"), str):
                out.append(function["arguments"])


def _collect(value: Any, out: list[str]) -> None:
    """Texts in reading order. Data URIs are no text."""
    stack = [value]
    while stack:
        now = stack.pop()
        if isinstance(now, str):
            if now and not now.startswith("data:"):
                out.append(now)
        elif isinstance(now, list):
            stack.extend(reversed(now))
        elif isinstance(now, dict):
            stack.extend(now[name] for name in reversed(_TEXTS) if name in now)
