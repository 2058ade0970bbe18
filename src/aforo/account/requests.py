"""A caller's body becomes a request, or a fault that names the field. It knows the wire and no engine.

What the sample account cannot do (tools, log probabilities, images, ...) is refused by name, never ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aforo.account.engines.engine import Message, Sampling
from aforo.account.faults import Fault, unrecognized
from aforo.account.fields import Fields

MAX_CHOICES = 128  # of one call: prompts times n
MAX_PROMPTS = 2048
_MAX_STOPS = 4
# What a completion without a prompt continues, as OpenAI documents it.
_NO_PROMPT = "<|endoftext|>"

Prompt = tuple[Message, ...] | str | tuple[int, ...]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHARED = _names(
    "model temperature top_p n stream stream_options stop max_tokens presence_penalty frequency_penalty "
    "logit_bias user seed logprobs"
)
_CHAT = _SHARED | _names(
    "messages max_completion_tokens top_logprobs response_format tools tool_choice functions function_call "
    "parallel_tool_calls metadata store service_tier reasoning_effort modalities audio prediction data_sources "
    "safety_identifier prompt_cache_key verbosity web_search_options"
)
_TEXT = _SHARED | _names("prompt suffix echo best_of completion_config cache_level")
_EMBED = _names("model input user input_type encoding_format dimensions")
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class Generation:
    """A request for text: one choice per prompt and `n`."""

    chat: bool
    prompts: tuple[Prompt, ...]
    n: int
    sampling: Sampling
    stream: bool
    include_usage: bool
    echo: bool


@dataclass(frozen=True, slots=True)
class Embedding:
    """A request for vectors."""

    inputs: tuple[str | tuple[int, ...], ...]
    base64: bool
    dimensions: int | None
    query: bool


def read_chat(body: dict[str, Any], *, stream_options: bool) -> Generation | Fault:
    """`stream_options` says whether the api-version knows that field and `max_completion_tokens`."""
    fields = Fields(body)
    unknown = fields.unknown(_CHAT if stream_options else _CHAT - {"stream_options", "max_completion_tokens"})
    if unknown:
        return unrecognized(unknown)
    messages = _messages(fields)
    _refuse_chat_extras(fields)
    newer, older = fields.whole("max_completion_tokens", 1), fields.whole("max_tokens", 1)
    sampling = _sampling(fields, newer if newer is not None else older)
    n, stream = fields.whole("n", 1, MAX_CHOICES) or 1, fields.flag("stream")
    usage = _include_usage(fields, stream)
    return fields.fault or Generation(True, (messages,), n, sampling, stream, usage, echo=False)


def read_completions(body: dict[str, Any], *, stream_options: bool) -> Generation | Fault:
    fields = Fields(body)
    unknown = fields.unknown(_TEXT if stream_options else _TEXT - {"stream_options"})
    if unknown:
        return unrecognized(unknown)
    prompts = _prompts(fields, "prompt")
    if fields.any("suffix"):
        fields.wrong("suffix", "This model does not support insertion: 'suffix' must be empty.", None)
    if fields.any("logprobs"):
        fields.wrong("logprobs", "This sample account does not return log probabilities.", None)
    n = fields.whole("n", 1, MAX_CHOICES) or 1
    if len(prompts) * n > MAX_CHOICES:
        fields.wrong("n", f"{len(prompts)} prompts times n = {n} are more than {MAX_CHOICES} choices.")
    best_of = fields.whole("best_of", 1, MAX_CHOICES)
    if best_of is not None and best_of != n:
        fields.wrong(
            "best_of", "This sample account does not rank candidates: 'best_of' must equal 'n'.", None
        )
    limit = fields.whole("max_tokens", 0)
    sampling = _sampling(fields, 16 if limit is None else limit)
    stream, echo = fields.flag("stream"), fields.flag("echo")
    usage = _include_usage(fields, stream)
    if fields.fault is None and echo and not all(isinstance(p, str) for p in prompts):
        fields.wrong("echo", "A prompt of token ids cannot be echoed as text.", None)
    return fields.fault or Generation(False, prompts or (_NO_PROMPT,), n, sampling, stream, usage, echo)


def read_embeddings(body: dict[str, Any]) -> Embedding | Fault:
    fields = Fields(body)
    unknown = fields.unknown(_EMBED)
    if unknown:
        return unrecognized(unknown)
    if fields.any("input") is None:
        fields.wrong("input", "Missing required parameter: 'input'.", "missing_required_parameter")
    inputs = _prompts(fields, "input")
    if any(len(item) == 0 for item in inputs):
        fields.wrong("input", "'$.input' is invalid: an input must not be empty.", None)
    form = fields.text("encoding_format") or "float"
    if form not in ("float", "base64"):
        fields.wrong(
            "encoding_format", f"Invalid 'encoding_format': {form!r} is neither 'float' nor 'base64'."
        )
    dimensions = fields.whole("dimensions", 1, 8192)
    query = fields.text("input_type") == "query"
    return fields.fault or Embedding(inputs, form == "base64", dimensions, query)


def _sampling(fields: Fields, max_tokens: int | None) -> Sampling:
    if fields.any("logit_bias"):
        fields.wrong(
            "logit_bias", "The sample model has a vocabulary of its own: 'logit_bias' must be empty.", None
        )
    stop = fields.texts("stop", _MAX_STOPS)
    if any(not text for text in stop):
        fields.wrong("stop", "Invalid 'stop': a stop sequence must not be empty.")
    return Sampling(
        max_tokens=max_tokens,
        temperature=fields.number("temperature", 0, 2),
        top_p=fields.number("top_p", 0, 1),
        presence_penalty=fields.number("presence_penalty", -2, 2),
        frequency_penalty=fields.number("frequency_penalty", -2, 2),
        seed=fields.whole("seed", -(2**63), 2**63 - 1),
        stop=stop,
    )


def _include_usage(fields: Fields, stream: bool) -> bool:
    options = fields.any("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        fields.wrong(
            "stream_options", "Invalid type for 'stream_options': expected an object.", "invalid_type"
        )
        return False
    if not stream:
        fields.wrong(
            "stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.", None
        )
    return options.get("include_usage") is True


def _messages(fields: Fields) -> tuple[Message, ...]:
    raw = fields.any("messages")
    if raw is None:
        fields.wrong("messages", "Missing required parameter: 'messages'.", "missing_required_parameter")
        return ()
    if not isinstance(raw, list):
        fields.wrong("messages", "Invalid type for 'messages': expected an array of objects.", "invalid_type")
        return ()
    if not raw:
        fields.wrong(
            "messages",
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            "empty_array",
        )
    return tuple(_message(fields, f"messages[{i}]", item) for i, item in enumerate(raw))


def _message(fields: Fields, where: str, raw: object) -> Message:
    if not isinstance(raw, dict):
        fields.wrong(where, f"Invalid type for '{where}': expected an object.", "invalid_type")
        return Message("", "")
    role = raw.get("role")
    if role not in _ROLES:
        expected = ", ".join(repr(r) for r in _ROLES)
        fields.wrong(f"{where}.role", f"Invalid value for '{where}.role'. Supported values are: {expected}.")
    if raw.get("tool_calls") or raw.get("function_call") or role in ("tool", "function"):
        fields.wrong(where, "The sample model of this account does not call functions.", None)
    name = {"developer": "system"}.get(str(role), str(role))
    return Message(name, _content(fields, f"{where}.content", raw.get("content")))


def _content(fields: Fields, where: str, content: object) -> str:
    if content is None:
        fields.wrong(where, f"Invalid value for '{where}': expected a string, got null.", "invalid_type")
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        fields.wrong(where, f"Invalid type for '{where}': expected a string or an array.", "invalid_type")
        return ""
    texts = []
    for i, part in enumerate(content):
        if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            fields.wrong(f"{where}[{i}]", "The sample model of this account reads text alone.", None)
    return "".join(texts)


def _refuse_chat_extras(fields: Fields) -> None:
    for name in ("tools", "functions"):
        if fields.any(name):
            fields.wrong(name, "The sample model of this account does not call functions.", None)
    if fields.any("logprobs") or fields.any("top_logprobs"):
        fields.wrong("logprobs", "This sample account does not return log probabilities.", None)
    form = fields.any("response_format")
    if form is not None and (not isinstance(form, dict) or form.get("type") != "text"):
        fields.wrong("response_format", "The sample model of this account writes plain text alone.", None)
    if fields.any("modalities") not in (None, ["text"]) or fields.any("audio"):
        fields.wrong("modalities", "The sample model of this account writes text alone.", None)
    for name in ("data_sources", "web_search_options", "prediction", "store"):
        if fields.any(name):
            fields.wrong(name, f"This sample account does not support '{name}'.", None)


def _prompts(fields: Fields, name: str) -> tuple[str | tuple[int, ...], ...]:
    """A string, a list of strings, a list of token ids, or a list of those."""
    raw = fields.any(name)
    if raw is None:
        return ()
    if isinstance(raw, str):
        return (raw,)
    if isinstance(raw, list) and 0 < len(raw) <= MAX_PROMPTS:
        if all(isinstance(item, str) for item in raw):
            return tuple(raw)
        if _token_ids(raw):
            return (tuple(raw),)
        if all(isinstance(item, list) and _token_ids(item) for item in raw):
            return tuple(tuple(item) for item in raw)
    if isinstance(raw, list) and _token_ids(raw) and raw:
        return (tuple(raw),)
    expected = f"a string, or an array of 1 to {MAX_PROMPTS} strings or arrays of token ids"
    fields.wrong(name, f"Invalid '{name}': expected {expected}.", "invalid_type")
    return ()


def _token_ids(items: list[Any]) -> bool:
    return all(isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 2**31 for item in items)
