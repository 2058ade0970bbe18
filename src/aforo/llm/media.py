"""Images and transcriptions: wires whose answers tell their tokens, and from whose bytes none can be estimated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aforo.llm.wire import Json


class ImagesWire:
    """POST .../images/generations: a text in, pictures out."""

    name = "images"

    def request_messages(self, request: Json) -> list[Any]:
        prompt = request.get("prompt")
        return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else []

    def response_messages(self, answer: Json) -> list[Any]:  # noqa: ARG002 - the port's signature
        return []

    def assemble(self, chunks: Sequence[Json]) -> tuple[Json, bool]:
        """The last event of a picture carries the usage; the pictures before it are drafts."""
        for chunk in reversed(chunks):
            if str(chunk.get("type", "")).endswith(".completed"):
                return dict(chunk), True
        return (dict(chunks[-1]), False) if chunks else ({}, False)


class TranscriptionsWire:
    """POST .../audio/transcriptions and translations: a form with a recording in, a text out."""

    name = "transcriptions"

    def request_messages(self, request: Json) -> list[Any]:  # noqa: ARG002 - the port's signature
        return []

    def response_messages(self, answer: Json) -> list[Any]:
        text = answer.get("text")
        return [{"role": "assistant", "content": text}] if isinstance(text, str) else []

    def assemble(self, chunks: Sequence[Json]) -> tuple[Json, bool]:
        for chunk in reversed(chunks):
            if chunk.get("type") == "transcript.text.done":
                return dict(chunk), True
        deltas = (c.get("delta") for c in chunks if c.get("type") == "transcript.text.delta")
        return {"text": "".join(d for d in deltas if isinstance(d, str))}, False
