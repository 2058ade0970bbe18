"""Data collection: endpoints that take logs in, and rules that say into which table each stream goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import LOCATION, TAGS, anything, listing, mapping, record, reference, refused, text
from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId
from aforo.model.kind import Kind, Mint, NameRule, Problem, Resource, View
from aforo.model.kinds.log_table import COLUMN_NAME, LOG_TABLE_TYPE
from aforo.model.kinds.workspace import WORKSPACE_TYPE
from aforo.model.unknown import unknown

ENDPOINT_TYPE = "Microsoft.Insights/dataCollectionEndpoints"
RULE_TYPE = "Microsoft.Insights/dataCollectionRules"
CUSTOM = "Custom-"
STREAM_TYPES = ("string", "int", "long", "real", "boolean", "datetime", "dynamic")


def output_table(flow: Mapping[str, Any]) -> str:
    """The table that a data flow writes; "" for what is none of ours."""
    stream = flow.get("outputStream") or next(iter(flow.get("streams", ())), "")
    return str(stream).removeprefix(CUSTOM) if str(stream).startswith(CUSTOM) else ""


def _immutable(prefix: str) -> Any:
    def fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, mint: Mint) -> None:
        body["properties"]["immutableId"] = f"{prefix}-{mint.guid(prefix, rid.key).replace('-', '')}"

    return fill


def _hangs_together(rule: Resource, view: View) -> Iterable[Problem]:
    """Streams, destinations and tables that the flows name exist."""
    properties = rule.properties
    declared = properties.get("streamDeclarations", {})
    for name in declared:
        if not name.startswith(CUSTOM):
            yield Problem(
                ("properties", "streamDeclarations", name),
                f"a declared stream is called {CUSTOM}NAME, not {name!r}",
            )
    listed = properties.get("destinations", {}).get("logAnalytics", ())
    destinations = {d["name"]: d for d in listed}
    if len(destinations) < len(listed):
        yield Problem(("properties", "destinations", "logAnalytics"), "two destinations have the same name")
    for index, flow in enumerate(properties.get("dataFlows", ())):
        place = ("properties", "dataFlows", index)
        for number, stream in enumerate(flow["streams"]):
            if stream not in declared:
                yield unknown("stream", stream, list(declared), (*place, "streams", number))
        table = output_table(flow)
        if not table:
            yield Problem(
                (*place, "outputStream"),
                f"logs go into custom tables ({CUSTOM}NAME_CL): rows of built-in ones are written by this system alone",
            )
        for number, wanted in enumerate(flow["destinations"]):
            destination = destinations.get(wanted)
            if destination is None:
                yield unknown("destination", wanted, list(destinations), (*place, "destinations", number))
            elif table and view.get(f"{destination['workspaceResourceId']}/tables/{table}") is None:
                names = [
                    t.name for t in view.children(destination["workspaceResourceId"].lower(), LOG_TABLE_TYPE)
                ]
                yield unknown("table", table, names, (*place, "outputStream"))


_ACCESS = record("networkAcls", text("publicNetworkAccess", values=("Enabled",)))
_NAMES = NameRule(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", 64, "letters, digits, - . and _")
_NO_AGENTS = "no agent collects for this system: logs are sent to the rule's stream"

DATA_COLLECTION_ENDPOINT = Kind(
    name="data collection endpoint",
    type=ENDPOINT_TYPE,
    parent=RESOURCE_GROUP_TYPE,
    envelope=(LOCATION, TAGS, text("kind")),
    properties=(
        text("description"),
        _ACCESS,
        text("immutableId", readonly=True),
        anything("logsIngestion", readonly=True),
        anything("configurationAccess", readonly=True),
        anything("metricsIngestion", readonly=True),
        text("provisioningState", readonly=True),
    ),
    names=_NAMES,
    fill=_immutable("dce"),
    created_status=200,
)

DATA_COLLECTION_RULE = Kind(
    name="data collection rule",
    type=RULE_TYPE,
    parent=RESOURCE_GROUP_TYPE,
    envelope=(LOCATION, TAGS, text("kind", values=("Direct",))),
    properties=(
        text("description"),
        reference("dataCollectionEndpointId", ENDPOINT_TYPE),
        text("immutableId", readonly=True),
        anything("endpoints", readonly=True),
        mapping(
            "streamDeclarations",
            record(
                "stream",
                listing(
                    "columns",
                    record(
                        "column",
                        text(
                            "name",
                            required=True,
                            pattern=COLUMN_NAME,
                            doc="letters, digits and _, a letter first",
                        ),
                        text("type", required=True, values=STREAM_TYPES),
                    ),
                    required=True,
                    minimum=1,
                ),
            ),
        ),
        record(
            "destinations",
            listing(
                "logAnalytics",
                record(
                    "destination",
                    reference("workspaceResourceId", WORKSPACE_TYPE, required=True),
                    text("name", required=True, minimum=1),
                    text("workspaceId", readonly=True),
                ),
            ),
            *(
                refused(name, "logs go to a workspace")
                for name in (
                    "azureMonitorMetrics",
                    "eventHubs",
                    "eventHubsDirect",
                    "storageBlobsDirect",
                    "storageTablesDirect",
                    "storageAccounts",
                    "monitoringAccounts",
                    "microsoftFabric",
                    "azureDataExplorer",
                )
            ),
        ),
        listing(
            "dataFlows",
            record(
                "flow",
                listing("streams", text("stream"), required=True, minimum=1),
                listing("destinations", text("destination"), required=True, minimum=1),
                text(
                    "transformKql",
                    doc="A query over `source`, the rows that came in; `source` alone passes them on.",
                ),
                text("outputStream", doc="`Custom-NAME_CL`; the stream's own name without it."),
                refused("builtInTransform", "a transformation is written in 'transformKql'"),
            ),
        ),
        anything("metadata", readonly=True),
        text("provisioningState", readonly=True),
        refused("dataSources", _NO_AGENTS),
        refused("agentSettings", _NO_AGENTS),
        refused("references", "enrichment data is not supported"),
    ),
    names=_NAMES,
    rules=(_hangs_together,),
    fill=_immutable("dcr"),
    created_status=200,
)
