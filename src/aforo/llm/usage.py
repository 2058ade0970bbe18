"""Token counts: read from an answer, or estimated from bytes. It knows no tokenizer."""

from __future__ import annotations

from typing import Any

import msgspec

PROVIDER = "provider"
ESTIMATED = "estimated"

# English text has 4 to 4.5 bytes per token in the vocabularies of the last years, other languages fewer
# characters but more bytes per character. One figure for all is wrong by up to a factor of two, which is why
# each count says where it is from.
BYTES_PER_TOKEN = 4

# Of the Responses and image APIs, of chat, and of transcriptions (which leave the `s` out).
_OF_PROMPT = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_OF_ANSWER = ("completion_tokens_details", "output_tokens_details", "output_token_details")


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one call. `source` is PROVIDER or ESTIMATED; None where a provider does not tell.

    `cached`, `prompt_audio` and `prompt_image` are parts of `prompt`; `reasoning`, `completion_audio` and
    `completion_image` parts of `completion`.
    """

    prompt: int
    completion: int
    total: int
    source: str
    cached: int | None = None
    reasoning: int | None = None
    prompt_audio: int | None = None
    completion_audio: int | None = None
    prompt_image: int | None = None
    completion_image: int | None = None


def raw_usage(answer: Any) -> dict[str, Any] | None:
    """The `usage` of an answer as the provider wrote it."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    return usage if isinstance(usage, dict) and usage else None


def read_usage(answer: Any) -> Usage | None:
    """The usage that an answer (or the last chunk of a stream) carries, of either naming."""
    usage = raw_usage(answer)
    if usage is None:
        return None
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    if prompt is None and completion is None:
        return None
    total = _count(usage, "total_tokens")
    return Usage(
        prompt or 0,
        completion or 0,
        total if total is not None else (prompt or 0) + (completion or 0),
        PROVIDER,
        _detail(usage, _OF_PROMPT, "cached_tokens"),
        _detail(usage, _OF_ANSWER, "reasoning_tokens"),
        _detail(usage, _OF_PROMPT, "audio_tokens"),
        _detail(usage, _OF_ANSWER, "audio_tokens"),
        _detail(usage, _OF_PROMPT, "image_tokens"),
        _detail(usage, _OF_ANSWER, "image_tokens"),
    )


def estimate_tokens(size_bytes: int) -> int:
    """About how many tokens that many bytes of text are; at least one for any text."""
    return -(-size_bytes // BYTES_PER_TOKEN)


def estimated(prompt_bytes: int, completion_bytes: int) -> Usage:
    prompt, completion = estimate_tokens(prompt_bytes), estimate_tokens(completion_bytes)
    return Usage(prompt, completion, prompt + completion, ESTIMATED)


def _count(usage: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
            return value
    return None


def _detail(usage: dict[str, Any], groups: tuple[str, ...], name: str) -> int | None:
    for group in groups:
        details = usage.get(group)
        if isinstance(details, dict):
            return _count(details, name)
    return None
