"""Rows of log tables in the order of their columns, values as files take them. It knows no spool and no file.

A row is a tuple over the columns of its table without the constant ones (tables/standard.py): str, int, float,
bool or None; datetime in unix microseconds, dynamic as JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from aforo.tables.schema import Column, ColumnType, Table
from aforo.tables.standard import CONSTANT

Row = tuple[Any, ...]

_INT32 = 1 << 31
_INT64 = 1 << 63


def row_columns(table: Table) -> tuple[Column, ...]:
    """The columns that a row has a value for."""
    return tuple(c for c in table.columns if c.name not in CONSTANT)


def clamp_int(value: int) -> int:
    """A count in a column that Azure made 32 bits wide: the greatest value stands for all above it."""
    return min(value, _INT32 - 1)


def json_text(value: Any) -> str:
    """JSON as dynamic columns hold it."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


class RowMaker:
    """Makes rows of one table from names and values, as other planes hand them in.

    Values are made to fit: what cannot become a column's type, and what has no column, goes into
    `AdditionalFields` where the table has that column, and is dropped with its name told to `odd` elsewhere.
    In a `custom` table names mean nothing beyond themselves, and what is missing is null in each type.
    """

    def __init__(self, table: Table, *, custom: bool = False) -> None:
        self.table = table
        self._columns = row_columns(table)
        self._index = {c.name: i for i, c in enumerate(self._columns)}
        self._empty = tuple("" if c.type is ColumnType.STRING and not custom else None for c in self._columns)
        self._custom = custom
        self._overflow = None if custom else self._index.get("AdditionalFields")
        self._has_properties = not custom and "properties_s" in self._index
        self.odd: set[str] = set()

    def make(self, values: Mapping[str, Any], *, time_us: int, size_bytes: int) -> Row:
        """One row. `time_us` is TimeGenerated where the values have none."""
        if self._has_properties:
            values = {**self._flattened(values.get("properties_s")), **values}
        row = list(self._empty)
        extra: dict[str, Any] = {}
        for name, value in values.items():
            at = self._index.get(name)
            if value is None or name in CONSTANT:
                continue
            fitting = None if at is None else fit(value, self._columns[at].type)
            if at is None or fitting is None:
                extra[name] = value
            elif at == self._overflow:
                extra = {**(value if isinstance(value, dict) else {name: value}), **extra}
            else:
                row[at] = fitting
        if extra:
            if self._overflow is None:
                self.odd.update(extra)
            else:
                row[self._overflow] = json_text(extra)
        self._fill(row, "TimeGenerated", time_us)
        self._fill(row, "_BilledSize", float(size_bytes))
        self._fill(row, "_IsBillable", "true")
        resource = values.get("_ResourceId") or values.get("ResourceId")
        if isinstance(resource, str) and not self._custom:
            self._fill(row, "_ResourceId", resource.lower())
            self._fill(row, "_SubscriptionId", subscription_of(resource))
        return tuple(row)

    def _flattened(self, properties: Any) -> dict[str, Any]:
        """Properties that have a column, under its name with the suffix of its type."""
        if isinstance(properties, str):
            try:
                properties = orjson.loads(properties)
            except orjson.JSONDecodeError:
                return {}
        if not isinstance(properties, dict):
            return {}
        out = {}
        for name, value in properties.items():
            suffix = {str: "_s", int: "_d", float: "_d", bool: "_b"}.get(type(value))
            if suffix and name + suffix in self._index:
                out[name + suffix] = value
        return out

    def _fill(self, row: list[Any], name: str, value: Any) -> None:
        at = self._index[name]
        if row[at] in (None, ""):
            row[at] = value


def subscription_of(resource_id: str) -> str:
    """The subscription in an ARM id, lower case; "" where it names none."""
    parts = resource_id.lower().split("/")
    return parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else ""


def fit(value: Any, kind: ColumnType) -> Any:
    """A JSON-like value as a column of that type holds it; None where it cannot be."""
    match kind:
        case ColumnType.STRING | ColumnType.GUID:
            if isinstance(value, str):
                return value
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else json_text(value)
        case ColumnType.DYNAMIC:
            return json_text(value)
        case ColumnType.BOOL:
            return value if isinstance(value, bool) else None
        case ColumnType.REAL | ColumnType.DECIMAL:
            return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case ColumnType.INT | ColumnType.LONG | ColumnType.TIMESPAN:
            return _whole(value, _INT32 if kind is ColumnType.INT else _INT64)
        case ColumnType.DATETIME:
            return _microseconds(value)


def _whole(value: Any, bound: int) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and -bound <= value < bound else None


def _microseconds(value: Any) -> int | None:
    """Unix nanoseconds, or ISO 8601 text (UTC where it names no zone)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value // 1_000
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    seconds, micros = divmod((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds(), 1)
    return int(seconds) * 1_000_000 + round(micros * 1e6)
