"""What Azure's log clients need to be pointed at a system of ours: credentials, and resources to send rows to."""

from __future__ import annotations

import time
import uuid
from typing import Any

from azure.core.credentials import AccessToken

from tests.support.system import System, call


class Token:
    """Any object with `get_token` is a credential to azure-core."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken(self._token, int(time.time()) + 3600)

    def close(self) -> None:
        """Kusto's client closes what it was given."""


def group(system: System) -> str:
    """The ARM id of the lab's resource group."""
    return f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"


def workspace(system: System) -> str:
    """The ARM id of the lab's workspace."""
    return f"{group(system)}/providers/Microsoft.OperationalInsights/workspaces/law-activategenai"


def service(system: System) -> str:
    """The ARM id of the lab's API Management service."""
    return f"{group(system)}/providers/Microsoft.ApiManagement/service/{system['service']}"


def put(system: System, path: str, properties: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    """Create or replace a resource as administrator; AssertionError with the answer when it is refused."""
    reply = system.admin("PUT", path, {"properties": properties, **envelope})
    assert reply.status in (200, 201), f"{reply.status} {reply.body.decode()}"
    found: dict[str, Any] = reply.json()
    return found


def custom_table(system: System, name: str, columns: dict[str, str]) -> None:
    """Declare a custom table."""
    listed = [{"name": n, "type": kind} for n, kind in columns.items()]
    put(system, f"{workspace(system)}/tables/{name}", {"schema": {"name": name, "columns": listed}})


def rule(
    system: System, name: str, stream: str, columns: dict[str, str], table: str, transform: str = "source"
) -> str:
    """A data collection rule with one stream into one table; its immutable id."""
    found = put(
        system,
        f"{group(system)}/providers/Microsoft.Insights/dataCollectionRules/{name}",
        {
            "streamDeclarations": {stream: {"columns": [{"name": n, "type": k} for n, k in columns.items()]}},
            "destinations": {"logAnalytics": [{"workspaceResourceId": workspace(system), "name": "here"}]},
            "dataFlows": [
                {
                    "streams": [stream],
                    "destinations": ["here"],
                    "transformKql": transform,
                    "outputStream": f"Custom-{table}",
                }
            ],
        },
        location="local",
        kind="Direct",
    )
    return str(found["properties"]["immutableId"])


def assign(system: System, principal: str, role: str, scope: str) -> None:
    """Give a principal a role at a scope."""
    put(
        system,
        f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}",
        {"roleDefinitionId": role, "principalId": principal},
    )


def reader(system: System, name: str, resource: str, *roles: tuple[str, str]) -> str:
    """A token of a new application that holds those roles at those scopes. `resource` is the audience."""
    path = f"{group(system)}/providers/Aforo.Identity/applications/{name}"
    found = put(system, path, {"clientSecret": "a-secret-of-tests"})["properties"]
    for role, scope in roles:
        assign(system, found["principalId"], role, scope)
    form = (
        f"grant_type=client_credentials&client_id={found['appId']}&client_secret=a-secret-of-tests"
        f"&scope={resource}/.default"
    )
    reply = call(
        "POST",
        f"{system['control_tls']}/{system['tenant_id']}/oauth2/v2.0/token",
        body=form.encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        ca=system.ca,
    )
    assert reply.status == 200, reply.body
    token: str = reply.json()["access_token"]
    return token
