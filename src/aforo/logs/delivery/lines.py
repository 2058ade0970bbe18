"""Rows as Azure writes them to storage and event hubs: one JSON object per record, names in lower camel case."""

from __future__ import annotations

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


class MetricLines:
    """Makes the records of metrics: one for each metric and minute, without a category."""

    _NAMES: Final = {
        "Count": "count",
        "Total": "total",
        "Minimum": "minimum",
        "Maximum": "maximum",
        "Average": "average",
        "TimeGenerated": "time",
        "MetricName": "metricName",
        "TimeGrain": "timeGrain",
    }

    def __init__(self, table: Table) -> None:
        at = {column.name: index for index, column in enumerate(row_columns(table))}
        self._columns = [(name, at[column]) for column, name in self._NAMES.items()]

    def make(self, row: Row, resource_id: str) -> bytes:
        """One line, with its end."""
        out: dict[str, Any] = {name: row[at] for name, at in self._columns}
        out["time"] = iso_stamp(out["time"] * 1_000)
        out["resourceId"] = resource_id.upper()
        return orjson.dumps(out) + b"\n"
