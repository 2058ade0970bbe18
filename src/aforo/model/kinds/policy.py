"""Policies at their four scopes, as texts; the compiler of the texts is elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aforo.model.declare import text
from aforo.model.kind import REFERENCE, Kind, Mention, Resource
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.named_value import token
from aforo.model.kinds.product import PRODUCT_TYPE
from aforo.model.kinds.service import SERVICE_TYPE

FRAGMENT_TYPE = f"{SERVICE_TYPE}/policyFragments"
_NAMING = re.compile(r"""\b(fragment-id|backend-id|logger-id)\s*=\s*["']([^"'@{]+)["']""")
_PLACES = {"fragment-id": "policyFragments", "backend-id": "backends", "logger-id": "loggers"}


def mentions(resource: Resource) -> Iterable[Mention]:
    """Named values, fragments, backends and loggers that a policy text names literally."""
    service = resource.id.ancestor(SERVICE_TYPE)
    assert service is not None
    content = str(resource.properties.get("value", ""))
    for name in dict.fromkeys(REFERENCE.findall(content)):
        yield Mention(token(service.key, name), f"{{{{{name}}}}}")
    for attribute, name in dict.fromkeys(_NAMING.findall(content)):
        yield Mention(f"{service.key}/{_PLACES[attribute]}/{name}".lower(), f'{attribute}="{name}"')


def _policy(parent: str, scope: str) -> Kind:
    return Kind(
        name=f"{scope} policy",
        type=f"{parent}/policies",
        parent=parent,
        singleton="policy",
        yaml="policy",
        properties=(
            text("format", values=("xml", "rawxml", "xml-link", "rawxml-link"), default="xml"),
            text("value", required=True, minimum=1),
        ),
        mentions=mentions,
    )


GLOBAL_POLICY = _policy(SERVICE_TYPE, "global")
PRODUCT_POLICY = _policy(PRODUCT_TYPE, "product")
API_POLICY = _policy(API_TYPE, "API")
OPERATION_POLICY = _policy(f"{API_TYPE}/operations", "operation")

POLICY_FRAGMENT = Kind(
    name="policy fragment",
    type=FRAGMENT_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text("format", values=("xml", "rawxml"), default="xml"),
        text("value", required=True, minimum=1),
        text("description", maximum=1000),
        text("provisioningState", readonly=True),
    ),
    mentions=mentions,
)
