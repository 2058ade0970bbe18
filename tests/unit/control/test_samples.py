"""Bodies made of schemas, and examples taken over from descriptions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aforo.control.openapi import read_description
from aforo.control.samples import sample


def made(schema: Any, definitions: dict[str, Any] | None = None) -> Any:
    def deref(node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            node = (definitions or {})[node["$ref"]]
        return node

    text = sample(schema, "application/json", deref)
    return json.loads(text) if text else None


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z"),
        ({"type": "string", "enum": ["b", "a"]}, "b"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "array", "items": {"type": "number"}}, [0]),
        ({"properties": {"a": {"example": [1]}, "b": {"default": False}}}, {"a": [1], "b": False}),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"oneOf": [{"properties": {"a": {"const": 1}}}], "properties": {"k": {"const": 0}}}, {"k": 0, "a": 1}),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "string"),
        ({"$ref": "x"}, {"id": 0}),
    ],
)  # fmt: skip
def test_a_sample_of_a_schema(schema: Any, body: Any) -> None:
    assert made(schema, {"x": {"type": "object", "properties": {"id": {"type": "integer"}}}}) == body


def test_a_schema_in_a_circle_ends() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "n"}, "all": {"type": "array", "items": {"$ref": "n"}}},
    }
    text = json.dumps(made({"$ref": "n"}, {"n": node}))
    assert 1_000 < len(text) < 64 * 1024


def test_a_schema_that_grows_without_end_gives_nothing() -> None:
    wide = {"type": "object", "properties": {str(i): {"$ref": "n"} for i in range(20)}}
    assert made({"$ref": "n"}, {"n": wide}) is None


def test_a_schema_says_nothing_of_other_texts() -> None:
    assert sample({"type": "object"}, "application/xml", lambda node: node) == ""


def responses(document: dict[str, Any]) -> Any:
    (operation,) = read_description(json.dumps(document), "it").operations.values()
    return operation["responses"]


def test_openapi_3_examples_come_before_schemas() -> None:
    content = {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/E"},
            "examples": {"good": {"value": {"a": 1}}, "other": {"$ref": "#/components/examples/o"}},
        },
        "text/json": {"schema": {"$ref": "#/components/schemas/E"}},
        "text/plain": {"example": "plain"},
        "text/csv": {},
    }
    found = responses(
        {
            "openapi": "3.0.1",
            "paths": {"/a": {"get": {"responses": {"200": {"description": "ok", "content": content}}}}},
            "components": {
                "schemas": {"E": {"type": "object", "properties": {"b": {"type": "boolean"}}}},
                "examples": {"o": {"value": "seven"}},
            },
        }
    )
    kinds = {r["contentType"]: r.get("examples") for r in found[0]["representations"]}
    assert kinds == {
        "application/json": {"good": {"value": '{\n  "a": 1\n}'}, "other": {"value": "seven"}},
        "text/json": {"default": {"value": '{\n  "b": true\n}'}},
        "text/plain": {"default": {"value": "plain"}},
        "text/csv": None,
    }


def test_swagger_2_tells_media_types_elsewhere() -> None:
    answers = {
        "200": {"schema": {"type": "array", "items": {"type": "string"}}},
        "201": {"examples": {"application/json": {"a": 1}}},
        "204": {"description": "nothing"},
    }
    found = responses(
        {"swagger": "2.0", "produces": ["application/json"], "paths": {"/a": {"get": {"responses": answers}}}}
    )
    assert [r.get("representations") for r in found] == [
        [
            {
                "contentType": "application/json",
                "examples": {"default": {"value": '[\n  "string"\n]'}},
                "schemaId": "imported",
                "typeName": "inline-1",
            }
        ],
        [{"contentType": "application/json", "examples": {"default": {"value": '{\n  "a": 1\n}'}}}],
        None,
    ]
