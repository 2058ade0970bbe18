"""Tables that a workspace declares itself: their own columns beside those that every table has."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.tables.schema import Column, ColumnType, Table
from aforo.tables.standard import STANDARD, TIME

_GIVEN = frozenset({TIME.name, *(c.name for c in STANDARD)})


def custom_table(name: str, columns: Iterable[tuple[str, str, str]], doc: str = "") -> Table:
    """A table with those columns: (name, Kusto's type, what it holds).

    They stand behind the ones that all tables have, so that a column which comes later stands at the end.
    """
    own = (Column(n, ColumnType(kind), about) for n, kind, about in columns if n not in _GIVEN)
    return Table(name, doc or "A custom table.", (TIME, *STANDARD, *own))


def grown(table: Table, other: Table) -> Table:
    """The table with the columns that only the other one has; where both have one, its own type holds."""
    known = set(table.names)
    return Table(table.name, table.doc, (*table.columns, *(c for c in other.columns if c.name not in known)))


def own_columns(table: Table) -> tuple[Column, ...]:
    """The columns that the table itself declares."""
    return tuple(c for c in table.columns if c.name not in _GIVEN)
