"""The built-in roles: names, GUIDs, and what they allow. It knows no principal and no token.

GUIDs and action patterns are Azure's published built-in roles, cut to the providers that exist here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aforo.model.ids import ResourceId


@dataclass(frozen=True, slots=True)
class Role:
    """A role. `actions` are control-plane patterns (`*` is any text), `data_actions` those of data planes."""

    name: str
    guid: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        return _matches(self.actions, action) and not _matches(self.not_actions, action)

    def allows_data(self, action: str) -> bool:
        """Whether it has an action of a data plane; `*` among the actions of the control plane is none of these."""
        return _matches(self.data_actions, action)


_COGNITIVE = "Microsoft.CognitiveServices"
_INSIGHTS = "Microsoft.Insights"
_LOGS = "Microsoft.OperationalInsights"

ROLES: tuple[Role, ...] = (
    Role("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",)),
    Role(
        "Contributor",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        ("*",),
        ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"),
    ),
    Role("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
    Role(
        "User Access Administrator",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        ("*/read", "Microsoft.Authorization/*"),
    ),
    Role(
        "Cognitive Services User",
        "a97b65f3-24c7-4388-baec-2e87135dc908",
        (
            f"{_COGNITIVE}/*/read",
            f"{_COGNITIVE}/accounts/listkeys/action",
            f"{_INSIGHTS}/diagnosticSettings/read",
        ),
        (),
        (f"{_COGNITIVE}/*",),
    ),
    Role(
        "Cognitive Services Contributor",
        "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68",
        (f"{_COGNITIVE}/*", f"{_INSIGHTS}/diagnosticSettings/*"),
    ),
    Role(
        "Cognitive Services OpenAI User",
        "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
        (f"{_COGNITIVE}/*/read",),
        (),
        (
            f"{_COGNITIVE}/accounts/OpenAI/*/read",
            f"{_COGNITIVE}/accounts/OpenAI/deployments/*/action",
            f"{_COGNITIVE}/accounts/OpenAI/responses/*",
        ),
    ),
    Role(
        "Cognitive Services OpenAI Contributor",
        "a001fd3d-188f-4b5d-821b-7da978bf7442",
        (f"{_COGNITIVE}/*/read", f"{_COGNITIVE}/accounts/deployments/*"),
        (),
        (f"{_COGNITIVE}/accounts/OpenAI/*",),
    ),
    Role(
        "API Management Service Contributor",
        "312a565d-c81f-4fd8-895a-4e21e48d571c",
        ("Microsoft.ApiManagement/service/*", "Microsoft.Authorization/*/read"),
    ),
    Role(
        "API Management Service Reader Role",
        "71522526-b88f-4d52-b57f-d31fc3546d0d",
        ("Microsoft.ApiManagement/service/*/read", "Microsoft.ApiManagement/service/read"),
    ),
    Role(
        "Log Analytics Reader",
        "73c42c96-874c-492b-b04d-ab87d138a893",
        ("*/read", f"{_LOGS}/workspaces/analytics/query/action", f"{_LOGS}/workspaces/search/action"),
        (f"{_LOGS}/workspaces/sharedKeys/read",),
    ),
    Role(
        "Log Analytics Contributor",
        "92aaf0da-9dab-42b6-94a3-d43ce8d16293",
        ("*/read", f"{_LOGS}/*", f"{_INSIGHTS}/diagnosticSettings/*"),
    ),
    Role(
        "Monitoring Metrics Publisher",
        "3913510d-42f4-4e42-8a64-420c390055eb",
        (),
        (),
        (f"{_INSIGHTS}/Metrics/Write", f"{_INSIGHTS}/Telemetry/Write"),
    ),
    # Ours: Azure has no role of that kind. Not even an owner reads what people wrote without it.
    Role(
        "Log Content Reader",
        "6d0a3c7e-5b0f-4f5e-9a55-0c1d8f7a2e41",
        (),
        (),
        ("Aforo.Logs/content/read",),
    ),
)


def role_named(name: str) -> Role | None:
    """The role of that name or GUID, whatever its case."""
    wanted = name.lower()
    return next((r for r in ROLES if wanted in (r.name.lower(), r.guid)), None)


def role_definition_id(within: ResourceId, role: Role) -> str:
    """The role's ARM id as seen from the subscription that holds `within`."""
    subscription = within.text.split("/")[2]
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role.guid}"


def _matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(
        re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), action, re.IGNORECASE)
        for pattern in patterns
    )
