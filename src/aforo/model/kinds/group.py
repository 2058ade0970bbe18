"""Groups of users and their memberships."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aforo.model.declare import flag, text
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mint, NameRule
from aforo.model.kinds.service import SERVICE_TYPE

GROUP_TYPE = f"{SERVICE_TYPE}/groups"
SYSTEM_GROUPS = ("administrators", "developers", "guests")


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, _mint: Mint) -> None:
    properties = body["properties"]
    properties["builtIn"] = rid.name.lower() in SYSTEM_GROUPS
    if properties["builtIn"]:
        properties["type"] = "system"


GROUP = Kind(
    name="group",
    type=GROUP_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text("displayName", required=True, minimum=1, maximum=300),
        text("description", maximum=1000),
        text("type", values=("custom", "system", "external"), default="custom"),
        text("externalId"),
        flag("builtIn", readonly=True),
    ),
    names=NameRule(maximum=256),
    fill=_fill,
)

GROUP_USER = Kind(
    name="group user",
    type=f"{GROUP_TYPE}/users",
    parent=GROUP_TYPE,
    link=f"{SERVICE_TYPE}/users",
)
