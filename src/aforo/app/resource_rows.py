"""The resources that somebody may read, as the resource graph lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aforo.control.access import action_on, allowed
from aforo.control.commit import Door
from aforo.control.render import shown
from aforo.identity.access import Principal
from aforo.model.ids import RESOURCE_GROUP_TYPE, SUBSCRIPTION_TYPE

# What lies directly in a resource group: the graph has no rows of what lies deeper.
_DEPTH = 9


class ResourceRows:
    """`logs.graph_api.Resources` over the resource graph."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def __call__(self, principal: Principal, table: str) -> list[Mapping[str, Any]]:
        found = self._containers() if table == "ResourceContainers" else self._resources()
        graph = self._door.graph
        return [r for r, action in found if allowed(graph, principal, action, str(r["id"]))]

    def _resources(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        graph, tenant = self._door.graph, self._door.tenancy.tenant_id
        for resource in graph:
            if (
                resource.id.text.count("/") == _DEPTH - 1
                and resource.id.type_key != RESOURCE_GROUP_TYPE.lower()
            ):
                row = {**shown(resource, graph, self._door.live), "tenantId": tenant}
                yield row, action_on(resource.id, "read")

    def _containers(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        tenancy = self._door.tenancy
        subscription = f"/subscriptions/{tenancy.subscription_id}"
        about = {"tenantId": tenancy.tenant_id, "properties": {"state": "Enabled"}}
        row = {"id": subscription, "name": "Aforo", "type": SUBSCRIPTION_TYPE, **about}
        yield row, f"{SUBSCRIPTION_TYPE}/read"
        graph = self._door.graph
        for group in graph.of_type(RESOURCE_GROUP_TYPE):
            shown_group = shown(group, graph, self._door.live)
            yield (
                {
                    **shown_group,
                    "type": "microsoft.resources/subscriptions/resourcegroups",
                    "tenantId": tenancy.tenant_id,
                },
                action_on(group.id, "read"),
            )
