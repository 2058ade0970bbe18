"""What every wire can tell about its bodies. A body is parsed JSON that nobody has checked: anything may be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

Json = dict[str, Any]


class Wire(Protocol):
    """One form of request and answer."""

    name: str

    def request_messages(self, request: Json) -> list[Any]:
        """The prompt as messages, `{role, content, ...}` each."""

    def response_messages(self, answer: Json) -> list[Any]:
        """The answer as messages."""

    def assemble(self, chunks: Sequence[Json]) -> tuple[Json, bool]:
        """The answer that a stream's chunks amount to, and whether the model had said all."""


def objects(value: Any) -> list[Json]:
    """The objects of what should be an array of objects."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_NO_TEXT = frozenset(("role", "type", "id"))


def text_bytes(value: Any) -> int:
    """Bytes of the text in a message, wherever it stands; data URIs and vectors are no text."""
    if isinstance(value, str):
        if value.startswith("data:"):
            return 0
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    size = 0
    if isinstance(value, list):
        for part in value:
            size += text_bytes(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            if name not in _NO_TEXT:
                size += text_bytes(part)
    return size
