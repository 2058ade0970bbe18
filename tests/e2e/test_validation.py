"""The validation policies in a running system, against what an imported description declares."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.test_caller_tokens import put, service
from tests.support.system import Reply, System, call

DESCRIPTION = {
    "openapi": "3.0.1",
    "info": {"title": "Orders", "version": "1"},
    "paths": {
        "/orders/{id}": {
            "put": {
                "operationId": "put",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {
                        "name": "v",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "string", "enum": ["1", "2"]},
                    },
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}
                },
                "responses": {"200": {"description": "put"}},
            }
        }
    },
    "components": {
        "schemas": {
            "Order": {
                "type": "object",
                "required": ["sku"],
                "properties": {"sku": {"type": "string", "maxLength": 5}},
                "additionalProperties": False,
            }
        }
    },
}
POLICY = """<policies><inbound><base />
<validate-parameters specified-parameter-action="prevent" unspecified-parameter-action="ignore"><query unspecified-parameter-action="prevent" /></validate-parameters>
<validate-content unspecified-content-type-action="prevent" max-size="1000" size-exceeded-action="prevent"><content type="application/json" validate-as="json" action="prevent" /></validate-content>
<return-response><set-status code="@(int.Parse(context.Request.Headers.GetValueOrDefault("x-status", "200")))" reason="" /></return-response>
</inbound></policies>"""


def send(system: System, path: str, body: Any) -> Reply:
    return call("PUT", f"{system.gateway}/orders{path}", body=body)


def test_requests_are_held_to_the_imported_description(lab: System) -> None:
    api = f"{service(lab)}/apis/orders"
    put(
        lab,
        api,
        {
            "path": "orders",
            "displayName": "Orders",
            "protocols": ["http", "https"],
            "subscriptionRequired": False,
            "format": "openapi+json",
            "value": json.dumps(DESCRIPTION),
        },
    )
    put(lab, f"{api}/policies/policy", {"format": "rawxml", "value": POLICY})
    assert send(lab, "/orders/7?v=1", {"sku": "a"}).status == 200
    for path, body, says in (
        ("/orders/seven?v=1", {"sku": "a"}, "path parameter id"),
        ("/orders/7?v=3", {"sku": "a"}, "query parameter v"),
        ("/orders/7?v=1&w=2", {"sku": "a"}, "Unspecified query parameter w"),
        ("/orders/7?v=1", {}, "sku"),
        ("/orders/7?v=1", {"sku": "abcdef"}, "longer than 5"),
        ("/orders/7?v=1", {"sku": "a", "more": 1}, "additional properties"),
        ("/orders/7?v=1", b"[", "definition Order"),
    ):
        if isinstance(body, bytes):
            reply = call(
                "PUT", f"{lab.gateway}/orders{path}", body=body, headers={"Content-Type": "application/json"}
            )
        else:
            reply = send(lab, path, body)
        assert reply.status == 400, (path, body, reply.body)
        assert says in reply.json()["message"], reply.body
    schema = lab.admin("GET", f"{api}/schemas/imported?api-version=2024-05-01")
    assert schema.status == 200
    assert "Order" in schema.json()["properties"]["document"]["components"]["schemas"]


XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="order"><xs:complexType><xs:attribute name="id" type="{type}" use="required"/></xs:complexType></xs:element>
</xs:schema>"""
XML_POLICY = """<policies><inbound><base />
<validate-content unspecified-content-type-action="prevent" max-size="1000" size-exceeded-action="prevent"><content type="application/xml" validate-as="xml" schema-id="order" action="prevent" /></validate-content>
<return-response />
</inbound></policies>"""


def test_bodies_are_held_to_an_xml_schema(lab: System) -> None:
    schema = f"{service(lab)}/schemas/order"
    broken = {"properties": {"schemaType": "xml", "value": XSD.format(type="xs:whole")}}
    refused = lab.admin("PUT", f"{schema}?api-version=2024-05-01", broken)
    assert refused.status == 400
    assert "in line 2, column" in refused.body.decode()
    assert "whole' not found" in refused.body.decode()
    put(lab, schema, {"schemaType": "xml", "value": XSD.format(type="xs:int")})
    api = f"{service(lab)}/apis/xml"
    put(
        lab,
        api,
        {
            "path": "xml",
            "displayName": "XML",
            "protocols": ["http", "https"],
            "subscriptionRequired": False,
        },
    )
    put(lab, f"{api}/operations/put", {"displayName": "Put", "method": "PUT", "urlTemplate": "/"})
    put(lab, f"{api}/policies/policy", {"format": "rawxml", "value": XML_POLICY})
    for body, status, says in (
        (b'<order id="1"/>', 200, ""),
        (b'<order id="x"/>', 400, "no whole number"),
        (b"<other/>", 400, "not an element of the schema"),
        (b'<!DOCTYPE order><order id="1"/>', 400, "document type"),
    ):
        reply = call("PUT", f"{lab.gateway}/xml/", body=body, headers={"Content-Type": "application/xml"})
        assert reply.status == status, reply.body
        assert says in reply.body.decode()
