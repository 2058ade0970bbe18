"""LAQueryLogs: one row per query, for the audit of who asked what (Azure Monitor's table of that name)."""

from __future__ import annotations

from aforo.tables.schema import Column, ColumnType, Table
from aforo.tables.standard import STANDARD, TIME, bools, dynamics, ints, reals, strings

LA_QUERY_LOGS = Table(
    "LAQueryLogs",
    "One row per query over the logs: who asked what and when, how it ended, how many rows were given.",
    (
        TIME,
        *strings("""
            CorrelationId     Id of the query; error answers carry it.
            AADObjectId       Object id of who asked.
            AADTenantId       Tenant of who asked.
            AADEmail          Name of who asked.
            AADClientId       Application with which it was asked.
            RequestClientApp  What the client says it is: `x-ms-app`, else its user agent.
        """),
        Column(
            "QueryTimeRangeStart", ColumnType.DATETIME, "Begin of the time range asked for; null when open."
        ),
        Column("QueryTimeRangeEnd", ColumnType.DATETIME, "End of the time range asked for; null when open."),
        *strings("""
            QueryText         The query.
            RequestTarget     ARM id of the workspace or resource that the request names.
        """),
        *dynamics("""
            RequestContext         ARM ids of all workspaces that were asked.
            RequestContextFilters  ARM ids of the resources to which the rows were narrowed.
        """),
        *ints("ResponseCode      HTTP status of the answer; 499 when the client left before it."),
        *reals("ResponseDurationMs  Milliseconds from the request to the answer."),
        *ints("ResponseRowCount  Rows given."),
        *reals("""
            StatsCPUTimeMs        CPU time of the query in milliseconds.
            StatsDataProcessedKB  Size of the table files that were looked at, in KB.
        """),
        *ints("StatsWorkspaceCount  How many workspaces were asked."),
        *bools("IsBillableQuery   Whether the query costs money: never."),
        *STANDARD,
        *dynamics("TablesRead        Tables that the query read.", ours=True),
        *strings(
            "Outcome           ok, invalid, runtime, timeout, memory, cancelled, failed, refused.", ours=True
        ),
    ),
)
