"""Where rows from outside may go: streams of data collection rules and custom tables, out of the resource graph."""

from __future__ import annotations

from collections.abc import Iterator

from aforo.control.access import allowed_data
from aforo.control.commit import Door
from aforo.control.query_texts import stream_columns
from aforo.errors import NotFound
from aforo.identity.access import Principal
from aforo.logs.ingest import Flow, Mapped, Stream, Target
from aforo.logs.reader import Workspace
from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.data_collection import RULE_TYPE, output_table
from aforo.model.kinds.log_table import BUILT_IN, columns_of

WRITE_ACTION = "Microsoft.Insights/Telemetry/Write"


class Collecting:
    """The answers that `logs.ingest_api` and the ingestion of Kusto's API need about resources and rights."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def may_write(self, principal: Principal, resource_id: str) -> bool:
        """Whether the principal may send rows to a rule or a table; with "" whether anywhere at all."""
        graph = self._door.graph
        if resource_id:
            return allowed_data(graph, principal, WRITE_ACTION, resource_id)
        return any(allowed_data(graph, principal, WRITE_ACTION, r.id.text) for r in graph.of_type(RULE_TYPE))

    def stream(self, immutable_id: str, name: str) -> Stream:
        """The stream of that name of the rule with that immutable id."""
        graph = self._door.graph
        wanted = immutable_id.lower()
        found = (
            r for r in graph.of_type(RULE_TYPE) if str(r.properties.get("immutableId")).lower() == wanted
        )
        rule = next(found, None)
        if rule is None:
            raise NotFound(f"There is no data collection rule {immutable_id!r}.", code="NotFound")
        declared = rule.properties.get("streamDeclarations", {})
        spelled = next((n for n in declared if n.lower() == name.lower()), None)
        if spelled is None:
            known = ", ".join(declared) or "none"
            raise NotFound(
                f"The rule {rule.name} declares no stream {name!r} (declared: {known}).", code="InvalidStream"
            )
        return Stream(rule.id.text, stream_columns(declared[spelled]), tuple(_flows(graph, rule, spelled)))

    def target(self, workspace: Workspace, table: str) -> Target:
        """A custom table of a workspace; NotFound when there is none of that name."""
        graph = self._door.graph
        resource = graph.get(f"{workspace.resource_id}/tables/{table}")
        if resource is None or resource.name in BUILT_IN:
            why = (
                "is written by this system alone" if table in BUILT_IN else f"is no table of {workspace.name}"
            )
            raise NotFound(
                f"{table!r} {why}; rows go into custom tables, declared in `tables` of the workspace."
            )
        return _target(workspace, resource)


def _flows(graph: Graph, rule: Resource, stream: str) -> Iterator[Flow]:
    listed = rule.properties.get("destinations", {}).get("logAnalytics", ())
    destinations = {d["name"]: graph.get(str(d["workspaceResourceId"])) for d in listed}
    for flow in rule.properties.get("dataFlows", ()):
        if stream not in flow["streams"]:
            continue
        targets = []
        for name in flow["destinations"]:
            found = destinations.get(name)
            table = graph.get(f"{found.id.text}/tables/{output_table(flow)}") if found is not None else None
            if found is not None and table is not None:
                workspace = Workspace(str(found.properties["customerId"]), found.name, found.id.text)
                targets.append(_target(workspace, table))
        yield Flow(tuple(targets), str(flow.get("transformKql") or "source"))


def _target(workspace: Workspace, table: Resource) -> Target:
    mappings = {
        name: tuple(
            Mapped(c["column"], str(c.get("path") or ""), c.get("ordinal"), c.get("constant"))
            for c in m["columns"]
        )
        for name, m in table.properties.get("ingestionMappings", {}).items()
    }
    return Target(workspace, table.name, tuple((n, kind) for n, kind, _ in columns_of(table)), mappings)
