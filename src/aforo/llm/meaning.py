"""A request in the two parts that a semantic cache needs: the text that is compared by its meaning, and everything
else, which must be the same. It compares nothing and knows no cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aforo.llm.catalog import WIRES
from aforo.llm.wire import Json

_ENDS: Final = (("/chat/completions", "chat"), ("/completions", "completions"), ("/responses", "responses"))
_SYSTEM: Final = ("system", "developer")
_TEXT_PARTS: Final = ("text", "input_text", "output_text")
# The prompt itself, and what changes no word of an answer: its form on the wire, who asked, bookkeeping.
_APART: Final = frozenset(
    (
        "messages",
        "prompt",
        "input",
        "instructions",
        "stream",
        "stream_options",
        "user",
        "safety_identifier",
        "metadata",
        "store",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
    )
)


@dataclass(frozen=True, slots=True)
class Asked:
    """`text` is compared by meaning; `exact` must be equal: the other parameters, and what of the prompt is no text
    (images, calls of tools). `messages` is how many there are, without those that were left out."""

    wire: str
    text: str
    exact: list[Any]
    messages: int


def asked(path: str, request: Json, *, ignore_system: bool) -> Asked | None:
    """What is asked for, by the wire that the path's end or the body tells; None when it is nothing to answer in words
    (embeddings, files) or has no text."""
    known = next((w for end, w in _ENDS if path.endswith(end)), "")
    if not known and isinstance(request.get("messages"), list):
        known = "chat"
    if not known:
        return None
    lines: list[str] = []
    exact: list[Any] = [known, {k: v for k, v in request.items() if k not in _APART}]
    count = 0
    for message in WIRES[known].request_messages(request):
        role = message.get("role", "") if isinstance(message, dict) else ""
        if ignore_system and role in _SYSTEM:
            continue
        count += 1
        text, rest = _parts(message)
        if text:
            lines.append(f"{role}: {text}")
        if rest:
            exact.append([count, role, rest])
    return Asked(known, "\n".join(lines), exact, count) if lines else None


def _parts(message: Any) -> tuple[str, list[Any]]:
    """The text of a message, and everything in it that is none."""
    if isinstance(message, str):
        return message, []
    if not isinstance(message, dict):
        return "", [message]
    rest: list[Any] = [
        {k: v} for k, v in message.items() if k not in ("role", "content") and v not in (None, "message")
    ]
    content = message.get("content")
    if isinstance(content, str):
        return content, rest
    texts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") in _TEXT_PARTS and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif part is not None:
            rest.append(part)
    return "\n".join(texts), rest
