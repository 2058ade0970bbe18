"""Tables that workspaces declare themselves, as their writer knows them: what rows said, and what files have.

A table only grows. Where a column is stored with another type than a row declares, it stays what it is in the files,
and the row's value is made to fit. It reads no spool and commits nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from aforo.logs.columns import DAY
from aforo.logs.rows import Row, RowMaker, row_columns
from aforo.tables.custom import custom_table, grown
from aforo.tables.schema import ColumnType, Table
from aforo.tables.standard import CONSTANT, INGESTED

Key = tuple[str, str]  # workspace id, table name

# What a stored column is to whoever writes it; several of Kusto's types are stored alike.
_STORED = {
    "boolean": ColumnType.BOOL,
    "integer": ColumnType.INT,
    "long": ColumnType.LONG,
    "double": ColumnType.REAL,
    "string": ColumnType.STRING,
    "timestamp": ColumnType.DATETIME,
}
_ALIKE = {
    ColumnType.GUID: ColumnType.STRING,
    ColumnType.DYNAMIC: ColumnType.STRING,
    ColumnType.TIMESPAN: ColumnType.LONG,
}


class CustomTables:
    """The custom tables below `tables_root/<workspace>/<table>/`."""

    def __init__(self, tables_root: Path) -> None:
        self._root = tables_root
        self._makers: dict[Key, RowMaker] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._makers

    def maker(self, key: Key, asked: Table) -> RowMaker:
        """What makes rows of the table, which has all columns of `asked` from now on."""
        maker = self._makers.get(key)
        table = maker.table if maker is not None else self._stored(key)
        wanted = grown(_as_asked(table, asked), asked) if table is not None else asked
        if maker is None or wanted != table:
            maker = self._makers[key] = RowMaker(wanted, custom=True)
        return maker

    def table(self, key: Key) -> Table:
        """The table as far as it is known; KeyError when no row has come for it."""
        return self._makers[key].table

    def known(self, key: Key) -> bool:
        """Whether there are files of the table; then its columns are known too."""
        if not (self._root.joinpath(*key) / "_delta_log").is_dir():
            return False
        self.maker(key, custom_table(key[1], ()))
        return True

    def widened(self, key: Key, rows: list[Row]) -> list[Row]:
        """Rows that were made before the table grew, with nothing in the columns that came."""
        maker = self._makers.get(key)
        if maker is None or not rows:
            return rows
        width = len(row_columns(maker.table))
        return [row + (None,) * (width - len(row)) for row in rows]

    def _stored(self, key: Key) -> Table | None:
        """The table with the columns that its files have, in the types that they have there; None without files."""
        try:
            fields = DeltaTable(self._root.joinpath(*key)).schema().fields
        except TableNotFoundError:
            return None
        given = {*CONSTANT, INGESTED, DAY}
        columns = [(f.name, _STORED.get(_name(f), ColumnType.STRING)) for f in fields if f.name not in given]
        return custom_table(key[1], [(n, kind.value, "") for n, kind in columns])


def _as_asked(table: Table, asked: Table) -> Table:
    """The table with the types that are asked for, where they are stored as what it has."""
    wanted = {c.name: c.type for c in asked.columns}
    columns = tuple(
        replace(c, type=kind)
        if (kind := wanted.get(c.name, c.type)) is not c.type and _alike(kind, c.type)
        else c
        for c in table.columns
    )
    return table if columns == table.columns else replace(table, columns=columns)


def _alike(one: ColumnType, other: ColumnType) -> bool:
    return _ALIKE.get(one, one) is _ALIKE.get(other, other)


def _name(field: Any) -> str:
    return str(getattr(field.type, "type", ""))
