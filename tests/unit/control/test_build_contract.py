"""What operations declare, as gateways are told it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aforo.errors import Invalid
from aforo.policy.subject import Answer, Parameter, Representation, Schema
from tests.support.control_door import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    from aforo.control.lab import lab_yaml

    bench = Bench(tmp_path)
    bench.apply(lab_yaml())
    return bench


def put(bench: Bench, tail: str, **properties: Any) -> None:
    bench.door.put(f"{bench.id('apis', 'shop')}{tail}", {"properties": properties})


def test_parameters_bodies_answers_and_schemas_reach_the_bundle(bench: Bench) -> None:
    put(bench, "", path="shop", displayName="Shop")
    put(bench, "/schemas/one", contentType="application/vnd.oai.openapi.components+json",
        document={"components": {"schemas": {"order": {"type": "object"}}}})  # fmt: skip
    put(
        bench,
        "/operations/get",
        displayName="Get",
        method="GET",
        urlTemplate="/orders/{id}?v={version}&q={q}",
        templateParameters=[
            {"name": "id", "type": "string", "required": True},
            {"name": "version", "type": "Integer", "required": True, "values": ["1", "2"]},
        ],
        request={
            "queryParameters": [{"name": "limit", "type": "integer"}],
            "headers": [{"name": "X-Team", "type": "string", "schemaId": "one", "typeName": "order"}],
            "representations": [{"contentType": "Application/JSON; v=1", "schemaId": "one", "typeName": "order"}],
        },
        responses=[
            {"statusCode": 200, "headers": [{"name": "X-Count", "type": "integer"}],
             "representations": [{"contentType": "text/plain"}]},
            {"statusCode": 404},
        ],
    )  # fmt: skip
    bundle = bench.published[-1][0]
    api = next(a for a in bundle.apis if a.subject.id == "shop")
    assert api.subject.schemas == (
        Schema("one", "json", '{"components":{"schemas":{"order":{"type":"object"}}}}'),
    )
    contract = api.operations[0].subject.contract
    assert contract.path == (Parameter("id", required=True),)
    assert contract.query == (
        Parameter("v", "integer", True, ("1", "2")),
        Parameter("q", required=True),
        Parameter("limit", "integer"),
    )
    assert contract.headers == (Parameter("X-Team", schema_id="one", type_name="order"),)
    assert contract.bodies == (Representation("application/json", "one", "order"),)
    assert contract.answers == (
        Answer(200, (Parameter("X-Count", "integer"),), (Representation("text/plain"),)),
        Answer(404),
    )


def test_schemas_of_the_service(bench: Bench) -> None:
    for name, properties in (
        ("object", {"schemaType": "json", "document": {"type": "object"}}),
        ("text", {"schemaType": "json", "value": '{"type": "string"}'}),
        ("xsd", {"schemaType": "xml", "value": "<xs:schema/>"}),
    ):
        bench.door.put(bench.id("schemas", name), {"properties": properties})
    found = {s.id: s for s in bench.published[-1][0].deployment.schemas}
    assert json.loads(found["object"].text) == {"type": "object"}
    assert json.loads(found["text"].text) == {"type": "string"}
    assert found["xsd"] == Schema("xsd", "xml", "<xs:schema/>")


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"schemaType": "json", "value": "{"}, "Expecting"),
        ({"schemaType": "json", "value": "[]"}, "object"),
        ({"schemaType": "json"}, "object"),
        ({"schemaType": "json", "document": {"$ref": "https://x.example/y"}}, "another document"),
        ({"schemaType": "yaml", "document": {}}, "one of"),
    ],
)
def test_a_schema_that_nobody_could_use_is_refused(
    bench: Bench, properties: dict[str, Any], says: str
) -> None:
    with pytest.raises(Invalid) as refused:
        bench.door.put(bench.id("schemas", "wrong"), {"properties": properties})
    assert says in str([refused.value.message, *refused.value.details])
