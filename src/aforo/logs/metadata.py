"""What a workspace has to be asked: the declared tables with the columns that their files have grown.

The one place where declared tables (`tables/`) and stored ones (`versions`) become the compiler's symbols, the
SQL under them and the answer of the metadata API. It knows no query.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aforo.kql.symbols import ColumnSymbol, PromotedPath, TableSymbol
from aforo.kql.types import KqlType
from aforo.logs.sandbox import literal, name, relation, sql_type
from aforo.logs.versions import StoredFile
from aforo.tables.schema import Table
from aforo.tables.standard import INGESTED

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
    # As they are stored: a cast costs more than most questions (35 ms for a million rows).
    KqlType.DATETIME: "TIMESTAMPTZ",
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

    def without(self, columns: Collection[str]) -> AskedTable:
        """The table as it is for somebody who may not read those columns: they are not there."""
        kept = tuple(c for c in self.symbol.columns if c.name not in columns)
        promoted = tuple(p for p in self.symbol.promoted if p.column not in columns)
        hidden = (*self.symbol.hidden, *columns)
        return replace(self, symbol=replace(self.symbol, columns=kept, promoted=promoted, hidden=hidden))

    def rows_sql(
        self,
        files: Sequence[StoredFile],
        reading: str,
        resource_scopes: Sequence[str] = (),
        admitted: Sequence[Mapping[str, str]] | None = None,
    ) -> str:
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
        if self.symbol.ingested:
            wanted[self.symbol.ingested] = _SQL[KqlType.DATETIME]
        # A query that names no column (`T | count`) reads one all the same.
        wanted = {c: k for c, k in wanted.items() if name(c) in reading} or dict([next(iter(wanted.items()))])
        conditions = []
        if resource_scopes:
            conditions.append(_any_of([{_RESOURCE: scope} for scope in resource_scopes], physical))
        if admitted is not None:
            conditions.append(_any_of(admitted, physical))
        if not files or "" in conditions:
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
        condition = " AND ".join(f"({c})" for c in conditions)
        read = [(c, k) for c, k in physical.items() if c in wanted or name(c) in condition]
        inner = relation(read or [next(iter(physical.items()))], files, condition)
        return f"SELECT {', '.join(out)} FROM ({inner})"  # noqa: S608 - all names are quoted


def _any_of(alternatives: Sequence[Mapping[str, str]], physical: Collection[str]) -> str:
    """SQL of "one of these holds"; empty when none can: a file without a column has no row of that value."""
    return " OR ".join(
        " AND ".join(_holds(column, value) for column, value in alternative.items())
        for alternative in alternatives
        if alternative and all(column in physical for column in alternative)
    )


def _holds(column: str, value: str) -> str:
    lowered, wanted = f"lower({name(column)})", literal(value.lower())
    if column != _RESOURCE:
        return f"{lowered} = {wanted}"
    below = literal(value.lower().rstrip("/") + "/")
    return f"({lowered} = {wanted} OR starts_with({lowered}, {below}))"


def asked_table(
    table_name: str, declared: Table | None, stored: Sequence[tuple[str, str]], *, custom: bool = False
) -> AskedTable:
    """What queries see of a table that is declared, stored, or both. In a custom one rows may be older than its
    declaration: what a column is in them, it is."""
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
    ingested = ""
    for column_name, delta in stored:
        if column_name == INGESTED:
            ingested = column_name
            hidden.append(column_name)
            continue
        if column_name in hidden or (
            column_name in columns and not (custom and _differs(delta, columns[column_name]))
        ):
            continue
        kind = KqlType.DECIMAL if delta.startswith("decimal(") else _GROWN.get(delta)
        if kind is not None:
            columns[column_name] = kind
    promoted = tuple(
        PromotedPath(p.column, p.path, p.stored, KqlType(p.type.value), p.flag or None)
        for p in (declared.promotions if declared is not None else ())
    )
    symbol = TableSymbol(
        table_name,
        tuple(ColumnSymbol(n, k) for n, k in columns.items()),
        promoted,
        tuple(hidden),
        ingested=ingested,
    )
    return AskedTable(
        symbol, docs, declared.doc if declared is not None else "A custom table.", tuple(stored)
    )


def _differs(delta: str, declared: KqlType) -> bool:
    """Whether a stored column cannot be of the declared type (several types are stored alike)."""
    return delta in _GROWN and sql_type(delta) != sql_type_of(declared)


def sql_type_of(kind: KqlType) -> str:
    """The SQL type in which table files hold a column of that type."""
    return _SQL[kind]


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
