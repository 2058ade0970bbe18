"""Tables of a workspace: custom ones with their columns, and how long any of them keeps its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import anything, flag, listing, mapping, record, refused, text, whole
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mint, NameRule, Problem, Resource, View
from aforo.model.kinds.workspace import WORKSPACE_TYPE
from aforo.model.unknown import unknown

LOG_TABLE_TYPE = f"{WORKSPACE_TYPE}/tables"
SUFFIX = "_CL"
# Azure's names of types, and Kusto's, which `.create table` uses: to Kusto's.
COLUMN_TYPES: Mapping[str, str] = {
    "string": "string",
    "int": "int",
    "long": "long",
    "real": "real",
    "boolean": "bool",
    "bool": "bool",
    "datetime": "datetime",
    "guid": "guid",
    "dynamic": "dynamic",
    "timespan": "timespan",
}
COLUMN_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"
TIME = "TimeGenerated"
# `tables/` declares both; a contract test holds them equal.
BUILT_IN = (
    "ApiManagementGatewayLogs",
    "ApiManagementGatewayLlmLog",
    "ApiManagementGatewayMCPLog",
    "AzureDiagnostics",
    "AzureMetrics",
    "AzureActivity",
    "LAQueryLogs",
    "Operation",
    "AppMetrics",
    "AppTraces",
)
STANDARD = (
    "SourceSystem",
    "TenantId",
    "Type",
    "_ResourceId",
    "_SubscriptionId",
    "_BilledSize",
    "_IsBillable",
)
_RESERVED = frozenset(name.lower() for name in (*STANDARD, "_day"))


def columns_of(table: Resource) -> list[tuple[str, str, str]]:
    """The declared columns of a custom table: name, Kusto's type, what it holds."""
    return [
        (c["name"], COLUMN_TYPES[str(c["type"]).lower()], str(c.get("description", "")))
        for c in _declared(table)
    ]


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, _mint: Mint) -> None:
    properties = body["properties"]
    if rid.name in BUILT_IN:
        return
    schema = dict(properties.get("schema") or {})
    properties["schema"] = {**schema, "name": rid.name, "columns": list(schema.get("columns", ()))}


def _known_or_custom(table: Resource, _view: View) -> Iterable[Problem]:
    schema = table.properties.get("schema")
    if table.name in BUILT_IN:
        if schema:
            yield Problem(
                ("properties", "schema"),
                f"{table.name} is a built-in table: its columns are what they are; only its retention can be set",
            )
    elif not table.name.endswith(SUFFIX):
        close = unknown("table", table.name, list(BUILT_IN), ())
        yield Problem(
            (),
            f"the name of a custom table ends with {SUFFIX}, and {table.name!r} is no built-in one",
            close.hints,
        )
    elif not (schema or {}).get("columns"):
        yield Problem(("properties", "schema", "columns"), "a custom table needs columns")


def _columns(table: Resource, view: View) -> Iterable[Problem]:
    seen: dict[str, str] = {}
    # The graph before the change, where the view is a draft of it.
    before = getattr(view, "base", view).get(table.id.key)
    old = {c["name"]: str(c["type"]).lower() for c in _declared(before)} if before is not None else {}
    for index, column in enumerate(_declared(table)):
        place = ("properties", "schema", "columns", index)
        name, kind = column["name"], str(column["type"]).lower()
        if not re.match(COLUMN_NAME, name):
            yield Problem(
                (*place, "name"),
                f"{name!r} cannot be the name of a column: letters, digits and _, a letter first",
            )
        elif name.lower() in _RESERVED:
            yield Problem((*place, "name"), f"every table has its {name!r} already; it cannot be declared")
        elif name.lower() in seen:
            yield Problem((*place, "name"), f"the column {name!r} is there twice")
        elif name == TIME and COLUMN_TYPES.get(kind) != "datetime":
            yield Problem((*place, "type"), f"{TIME} is a datetime in every table")
        elif name in old and COLUMN_TYPES.get(old[name]) != COLUMN_TYPES.get(kind):
            yield Problem(
                (*place, "type"),
                f"the column {name!r} is {old[name]} and stays it: rows are stored so already",
                ("give the new one another name",),
            )
        seen[name.lower()] = name


def _declared(table: Resource) -> list[Mapping[str, Any]]:
    return list((table.properties.get("schema") or {}).get("columns", ()))


LOG_TABLE = Kind(
    name="log table",
    type=LOG_TABLE_TYPE,
    parent=WORKSPACE_TYPE,
    properties=(
        text("plan", values=("Analytics",)),
        whole(
            "retentionInDays",
            -1,
            4383,
            doc="Days that rows are kept; the workspace's rule without it, or -1.",
        ),
        whole("totalRetentionInDays", -1, 4383, doc="Kept and shown: there is no archive behind the table."),
        record(
            "schema",
            text("name"),
            text("displayName"),
            text("description"),
            listing(
                "columns",
                record(
                    "column",
                    text("name", required=True, minimum=1),
                    text("type", required=True, values=tuple(COLUMN_TYPES)),
                    text("displayName"),
                    text("description"),
                    text("dataTypeHint", doc="Kept and shown, not acted on."),
                    flag("isDefaultDisplay"),
                    flag("isHidden"),
                ),
                maximum=500,
            ),
            listing("standardColumns", anything("column"), readonly=True),
            listing("categories", text("category"), readonly=True),
            listing("labels", text("label"), readonly=True),
            text("tableType", readonly=True),
            text("tableSubType", readonly=True),
            text("source", readonly=True),
            listing("solutions", text("solution"), readonly=True),
        ),
        mapping(
            "ingestionMappings",
            record(
                "mapping",
                text("kind", required=True, values=("json", "csv")),
                listing(
                    "columns",
                    record(
                        "column",
                        text("column", required=True, minimum=1),
                        text("path", doc="JSON path of the value (`$.a.b`), for json."),
                        whole("ordinal", 0, doc="Place of the value in a line, for csv."),
                        text("constant", doc="A value that every row has."),
                    ),
                    required=True,
                ),
            ),
            doc="Mappings that streaming ingestion may name; Kusto's `.create table ... ingestion mapping` writes them.",
        ),
        text("provisioningState", readonly=True),
        refused("searchResults", "search jobs are not supported"),
        refused("restoredLogs", "restoring archived rows is not supported"),
        whole("archiveRetentionInDays"),
        flag("retentionInDaysAsDefault", readonly=True),
        flag("totalRetentionInDaysAsDefault", readonly=True),
        text("lastPlanModifiedDate", readonly=True),
        anything("resultStatistics", readonly=True),
    ),
    names=NameRule(r"^[A-Za-z][A-Za-z0-9_]*$", 63, "letters, digits and _, a letter first"),
    rules=(_known_or_custom, _columns),
    fill=_fill,
    created_status=200,
    yaml="tables",
)
