"""Rows as Azure writes them to storage and event hubs: one JSON object per record, names in lower camel case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from aforo.logs.rows import Row, row_columns
from aforo.stamps import iso_stamp
from aforo.tables.schema import ColumnType, Table

# Columns that stand beside `properties`, under these names.
_TOP: Final = {
    "TimeGenerated": "time",
    "OperationName": "operationName",
    "CorrelationId": "correlationId",
    "Region": "location",
    "CallerIpAddress": "callerIpAddress",
    "TotalTime": "durationMs",
    "IsRequestSuccess": "isRequestSuccess",
}
# What only tables have: the time is above, the rest is what Log Analytics adds.
_LEFT_OUT: Final = frozenset(
    ("Timestamp", "Category", "_ResourceId", "_SubscriptionId", "_BilledSize", "_IsBillable")
)


class Lines:
    """Makes the records of one table. A column without a value is left out."""

    def __init__(self, table: Table, category: str) -> None:
        self._category = category
        self._columns = [
            (at, _TOP.get(c.name, ""), c.name[:1].lower() + c.name[1:], c.type)
            for at, c in enumerate(row_columns(table))
            if c.name not in _LEFT_OUT
        ]

    def make(self, row: Row, resource_id: str) -> bytes:
        """One line, with its end."""
        properties: dict[str, Any] = {}
        out: dict[str, Any] = {
            "time": "",
            "resourceId": resource_id.upper(),
            "category": self._category,
            "level": 4,
        }
        for at, top, name, kind in self._columns:
            value = row[at]
            if value is None or value == "":
                continue
            if kind is ColumnType.DATETIME:
                value = iso_stamp(value * 1_000)
            elif kind is ColumnType.DYNAMIC:
                value = orjson.Fragment(value)
            if top:
                out[top] = value
            else:
                properties[name] = value
        if out.get("isRequestSuccess") is False:
            out["level"] = 2
        out["properties"] = properties
        return orjson.dumps(out) + b"\n"


def folder_of(category: str, resource_id: str, time_us: int) -> str:
    """Where Azure puts the records of an hour."""
    hour = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return (
        f"insights-logs-{category.lower()}/resourceId={resource_id.upper()}/"
        f"y={hour:%Y}/m={hour:%m}/d={hour:%d}/h={hour:%H}/m=00"
    )
