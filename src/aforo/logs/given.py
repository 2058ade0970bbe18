"""Rows that come with a query as the table `source`: their symbol and their SQL. It knows no request and no pool."""

from __future__ import annotations

from collections.abc import Sequence

from aforo.kql.symbols import ColumnSymbol, TableSymbol
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


def source_symbol(columns: Sequence[tuple[str, str]]) -> TableSymbol:
    """What the compiler is told of the rows."""
    return TableSymbol("source", tuple(ColumnSymbol(n, KqlType(kind)) for n, kind in columns))


def source_sql(columns: Sequence[tuple[str, str]]) -> str:
    """SQL of the rows; its one parameter is their JSON text (`question.SourceRows`)."""
    cells = ", ".join(
        f"{_CELLS[KqlType(kind)].format(f'_r[{i}]')} AS {name(n)}" for i, (n, kind) in enumerate(columns, 1)
    )
    return f"SELECT {cells} FROM (SELECT unnest(from_json(?, '[[\"VARCHAR\"]]')) AS _r)"  # noqa: S608 - names are quoted
