"""LAQueryLogs: one row per query, for the audit of who asked what (Azure Monitor's table of that name)."""

from __future__ import annotations

from aforo.tables.schema import Column, ColumnType, Table

_S, _R, _I, _D = ColumnType.STRING, ColumnType.REAL, ColumnType.INT, ColumnType.DATETIME

TABLE = Table(
    name="LAQueryLogs",
    doc="Queries over the logs: who asked what and when, how it ended, how many rows were given.",
    columns=(
        Column("TimeGenerated", _D, "When the query came in."),
        Column("CorrelationId", _S, "Id of the query; error answers carry it."),
        Column("AADObjectId", _S, "Object id of who asked."),
        Column("AADTenantId", _S, "Tenant of who asked."),
        Column("AADEmail", _S, "Name of who asked."),
        Column("AADClientId", _S, "Application with which it was asked."),
        Column("RequestClientApp", _S, "What the client says it is (`x-ms-app`, else its user agent)."),
        Column(
            "QueryTimeRangeStart", _D, "Begin of the time range that was asked for; empty when it is open."
        ),
        Column("QueryTimeRangeEnd", _D, "End of the time range that was asked for; empty when it is open."),
        Column("QueryText", _S, "The query."),
        Column("RequestTarget", _S, "ARM id of the workspace or resource in the request's URL."),
        Column("RequestContext", ColumnType.DYNAMIC, "ARM ids of all workspaces that were asked."),
        Column("RequestContextFilters", ColumnType.DYNAMIC, "Filters on that context; not used."),
        Column("ResponseCode", _I, "HTTP status of the answer."),
        Column("ResponseDurationMs", _R, "From the request to the answer, milliseconds."),
        Column("ResponseRowCount", _I, "Rows given."),
        Column("StatsCPUTimeMs", _R, "CPU time of the query, milliseconds."),
        Column("StatsDataProcessedKB", _R, "Size of the table files that were looked at, in KB."),
        Column("StatsDataProcessedStart", _D, "Begin of the time range of those files; not used."),
        Column("StatsDataProcessedEnd", _D, "End of the time range of those files; not used."),
        Column("StatsWorkspaceCount", _I, "Number of workspaces that were asked."),
        Column("StatsRegionCount", _I, "Number of regions that were asked; not used."),
        Column("IsBillableQuery", ColumnType.BOOL, "Whether the query costs money: never."),
        Column("SourceSystem", _S, "Aforo."),
        Column("TenantId", _S, "Id of the workspace."),
        Column("Type", _S, "Name of the table."),
        Column("_ResourceId", _S, "ARM id of the workspace, lower case."),
        Column("_SubscriptionId", _S, "Azure subscription of the workspace."),
        Column("_BilledSize", _R, "Size of the row in bytes."),
        Column("_IsBillable", _S, "Whether storing the row costs money."),
        Column("TablesRead", ColumnType.DYNAMIC, "Tables that the query read.", ours=True),
        Column("Outcome", _S, "ok, invalid, timeout, memory, cancelled or failed.", ours=True),
    ),
)
