"""OpenAI's chat completions, completions and embeddings, which Azure, vLLM, Ollama and others speak as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aforo.llm.azure import worse
from aforo.llm.wire import Json, objects

# In a delta, text under these names is a piece to be joined; any other value replaces what was there.
_PIECES = frozenset(("content", "refusal", "reasoning", "reasoning_content", "arguments", "transcript"))


class ChatWire:
    """POST .../chat/completions."""

    name = "chat"

    def request_messages(self, request: Json) -> list[Any]:
        messages = request.get("messages")
        return messages if isinstance(messages, list) else []

    def response_messages(self, answer: Json) -> list[Any]:
        return [c["message"] for c in objects(answer.get("choices")) if isinstance(c.get("message"), dict)]

    def assemble(self, chunks: Sequence[Json]) -> tuple[Json, bool]:
        answer = _frame(chunks, "chat.completion")
        choices: dict[int, Json] = {}
        for chunk in chunks:
            for piece in objects(chunk.get("choices")):
                choice = choices.setdefault(_index(piece), {"index": _index(piece), "message": {}})
                delta = piece.get("delta")
                if isinstance(delta, dict):
                    _merge(choice["message"], delta)
                _merge_rest(choice, piece)
        for choice in choices.values():
            choice["message"] = _joined(choice["message"])
        answer["choices"] = [choices[i] for i in sorted(choices)]
        return _closed(answer, chunks)


class CompletionsWire:
    """POST .../completions."""

    name = "completions"

    def request_messages(self, request: Json) -> list[Any]:
        return _as_user(request.get("prompt"))

    def response_messages(self, answer: Json) -> list[Any]:
        return [
            {"role": "assistant", "content": c["text"]}
            for c in objects(answer.get("choices"))
            if isinstance(c.get("text"), str)
        ]

    def assemble(self, chunks: Sequence[Json]) -> tuple[Json, bool]:
        answer = _frame(chunks, "text_completion")
        texts: dict[int, list[str]] = {}
        choices: dict[int, Json] = {}
        for chunk in chunks:
            for piece in objects(chunk.get("choices")):
                index = _index(piece)
                choice = choices.setdefault(index, {"text": "", "index": index})
                if isinstance(piece.get("text"), str):
                    texts.setdefault(index, []).append(piece["text"])
                _merge_rest(choice, piece)
        for index, parts in texts.items():
            choices[index]["text"] = "".join(parts)
        answer["choices"] = [choices[i] for i in sorted(choices)]
        return _closed(answer, chunks)


class EmbeddingsWire:
    """POST .../embeddings: texts in, vectors out; the vectors are no messages."""

    name = "embeddings"

    def request_messages(self, request: Json) -> list[Any]:
        return _as_user(request.get("input"))

    def response_messages(self, answer: Json) -> list[Any]:  # noqa: ARG002 - the port's signature
        return []

    def assemble(self, chunks: Sequence[Json]) -> tuple[Json, bool]:
        return (dict(chunks[-1]), True) if chunks else ({}, False)


def finish_reason(answer: Json) -> str:
    """Why the first choice ended; "" when it does not say."""
    choices = answer.get("choices")
    first = next((c for c in choices if isinstance(c, dict)), None) if isinstance(choices, list) else None
    reason = first.get("finish_reason") if first is not None else None
    if isinstance(reason, str):
        return reason
    status = answer.get("status")  # the Responses API
    return status if isinstance(status, str) else ""


def _as_user(prompt: Any) -> list[Any]:
    """A prompt is a text, several, or tokens: each becomes one message of the user."""
    if prompt is None:
        return []
    tokens = isinstance(prompt, list) and all(isinstance(p, int) for p in prompt)
    texts = [prompt] if tokens or not isinstance(prompt, list) else prompt
    return [{"role": "user", "content": text} for text in texts]


def _frame(chunks: Sequence[Json], kind: str) -> Json:
    """What all chunks of a stream share: the first value of each top-level name that says something."""
    answer: Json = {"id": "", "object": kind, "created": 0, "model": ""}
    for chunk in chunks:
        for name, value in chunk.items():
            if name in ("object", "choices", "usage") or value in (None, "", 0):
                continue
            if name in ("prompt_filter_results", "prompt_annotations") or not answer.get(name):
                answer[name] = value
    return answer


def _closed(answer: Json, chunks: Sequence[Json]) -> tuple[Json, bool]:
    """With the usage of the last chunk that has one; said all when every choice has its reason to end."""
    for chunk in reversed(chunks):
        if isinstance(chunk.get("usage"), dict):
            answer["usage"] = chunk["usage"]
            break
    choices = answer["choices"]
    return answer, bool(choices) and all(c.get("finish_reason") for c in choices)


def _index(piece: Json) -> int:
    index = piece.get("index")
    return index if isinstance(index, int) else 0


def _merge(into: Json, delta: Json) -> None:
    for name, value in delta.items():
        have = into.get(name)
        if value is None:
            into.setdefault(name, None)
        elif isinstance(value, str) and name in _PIECES:
            if isinstance(have, _Pieces):
                have.append(value)
            else:
                into[name] = _Pieces((value,))
        elif isinstance(value, dict) and isinstance(have, dict):
            _merge(have, value)
        elif name == "tool_calls" and isinstance(value, list):
            calls = have if isinstance(have, list) else into.setdefault(name, [])
            if calls is None:
                calls = into[name] = []
            for piece in objects(value):
                _merge_call(calls, piece)
        else:
            into[name] = _copy(value)


def _merge_call(calls: list[Json], piece: Json) -> None:
    """A tool call comes in pieces that carry its index; the assembled answer has none."""
    index = _index(piece)
    # A stream that names index 10**9 must not make us build as many calls.
    index = min(index, len(calls)) if index >= 0 else len(calls)
    if index == len(calls):
        calls.append({})
    _merge(calls[index], {k: v for k, v in piece.items() if k != "index"})


def _merge_rest(choice: Json, piece: Json) -> None:
    """Everything of a choice but its text."""
    for name, value in piece.items():
        if name in ("index", "delta", "text"):
            continue
        have = choice.get(name)
        if name == "content_filter_results":
            choice[name] = worse(have, _copy(value))
        elif isinstance(value, dict) and isinstance(have, dict):
            for key, part in value.items():
                old = have.get(key)
                both = isinstance(part, list) and isinstance(old, list)
                have[key] = old + part if both and name == "logprobs" else part
        elif value is not None or name not in choice:
            choice[name] = _copy(value)


class _Pieces(list[str]):
    """Text that is still being collected; joined once at the end, since streams may have 100,000 pieces."""

    __slots__ = ()


def _joined(value: Any) -> Any:
    """The value with its collected texts as texts."""
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {k: _joined(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_joined(v) for v in value]
    return value


def _copy(value: Any) -> Any:
    """Our own containers, since merging writes into them."""
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_copy(v) for v in value]
    return value
