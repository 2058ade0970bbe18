"""OpenAI's Responses API: typed events, of which the last carries the whole answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aforo.llm.wire import Json, objects

_TERMINAL = ("response.completed", "response.incomplete", "response.failed")


class ResponsesWire:
    """POST .../responses."""

    name = "responses"

    def request_messages(self, request: Json) -> list[Any]:
        messages: list[Any] = []
        if isinstance(request.get("instructions"), str):
            messages.append({"role": "system", "content": request["instructions"]})
        given = request.get("input")
        if isinstance(given, str):
            messages.append({"role": "user", "content": given})
        elif isinstance(given, list):
            messages.extend(given)
        return messages

    def response_messages(self, answer: Json) -> list[Any]:
        out: list[Any] = []
        for item in objects(answer.get("output")):
            if item.get("type") != "message":
                out.append(item)
                continue
            texts = [p.get("text", p.get("refusal")) for p in objects(item.get("content"))]
            text = "".join(t for t in texts if isinstance(t, str))
            out.append({"role": item.get("role", "assistant"), "content": text})
        return out

    def assemble(self, chunks: Sequence[Json]) -> tuple[Json, bool]:
        answer: Json = {}
        items: dict[int, Json] = {}
        texts: dict[int, list[str]] = {}
        for chunk in chunks:
            kind = chunk.get("type")
            whole = chunk.get("response")
            if isinstance(whole, dict):
                answer = whole
                if kind in _TERMINAL:
                    return dict(whole), True
            index = chunk.get("output_index")
            if not isinstance(index, int):
                continue
            item = chunk.get("item")
            if isinstance(item, dict):
                items[index] = item
            if kind == "response.output_item.done":
                texts.pop(index, None)
            elif kind == "response.output_text.delta" and isinstance(chunk.get("delta"), str):
                texts.setdefault(index, []).append(chunk["delta"])
        # The stream broke off: what was said so far, in the form of a whole answer.
        answer = dict(answer)
        for index, parts in texts.items():
            part = {"type": "output_text", "text": "".join(parts)}
            items[index] = {"type": "message", "role": "assistant", **items.get(index, {}), "content": [part]}
        if items:
            answer["output"] = [items[i] for i in sorted(items)]
        return answer, False
