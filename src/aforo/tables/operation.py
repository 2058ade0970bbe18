"""Operation: what went wrong with the log itself. Azure's workspaces tell in it what they could not take in."""

from __future__ import annotations

from typing import Any

from aforo.tables.schema import Table
from aforo.tables.standard import STANDARD, TIME, longs, strings

OPERATION = Table(
    "Operation",
    "Incidents of the log: records of calls that could not be kept, counted by API (`spoolFull` of an API). Empty where "
    "nothing was lost.",
    (
        TIME,
        *strings("""
            OperationCategory    `Ingestion`.
            OperationStatus      `Error`.
            OperationKey         `RecordsDropped`.
            Detail               What happened, in words.
            Solution             `LogManagement`.
            CorrelationId        The incident; a row that is there twice has the same one.
            Computer             The gateway, such as `gateway-0`.
            ErrorId              Empty.
            HelpLink             Empty.
            ManagementGroupName  Empty.
            SourceComputerId     Empty.
            Resource             Empty.
        """),
        *STANDARD,
        *strings("ApiId                Whose calls they were; empty for calls to no API.", ours=True),
        *longs("DroppedRecords       How many records were lost.", ours=True),
    ),
)


def dropped_row(
    at_ns: int, api_id: str, dropped: int, detail: str, *, incident: str, writer: str, resource_id: str
) -> dict[str, Any]:
    """The row of the records of one API that could not be kept, the first of them at `at_ns` (unix ns)."""
    return {
        "TimeGenerated": at_ns,
        "OperationCategory": "Ingestion",
        "OperationStatus": "Error",
        "OperationKey": "RecordsDropped",
        "Detail": detail,
        "Solution": "LogManagement",
        "CorrelationId": incident,
        "Computer": writer,
        "_ResourceId": resource_id.lower(),
        "ApiId": api_id,
        "DroppedRecords": dropped,
    }
