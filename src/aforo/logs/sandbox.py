"""A DuckDB database in memory that can read the files it was given and nothing else of this world.

One is made per query and thrown away with it, so that no query meets what another left. It knows no KQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from aforo.logs.versions import StoredFile

# A limit up to which rows are found by what they are sorted by alone, and read afterwards (DuckDB's own: 50).
_MOST_FOUND_FIRST = 100_000

# Delta's type names to DuckDB's. What is not here (nested types, binary) is not one of our conventions.
_TYPES = {
    "boolean": "BOOLEAN",
    "byte": "TINYINT",
    "short": "SMALLINT",
    "integer": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "timestamp_ntz": "TIMESTAMP",
}


def open_sandbox(memory_bytes: int, threads: int) -> duckdb.DuckDBPyConnection:
    """A fresh database (about 15 ms), still open: `seal` it before anything of a user runs in it."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            # Without this a name in a query could be a variable of this program.
            "python_enable_replacements": "false",
            "memory_limit": f"{memory_bytes}B",
            "threads": str(threads),
            # No spilling: a query that does not fit its memory ends.
            "temp_directory": "",
            "enable_external_file_cache": "false",
        },
    )
    # The newest thousand of a million calls: their places are found first, and only then their bodies are read.
    connection.execute(f"SET TimeZone = 'UTC'; SET late_materialization_max_rows = {_MOST_FOUND_FIRST}")
    return connection


def seal(connection: duckdb.DuckDBPyConnection, files: Iterable[StoredFile]) -> None:
    """From here on: these files can be read, nothing else can be reached, and no setting can be changed."""
    connection.execute(
        f"SET allowed_paths = [{', '.join(literal(f.path) for f in files)}]; "
        "SET enable_external_access = false; SET lock_configuration = true"
    )


def relation(
    columns: Sequence[tuple[str, str]],
    files: Sequence[StoredFile],
    condition: str = "",
    *,
    named: bool = False,
) -> str:
    """SQL of a table over Parquet files; columns are (name, SQL type).

    Files of older versions may lack columns (NULL there) or have narrower types (cast): DuckDB maps each file
    to the given schema by name, at no cost for files that fit. Without files it is the empty table. With
    `named` the path of each row's file is a further column `filename`.
    """
    where = f" WHERE {condition}" if condition else ""
    if not files:
        empty = ", ".join(f"NULL::{kind} AS {name(column)}" for column, kind in columns)
        return f"SELECT {empty} WHERE false"
    schema = ", ".join(
        f"{literal(column)}: {{name: {literal(column)}, type: {literal(kind)}, default_value: NULL}}"
        for column, kind in columns
    )
    paths = ", ".join(literal(f.path) for f in files)
    filename = ", filename = true" if named else ""
    return f"SELECT * FROM read_parquet([{paths}], schema = MAP {{{schema}}}{filename}){where}"  # noqa: S608 - quoted


def sql_type(delta_type: str) -> str | None:
    """DuckDB's type of a column of a Delta table; None when it is not one of ours."""
    if delta_type.startswith("decimal("):
        return delta_type.upper()
    return _TYPES.get(delta_type)


def literal(text: str) -> str:
    """A string of SQL."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """An identifier of SQL."""
    return '"' + text.replace('"', '""') + '"'
