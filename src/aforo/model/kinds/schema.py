"""Schemas that messages are validated against: of a service, and of an API. They know no validator."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aforo.model.declare import anything, text
from aforo.model.kind import Kind, Problem, Resource, View
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.service import SERVICE_TYPE

SCHEMA_TYPE = f"{SERVICE_TYPE}/schemas"
API_SCHEMA_TYPE = f"{API_TYPE}/schemas"
# Azure's limit, and enough: gateways carry all of them.
MAX_BYTES = 4 * 1024 * 1024
_COMPONENTS = "application/vnd.oai.openapi.components+json"
_DEFINITIONS = "application/vnd.ms-azure-apim.swagger.definitions+json"
_XML = ("application/vnd.ms-azure-apim.xsd+xml", "application/vnd.ms-azure-apim.wsdl+xml")


def is_xml(schema: Resource) -> bool:
    properties = schema.properties
    return properties.get("schemaType") == "xml" or str(properties.get("contentType", "")).lower() in _XML


def schema_text(schema: Resource) -> str:
    """What the schema says: JSON, or the text of an XML schema. ValueError when it says nothing, or no JSON."""
    properties = schema.properties
    document, value = properties.get("document"), properties.get("value")
    if isinstance(document, Mapping) and isinstance(document.get("value"), str) and len(document) == 1:
        value, document = document["value"], None
    if document is None and isinstance(value, str):
        if is_xml(schema):
            return value
        document = json.loads(value)
    elif document is None:
        document = value
    if not isinstance(document, Mapping):
        raise ValueError("a schema is given as an object in 'document', or as a text in 'value'")
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _is_usable(schema: Resource, _view: View) -> Iterable[Problem]:
    try:
        found = schema_text(schema)
    except ValueError as error:
        yield Problem(("properties", "document"), str(error))
        return
    if len(found.encode()) > MAX_BYTES:
        yield Problem(("properties", "document"), f"a schema may have {MAX_BYTES} bytes")
    elif not is_xml(schema):
        for reference in references(json.loads(found)):
            if not reference.startswith("#"):
                what = (
                    f"the reference {reference!r} leads to another document; put what it means into this one"
                )
                yield Problem(("properties", "document"), what, code="NotSupported")


def references(document: Any) -> Iterator[str]:
    """All `$ref` in it."""
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            reference = node.get("$ref")
            if isinstance(reference, str):
                yield reference
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def imported_schema(document: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of an API schema for a document with `components` or `definitions`."""
    kind = _COMPONENTS if "components" in document else _DEFINITIONS
    return {"contentType": kind, "document": dict(document)}


SCHEMA = Kind(
    name="schema",
    type=SCHEMA_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text(
            "schemaType",
            required=True,
            values=("json", "xml"),
            doc="An XML schema (XSD 1.0) is validated by where the extra `xsd` is installed.",
        ),
        text("description", maximum=1000),
        anything("value"),
        anything("document"),
        text("provisioningState", readonly=True),
    ),
    rules=(_is_usable,),
)

API_SCHEMA = Kind(
    name="API schema",
    type=API_SCHEMA_TYPE,
    parent=API_TYPE,
    properties=(
        text("contentType", required=True, minimum=1, doc="What the document is, by Azure's names."),
        anything("value"),
        anything("document", doc="`components` of OpenAPI, `definitions` of Swagger, or a text in `value`."),
        text("provisioningState", readonly=True),
    ),
    rules=(_is_usable,),
)
