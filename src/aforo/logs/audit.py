"""The `LAQueryLogs` row of a query: who asked what, of which workspace, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aforo.identity.access import Principal
from aforo.kql.masking import masked
from aforo.logs.question import QueryAnswer, TimeRange
from aforo.tables.la_query_logs import LA_QUERY_LOGS

TABLE = LA_QUERY_LOGS.name


@dataclass(frozen=True, slots=True)
class Asked:
    """One query and its end. Times in unix seconds; `status` is the HTTP status that the client got."""

    principal: Principal
    correlation_id: str
    client_app: str
    target: str  # ARM id of what was asked: a workspace, or the resource
    workspaces: tuple[str, ...]  # ARM ids
    resources: tuple[str, ...]  # ARM ids to which the rows were narrowed
    text: str
    timespan: TimeRange | None
    began: float
    ended: float
    status: int


def audit_row(asked: Asked, answer: QueryAnswer | None, tenant_id: str, workspace_id: str) -> dict[str, Any]:
    """Column name to value; datetimes are unix nanoseconds (`spool.records.RowsRecord`)."""
    range_ = asked.timespan
    row: dict[str, Any] = {
        # Through microseconds: a float of unix seconds has no more digits to give.
        "TimeGenerated": round(asked.began * 1e6) * 1000,
        "CorrelationId": asked.correlation_id,
        "AADObjectId": asked.principal.object_id,
        "AADClientId": asked.principal.client_id,
        "AADTenantId": tenant_id,
        "AADEmail": asked.principal.name,
        "RequestClientApp": asked.client_app,
        "RequestTarget": asked.target,
        "RequestContext": {"workspaces": list(asked.workspaces)},
        "RequestContextFilters": {"resources": list(asked.resources)},
        "QueryText": masked(asked.text),
        "ResponseCode": asked.status,
        "ResponseDurationMs": round((asked.ended - asked.began) * 1000, 3),
        "ResponseRowCount": answer.row_count if answer is not None else 0,
        "StatsWorkspaceCount": len(asked.workspaces),
        "IsBillableQuery": False,
        "Outcome": answer.outcome.value if answer is not None else "refused",
        "TenantId": workspace_id,
        "_ResourceId": asked.workspaces[0].lower() if asked.workspaces else "",
    }
    if range_ is not None and range_.start_us is not None:
        row["QueryTimeRangeStart"] = range_.start_us * 1000
    if range_ is not None and range_.end_us is not None:
        row["QueryTimeRangeEnd"] = range_.end_us * 1000
    if answer is not None:
        row["StatsCPUTimeMs"] = round(answer.statistics.cpu_s * 1000, 3)
        row["StatsDataProcessedKB"] = round(answer.statistics.size_bytes / 1024, 3)
        row["TablesRead"] = list(answer.tables)
    return row
