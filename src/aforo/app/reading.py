"""Who may read which logs, and what workspaces there are and declare, out of the resource graph. For both query APIs.

Three rights: a whole table, by a role at its workspace or above; the rows of a resource, a product, an API or a
subscription, by a role at that; and beside either of them the content of calls, which no action of the control
plane includes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aforo.control.access import ADMIN, assigned, covers
from aforo.control.build_log import workspaces_of
from aforo.control.commit import Door
from aforo.control.log_tables import custom_tables, saved_functions
from aforo.identity.access import Principal
from aforo.logs.reader import Contents, SavedFunction, Workspace
from aforo.model.graph import Graph
from aforo.model.ids import BadId, parse_id
from aforo.model.kind import Resource
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.log_table import LOG_TABLE_TYPE
from aforo.model.kinds.product import PRODUCT_TYPE
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.kinds.subscription import SUBSCRIPTION_TYPE
from aforo.model.kinds.workspace import WORKSPACE_TYPE
from aforo.model.roles import Role
from aforo.tables.catalog import TABLES

READ_ACTION = "Microsoft.OperationalInsights/workspaces/query/read"
METRICS_ACTION = "Microsoft.Insights/metrics/read"
# A data action: no `*` of an owner or a reader includes it.
CONTENT_ACTION = "Aforo.Logs/content/read"

# In which column a table names what a role can be assigned at.
_COLUMNS = {
    PRODUCT_TYPE.lower(): ("ProductId",),
    API_TYPE.lower(): ("ApiId",),
    SUBSCRIPTION_TYPE.lower(): ("ApimSubscriptionId", "UserAccountId"),
}
_RESOURCE = "_ResourceId"
_MOST_KEPT = 1_000


class Reading:
    """The answers that `logs.reader.Reader` needs about resources and rights."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._graph: Graph | None = None
        self._held: dict[str, tuple[tuple[str, Role], ...]] = {}

    def _roles(self, principal: Principal) -> tuple[tuple[str, Role], ...]:
        """What was assigned to a principal. A query asks a dozen times, so it is kept until resources change."""
        graph = self._door.graph
        if graph is not self._graph or len(self._held) > _MOST_KEPT:
            self._graph, self._held = graph, {}
        found = self._held.get(principal.object_id)
        if found is None:
            found = self._held[principal.object_id] = tuple(assigned(graph, principal))
        return found

    def _may(self, principal: Principal, action: str, scope: str, *, data: bool = False) -> bool:
        """Whether one of the principal's roles, at the scope or above, has the action."""
        return principal is ADMIN or any(
            role.allows_data(action) if data else role.allows(action)
            for place, role in self._roles(principal)
            if covers(place, scope)
        )

    def may_read(self, principal: Principal, workspace: Workspace, table: str) -> bool:
        """Whether the principal may read a table: by its role at the workspace or above."""
        action = f"{READ_ACTION.removesuffix('/read')}/{table}/read"
        scope = workspace.resource_id
        return self._may(principal, READ_ACTION, scope) or self._may(principal, action, scope)

    def may_read_metrics(self, principal: Principal) -> bool:
        """Whether the principal may read the figures of the service."""
        return any(
            self._may(principal, METRICS_ACTION, service.id.key)
            for service in self._door.graph.of_type(SERVICE_TYPE)
        )

    def some_rows(
        self, principal: Principal, _workspace: Workspace, table: str
    ) -> Sequence[Mapping[str, str]]:
        """The rows of a table that the principal may read since they are about what he may read the logs of."""
        return [rows for _, rows in self._own(principal, table)]

    def may_read_content(self, principal: Principal, workspace: Workspace, table: str) -> bool:
        """Whether the principal may read what people wrote and models answered, in all rows that he may read."""
        if self._may(principal, CONTENT_ACTION, workspace.resource_id, data=True):
            return True
        if self.may_read(principal, workspace, table):
            return False
        places = [place for place, _ in self._own(principal, table)]
        return bool(places) and all(self._may(principal, CONTENT_ACTION, p, data=True) for p in places)

    def _own(self, principal: Principal, table: str) -> Iterator[tuple[str, dict[str, str]]]:
        action = f"Microsoft.Insights/logs/{table}/read"
        for place, role in self._roles(principal):
            if role.allows(action) and (rows := _rows_of(place, table)):
                yield place, rows

    def contents(self, workspace: Workspace) -> Contents:
        """The custom tables and saved functions of a workspace."""
        graph, key = self._door.graph, workspace.resource_id.lower()
        functions = tuple(
            SavedFunction(
                name,
                str(search.properties.get("functionParameters") or ""),
                str(search.properties["query"]),
                str(search.properties["displayName"]),
                str(search.properties["category"]),
            )
            for name, _, search in saved_functions(graph, key)
        )
        mappings = {
            table.name: {n: (m["kind"], m["columns"]) for n, m in listed.items()}
            for table in graph.children(key, LOG_TABLE_TYPE)
            if (listed := table.properties.get("ingestionMappings"))
        }
        found = graph.get(workspace.resource_id)
        external = tuple(map(str, found.properties.get("externalData", ()))) if found is not None else ()
        return Contents(custom_tables(graph, key), functions, mappings, external)

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


def _rows_of(place: str, table: str) -> dict[str, str]:
    """The rows of a table about what has that id; {} when the table cannot tell."""
    try:
        rid = parse_id(place)
    except BadId:
        return {}
    declared = TABLES.get(table)
    names = declared.names if declared is not None else (_RESOURCE,)
    columns = _COLUMNS.get(rid.type_key)
    if columns is not None:
        service = rid.ancestor(SERVICE_TYPE)
        column = next((c for c in columns if c in names), None)
        return (
            {_RESOURCE: service.text, column: rid.name.partition(";")[0]}
            if service is not None and column
            else {}
        )
    # What else lies in a service writes no rows of its own.
    return {} if rid.type_key.startswith(SERVICE_TYPE.lower() + "/") else {_RESOURCE: rid.text}


def _workspace(resource: Resource) -> Workspace:
    return Workspace(
        str(resource.properties["customerId"]),
        resource.name,
        resource.id.text,
        str(resource.body.get("location", "")),
    )
