"""Resources as ARM shows them, and lists of them: filters, paging. It never shows a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from aforo.control.live import Live
from aforo.control.secrets import without_secrets
from aforo.errors import Invalid
from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.account import ACCOUNT_TYPE, is_elsewhere
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.data_collection import ENDPOINT_TYPE, RULE_TYPE
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.kinds.workspace import WORKSPACE_TYPE

MAX_PAGE = 1000
_CLAUSE = re.compile(
    r"\s*(?:(?P<field>[\w./]+)\s+(?P<op>eq|ne)\s+'(?P<value>(?:[^']|'')*)'"
    r"|(?P<call>contains|startswith|endswith|substringof)\(\s*(?P<a>[^,]+?)\s*,\s*(?P<b>[^)]+?)\s*\)"
    r"|(?P<scope>atScope\(\)))\s*",
    re.IGNORECASE,
)


def shown(resource: Resource, graph: Graph, live: Live) -> dict[str, Any]:
    """The resource in ARM's envelope: id, type, name, envelope fields, properties."""
    content = resource
    if resource.kind.link:
        container = resource.id.parent.rpartition("/")[0].rpartition("/")[0]
        collection = resource.kind.link.rpartition("/")[2]
        content = graph.get(f"{container}/{collection}/{resource.name}") or resource
    body = without_secrets(content.body)
    properties = {**body.get("properties", {}), **_live(content, live)}
    if any(p.name == "provisioningState" for p in content.kind.properties):
        # Whatever is in the graph is in force; clients poll for this word.
        properties["provisioningState"] = "Succeeded"
    out: dict[str, Any] = {"id": resource.id.text, "type": resource.kind.type, "name": resource.name}
    out.update({k: v for k, v in body.items() if k != "properties"})
    out["properties"] = properties
    return out


def page(
    resources: Iterable[Resource], query: Mapping[str, str], url: str, graph: Graph, live: Live
) -> dict[str, Any]:
    """A list answer: `value`, `count` of all that match, `nextLink` when there is more.

    `query` are the request's parameters with lower-case names; `url` is absolute and without a query.
    """
    found = list(resources)
    if query.get("$filter"):
        clauses = _clauses(query["$filter"])
        found = [r for r in found if all(_holds(c, r) for c in clauses)]
    skip, top = _number(query, "$skip", 0), min(_number(query, "$top", MAX_PAGE), MAX_PAGE)
    out: dict[str, Any] = {
        "value": [shown(r, graph, live) for r in found[skip : skip + top]],
        "count": len(found),
    }
    if skip + top < len(found):
        kept = {k: v for k, v in query.items() if k not in ("$skip", "$top")}
        kept.update({"$top": str(top), "$skip": str(skip + top)})
        out["nextLink"] = f"{url}?" + "&".join(f"{k}={_quoted(v)}" for k, v in kept.items())
    return out


def _live(resource: Resource, live: Live) -> dict[str, Any]:
    match resource.kind.type:
        case t if t == SERVICE_TYPE:
            return {
                "gatewayUrl": live.gateway_url,
                "managementApiUrl": live.control_url,
                "portalUrl": live.control_url,
                "targetProvisioningState": "",
            }
        case t if t == ACCOUNT_TYPE:
            if is_elsewhere(resource):
                return {"endpoints": {"OpenAI Language Model Instance API": resource.properties["endpoint"]}}
            return {
                "endpoint": f"{live.account_endpoint}/",
                "endpoints": {"OpenAI Language Model Instance API": f"{live.account_endpoint}/"},
            }
        case t if t == API_TYPE:
            return {"isOnline": True}
        case t if t == ENDPOINT_TYPE:
            return {
                "logsIngestion": {"endpoint": live.control_url},
                "metricsIngestion": {"endpoint": live.control_url},
            }
        case t if t == RULE_TYPE:
            return {"endpoints": {"logsIngestion": live.control_url}}
        case t if t == WORKSPACE_TYPE:
            return {"sku": resource.properties.get("sku", {"name": "PerGB2018"})}
        case _:
            return {}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"{name} has to be a number, not {text!r}", target=name)
    return int(text)


def _clauses(text: str) -> list[re.Match[str]]:
    found = []
    for part in re.split(r"\s+and\s+(?=(?:[^']*'[^']*')*[^']*$)", text, flags=re.IGNORECASE):
        match = _CLAUSE.fullmatch(part)
        if match is None:
            raise Invalid(
                f"$filter: {part!r} is not supported; `field eq 'x'`, `contains(field, 'x')`, "
                "`startswith(field, 'x')` joined by `and` are",
                code="FilterNotSupported",
                target="$filter",
            )
        found.append(match)
    return found


def _holds(clause: re.Match[str], resource: Resource) -> bool:
    if clause["scope"]:
        return True
    if clause["field"]:
        same = _field(resource, clause["field"]).lower() == clause["value"].replace("''", "'").lower()
        return same if clause["op"].lower() == "eq" else not same
    first, second = clause["a"], clause["b"]
    if clause["call"].lower() == "substringof":
        first, second = second, first
    content, wanted = _field(resource, first).lower(), second.strip().strip("'").lower()
    match clause["call"].lower():
        case "startswith":
            return content.startswith(wanted)
        case "endswith":
            return content.endswith(wanted)
        case _:
            return wanted in content


def _field(resource: Resource, path: str) -> str:
    steps = re.split(r"[./]", path)
    if steps[0].lower() == "name":
        return resource.name
    value: Any = resource.body if steps[0].lower() in ("properties", "sku", "tags") else resource.properties
    for step in steps:
        if not isinstance(value, Mapping):
            return ""
        value = next((v for k, v in value.items() if k.lower() == step.lower()), "")
    return value if isinstance(value, str) else str(value).lower()


def _quoted(text: str) -> str:
    return quote(text, safe="")
