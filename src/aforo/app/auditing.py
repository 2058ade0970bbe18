"""Where rows of the control plane go: its audit, and what others send. Into its spool, to the workspaces that are
meant to have them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aforo.control.build_log import workspaces_of
from aforo.control.commit import Door
from aforo.errors import Unavailable
from aforo.logs.reader import Workspace
from aforo.spool.records import RowsRecord
from aforo.spool.writer import SpoolWriter
from aforo.tables.account_rows import audit_row

# ARM action -> the operation that an account's own Audit category names it by.
_ACCOUNT_OPERATIONS = {
    "microsoft.cognitiveservices/accounts/listkeys/action": "ListKey",
    "microsoft.cognitiveservices/accounts/regeneratekey/action": "RegenerateKey",
}


class Auditing:
    """The sinks of the control plane. `workspaces` lists all there are."""

    def __init__(self, door: Door, spool: SpoolWriter, workspaces: Callable[[], list[Workspace]]) -> None:
        self._door = door
        self._spool = spool
        self._workspaces = workspaces

    def activity(self, row: Mapping[str, Any]) -> None:
        """An `AzureActivity` row; keys of an account that were shown are its own audit as well."""
        everywhere = [w.id for w in self._workspaces()]
        if everywhere:
            self._spool.append_rows(RowsRecord(everywhere, "AzureActivity", [dict(row)]))
        operation = _ACCOUNT_OPERATIONS.get(str(row["OperationName"]).lower())
        account = self._door.graph.get(str(row["ResourceId"])) if operation is not None else None
        if operation is None or account is None or row["ActivityStatus"] != "Succeeded":
            return
        wanted = workspaces_of(account, self._door.graph).get("Audit", [])
        if wanted:
            audited = audit_row(
                account.id.text,
                str(account.body.get("location", "")),
                operation=operation,
                object_id=str(row.get("Claims_d", {}).get("oid", "")),
                at_ns=int(row["TimeGenerated"]),
                correlation_id=str(row["CorrelationId"]),
            )
            self._spool.append_rows(RowsRecord(wanted, "AzureDiagnostics", [audited]))

    def taken(self, record: RowsRecord) -> None:
        """Rows that somebody sent. Unavailable when the spool has no room for them."""
        if not self._spool.has_room():
            raise Unavailable("There is no room for further rows now.", retry_after_s=10.0)
        self._spool.append_rows(record)

    def queried(self, workspace_id: str, table: str, row: dict[str, Any]) -> None:
        """One row about a query."""
        self._spool.append_rows(RowsRecord([workspace_id], table, [row]))
