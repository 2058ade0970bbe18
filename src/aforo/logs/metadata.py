"""What a workspace has to be asked: the declared tables with the columns that their files have grown.

The one place where declared tables (`tables/`) and stored ones (`versions`) become the compiler's symbols, the
SQL under them and the answer of the metadata API. It knows no query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aforo.kql.symbols import ColumnSymbol, Database, PromotedPath, TableSymbol
from aforo.kql.types import KqlType
from aforo.logs.sandbox import literal, name, relation, sql_type
from aforo.logs.versions import StoredFile
from aforo.tables.schema import Table

# Delta's type names to Kusto's, for columns that no table declares.
_GROWN = {
    "boolean": KqlType.BOOL,
    "byte": KqlType.INT,
    "short": KqlType.INT,
    "integer": KqlType.INT,
    "long": KqlType.LONG,
    "float": KqlType.REAL,
    "double": KqlType.REAL,
    "string": KqlType.STRING,
    "timestamp": KqlType.DATETIME,
    "timestamp_ntz": KqlType.DATETIME,
}
# What compiled SQL finds under a column of each type (kql/symbols.py).
_SQL = {
    KqlType.BOOL: "BOOLEAN",
    KqlType.INT: "INTEGER",
    KqlType.LONG: "BIGINT",
    KqlType.REAL: "DOUBLE",
    KqlType.DECIMAL: "DECIMAL(38,12)",
    KqlType.STRING: "VARCHAR",
    KqlType.DATETIME: "TIMESTAMP",
    KqlType.TIMESPAN: "BIGINT",
    KqlType.GUID: "VARCHAR",
    KqlType.DYNAMIC: "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class AskedTable:
    """A table as queries see it. `stored` are its columns in files as (name, Delta type name), () without files."""

    symbol: TableSymbol
    docs: dict[str, str]
    doc: str
    stored: tuple[tuple[str, str], ...]

    def view(self, files: Sequence[StoredFile], resource_scopes: Sequence[str] = ()) -> str:
        """SQL of the rows in `files`, in the forms that compiled queries expect.

        With `resource_scopes` (lower-case ARM ids) only rows of those resources and of what lies below them.
        """
        physical = {column: kind for column, delta in self.stored if (kind := sql_type(delta)) is not None}
        flags = {p.flag for p in self.symbol.promoted if p.flag is not None}
        wanted = {c.name: _SQL[c.type] for c in self.symbol.columns}
        wanted |= {p.stored: _SQL[p.type] for p in self.symbol.promoted}
        wanted |= dict.fromkeys(flags, "BOOLEAN")
        out = []
        for column, kind in wanted.items():
            quoted = name(column)
            have = physical.get(column)
            expression = quoted if have == kind else f"{quoted}::{kind}"
            if have is None:
                expression = f"NULL::{kind}"
            if column in flags:
                # A row from before the path was promoted has no flag: its text must be asked.
                expression = f"coalesce({expression}, true)"
            out.append(f"{expression} AS {quoted}")
        condition = ""
        if resource_scopes:
            tests = [
                f"(lower(_ResourceId) = {literal(s)} OR starts_with(lower(_ResourceId), {literal(s + '/')}))"
                for s in resource_scopes
            ]
            condition = " OR ".join(tests) if "_ResourceId" in physical else "false"
        if not files:
            return relation([(column, kind) for column, kind in wanted.items()], ())
        read = [(column, kind) for column, kind in physical.items() if column in wanted]
        inner = relation(read, files, condition)
        return f"SELECT {', '.join(out)} FROM ({inner})"  # noqa: S608 - all names are quoted


def asked_table(table_name: str, declared: Table | None, stored: Sequence[tuple[str, str]]) -> AskedTable:
    """What queries see of a table that is declared, stored, or both."""
    columns: dict[str, KqlType] = {}
    docs: dict[str, str] = {}
    hidden: list[str] = []
    if declared is not None:
        for column in declared.columns:
            if column.hidden:
                hidden.append(column.name)
                continue
            columns[column.name] = KqlType(column.type.value)
            docs[column.name] = column.doc
    for column_name, delta in stored:
        if column_name in columns or column_name in hidden:
            continue
        kind = KqlType.DECIMAL if delta.startswith("decimal(") else _GROWN.get(delta)
        if kind is not None:
            columns[column_name] = kind
    promoted = tuple(
        PromotedPath(p.column, p.path, p.stored, KqlType(p.type.value), p.flag or None)
        for p in (declared.promotions if declared is not None else ())
    )
    symbol = TableSymbol(
        table_name, tuple(ColumnSymbol(n, k) for n, k in columns.items()), promoted, tuple(hidden)
    )
    return AskedTable(
        symbol, docs, declared.doc if declared is not None else "A custom table.", tuple(stored)
    )


def merged(
    first: Sequence[tuple[str, str]], second: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The stored columns of one table in two workspaces; where their types differ, the first one's counts."""
    return tuple((dict(second) | dict(first)).items())


def database(name_of_it: str, tables: Sequence[AskedTable]) -> Database:
    """All that a query may name."""
    return Database(name_of_it, {t.symbol.name: t.symbol for t in tables})


def schema_rows(tables: Sequence[AskedTable]) -> list[list[Any]]:
    """One row per column: table, doc, whether it has data, column, type, doc (`question.SCHEMA_COLUMNS`)."""
    return [
        [t.symbol.name, t.doc, bool(t.stored), c.name, c.type.value, t.docs.get(c.name, "")]
        for t in tables
        for c in t.symbol.columns
    ]
