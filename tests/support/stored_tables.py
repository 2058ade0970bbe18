"""Delta tables written in the product's physical convention, without the shipper: for tests of what reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arro3.core import Array, DataType, Field, Schema, Table
from deltalake import write_deltalake

TYPES = {
    "bool": DataType.bool(),
    "int": DataType.int32(),
    "long": DataType.int64(),
    "real": DataType.float64(),
    "string": DataType.string(),
    "dynamic": DataType.string(),
    "guid": DataType.string(),
    "timespan": DataType.int64(),
}
_MICROS = DataType.timestamp("us", tz="UTC")


def micros(moment: datetime) -> int:
    """Unix microseconds of an aware datetime."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def write_rows(
    root: Path, workspace: str, table: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Append rows as one commit (one file); columns are name to Kusto type, missing values are null."""
    listed = list(rows)
    arrays, fields = [], []
    for name, kind in columns.items():
        values = [row.get(name) for row in listed]
        if kind == "datetime":
            array = Array([None if v is None else micros(v) for v in values], DataType.int64()).cast(_MICROS)
            fields.append(Field(name, _MICROS))
        else:
            array = Array(values, TYPES[kind])
            fields.append(Field(name, TYPES[kind]))
        arrays.append(array)
    path = root / workspace / table
    path.parent.mkdir(parents=True, exist_ok=True)
    write_deltalake(
        path, Table.from_arrays(arrays, schema=Schema(fields)), mode="append", schema_mode="merge"
    )
