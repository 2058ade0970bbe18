"""Role assignments: which principal may do what at which scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import reference, refused, text
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mint, NameRule, Resource

ROLE_ASSIGNMENT_TYPE = "Microsoft.Authorization/roleAssignments"
ROLE_DEFINITION_TYPE = "Microsoft.Authorization/roleDefinitions"
_GUID = r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, _mint: Mint) -> None:
    body["properties"]["scope"] = rid.parent


def _aliases(assignment: Resource) -> Iterable[str]:
    properties = assignment.properties
    role = str(properties.get("roleDefinitionId", "")).rpartition("/")[2].lower()
    yield f"role {role} of {str(properties.get('principalId', '')).lower()} at {assignment.id.parent_key}"


ROLE_ASSIGNMENT = Kind(
    name="role assignment",
    type=ROLE_ASSIGNMENT_TYPE,
    parent="*",
    properties=(
        reference("roleDefinitionId", ROLE_DEFINITION_TYPE, required=True),
        text("principalId", required=True, minimum=1),
        text(
            "principalType",
            values=("User", "Group", "ServicePrincipal", "ForeignGroup", "Device"),
            default="ServicePrincipal",
        ),
        text("description", maximum=1024),
        text("scope", readonly=True),
        text("delegatedManagedIdentityResourceId", readonly=True),
        refused("condition", "conditions of role assignments are not supported"),
        refused("conditionVersion", "conditions of role assignments are not supported"),
    ),
    names=NameRule(_GUID, 36, "it has to be a GUID"),
    aliases=_aliases,
    fill=_fill,
)
