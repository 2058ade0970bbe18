"""What a PUT may bring along: an API description becomes operations, a link to a policy becomes its text."""

from __future__ import annotations

from typing import Any

from aforo.control.desired import Wanted
from aforo.control.openapi import FORMATS, SCHEMA_ID, Fetch, fetch_text, read_description
from aforo.errors import Invalid
from aforo.model.graph import Graph
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.operation import OPERATION
from aforo.model.kinds.schema import API_SCHEMA, imported_schema

_IMPORT = ("format", "value", "translateRequiredQueryParameters")


async def expand(wanted: Wanted, graph: Graph, fetch: Fetch | None) -> tuple[list[Wanted], list[str]]:
    """(what to put, which keys to delete) for one PUT; mostly just what was given."""
    properties = wanted.body.get("properties")
    if not isinstance(properties, dict):
        return [wanted], []
    if wanted.kind.type == API_TYPE and any(name in properties for name in _IMPORT):
        return await _api(wanted, properties, graph, fetch)
    given = str(properties.get("format", ""))
    if wanted.kind.singleton and given in ("xml-link", "rawxml-link"):
        text = await _linked(str(properties.get("value", "")), fetch)
        body = {
            **wanted.body,
            "properties": {**properties, "format": given.removesuffix("-link"), "value": text},
        }
        return [Wanted(wanted.id, wanted.kind, body)], []
    return [wanted], []


async def _api(
    wanted: Wanted, properties: dict[str, Any], graph: Graph, fetch: Fetch | None
) -> tuple[list[Wanted], list[str]]:
    given, value = properties.get("format"), properties.get("value")
    rest = {k: v for k, v in properties.items() if k not in _IMPORT}
    if given is None or not isinstance(value, str):
        raise Invalid("an import needs 'format' and 'value'", target="properties.format")
    if given not in FORMATS:
        raise Invalid(
            f"importing {given!r} is not supported; {', '.join(FORMATS)} are",
            code="NotSupported",
            target="properties.format",
        )
    linked = FORMATS[given]
    text = await _linked(value, fetch) if linked else value
    where = value if linked else "the description"
    in_template = properties.get("translateRequiredQueryParameters", "template") != "query"
    description = read_description(text, where, query_in_template=in_template)
    if description.title:
        rest.setdefault("displayName", description.title[:300])
    if description.server:
        rest.setdefault("serviceUrl", description.server)
    out = [Wanted(wanted.id, wanted.kind, {**wanted.body, "properties": rest})]
    names = {name.lower() for name in description.operations}
    for name, body in description.operations.items():
        out.append(Wanted(wanted.id.child("operations", name), OPERATION, {"properties": body}))
    gone = [r.id.key for r in graph.children(wanted.id.key, OPERATION.type) if r.name.lower() not in names]
    if description.schemas:
        schema = wanted.id.child("schemas", SCHEMA_ID)
        out.insert(1, Wanted(schema, API_SCHEMA, {"properties": imported_schema(description.schemas)}))
    return out, gone


async def _linked(url: str, fetch: Fetch | None) -> str:
    if fetch is None or not url.startswith(("http://", "https://")):
        raise Invalid(f"{url!r} cannot be fetched: it is no http or https URL", target="properties.value")
    return await fetch_text(url, fetch)
