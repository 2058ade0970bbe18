"""All wires by name."""

from __future__ import annotations

from aforo.llm.openai import ChatWire, CompletionsWire, EmbeddingsWire
from aforo.llm.responses import ResponsesWire
from aforo.llm.wire import Wire

_ALL: tuple[Wire, ...] = (ChatWire(), CompletionsWire(), EmbeddingsWire(), ResponsesWire())

WIRES: dict[str, Wire] = {wire.name: wire for wire in _ALL}
