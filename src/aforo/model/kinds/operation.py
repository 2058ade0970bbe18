"""Operations of an API: a method and a URL template. They know no router."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import anything, flag, listing, record, refused, text
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mint, NameRule, Problem, Resource, View
from aforo.model.kinds.api import API_TYPE

_PARAMETER = re.compile(r"\{([^{}]*)\}")


def template_parameters(template: str) -> list[str]:
    """The names in braces, in order."""
    return _PARAMETER.findall(template)


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, _mint: Mint) -> None:
    properties = body["properties"]
    properties.setdefault("displayName", rid.name)
    given = {p.get("name") for p in properties.get("templateParameters", ())}
    missing = [n for n in template_parameters(properties.get("urlTemplate", "")) if n not in given]
    if missing:
        added = [{"name": name, "type": "string", "required": True} for name in missing]
        properties["templateParameters"] = [*properties.get("templateParameters", ()), *added]


def _aliases(operation: Resource) -> Iterable[str]:
    properties = operation.properties
    # Query parameters of a template take no part in matching, so they make no difference here either.
    shape = _PARAMETER.sub("{}", str(properties.get("urlTemplate", "")).lower().partition("?")[0])
    yield f"{str(properties.get('method', '')).upper()} {shape} of {operation.id.parent_key}"


def _template_is_sound(operation: Resource, _view: View) -> Iterable[Problem]:
    template = operation.properties.get("urlTemplate", "")
    place = ("properties", "urlTemplate")
    rest = _PARAMETER.sub("", template)
    if "{" in rest or "}" in rest:
        yield Problem(place, f"the braces in {template!r} do not pair")
    names = template_parameters(template)
    if len({n.lower() for n in names}) != len(names):
        yield Problem(place, f"{template!r} has the same parameter twice")
    if "" in names:
        yield Problem(place, f"{template!r} has a parameter without a name")
    path = template.partition("?")[0]
    if "*" in path[:-1] or (path.endswith("*") and not path.endswith("/*") and path != "*"):
        yield Problem(place, f"in {template!r} the wildcard has to be the last segment (/*)")


_REPRESENTATION = anything("representation")

OPERATION = Kind(
    name="operation",
    type=f"{API_TYPE}/operations",
    parent=API_TYPE,
    properties=(
        text("displayName", minimum=1, maximum=300),
        text("method", required=True, minimum=1, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
        text("urlTemplate", required=True, minimum=1, maximum=1000),
        listing(
            "templateParameters",
            record(
                "parameter",
                text("name", required=True),
                text("type", required=True),
                text("description"),
                anything("defaultValue"),
                flag("required"),
                listing("values", anything("value")),
                text("schemaId"),
                text("typeName"),
                anything("examples"),
            ),
        ),
        text("description"),
        record(
            "request",
            text("description"),
            listing("queryParameters", anything("parameter")),
            listing("headers", anything("header")),
            listing("representations", _REPRESENTATION),
        ),
        listing("responses", anything("response")),
        refused("policies", "put the policy at .../operations/{name}/policies/policy"),
    ),
    names=NameRule(maximum=80),
    rules=(_template_is_sound,),
    aliases=_aliases,
    fill=_fill,
)
