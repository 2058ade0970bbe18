"""Who exists, out of the resource graph: applications with their secrets, identities of services and accounts."""

from __future__ import annotations

from collections.abc import Callable

from aforo.identity.access import Application, Principal
from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.account import ACCOUNT_TYPE
from aforo.model.kinds.application import APPLICATION_TYPE
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.secret import Secret


class GraphDirectory:
    """`identity.access.Directory` over the graph of the moment (`lambda: door.graph`)."""

    def __init__(self, graph: Callable[[], Graph]) -> None:
        self._graph = graph

    def application(self, client_id: str) -> Application | None:
        found = self._graph().bearer(APPLICATION_TYPE, f"application {client_id.lower()}")
        if found is None:
            return None
        properties = found.properties
        secret = properties.get("clientSecret")
        principal = Principal(
            object_id=str(properties.get("principalId", "")),
            client_id=str(properties.get("appId", "")),
            name=str(properties.get("displayName", found.name)),
            roles=tuple(properties.get("appRoles", ())),
        )
        return Application(principal, (secret.digest,) if isinstance(secret, Secret) else ())

    def managed_identity(
        self, *, client_id: str | None = None, object_id: str | None = None, resource_id: str | None = None
    ) -> Principal | None:
        graph = self._graph()
        for full_type in (SERVICE_TYPE, ACCOUNT_TYPE):
            for resource in graph.of_type(full_type):
                principal = _identity(resource)
                if (
                    principal is not None
                    and client_id in (None, principal.client_id)
                    and object_id in (None, principal.object_id)
                    and (resource_id is None or resource_id.lower() == resource.id.key)
                ):
                    return principal
        return None


def _identity(resource: Resource) -> Principal | None:
    principal_id = resource.body.get("identity", {}).get("principalId")
    if principal_id is None:
        return None
    # A system-assigned identity is its own application.
    return Principal(str(principal_id), str(principal_id), resource.name, (), resource.id.text)
