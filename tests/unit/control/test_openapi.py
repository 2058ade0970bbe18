"""API descriptions: what they become, and what is said of a URL or text that is none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.control.openapi import CARRIED, carried, fetch_text, read_description
from aforo.errors import Invalid, Refusal, Timeout, Upstream

SPECS = Path(__file__).parents[3].parent / "shared" / "specs"

MINIMAL = """
openapi: 3.1.0
info: {title: T}
servers: [{url: "https://{host}/base", variables: {host: {default: h.example}}}]
paths:
  /a/{id}:
    parameters: [{$ref: '#/components/parameters/id'}, {name: v, in: query, required: true}]
    get:
      operationId: Get it!
      parameters:
        - {name: v, in: query, required: true, schema: {type: integer, enum: [1, 2], default: 1}}
        - {name: q, in: query, description: optional}
        - {name: x-h, in: header}
      responses: {"200": {description: fine}, default: {description: other}}
    post: {requestBody: {content: {text/plain: {example: hello}}}}
components: {parameters: {id: {name: id, in: path, required: true, schema: {type: string}}}}
"""


def test_operations() -> None:
    description = read_description(MINIMAL, "m.yaml")
    assert (description.title, description.server) == ("T", "https://h.example/base")
    assert description.operations["Get-it"] == {
        "displayName": "Get it!",
        "method": "GET",
        "urlTemplate": "/a/{id}?v={v}",
        "templateParameters": [
            {"name": "id", "type": "string", "required": True},
            {"name": "v", "type": "integer", "required": True, "values": ["1", "2"], "defaultValue": "1"},
        ],
        "request": {
            "queryParameters": [{"name": "q", "type": "string", "description": "optional"}],
            "headers": [{"name": "x-h", "type": "string"}],
        },
        "responses": [{"statusCode": 200, "description": "fine"}],
    }
    post = description.operations["post-a-id"]
    assert post["request"]["representations"] == [
        {"contentType": "text/plain", "examples": {"default": {"value": "hello"}}}
    ]


def test_required_query_parameters_may_stay_outside_the_template() -> None:
    get = read_description(MINIMAL, "m.yaml", query_in_template=False).operations["Get-it"]
    assert get["urlTemplate"] == "/a/{id}"
    assert [p["name"] for p in get["request"]["queryParameters"]] == ["v", "q"]


def test_swagger_2() -> None:
    text = '{"swagger": "2.0", "host": "h.example", "basePath": "/v1/", "schemes": ["http", "https"], "consumes": ["a/b"], "paths": {"/x": {"put": {"operationId": "Put", "parameters": [{"in": "body", "name": "b"}]}}}}'
    description = read_description(text, "s.json")
    assert description.server == "https://h.example/v1"
    assert description.operations["Put"]["request"]["representations"] == [{"contentType": "a/b"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("<!DOCTYPE html><html>", "is an HTML page, not an OpenAPI description; on a code host"),
        ("<wsdl/>", "is XML"),
        ("{]", "neither JSON nor YAML"),
        ("a: b: c", "neither JSON nor YAML"),
        ("just words", "holds no object"),
        ("404: Not Found", "neither 'openapi' nor 'swagger', but 404"),
        ('{"name": "package", "version": "1"}', "neither 'openapi' nor 'swagger', but name, version"),
        ("openapi: 4.0.0\npaths: {/a: {get: {}}}", "OpenAPI 4.0.0 is not supported"),
        ("openapi: 3.0.0\npaths: {}", "describes no paths"),
        ("openapi: 3.0.0\npaths: {/a: {}}", "describes no operations"),
        (
            "openapi: 3.0.0\npaths: {/a: {get: {operationId: x}}, /b: {get: {operationId: X}}}",
            "'X' is there twice",
        ),
        ("openapi: 3.0.0\npaths: {/a: {$ref: '#/gone'}}", "'#/gone' leads nowhere"),
        ("openapi: 3.0.0\npaths: {/a: {$ref: 'other.yaml'}}", "leads to another file"),
        ("openapi: 3.0.0\nx: {$ref: '#/x'}\npaths: {/a: {$ref: '#/x'}}", "leads in a circle"),
        ("openapi: 3.0.0\nx: &a [1]\ny: *a\npaths: {}", "aliases"),
    ],
)
def test_what_is_no_description(text: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_description(text, "the text")
    assert caught.value.message.startswith("the text")
    assert says in caught.value.message
    assert caught.value.code == "NotOpenApi"


def answering(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> object:
    async def fetch(*_: object) -> tuple[int, Mapping[str, str], bytes]:
        return status, headers or {}, body

    return fetch


@pytest.mark.parametrize(
    ("status", "body", "headers", "says"),
    [
        (404, b"404: Not Found", {}, "answered 404"),
        (500, b"", {}, "answered 500"),
        (301, b"", {"location": "https://new.example/spec"}, "redirects to https://new.example/spec"),
        (200, b"\xff\xfe\x00", {}, "no UTF-8"),
        (200, b"x" * (16 * 2**20 + 1), {}, "larger than 16 MB"),
    ],
)
def test_a_wrong_url_is_told_as_what_came_back(
    status: int, body: bytes, headers: dict[str, str], says: str
) -> None:
    with pytest.raises(Upstream) as caught:
        asyncio.run(fetch_text("https://h.example/spec.json", answering(status, body, headers)))  # type: ignore[arg-type]
    assert says in caught.value.message


def test_a_url_that_cannot_be_reached_says_why() -> None:
    async def fetch(*_: object) -> tuple[int, Mapping[str, str], bytes]:
        raise Timeout("no answer within 30 s")

    with pytest.raises(Refusal, match=r"https://h\.example/spec cannot be fetched: no answer within 30 s"):
        asyncio.run(fetch_text("https://h.example/spec", fetch))


@pytest.mark.parametrize("name", CARRIED)
def test_what_is_carried_is_read(name: str) -> None:
    description = read_description(carried(name), name)
    assert len(description.operations) > 20
    shapes = {(o["method"], o["urlTemplate"].lower()) for o in description.operations.values()}
    assert len(shapes) == len(description.operations)


def test_what_is_not_carried_is_named() -> None:
    with pytest.raises(Invalid, match="did you mean 'azure-openai-v1'"):
        carried("azure-openai-v2")


@pytest.mark.parametrize("version", ["2023-05-15", "2024-10-21"])
def test_the_real_descriptions(version: str) -> None:
    path = SPECS / f"azure-openai-inference-{version}.json"
    if not path.exists():
        pytest.skip("the published descriptions are not here (../shared/specs)")
    real = read_description(path.read_text(), path.name)
    ours = read_description(carried("azure-openai-2023-05-15"), "ours")
    for name in ("Completions_Create", "ChatCompletions_Create", "embeddings_create"):
        theirs = real.operations[name]
        assert (theirs["method"], theirs["urlTemplate"]) == (
            ours.operations[name]["method"],
            ours.operations[name]["urlTemplate"],
        )


@given(st.text(max_size=200))
def test_any_text_is_a_description_or_refused(text: str) -> None:
    try:
        read_description(text, "t")
    except Invalid:
        return


def test_a_bottomless_description_is_refused() -> None:
    with pytest.raises(Invalid, match="it is nested deeper than 1000 levels"):
        read_description("a: " + "[" * 200_000 + "]" * 200_000, "deep.yaml")
