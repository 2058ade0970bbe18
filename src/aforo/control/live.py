"""What is known only while the system runs: addresses of its parts. Texts may name them: `${accounts.NAME.endpoint}`.

A port can differ from start to start, so such texts are resolved when a bundle is built, never when one is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from aforo.control.desired import Wanted
from aforo.model.graph import Graph
from aforo.model.kind import Path, Problem, Resource, View
from aforo.model.kinds.account import ACCOUNT_TYPE, is_elsewhere
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.backend import BACKEND_TYPE
from aforo.model.kinds.named_value import NAMED_VALUE_TYPE
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.nearest import nearest

_EXPRESSION = re.compile(r"\$\{(accounts|services)\.([^{}.\s]+)\.([A-Za-z]+)\}")
_TYPES = {"accounts": ACCOUNT_TYPE, "services": SERVICE_TYPE}
_KNOWN = {"accounts": ("endpoint", "principalId"), "services": ("gatewayUrl", "principalId")}
# Where such texts may stand: kind and property.
PLACES: dict[str, tuple[str, ...]] = {
    NAMED_VALUE_TYPE.lower(): ("value",),
    BACKEND_TYPE.lower(): ("url",),
    API_TYPE.lower(): ("serviceUrl",),
}


@dataclass(frozen=True, slots=True)
class Live:
    """Addresses without a slash at their end."""

    account_endpoint: str = "http://127.0.0.1:8082"
    gateway_url: str = "http://127.0.0.1:8080"
    control_url: str = "http://127.0.0.1:8081"


def resolve_text(text: str, graph: Graph, live: Live) -> str:
    """The text with every known expression replaced; what is no expression of ours stays as it is."""

    def replace(match: re.Match[str]) -> str:
        value = _value(match, graph, live)
        return match[0] if value is None else value

    return _EXPRESSION.sub(replace, text) if "${" in text else text


def problems(resource: Resource, view: View) -> Iterable[Problem]:
    """What is wrong with the expressions in a resource: names that do not exist."""
    for name in PLACES.get(resource.id.type_key, ()):
        text = resource.properties.get(name)
        if isinstance(text, str):
            yield from text_problems(text, ("properties", name), _group(resource), view)


def text_problems(text: str, path: Path, group_key: str, view: View) -> Iterable[Problem]:
    """What is wrong with the expressions of one text of a resource in that resource group."""
    for match in _EXPRESSION.finditer(text):
        family, name, attribute = match.groups()
        known = [r.name for r in view.children(group_key, _TYPES[family])]
        if name.lower() not in [k.lower() for k in known]:
            close = nearest(name, known)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"
            yield Problem(path, f"{match[0]}: there is no {family[:-1]} {name!r}", (hint,))
        elif attribute not in _KNOWN[family]:
            wanted = " or ".join(_KNOWN[family])
            yield Problem(path, f"{match[0]}: {family} have no {attribute!r}", (f"use {wanted}",))


def without_own_address(wanted: Wanted, live: Live) -> Wanted:
    """What a client read of the local account and sends back: the address that it was shown makes it no other one."""
    properties = wanted.body.get("properties")
    if wanted.kind.type != ACCOUNT_TYPE or not isinstance(properties, Mapping):
        return wanted
    own = live.account_endpoint.lower()
    kept = {
        name: value
        for name, value in properties.items()
        if name.lower() != "endpoint" or str(value).lower().rstrip("/") != own
    }
    return (
        wanted if len(kept) == len(properties) else replace(wanted, body={**wanted.body, "properties": kept})
    )


def _group(resource: Resource) -> str:
    group = resource.id.ancestor("Microsoft.Resources/resourceGroups")
    return group.key if group is not None else ""


def _value(match: re.Match[str], graph: Graph, live: Live) -> str | None:
    family, name, attribute = match.groups()
    named = (r for r in graph.of_type(_TYPES[family]) if r.name.lower() == name.lower())
    resource = next(named, None)
    if resource is None:
        return None
    match attribute:
        case "endpoint":
            there = str(resource.properties["endpoint"]) if is_elsewhere(resource) else live.account_endpoint
            return there.rstrip("/")
        case "gatewayUrl":
            return live.gateway_url
        case "principalId":
            principal = resource.body.get("identity", {}).get("principalId")
            return None if principal is None else str(principal)
        case _:
            return None
