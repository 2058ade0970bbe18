"""What a log table is: columns, promoted paths, where a column comes from. It knows no engine and no file format.

A table is declared once (tables/<table>.py) and that declaration feeds the writer of its files, the KQL
schema and the reference pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ColumnType(StrEnum):
    """Kusto's scalar types. How each is stored in files: see `tables/__init__.py`."""

    BOOL = "bool"
    INT = "int"
    LONG = "long"
    REAL = "real"
    DECIMAL = "decimal"
    STRING = "string"
    DATETIME = "datetime"
    TIMESPAN = "timespan"
    GUID = "guid"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `hidden` columns are stored but no query sees their name (promoted paths live there)."""

    name: str
    type: ColumnType
    doc: str
    hidden: bool = False
    # Columns that Azure does not have stand at the end of a table and say so in the reference.
    ours: bool = False
    # What people wrote and models answered: to read it is a right of its own.
    content: bool = False


@dataclass(frozen=True, slots=True)
class Promotion:
    """`parse_json(column)[path]` is also kept in the plain column `stored`.

    Where the hidden bool column `flag` is true the value had another type, and the text must be asked.
    """

    column: str
    path: tuple[str | int, ...]
    stored: str
    type: ColumnType
    flag: str


@dataclass(frozen=True, slots=True)
class Table:
    """A log table. Every table has `TimeGenerated`; files are partitioned by its UTC day."""

    name: str
    doc: str
    columns: tuple[Column, ...]
    promotions: tuple[Promotion, ...] = ()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")

    @property
    def content(self) -> tuple[str, ...]:
        """The columns with what people wrote and models answered."""
        return tuple(c.name for c in self.columns if c.content)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)
