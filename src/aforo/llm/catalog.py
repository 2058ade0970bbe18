"""All wires by name, and the paths that speak them."""

from __future__ import annotations

from aforo.llm.media import ImagesWire, TranscriptionsWire
from aforo.llm.openai import ChatWire, CompletionsWire, EmbeddingsWire
from aforo.llm.responses import ResponsesWire
from aforo.llm.wire import Wire

_ALL: tuple[Wire, ...] = (
    ChatWire(),
    CompletionsWire(),
    EmbeddingsWire(),
    ResponsesWire(),
    ImagesWire(),
    TranscriptionsWire(),
)

WIRES: dict[str, Wire] = {wire.name: wire for wire in _ALL}

# Their requests are files, which nobody reads here and which stream through; only their answers tell anything.
UPLOADS = frozenset(("transcriptions",))
# Whose bodies are texts, both ways.
TEXTS = frozenset(WIRES) - UPLOADS
# Whose tokens cannot be estimated from the bytes of texts.
UNCOUNTABLE = frozenset(("images", "transcriptions"))

# The ends of URL templates whose bodies the meter and the record can read.
_ENDS = (
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
    ("/embeddings", "embeddings"),
    ("/responses", "responses"),
    ("/images/generations", "images"),
    ("/audio/transcriptions", "transcriptions"),
    ("/audio/translations", "transcriptions"),
)


def wire_of(method: str, template: str) -> str:
    """Which model wire an operation speaks, "" for none."""
    path = template.partition("?")[0].rstrip("/").lower()
    if method.upper() != "POST":
        return ""
    return next((wire for end, wire in _ENDS if path.endswith(end)), "")
