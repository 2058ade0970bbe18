"""Columns that every table of a workspace has, as Azure Monitor names them."""

from __future__ import annotations

from aforo.tables.schema import Column, ColumnType

# Filled in for a whole batch, not per row: what workspace the file belongs to and what table it is.
CONSTANT = ("SourceSystem", "TenantId", "Type")

# A column of files that no table declares: when the batch of a row was written, under the name that Kusto gives it.
# Nobody can declare a column of that name, and queries see it by `ingestion_time()` alone.
INGESTED = "$IngestionTime"

TIME = Column("TimeGenerated", ColumnType.DATETIME, "When it happened.")

STANDARD = (
    Column("SourceSystem", ColumnType.STRING, "Who wrote the row: `Azure`, as in a Log Analytics workspace."),
    Column("TenantId", ColumnType.STRING, "The id of the Log Analytics workspace."),
    Column("Type", ColumnType.STRING, "The name of the table."),
    Column("_ResourceId", ColumnType.STRING, "ARM id of the resource, lower case."),
    Column("_SubscriptionId", ColumnType.STRING, "Id of the Azure subscription."),
    Column("_BilledSize", ColumnType.REAL, "Bytes that were taken in for this row."),
    Column("_IsBillable", ColumnType.STRING, "`true` or `false`."),
)


def _of(
    kind: ColumnType, rows: str, *, ours: bool = False, hidden: bool = False, content: bool = False
) -> tuple[Column, ...]:
    out = []
    for line in rows.strip().splitlines():
        name, _, doc = line.strip().partition(" ")
        out.append(Column(name, kind, doc.strip(), hidden=hidden, ours=ours, content=content))
    return tuple(out)


def strings(rows: str, *, ours: bool = False, content: bool = False) -> tuple[Column, ...]:
    """Several string columns, one line each: name, documentation."""
    return _of(ColumnType.STRING, rows, ours=ours, content=content)


def longs(rows: str, *, ours: bool = False) -> tuple[Column, ...]:
    return _of(ColumnType.LONG, rows, ours=ours)


def ints(rows: str, *, ours: bool = False) -> tuple[Column, ...]:
    return _of(ColumnType.INT, rows, ours=ours)


def reals(rows: str, *, ours: bool = False) -> tuple[Column, ...]:
    return _of(ColumnType.REAL, rows, ours=ours)


def bools(rows: str, *, ours: bool = False) -> tuple[Column, ...]:
    return _of(ColumnType.BOOL, rows, ours=ours)


def dynamics(rows: str, *, ours: bool = False, content: bool = False) -> tuple[Column, ...]:
    return _of(ColumnType.DYNAMIC, rows, ours=ours, content=content)
