"""Rows that come with a query as a table: their symbol and their SQL. It knows no request and no pool."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import orjson

from aforo.kql.symbols import ColumnSymbol, TableSymbol
from aforo.kql.ticks import TICKS_PER_US, UNIX_EPOCH
from aforo.kql.types import KqlType
from aforo.logs.sandbox import name

# SQL of a cell (text or null, {}) in the form that compiled queries expect (kql/symbols.py).
_CELLS = {
    KqlType.BOOL: "{}::BOOLEAN",
    KqlType.INT: "{}::INTEGER",
    KqlType.LONG: "{}::BIGINT",
    KqlType.REAL: "{}::DOUBLE",
    KqlType.DECIMAL: "{}::DECIMAL(38,12)",
    KqlType.STRING: "coalesce({}, '')",
    KqlType.DATETIME: "make_timestamp({}::BIGINT)",
    KqlType.TIMESPAN: "{}::BIGINT",
    KqlType.GUID: "{}",
    KqlType.DYNAMIC: "{}",
}


def source_symbol(name: str, columns: Sequence[tuple[str, str]]) -> TableSymbol:
    """What the compiler is told of the rows."""
    return TableSymbol(name, tuple(ColumnSymbol(n, KqlType(kind)) for n, kind in columns))


def source_sql(columns: Sequence[tuple[str, str]]) -> str:
    """SQL of the rows; its one parameter is their JSON text (`question.SourceRows`)."""
    cells = ", ".join(
        f"{_CELLS[KqlType(kind)].format(f'_r[{i}]')} AS {name(n)}" for i, (n, kind) in enumerate(columns, 1)
    )
    return f"SELECT {cells} FROM (SELECT unnest(from_json(?, '[[\"VARCHAR\"]]')) AS _r)"  # noqa: S608 - names are quoted


def exact_rows(rows: Sequence[Sequence[Any]], types: Sequence[KqlType]) -> bytes:
    """Canonical values as `question.SourceRows` has them, without the outer brackets; decimals are text."""
    out = [[_exact(v, kind) for v, kind in zip(row, types, strict=True)] for row in rows]
    return orjson.dumps(out, default=str)[1:-1]


def _exact(value: Any, kind: KqlType) -> Any:
    if value is None:
        return None
    if kind is KqlType.DATETIME:
        return (int(value) - UNIX_EPOCH) // TICKS_PER_US
    if kind is KqlType.REAL and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
