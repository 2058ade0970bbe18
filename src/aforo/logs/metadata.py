"""What a workspace has to be asked: the declared tables with the columns that their files have grown.

The one place where declared tables (`tables/`) and stored ones (`versions`) become the compiler's symbols, the
SQL under them and the answer of the metadata API. It knows no query.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aforo.kql.symbols import ColumnSymbol, PromotedPath, TableSymbol
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


_RESOURCE = "_ResourceId"


@dataclass(frozen=True, slots=True)
class AskedTable:
    """A table as queries see it. `stored` are its columns in files as (name, Delta type name), () without files."""

    symbol: TableSymbol
    docs: dict[str, str]
    doc: str
    stored: tuple[tuple[str, str], ...]

    def flags_of(self, sql: str) -> frozenset[str]:
        """The flags of the promoted columns that compiled SQL reads."""
        return frozenset(p.flag for p in self.symbol.promoted if p.flag is not None and name(p.stored) in sql)

    def trusting(self, doubted: Collection[str]) -> TableSymbol:
        """The table for the compiler, with promoted values taken at their word unless their flag is doubted."""
        promoted = tuple(p if p.flag in doubted else replace(p, flag=None) for p in self.symbol.promoted)
        return replace(self.symbol, promoted=promoted)

    def rows_sql(self, files: Sequence[StoredFile], reading: str, resource_scopes: Sequence[str] = ()) -> str:
        """SQL of the rows in `files`, in the forms that compiled queries expect.

        Only columns that `reading`, the SQL of a compiled query, names: binding a hundred columns costs more
        than many a query. With `resource_scopes` (lower-case ARM ids) only rows of those resources and of what
        lies below them.
        """
        physical = {column: kind for column, delta in self.stored if (kind := sql_type(delta)) is not None}
        flags = {p.flag for p in self.symbol.promoted if p.flag is not None}
        wanted = {c.name: _SQL[c.type] for c in self.symbol.columns}
        wanted |= {p.stored: _SQL[p.type] for p in self.symbol.promoted}
        wanted |= dict.fromkeys(flags, "BOOLEAN")
        # A query that names no column (`T | count`) reads one all the same.
        wanted = {c: k for c, k in wanted.items() if name(c) in reading} or dict([next(iter(wanted.items()))])
        if not files or (resource_scopes and _RESOURCE not in physical):
            return relation(list(wanted.items()), ())
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
        filtering = (_RESOURCE,) if resource_scopes else ()
        read = [(c, k) for c, k in physical.items() if c in wanted or c in filtering]
        inner = relation(read or [next(iter(physical.items()))], files, _of_resources(resource_scopes))
        return f"SELECT {', '.join(out)} FROM ({inner})"  # noqa: S608 - all names are quoted


def _of_resources(scopes: Sequence[str]) -> str:
    column = f"lower({name(_RESOURCE)})"
    return " OR ".join(
        f"{column} = {literal(s)} OR starts_with({column}, {literal(s.rstrip('/') + '/')})" for s in scopes
    )


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


def schema_rows(tables: Sequence[AskedTable]) -> list[list[Any]]:
    """One row per column: table, doc, whether it has data, column, type, doc (`question.SCHEMA_COLUMNS`)."""
    return [
        [t.symbol.name, t.doc, bool(t.stored), c.name, c.type.value, t.docs.get(c.name, "")]
        for t in tables
        for c in t.symbol.columns
    ]
