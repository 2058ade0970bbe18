"""Who may read which log tables, and which workspaces there are, out of the resource graph. For both query APIs."""

from __future__ import annotations

from collections.abc import Sequence

from aforo.control.access import ADMIN, allowed
from aforo.control.build_log import workspaces_of
from aforo.control.commit import Door
from aforo.identity.access import Principal
from aforo.logs.reader import Workspace
from aforo.model.kind import Resource
from aforo.model.kinds.workspace import WORKSPACE_TYPE

READ_ACTION = "Microsoft.OperationalInsights/workspaces/query/read"


class Reading:
    """The answers that `logs.reader.Reader` needs about resources and rights."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def may_read(self, principal: Principal, workspace: Workspace, table: str) -> bool:
        """Whether the principal may read a table: by its role at the workspace or above."""
        if principal is ADMIN:
            return True
        action = f"{READ_ACTION.removesuffix('/read')}/{table}/read"
        graph = self._door.graph
        return allowed(graph, principal, READ_ACTION, workspace.resource_id) or allowed(
            graph, principal, action, workspace.resource_id
        )

    def workspaces(self) -> list[Workspace]:
        """All of them."""
        return [_workspace(r) for r in self._door.graph.of_type(WORKSPACE_TYPE)]

    def resolve_workspace(self, text: str) -> Workspace | None:
        """The workspace with that GUID, name or ARM id."""
        wanted = text.strip("/").lower()
        for workspace in self.workspaces():
            if wanted in (
                workspace.id.lower(),
                workspace.name.lower(),
                workspace.resource_id.strip("/").lower(),
            ):
                return workspace
        return None

    def resolve_resource(self, arm_id: str) -> Sequence[Workspace]:
        """The workspaces that hold the logs of a resource, by its diagnostic settings."""
        graph = self._door.graph
        resource = graph.get(arm_id)
        if resource is None:
            return []
        ids = {w for listed in workspaces_of(resource, graph).values() for w in listed}
        return [w for w in self.workspaces() if w.id in ids]


def _workspace(resource: Resource) -> Workspace:
    return Workspace(
        str(resource.properties["customerId"]),
        resource.name,
        resource.id.text,
        str(resource.body.get("location", "")),
    )
