"""All wires by name, and the paths that speak them."""

from __future__ import annotations

from aforo.llm.openai import ChatWire, CompletionsWire, EmbeddingsWire
from aforo.llm.responses import ResponsesWire
from aforo.llm.wire import Wire

_ALL: tuple[Wire, ...] = (ChatWire(), CompletionsWire(), EmbeddingsWire(), ResponsesWire())

WIRES: dict[str, Wire] = {wire.name: wire for wire in _ALL}

# The ends of URL templates whose bodies the meter and the record can read.
_ENDS = (
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
    ("/embeddings", "embeddings"),
    ("/responses", "responses"),
)


def wire_of(method: str, template: str) -> str:
    """Which model wire an operation speaks, "" for none."""
    path = template.partition("?")[0].rstrip("/").lower()
    if method.upper() != "POST":
        return ""
    return next((wire for end, wire in _ENDS if path.endswith(end)), "")
