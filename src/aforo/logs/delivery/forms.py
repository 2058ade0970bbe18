"""The two forms in which rows wait in a batch: lines as Azure writes them to storage and hubs, and rows of Delta tables."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from aforo.logs.delivery.lines import Lines, MetricLines
from aforo.logs.rows import Row, row_columns
from aforo.tables.azure_metrics import AZURE_METRICS
from aforo.tables.gateway_logs import GATEWAY_LOGS
from aforo.tables.llm_logs import LLM_LOGS
from aforo.tables.schema import ColumnType, Table

METRICS: Final = "AllMetrics"
# Whose rows a category has.
TABLES: Final = {"GatewayLogs": GATEWAY_LOGS, "GatewayLlmLogs": LLM_LOGS, METRICS: AZURE_METRICS}


class Form(Protocol):
    """Makes what stands in a batch: the folder that it belongs to, and bytes. `time_us`: unix microseconds."""

    def make(self, category: str, row: Row, resource_id: str, time_us: int) -> tuple[str, bytes]: ...


class JsonForm:
    """Lines, an hour in a folder."""

    def __init__(self, categories: Collection[str]) -> None:
        self._lines = {
            c: MetricLines(table) if c == METRICS else Lines(table, c)
            for c, table in TABLES.items()
            if c in categories
        }

    def make(self, category: str, row: Row, resource_id: str, time_us: int) -> tuple[str, bytes]:
        """See `Form`."""
        line = self._lines[category].make(row, resource_id)
        return folder_of(category, resource_id, time_us), line


class RowForm:
    """Rows with the names of their columns, so that a later version with more of them can read what waits."""

    def __init__(self, categories: Collection[str]) -> None:
        self._names = {
            c: tuple(column.name for column in row_columns(t)) for c, t in TABLES.items() if c in categories
        }

    def make(self, category: str, row: Row, resource_id: str, time_us: int) -> tuple[str, bytes]:
        """See `Form`."""
        del resource_id, time_us
        named = zip(self._names[category], row, strict=True)
        return "", msgspec.msgpack.encode({name: v for name, v in named if v is not None and v != ""})


def read_row(table: Table, line: bytes) -> Row:
    """What `RowForm` made, in the order of the columns that the table has now."""
    values: dict[str, Any] = msgspec.msgpack.decode(line)
    return tuple(values.get(c.name, "" if c.type is ColumnType.STRING else None) for c in row_columns(table))


def container_of(category: str) -> str:
    """What Azure calls a category in storage, and its event hub."""
    return "insights-metrics-pt1m" if category == METRICS else f"insights-logs-{category.lower()}"


def folder_of(category: str, resource_id: str, time_us: int) -> str:
    """Where Azure puts the records of an hour."""
    hour = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return (
        f"{container_of(category)}/resourceId={resource_id.upper()}/"
        f"y={hour:%Y}/m={hour:%m}/d={hour:%d}/h={hour:%H}/m=00"
    )
