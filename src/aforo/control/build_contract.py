"""What operations declare of their messages, and the schemas that this names, as gateways get them. It validates nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.schema import is_xml, schema_text
from aforo.policy.subject import Answer, Contract, Parameter, Representation, Schema

_IN_QUERY = re.compile(r"(?:^|&)([^&=]*)=\{([^{}]*)\}")


def contract_of(operation: Resource) -> Contract:
    """The operation's contract. Parameters in the query of its template are the query's, under the name they have there."""
    properties = operation.properties
    path, _, query = str(properties.get("urlTemplate", "")).partition("?")
    templated = {p.name: p for p in _parameters(properties.get("templateParameters"))}
    in_query = {inner: name for name, inner in _IN_QUERY.findall(query)}
    request = _record(properties.get("request"))
    queries = [_renamed(templated[inner], name) for inner, name in in_query.items() if inner in templated]
    return Contract(
        path=tuple(p for n, p in templated.items() if n not in in_query and f"{{{n}}}" in path),
        query=(*queries, *_parameters(request.get("queryParameters"))),
        headers=tuple(_parameters(request.get("headers"))),
        bodies=tuple(_representations(request.get("representations"))),
        answers=tuple(_answers(properties.get("responses"))),
    )


def schemas_of(graph: Graph, parent_key: str, full_type: str) -> tuple[Schema, ...]:
    """The schemas of a service or an API."""
    return tuple(
        Schema(r.name, "xml" if is_xml(r) else "json", schema_text(r))
        for r in graph.children(parent_key, full_type)
    )


def _answers(given: Any) -> Iterable[Answer]:
    for each in _records(given):
        status = each.get("statusCode")
        if isinstance(status, int):
            headers = tuple(_parameters(each.get("headers")))
            yield Answer(status, headers, tuple(_representations(each.get("representations"))))


def _parameters(given: Any) -> Iterable[Parameter]:
    for each in _records(given):
        if each.get("name"):
            yield Parameter(
                name=str(each["name"]),
                type=str(each.get("type") or "string").lower(),
                required=bool(each.get("required", False)),
                values=tuple(str(v) for v in each.get("values") or ()),
                schema_id=str(each.get("schemaId") or ""),
                type_name=str(each.get("typeName") or ""),
            )


def _renamed(parameter: Parameter, name: str) -> Parameter:
    return msgspec.structs.replace(parameter, name=name)


def _representations(given: Any) -> Iterable[Representation]:
    for each in _records(given):
        kind = str(each.get("contentType") or "").partition(";")[0].strip().lower()
        if kind:
            yield Representation(kind, str(each.get("schemaId") or ""), str(each.get("typeName") or ""))


def _records(given: Any) -> Iterable[Mapping[str, Any]]:
    return (each for each in given if isinstance(each, Mapping)) if isinstance(given, list | tuple) else ()


def _record(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}
