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
_NO_DETAILS: dict[str, Any] = {}
_MOST = 1 << 62


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
    if total is None:
        total = (prompt or 0) + (completion or 0)
    of_prompt, of_answer = _details(usage, _OF_PROMPT), _details(usage, _OF_ANSWER)
    if not of_prompt and not of_answer:
        return Usage(prompt or 0, completion or 0, total, PROVIDER)
    return Usage(
        prompt or 0,
        completion or 0,
        total,
        PROVIDER,
        _count(of_prompt, "cached_tokens"),
        _count(of_answer, "reasoning_tokens"),
        _count(of_prompt, "audio_tokens"),
        _count(of_answer, "audio_tokens"),
        _count(of_prompt, "image_tokens"),
        _count(of_answer, "image_tokens"),
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
        # JSON's numbers are plain ones: `type` leaves out true and false, which are ints too.
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and 0 <= value < _MOST:
            return value
    return None


def _details(usage: dict[str, Any], groups: tuple[str, ...]) -> dict[str, Any]:
    for group in groups:
        details = usage.get(group)
        if isinstance(details, dict):
            return details
    return _NO_DETAILS
