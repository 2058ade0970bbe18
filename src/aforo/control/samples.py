"""Examples of answers in API descriptions, and samples made of schemas where there are none. It fetches nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

MAX_SAMPLE_BYTES = 64 * 1024
_DEEPEST = 8
_MOST = 2_000  # values in one sample
_STRINGS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "uri": "https://example.com",
    "email": "user@example.com",
    "byte": "",
}

Deref = Callable[[Any], Any]


def text_of(value: Any) -> str:
    """An example as it stands in a body."""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def representation(content_type: str, content: Any, deref: Deref) -> dict[str, Any]:
    """A media type of OpenAPI 3 as ARM's representation, with its examples or a sample of its schema."""
    out: dict[str, Any] = {"contentType": content_type}
    examples: dict[str, dict[str, str]] = {}
    if isinstance(content, Mapping):
        if content.get("example") is not None:
            examples["default"] = {"value": text_of(content["example"])}
        named = content.get("examples")
        for name, raw in named.items() if isinstance(named, Mapping) else ():
            example = deref(raw)
            if isinstance(example, Mapping) and example.get("value") is not None:
                examples[str(name)] = {"value": text_of(example["value"])}
        if not examples:
            made = sample(content.get("schema"), content_type, deref)
            if made:
                examples["default"] = {"value": made}
    if examples:
        out["examples"] = examples
    return out


def sample(schema: Any, content_type: str, deref: Deref) -> str:
    """A body that the schema allows, "" when none can be made: schemas say what JSON looks like, not other texts."""
    if not isinstance(schema, Mapping) or "json" not in content_type.lower():
        return ""
    made = _Sampler(deref)
    value = made.value(schema, 0)
    if made.left < 0:
        return ""
    text = text_of(value) if not isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= MAX_SAMPLE_BYTES else ""


class _Sampler:
    def __init__(self, deref: Deref) -> None:
        self.deref = deref
        self.left = _MOST

    def value(self, raw: Any, depth: int) -> Any:
        self.left -= 1
        schema = self.deref(raw)
        if not isinstance(schema, Mapping) or depth > _DEEPEST or self.left < 0:
            return None
        for name in ("example", "default", "const"):
            if schema.get(name) is not None:
                return schema[name]
        for name in ("examples", "enum"):
            if isinstance(schema.get(name), list) and schema[name]:
                return schema[name][0]
        for name in ("oneOf", "anyOf"):
            if isinstance(schema.get(name), list) and schema[name]:
                chosen = self.value(schema[name][0], depth + 1)
                return {**self.properties(schema, depth), **chosen} if isinstance(chosen, dict) else chosen
        if isinstance(schema.get("allOf"), list):
            merged = self.properties(schema, depth)
            for part in schema["allOf"]:
                each = self.value(part, depth + 1)
                if isinstance(each, dict):
                    merged = {**merged, **each}
            return merged
        return self.plain(schema, depth)

    def plain(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((k for k in kind if k != "null"), "null")
        if kind == "object" or "properties" in schema:
            return self.properties(schema, depth)
        if kind == "array":
            item = self.value(schema.get("items"), depth + 1) if depth < _DEEPEST else None
            return [] if item is None else [item]
        if kind == "string":
            return _STRINGS.get(str(schema.get("format", "")), "string")
        if kind in ("integer", "number"):
            return schema.get("minimum", 0)
        return True if kind == "boolean" else None

    def properties(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        found = schema.get("properties")
        out: dict[str, Any] = {}
        for name, inner in found.items() if isinstance(found, Mapping) else ():
            if depth >= _DEEPEST:
                break
            out[str(name)] = self.value(inner, depth + 1)
        return out
