"""What the account answers: bodies and stream chunks in Azure OpenAI's form. Pure data.

Content-filter annotations stand where Azure has them; this account filters nothing, so all of them say "safe".
"""

from __future__ import annotations

import base64
import secrets
import string
import struct
import time
from typing import Any

import orjson

from aforo.account.engines.engine import End, Engine, Vectors
from aforo.model.account_facts import AccountFacts, DeploymentFacts

DONE = b"data: [DONE]\n\n"
_ALPHABET = string.ascii_letters + string.digits
_SAFE = {
    name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")
}


def event(chunk: dict[str, Any]) -> bytes:
    """A chunk as a server-sent event."""
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


class Wording:
    """Bodies and chunks of one answer: the same id, time, model and fingerprint throughout."""

    def __init__(
        self, deployment: DeploymentFacts, engine: Engine, *, chat: bool, usage_in_stream: bool
    ) -> None:
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(29))
        self._chat = chat
        self._usage_in_stream = usage_in_stream
        self._head = {
            "id": f"chatcmpl-{letters}" if chat else f"cmpl-{letters}",
            "created": int(time.time()),
            "model": deployment.model,
            "system_fingerprint": engine.fingerprint,
        }

    def body(self, texts: list[str], ends: list[End], prompts: int) -> dict[str, Any]:
        """The whole answer; `texts` and `ends` by choice index, `prompts` how many prompts there were."""
        choices = [
            self._choice(i, text, end.reason) for i, (text, end) in enumerate(zip(texts, ends, strict=True))
        ]
        return {
            "choices": choices,
            "object": "chat.completion" if self._chat else "text_completion",
            "prompt_filter_results": [_prompt_filter(i) for i in range(prompts)],
            "usage": usage_of(ends, prompts),
            **self._head,
        }

    def _choice(self, index: int, text: str, reason: str) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "content_filter_results": _SAFE,
            "finish_reason": reason,
            "index": index,
            "logprobs": None,
        }
        if self._chat:
            choice["message"] = {"content": text, "refusal": None, "role": "assistant"}
        else:
            choice["text"] = text
        return choice

    def opening(self, choices: int, prompts: int) -> bytes:
        """Azure's first chunk (no choices, what the filter said of the prompt), then the roles of a chat."""
        first: dict[str, Any] = {
            "choices": [],
            "created": 0,
            "id": "",
            "model": "",
            "object": "",
            "prompt_filter_results": [_prompt_filter(i) for i in range(prompts)],
        }
        out = event(self._with_usage(first))
        if self._chat:
            role = {"content": "", "refusal": None, "role": "assistant"}
            out += b"".join(self._chunk(i, None, {}, delta=role) for i in range(choices))
        return out

    def piece(self, index: int, text: str) -> bytes:
        if self._chat:
            return self._chunk(index, None, _SAFE, delta={"content": text})
        return self._chunk(index, None, _SAFE, text=text)

    def finish(self, index: int, reason: str) -> bytes:
        if self._chat:
            return self._chunk(index, reason, {}, delta={})
        return self._chunk(index, reason, {}, text="")

    def usage(self, ends: list[End], prompts: int) -> bytes:
        """The extra chunk that `stream_options.include_usage` asks for; nothing without it."""
        if not self._usage_in_stream:
            return b""
        return event({"choices": [], **self._head, "object": self._object, "usage": usage_of(ends, prompts)})

    @property
    def _object(self) -> str:
        return "chat.completion.chunk" if self._chat else "text_completion"

    def _chunk(self, index: int, reason: str | None, filtered: dict[str, Any], **content: Any) -> bytes:
        choice = {
            "content_filter_results": filtered,
            "finish_reason": reason,
            "index": index,
            "logprobs": None,
            **content,
        }
        return event(self._with_usage({"choices": [choice], **self._head, "object": self._object}))

    def _with_usage(self, chunk: dict[str, Any]) -> dict[str, Any]:
        if self._usage_in_stream:
            chunk["usage"] = None
        return chunk


def usage_of(ends: list[End], prompts: int) -> dict[str, int]:
    """Tokens of an answer. A prompt counts once, however many choices were made from it."""
    step = max(1, len(ends) // max(1, prompts))
    prompt = sum(end.prompt_tokens for end in ends[::step])
    completion = sum(end.completion_tokens for end in ends)
    return {"completion_tokens": completion, "prompt_tokens": prompt, "total_tokens": prompt + completion}


def embeddings_body(deployment: DeploymentFacts, found: Vectors, *, as_base64: bool) -> dict[str, Any]:
    """The list of vectors; base64 is of little-endian 32-bit floats."""

    def shown(vector: tuple[float, ...]) -> object:
        packed = struct.pack(f"<{len(vector)}f", *vector)
        return base64.b64encode(packed).decode() if as_base64 else list(vector)

    data = [
        {"object": "embedding", "index": i, "embedding": shown(vector)}
        for i, vector in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    return {"object": "list", "data": data, "model": deployment.model, "usage": usage}


def model_entry(deployment: DeploymentFacts, engine: Engine) -> dict[str, Any]:
    """A model in Azure's listing, with the truth about what answers under its name."""
    return {
        "id": deployment.model,
        "object": "model",
        "created": deployment.created_at,
        "created_at": deployment.created_at,
        "owned_by": "aforo",
        "status": "succeeded",
        "lifecycle_status": "preview",
        "capabilities": {
            "inference": True,
            "completion": not deployment.embeds,
            "chat_completion": not deployment.embeds,
            "embeddings": deployment.embeds,
            "fine_tune": False,
        },
        "aforo": {"engine": engine.name, "note": engine.note},
    }


def models(facts: AccountFacts, engine: Engine) -> dict[str, dict[str, Any]]:
    """Model name to entry, each model once."""
    return {d.model: model_entry(d, engine) for d in facts.deployments}


def deployment_entry(deployment: DeploymentFacts) -> dict[str, Any]:
    """A deployment as the older data plane listed it."""
    return {
        "scale_settings": {"scale_type": "standard"},
        "model": deployment.model,
        "owner": "organization-owner",
        "id": deployment.id,
        "status": "succeeded",
        "created_at": deployment.created_at,
        "updated_at": deployment.created_at,
        "object": "deployment",
    }


def _prompt_filter(index: int) -> dict[str, Any]:
    return {"prompt_index": index, "content_filter_results": _SAFE}
