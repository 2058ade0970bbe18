"""A query compiled and run on a DuckDB connection, discoveries included."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from aforo.kql.compile import CompileResult, compile_query
from aforo.kql.sql.duckdb.prepare import define, settle
from aforo.kql.symbols import Database
from aforo.source import Source

NOW = 638_000_000_000_000_000
EMPTY = Database("d", {})


def compiled(
    connection: duckdb.DuckDBPyConnection, text: str, database: Database = EMPTY
) -> tuple[CompileResult, bool]:
    """What became of the text, and whether the data had to be asked for columns."""
    discovered: dict[str, list[tuple[Any, ...]]] = {}
    while True:
        result = compile_query(Source("q", text), database, now=NOW, discovered=discovered)
        if result.discovery is None:
            return result, bool(discovered)
        sql = result.discovery.compiled.sql
        define(connection, sql)
        discovered[result.discovery.key] = connection.execute(sql).fetchall()


def answer(text: str) -> tuple[list[str], list[list[Any]]]:
    """(columns as `name:type`, rows as JSON values) of a query without stored tables, which must compile."""
    connection = duckdb.connect()
    settle(connection)
    result, _ = compiled(connection, text)
    assert result.compiled is not None, [d.message for d in result.diagnostics]
    define(connection, result.compiled.json_sql)
    rows = [json.loads(row) for (row,) in connection.execute(result.compiled.json_sql).fetchall()]
    return [f"{c.name}:{c.type.value}" for c in result.compiled.columns], rows


def mistakes(text: str) -> list[str]:
    """The messages of a query that must not compile."""
    result, _ = compiled(duckdb.connect(), text)
    assert result.compiled is None
    return [d.message for d in result.diagnostics]
