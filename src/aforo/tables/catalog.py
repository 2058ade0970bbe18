"""All log tables by name."""

from __future__ import annotations

from aforo.tables.app_metrics import APP_METRICS
from aforo.tables.app_traces import APP_TRACES
from aforo.tables.azure_activity import AZURE_ACTIVITY
from aforo.tables.azure_diagnostics import AZURE_DIAGNOSTICS
from aforo.tables.azure_metrics import AZURE_METRICS
from aforo.tables.gateway_logs import GATEWAY_LOGS
from aforo.tables.la_query_logs import LA_QUERY_LOGS
from aforo.tables.llm_logs import LLM_LOGS
from aforo.tables.mcp_logs import MCP_LOGS
from aforo.tables.operation import OPERATION
from aforo.tables.schema import Table

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        GATEWAY_LOGS,
        LLM_LOGS,
        MCP_LOGS,
        AZURE_DIAGNOSTICS,
        AZURE_METRICS,
        AZURE_ACTIVITY,
        LA_QUERY_LOGS,
        APP_METRICS,
        APP_TRACES,
        OPERATION,
    )
}
