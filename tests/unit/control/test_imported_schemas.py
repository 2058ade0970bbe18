"""Schemas of an imported description: one document for the API, named by what operations send and answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aforo.control.openapi import SCHEMA_ID, Description, read_description
from aforo.model.kinds.schema import imported_schema

ORDER = {"type": "object", "properties": {"id": {"type": "string"}}}


def described(**parts: Any) -> Description:
    return read_description(json.dumps({"openapi": "3.0.0", **parts}), "here")


def content(schema: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"content": {kind: {"schema": schema}}}


def names(representations: list[dict[str, Any]]) -> list[tuple[str | None, str | None]]:
    return [(r.get("schemaId"), r.get("typeName")) for r in representations]


def test_named_and_inline_schemas_are_taken_over_once() -> None:
    inline = {"type": "array", "items": {"$ref": "#/components/schemas/Order"}}
    found = described(
        components={"schemas": {"Order": ORDER}},
        paths={
            "/a": {
                "post": {
                    "requestBody": content({"$ref": "#/components/schemas/Order"}),
                    "responses": {
                        "200": content(inline),
                        "201": content(inline),
                        "202": content(ORDER, "text/plain"),
                    },
                }
            }
        },
    )
    (operation,) = found.operations.values()
    assert names(operation["request"]["representations"]) == [(SCHEMA_ID, "Order")]
    answers = [names(r["representations"]) for r in operation["responses"]]
    assert answers == [[(SCHEMA_ID, "inline-1")], [(SCHEMA_ID, "inline-1")], [(None, None)]]
    assert found.schemas == {"components": {"schemas": {"Order": ORDER, "inline-1": inline}}}
    assert imported_schema(found.schemas)["contentType"] == "application/vnd.oai.openapi.components+json"


def test_swagger_2_has_its_definitions_elsewhere() -> None:
    text = json.dumps(
        {
            "swagger": "2.0",
            "definitions": {"Order": ORDER},
            "paths": {
                "/a": {
                    "post": {
                        "parameters": [
                            {"in": "body", "name": "b", "schema": {"$ref": "#/definitions/Order"}}
                        ],
                        "responses": {"204": {"description": "done"}},
                    }
                }
            },
        }
    )
    found = read_description(text, "here")
    (operation,) = found.operations.values()
    assert names(operation["request"]["representations"]) == [(SCHEMA_ID, "Order")]
    assert found.schemas == {"definitions": {"Order": ORDER}}


@pytest.mark.parametrize(
    "schemas",
    [
        {"Order": {"$ref": "other.yaml#/Order"}},
        {"Order": ORDER, "Big": {"description": "x" * (3 * 1024 * 1024)}},
    ],
)
def test_schemas_that_gateways_could_not_use_are_left_where_they_are(schemas: Any) -> None:
    found = described(
        components={"schemas": schemas},
        paths={"/a": {"post": {"requestBody": content(ORDER), "responses": {}}}},
    )
    (operation,) = found.operations.values()
    assert found.schemas == {}
    assert names(operation["request"]["representations"]) == [(None, None)]


def test_a_description_without_schemas_makes_none() -> None:
    assert described(paths={"/a": {"get": {"responses": {"200": {"description": "fine"}}}}}).schemas == {}
